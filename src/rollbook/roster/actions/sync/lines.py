"""What was set aside, line by line: file, row, column, why, and how to mend it at the source.

Reasons name columns and kinds, never a value: a value may be personal and stands in its own column.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from rollbook.kernel import ids
from rollbook.roster.actions.sync import bulk
from rollbook.roster.actions.sync.specs import SPECS, Check, Spec, shown
from rollbook.roster.models import SetAside, Sync

CAP = 10_000  # lines kept for each kind and code; the counts say how many there are
SHORT = 200  # characters of a value that a line shows

_PROBLEM = (
    "kind VARCHAR, code VARCHAR, fatal BOOLEAN, file VARCHAR, row BIGINT, col VARCHAR, sid VARCHAR, value VARCHAR,"
    " reason VARCHAR, mend VARCHAR"
)


def make_tables(con: duckdb.DuckDBPyConnection) -> None:
    """The empty tables that the checks fill."""
    con.execute(f"CREATE OR REPLACE TABLE problem ({_PROBLEM})")
    con.execute("CREATE OR REPLACE TABLE problem_count (kind VARCHAR, code VARCHAR, n BIGINT)")
    con.execute(
        "CREATE OR REPLACE TABLE depends (kind VARCHAR, sid VARCHAR, on_kind VARCHAR, on_sid VARCHAR)"
    )


def set_aside(con: duckdb.DuckDBPyConnection, spec: Spec, checks: list[Check], duplicate: int) -> None:
    """Write the lines of one kind from the masks of `j_<entity>`."""
    found = con.execute(f"SELECT bit_or(mask) FROM j_{spec.entity}").fetchone()
    bits = int(found[0] or 0) if found else 0
    if not bits:
        return
    for index, check in enumerate(checks):
        if bits >> index & 1:
            where = f"j.mask & {1 << index} <> 0"
            if check.ref:
                _reference(con, spec, check, check.ref.kind, where)
            else:
                _write(con, spec, check.code, check.source, check.fatal, where, check.value or f"s.{check.source}",
                       _text(check.reason), _text(check.mend))  # fmt: skip
    if bits & duplicate and not spec.quiet_duplicates:
        _write(
            con, spec, "duplicate", "sourced_id", True, f"j.mask & {duplicate} <> 0", "s.sourced_id",
            _text("Another row has the same sourcedId; that one was taken."),
            _text("Give each row its own sourcedId, or take one of the two out."),
        )  # fmt: skip


def _reference(con: duckdb.DuckDBPyConnection, spec: Spec, check: Check, kind: str, where: str) -> None:
    """The lines of one reference that finds nothing, parted by why it does not."""
    column, target = shown(check.source), SPECS[kind]
    tail = "." if check.fatal else "; the row was kept without it."
    of = f"s.{check.source}"
    if kind == spec.entity:
        cycle = f"{where} AND j.sid IN (SELECT sid FROM cycle_{kind})"
        _write(
            con, spec, "cycle", check.source, False, cycle, of,
            _text(f"{column} leads in a circle back to this row; the row was kept without it."),
            _text("Give the topmost of them no parent."),
        )  # fmt: skip
        where += f" AND j.sid NOT IN (SELECT sid FROM cycle_{kind})"
    there, marked = (
        f"{of} IN (SELECT sid FROM aside_{kind})",
        f"{of} IN (SELECT sid FROM j_{kind} WHERE act = 4)",
    )
    first = f"(SELECT a.file || ' row ' || a.row FROM aside_{kind} a WHERE a.sid = {of})"
    _write(
        con, spec, "depends", check.source, check.fatal, f"{where} AND {there}", of,
        f"{_text(f'{column} names {target.said} that was set aside')} || coalesce(' (' || {first} || ')', '') || {_text(tail)}",
        _text("Mend that row; this one follows by itself."),
    )  # fmt: skip
    if check.fatal:
        con.execute(
            f"INSERT INTO depends SELECT '{spec.entity}', j.sid, '{kind}', {of} FROM j_{spec.entity} j"
            f" JOIN {spec.staged} s ON s.rid = j.rid WHERE {where} AND {there}"
        )
    _write(
        con, spec, "reference", check.source, check.fatal, f"{where} AND NOT {there} AND {marked}", of,
        _text(f"{column} names {target.said} that this bundle marks to be deleted{tail}"),
        _text("Mark this row to be deleted too, or keep the other."),
    )  # fmt: skip
    _write(
        con, spec, "reference", check.source, check.fatal, f"{where} AND NOT {there} AND NOT {marked}", of,
        _text(f"{column} names {target.said} that is neither in the bundle nor in the roster{tail}"),
        _text(f"Add it to {target.file}, or correct the reference."),
    )  # fmt: skip


def _write(
    con: duckdb.DuckDBPyConnection, spec: Spec, code: str, source: str, fatal: bool, where: str, value: str, reason: str,
    mend: str,
) -> None:  # fmt: skip
    joins = f"j_{spec.entity} j JOIN {spec.staged} s ON s.rid = j.rid" + (
        " LEFT JOIN t_class t ON t.rid = s.rid" if spec.entity == "class" else ""
    )
    count = con.execute(f"SELECT count(*) FROM {joins} WHERE {where}").fetchone()
    if not count or not count[0]:
        return
    con.execute("INSERT INTO problem_count VALUES (?, ?, ?)", [spec.entity, code, count[0]])
    con.execute(
        f"INSERT INTO problem SELECT '{spec.entity}', '{code}', {fatal}, coalesce(s._file, ''), coalesce(s._row, 0),"
        f" '{shown(source)}', coalesce(j.sid, ''), coalesce(CAST({value} AS VARCHAR), '')[1:{SHORT}], {reason}, {mend}"
        f" FROM {joins} WHERE {where} ORDER BY s._file, s._row LIMIT {CAP}"
    )


def count_dependents(con: duckdb.DuckDBPyConnection) -> None:
    """dependents(kind, sid, n): how many rows were set aside because of each, through any number of steps."""
    con.execute(
        "CREATE OR REPLACE TABLE dependents AS WITH RECURSIVE chain AS ("
        " SELECT DISTINCT on_kind AS root_kind, on_sid AS root, kind, sid FROM depends"
        " UNION SELECT c.root_kind, c.root, d.kind, d.sid FROM chain c JOIN depends d ON d.on_kind = c.kind AND d.on_sid = c.sid)"
        " SELECT root_kind AS kind, root AS sid, count(*) AS n FROM chain GROUP BY ALL"
    )


def store(con: duckdb.DuckDBPyConnection, sync: Sync, folder: Path) -> None:
    """Write the lines into the table of rows set aside."""
    found = con.execute("SELECT count(*) FROM problem").fetchone()
    if not found or not found[0]:
        return
    block = ids.block(int(found[0]))
    number = block.sql("row_number() OVER (ORDER BY p.code, p.file, p.row) - 1")
    columns = ["id", "tenant_id", "sync_id", "file", "row", "column", "code", "sourced_id", "value", "reason", "mend",
               "dependents"]  # fmt: skip
    bulk.load(
        con,
        f"SELECT {number}, {sync.tenant_id}, {sync.id}, p.file, p.row, p.col, p.code, p.sid, p.value, p.reason, p.mend,"
        " CASE WHEN p.fatal THEN coalesce(d.n, 0) ELSE 0 END FROM problem p LEFT JOIN dependents d ON d.kind = p.kind"
        " AND d.sid = p.sid",
        SetAside._meta.db_table, columns, folder,
    )  # fmt: skip


def _text(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
