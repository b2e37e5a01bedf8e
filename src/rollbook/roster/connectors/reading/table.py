"""From a CSV file to a table of text: DuckDB's strict parser first, a careful line-by-line reading in SQL if it objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from rollbook.roster.connectors.reading.header import Header, HeaderError
from rollbook.roster.connectors.reading.scan import Scan, needs_rewrite, rewrite
from rollbook.roster.connectors.reading.source import Entry
from rollbook.roster.rules.bundle import Notice, ReadWhole

# Longest line, in bytes; a longer one means that a quote was never closed or that the file is no CSV.
MAX_LINE = 16 * 1024 * 1024
# Longest line for the quick parser: it parts a file among its threads by this, so a long one would leave them one part.
USUAL_LINE = 256 * 1024
_MARK = b"\x02"
_NEVER = "\x03"
_LITERAL = "\x04"
_CUT = "\x1f"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A raw table: columns as chosen by the caller, plus ``_row``; multiline says that a cell may hold a line break.

    regular: the strict parser read all of it. rows: of the file, also where only changed ones are in the table.
    """

    table: str
    rows: int
    multiline: bool
    notices: tuple[Notice, ...]
    regular: bool = False


def text(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def name(value: str) -> str:
    """An SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def load(
    con: duckdb.DuckDBPyConnection,
    entry: Entry,
    found: Scan,
    header: Header,
    columns: Sequence[str | None],
    select: Sequence[str],
    table: str,
    spool: Path,
) -> Loaded:
    """Read the file into table.

    columns names each cell of the header (None = not read); select is the list of SQL expressions over these names that
    the table is made of (``_row`` is added). Raises HeaderError when the file cannot be read, naming the row.
    """
    cells = named(columns)
    path = entry.path
    lines, tail = found.lines, _blank_tail(path)
    if needs_rewrite(found):
        path = spool / f"{table}.utf8"
        lines = rewrite(entry, found, path) + (0 if _ends(path) else 1)
        tail = _blank_tail(path)
    loaded = None
    if header.row == 1:
        loaded = _strict(con, entry, header, cells, select, table, path, lines - tail)
    if loaded is None:
        loaded = _careful(con, entry, found, header, cells, select, table, spool)
    read = [c for c in columns if c is not None]
    if loaded.multiline:
        _swallowed(con, table, read, header.delimiter, len(cells))
    blank = _drop_blank(con, table, read)
    if blank is not None:
        n, row = blank
        loaded = Loaded(
            table, loaded.rows - n, loaded.multiline,
            (*loaded.notices, _warn("trailing-blank-rows", entry, row, n, "Rows with no value were left out.",
                                    "Remove the empty rows.")),
        )  # fmt: skip
    return loaded


def _warn(code: str, entry: Entry, row: int | None, n: int, message: str, mend: str) -> Notice:
    return Notice(code, "warning", entry.name, row, None, None, message, mend, n)


def _ends(path: Path) -> bool:
    with path.open("rb") as handle:
        handle.seek(0, 2)
        if not handle.tell():
            return True
        handle.seek(-1, 2)
        return handle.read(1) == b"\n"


def _blank_tail(path: Path) -> int:
    """How many empty lines the file ends with."""
    with path.open("rb") as handle:
        end = handle.seek(0, 2)
        handle.seek(max(0, end - 4096))
        tail = handle.read().replace(b"\r\n", b"\n")
    stripped = tail.rstrip(b"\n")
    return max(0, len(tail) - len(stripped) - 1) if stripped else 0


def _strict(
    con: duckdb.DuckDBPyConnection,
    entry: Entry,
    header: Header,
    cells: Sequence[str],
    select: Sequence[str],
    table: str,
    path: Path,
    lines: int,
) -> Loaded | None:
    """The fast way; an empty cell comes as ''.

    None when the file is not regular, so that its rows could not be counted or read with certainty.
    """
    try:
        con.execute(
            f"CREATE TABLE {table} AS SELECT {', '.join((*select, 'NULL::BIGINT AS _row'))} FROM {source(path, header, cells)}"
        )
    except duckdb.Error as error:
        if isinstance(error, (duckdb.OutOfMemoryException, duckdb.InterruptException)):
            raise
        con.execute(f"DROP TABLE IF EXISTS {table}")
        return None
    rows = _count(con, table)
    multiline = lines > rows + 1
    if multiline and _has_blank_line(path) or lines < rows + 1 and rows:
        con.execute(f"DROP TABLE {table}")
        return None
    con.execute(f"UPDATE {table} SET _row = rowid + 2")
    return Loaded(table, rows, multiline, (), regular=not multiline)


def named(columns: Sequence[str | None]) -> list[str]:
    """A name for each cell of the header."""
    return [column or f"_skip{i}" for i, column in enumerate(columns)]


def source(path: Path, header: Header, cells: Sequence[str]) -> str:
    """The rows of a regular file as a relation; an empty cell is ''."""
    columns = ", ".join(f"{text(cell)}: 'VARCHAR'" for cell in cells)
    # A word for NULL that never occurs: with the usual one ('') the parser drops empty extra cells without a word, and a
    # row whose unquoted comma moved every later cell would pass.
    return (
        f"read_csv({text(_glob(path))}, auto_detect=false, header=true, delim={text(header.delimiter)}, quote='\"', "
        f"escape='\"', strict_mode=true, nullstr={text(_NEVER)}, max_line_size={USUAL_LINE}, columns={{{columns}}})"
    )


def changed(
    con: duckdb.DuckDBPyConnection,
    entry: Entry,
    found: Scan,
    header: Header,
    columns: Sequence[str | None],
    select: Sequence[str],
    table: str,
    kept: str,
    gone: str,
) -> Loaded:
    """Read into table only the rows whose digest (``_raw``, in select) is not among the kept ones; their ``_row`` is 0.

    kept: a relation of digests and sourcedIds (raw, sid). gone: the table made of the sourcedIds whose kept row the file
    no longer holds. Raises ReadWhole where the file is not regular, or holds a row or a sourcedId twice.
    """
    if header.row != 1 or needs_rewrite(found):
        raise ReadWhole
    rows = source(entry.path, header, named(columns))
    try:
        # The kept rows are what is hashed, whatever the optimizer guesses of the file: it streams past them.
        con.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
        con.execute(
            f"CREATE TABLE {table} AS SELECT n.*, 0::BIGINT AS _row, k.sid AS _gone"
            f" FROM (SELECT {', '.join(select)} FROM {rows}) n FULL JOIN {kept} k ON k.raw = n._raw"
            " WHERE n._raw IS NULL OR k.raw IS NULL"
        )
    except duckdb.Error as error:
        if isinstance(error, (duckdb.OutOfMemoryException, duckdb.InterruptException)):
            raise
        raise ReadWhole from None
    finally:
        con.execute("RESET disabled_optimizers")
    con.execute(f"CREATE OR REPLACE TABLE {gone} AS SELECT _gone AS sid FROM {table} WHERE _raw IS NULL")
    con.execute(f"DELETE FROM {table} WHERE _raw IS NULL")
    con.execute(f"ALTER TABLE {table} DROP COLUMN _gone")
    before, left, fresh = _count(con, f"{kept} k"), _count(con, gone), _count(con, table)
    count = found.lines - _blank_tail(entry.path) - 1
    # Each line is then one row, and no row stands twice.
    if before - left + fresh != count or _count(con, table, "sourced_id IS NULL"):
        raise ReadWhole
    if _count(
        con,
        f"{table} n",
        f"sourced_id IN (SELECT sid FROM {kept} k) AND sourced_id NOT IN (SELECT sid FROM {gone})",
    ):
        raise ReadWhole
    return Loaded(table, count, False, (), regular=True)


def _glob(path: Path) -> str:
    """The path with its wildcards quoted, so that DuckDB opens this one file."""
    return re.sub(r"([*?\[\]])", r"[\1]", str(path))


def _count(con: duckdb.DuckDBPyConnection, table: str, where: str = "true") -> int:
    row = con.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()
    assert row is not None
    return int(row[0])


def _has_blank_line(path: Path) -> bool:
    before = b""
    with path.open("rb", buffering=0) as handle:
        while block := handle.read(1 << 20):
            joined = before + block
            if b"\n\n" in joined or b"\n\r\n" in joined:
                return True
            before = joined[-2:]
    return False


def _swallowed(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], delimiter: str, width: int
) -> None:
    """Refuse a file in which one cell holds whole rows: two stray quotes make a well-formed CSV of the wrong meaning."""
    cells = " OR ".join(
        f"(contains({name(c)}, E'\\n') AND length({name(c)}) - length(replace({name(c)}, {text(delimiter)}, '')) "
        f">= {max(1, width - 1)})"
        for c in columns
    )
    row = con.execute(f"SELECT min(_row) FROM {table} WHERE {cells or 'false'}").fetchone()
    if row and row[0]:
        con.execute(f"DROP TABLE {table}")
        raise UnbalancedQuote(int(row[0]))


def _drop_blank(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> tuple[int, int] | None:
    """Remove the rows in which every cell is empty; how many, and the first."""
    present = {r[0] for r in con.execute(f"SELECT column_name FROM (DESCRIBE {table})").fetchall()}
    cells = [c for c in columns if c in present]
    if not cells:
        return None
    values = ", ".join(f"nullif(trim({name(c)}, ' \t\r\n\u00a0'), '')" for c in cells)
    first = name(cells[0])
    # The first cell is an id and nearly always there: the others are looked at only where it is not.
    blank = f"CASE WHEN {first} IS NULL OR {first} < '!' OR {first} >= '\u0080' THEN coalesce({values}) IS NULL ELSE false END"
    row = con.execute(f"SELECT count(*), min(_row) FROM {table} WHERE {blank}").fetchone()
    if not row or not row[0]:
        return None
    con.execute(f"DELETE FROM {table} WHERE {blank}")
    return int(row[0]), int(row[1])


def _careful(
    con: duckdb.DuckDBPyConnection,
    entry: Entry,
    found: Scan,
    header: Header,
    cells: Sequence[str],
    select: Sequence[str],
    table: str,
    spool: Path,
) -> Loaded:
    """The sure way: lines, then records (a quoted cell may hold line breaks), then cells; all in SQL.

    A quote that touches neither a delimiter nor the end of its line is a letter, not a quote.
    """
    path = spool / f"{table}.lines"
    rewrite(entry, found, path, _MARK)
    ends_open = not _ends_with_mark(path)
    quoted = found.quotes or found.encoding.startswith("utf-")
    try:
        con.execute(
            f"CREATE TEMP TABLE {table}_l AS SELECT substr(line, 2) AS t, NULL::BIGINT AS ln FROM read_csv({text(_glob(path))}, "
            f"auto_detect=false, header=false, delim='\x01', quote='', escape='', nullstr={text(_NEVER)}, "
            f"max_line_size={MAX_LINE}, columns={{'line': 'VARCHAR'}})"
        )
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        raise HeaderError(
            f"A line is longer than {MAX_LINE >> 20} MB.",
            "Check that the file is a CSV, and export it again.",
        ) from None
    con.execute(f"UPDATE {table}_l SET ln = rowid + 1")
    if not ends_open:
        con.execute(f"DELETE FROM {table}_l WHERE ln = (SELECT max(ln) FROM {table}_l)")
    try:
        return _records(con, entry, header, cells, select, table, quoted, ends_open)
    finally:
        for suffix in ("_l", "_r", "_c"):
            con.execute(f"DROP TABLE IF EXISTS {table}{suffix}")


def _ends_with_mark(path: Path) -> bool:
    """Whether the last line is only its mark: the file ended with a line feed."""
    with path.open("rb") as handle:
        end = handle.seek(0, 2)
        handle.seek(max(0, end - 2))
        return handle.read() in (b"\n" + _MARK, _MARK)


def _records(
    con: duckdb.DuckDBPyConnection,
    entry: Entry,
    header: Header,
    cells: Sequence[str],
    select: Sequence[str],
    table: str,
    quoted: bool,
    ends_open: bool,
) -> Loaded:
    d = header.delimiter
    if quoted:
        literal = _letters(d)
        con.execute(
            f"CREATE TEMP TABLE {table}_r AS WITH a AS (SELECT ln, CASE WHEN contains(t, '\"') THEN {literal} ELSE t END AS t "
            f"FROM {table}_l), b AS (SELECT ln, t, (length(t) - length(replace(t, '\"', ''))) % 2 AS odd FROM a), "
            f"c AS (SELECT ln, t, coalesce(sum(odd) OVER (ORDER BY ln ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) "
            f"% 2 AS inside FROM b), e AS (SELECT ln, t, sum((inside = 0)::INT) OVER (ORDER BY ln ROWS UNBOUNDED PRECEDING) "
            f"AS rec FROM c) SELECT rec::BIGINT AS row, string_agg(t, E'\\n' ORDER BY ln) AS t, count(*) AS span, "
            f"min(ln) AS line FROM e GROUP BY rec"
        )
        parts = (
            f"string_split(array_to_string(list_transform(string_split(t, '\"'), lambda x, i: CASE WHEN i % 2 = 1 THEN "
            f"replace(x, {text(d)}, {text(_CUT)}) ELSE x END), '\"'), {text(_CUT)})"
        )
        split = f"CASE WHEN contains(t, '\"') THEN {parts} ELSE string_split(t, {text(d)}) END"
    else:
        con.execute(
            f"CREATE TEMP TABLE {table}_r AS SELECT ln AS row, t, 1 AS span, ln AS line FROM {table}_l"
        )
        split = f"string_split(t, {text(d)})"
    width = len(cells)
    marked = f"(contains(t, '\"') OR contains(t, {text(_LITERAL)}))"
    con.execute(
        f"CREATE TEMP TABLE {table}_c AS SELECT row, span, {marked} AS q, {split} AS c FROM {table}_r "
        f"WHERE row > {header.row} AND trim(t, E' \\t\\n') <> ''"
    )
    _unbalanced(con, table, width, quoted)
    trimmed = "trim(x, E' \\t')"
    # A cell that opens with a quote must close with one; every other quote was marked as a letter before.
    broken = (
        f"q AND len(list_filter(c, lambda x: starts_with({trimmed}, '\"') AND (length({trimmed}) = 1 OR "
        f"NOT ends_with({trimmed}, '\"')))) > 0"
    )
    # Empty cells past the header are harmless where every row has as many; else a comma in an unquoted value moved the rest.
    sizes = con.execute(f"SELECT count(*), min(len(c)), max(len(c)) FROM {table}_c").fetchone()
    alike = sizes is not None and sizes[0] > 1 and sizes[1] == sizes[2]
    extra = (
        f"len(list_filter(c[{width + 1}:], lambda x: {trimmed} <> '')) > 0" if alike else f"len(c) > {width}"
    )
    notices: list[Notice] = []
    last = con.execute(f"SELECT max(row) FROM {table}_r").fetchone()
    cut = int(last[0]) if ends_open and last and last[0] else -1
    for code, where, message, mend in (
        ("bad-quote", broken if quoted else "false", "A quote opens a cell and does not close it.",
         'Write a quote inside a quoted cell twice ("").'),
        ("extra-cells", extra, f"The row has more cells than the header ({width}).",
         "Put a cell that holds the delimiter in quotes."),
        ("truncated-row", f"row = {cut} AND len(c) < {width}", "The file ends in the middle of this row.",
         "Export the file again, and check that the upload ended."),
    ):  # fmt: skip
        for (row,) in con.execute(
            f"SELECT row FROM {table}_c WHERE {where} ORDER BY row LIMIT 1000"
        ).fetchall():
            notices.append(Notice(code, "refused", entry.name, int(row), None, None, message, mend))
        con.execute(f"DELETE FROM {table}_c WHERE {where}")
    for code, where, message, mend in (
        ("extra-cells", f"len(c) > {width}", "Rows end with more empty cells than the header has.",
         "Remove the delimiters at the end of the rows."),
        ("short-row", f"len(c) < {width}", "Rows have fewer cells than the header; the rest were read as empty.",
         "Write every cell, also the empty ones."),
    ):  # fmt: skip
        row = con.execute(f"SELECT count(*), min(row) FROM {table}_c WHERE {where}").fetchone()
        if row and row[0]:
            notices.append(_warn(code, entry, int(row[1]), int(row[0]), message, mend))
    clean = (
        f"CASE WHEN starts_with({trimmed}, '\"') THEN replace(substr({trimmed}, 2, length({trimmed}) - 2), '\"\"', '\"') "
        f"ELSE x END"
    )
    literal = f"replace(replace({clean}, '\\' || {text(_LITERAL)}, '\"'), {text(_LITERAL)}, '\"')"
    value = f"CASE WHEN q THEN list_transform(c, lambda x: {literal}) ELSE c END"
    value = value if quoted else "c"
    named = ", ".join(f"v[{i}] AS {name(cell)}" for i, cell in enumerate(cells, 1))
    con.execute(
        f"CREATE TABLE {table} AS SELECT {', '.join((*select, '_row'))} FROM (SELECT {named}, row AS _row FROM "
        f"(SELECT row, {value} AS v FROM {table}_c))"
    )
    multiline = _count(con, f"{table}_c", "span > 1") > 0
    return Loaded(table, _count(con, table), multiline, tuple(notices))


def _letters(delimiter: str) -> str:
    """SQL that marks the quotes of ``t`` which are letters, after taking away the spaces around cells in quotes."""
    d = re.escape(delimiter)
    sql = "t"
    steps = (
        (rf"(^|{d})[ ]+\"", r"\1" + '"'),
        (rf"\"[ ]+({d}|$)", '"' + r"\1"),
        (rf"([^{d}\"])\"([^{d}\"])", r"\1" + _LITERAL + r"\2"),
        (rf"([^{d}\"])\"([^{d}\"])", r"\1" + _LITERAL + r"\2"),
    )
    for pattern, by in steps:
        sql = f"regexp_replace({sql}, {text(pattern)}, {text(by)}, 'g')"
    return sql


def _unbalanced(con: duckdb.DuckDBPyConnection, table: str, width: int, quoted: bool) -> None:
    """Refuse a file in which a quote swallows the rows after it."""
    if not quoted:
        return
    row = con.execute(
        f"SELECT min(r.row) FROM {table}_r r LEFT JOIN {table}_c c USING (row) WHERE r.span > 1 AND ("
        f"len(c.c) > {width} OR (length(r.t) - length(replace(r.t, '\"', ''))) % 2 = 1)"
    ).fetchone()
    if row is None or row[0] is None:
        row = con.execute(
            f"SELECT min(row) FROM {table}_r WHERE (length(t) - length(replace(t, '\"', ''))) % 2 = 1"
        ).fetchone()
    if row is None or row[0] is None:
        return
    raise UnbalancedQuote(int(row[0]))


class UnbalancedQuote(HeaderError):
    """A quote was opened in this row and never closed."""

    def __init__(self, row: int) -> None:
        super().__init__(
            f"A quote opens in row {row} and does not close in it.",
            'Close the quote, or write a quote inside a cell twice ("").',
        )
        self.row = row
