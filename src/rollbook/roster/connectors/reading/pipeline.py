"""The steps every format shares: scan, understand the header, load, look, decide, clean; file by file, one table each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import duckdb

from rollbook.kernel.progress import Progress
from rollbook.roster.connectors.reading import clean, header, scan, staging, table
from rollbook.roster.connectors.reading.header import FileSpec, Header, HeaderError
from rollbook.roster.connectors.reading.source import Entry, Opened
from rollbook.roster.rules.bundle import Kept, Notice, ReadWhole, Refused

# The kinds whose rows are known again by a digest: there are many of them, and each is judged by itself.
DIGESTED = frozenset({"person", "role", "enrollment", "demographics"})


@dataclass
class Raw:
    """One file on its way: the table it is in, and what is known of it. part: only its changed rows are in the table."""

    spec: FileSpec
    entry: Entry
    scan: scan.Scan
    header: Header
    table: str
    rows: int
    mode: str
    columns: frozenset[str]
    cells: Sequence[str | None] = ()
    part: bool = False
    look: clean.Cleaned = field(default_factory=clean.Cleaned)
    looked: tuple[clean.Column, ...] = ()


class Reader:
    """Reads the files of one bundle into clean tables, and collects what was noticed."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        opened: Opened,
        progress: Progress,
        day_first: bool | None,
        kept: Kept | None = None,
    ) -> None:
        self.con = con
        self.kept = kept
        self.digested: frozenset[str] = frozenset()  # kinds whose reader can do with changed rows alone
        self.regular: dict[str, str] = {}
        self.part: set[str] = set()
        self.opened = opened
        self.progress = progress
        self.day_first = day_first
        self.notices: list[Notice] = list(opened.notices)
        self.raws: dict[str, Raw] = {}
        csvs = [e for e in opened.entries if e.name.lower().endswith((".csv", ".txt", ".tsv"))]
        with ThreadPoolExecutor(2) as pool:
            self.scans = dict(zip((e.name for e in csvs), pool.map(scan.scan, csvs), strict=True))
        self.files = len(csvs)

    def sha256(self) -> str:
        """Over the sorted names and hashes of the files: the same for a folder and every zip of it."""
        lines = sorted(f"{name.lower()}\0{found.sha256}\n" for name, found in self.scans.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def warn(
        self,
        code: str,
        file: str | None,
        message: str,
        mend: str,
        column: str | None = None,
        row: int | None = None,
        n: int = 1,
    ) -> None:
        """Note a leniency."""
        self.notices.append(Notice(code, "warning", file, row, column, None, message, mend, n))

    def refuse(self, code: str, entry_name: str, message: str, mend: str, *, required: bool, row: int | None = None,
               column: str | None = None) -> None:  # fmt: skip
        """Set a whole file aside, or refuse the bundle when the file is one that all others need."""
        if required:
            raise Refused(f"'{entry_name}' cannot be read. {message}", entry_name, row, column, mend)
        self.notices.append(
            Notice(code, "refused", entry_name, row, column, None,
                   f"{message} The file was not read; what is stored of this kind stays as it is.", mend)
        )  # fmt: skip

    def head(self, entry: Entry) -> str:
        """The start of a file as text."""
        return scan.head(entry, self.scans[entry.name])

    def load(
        self,
        entry: Entry,
        spec: FileSpec,
        others: Mapping[str, FileSpec],
        *,
        mode: str = "bulk",
        required: bool = False,
    ) -> Raw | None:
        """Load one file into a raw table. None when it was set aside; raises Refused when it is required."""
        found = self.scans[entry.name]
        if not found.size:
            self.refuse("empty-file", entry.name, "It is empty (0 bytes).",
                        "Export it again; a file without rows still has its header line.", required=required)  # fmt: skip
            return None
        self.progress.step(f"reading {entry.name}", len(self.raws), self.files)
        try:
            head = header.read(entry.name, self.head(entry), spec, others)
            raw = self._load(entry, spec, found, head, mode)
        except table.UnbalancedQuote as error:
            self.refuse(
                "unbalanced-quote", entry.name, error.message, error.mend, required=required, row=error.row
            )
            return None
        except HeaderError as error:
            self.refuse(
                "header", entry.name, error.message, error.mend, required=required, row=1, column=error.column
            )
            return None
        if not scan.unchanged(entry, found):
            raise Refused(
                f"'{entry.name}' changed while it was read.",
                entry.name,
                mend="Wait until the export has ended, then sync again.",
            )
        self.raws[spec.name] = raw
        return raw

    def _load(self, entry: Entry, spec: FileSpec, found: scan.Scan, head: Header, mode: str) -> Raw:
        name = "raw_" + re.sub(r"\W", "_", spec.name.removesuffix(".csv")).lower()
        cells: list[str | None] = [None] * len(head.cells)
        columns: list[clean.Column] = []
        filled: dict[str, str] = {}
        extensions: dict[str, str] = {}
        for i, published in enumerate(head.names):
            staged = spec.staged[published] if published is not None else None
            if published is not None and staged is not None and staged.startswith("m_"):
                cells[i] = f"x{i}"
                extensions[f"x{i}"] = published
                columns.append(clean.Column(f"x{i}", published))
            elif published is not None and staged is not None:
                cells[i] = staged
                filled[staged] = f"nullif({table.name(staged)}, '')"
                columns.append(staging.column(spec.kind, staged, published, spec.words.get(staged)))
        has_metadata = "metadata" in staging.STAGING[spec.kind]
        for i, key in head.extensions.items():
            if has_metadata:
                cells[i] = f"x{i}"
                extensions[f"x{i}"] = key
                columns.append(clean.Column(f"x{i}", head.cells[i].strip()))
        wanted = (*staging.STAGING[spec.kind], *(c for c in filled if c not in staging.STAGING[spec.kind]))
        select = [f"{filled.get(c, 'NULL::VARCHAR')} AS {table.name(c)}" for c in wanted]
        select += [f"nullif({c}, '') AS {c}" for c in extensions]
        select.append(f"{table.text(entry.name)}::VARCHAR AS _file")
        digest = ""
        if spec.kind in self.digested and mode == "bulk":
            known = sorted(
                [*((c, c) for c in filled), *((f"metadata.{k}", c) for c, k in extensions.items())]
            )
            select.append(
                f"md5_number_lower(concat_ws(chr(31), {', '.join(table.name(cell) for _, cell in known)})) AS _raw"
            )
            digest = json.dumps([key for key, _ in known])
        part = bool(digest) and self.kept is not None and self.kept.regular.get(spec.kind) == digest
        if part:
            assert self.kept is not None
            loaded = table.changed(
                self.con, entry, found, head, cells, select, name, self.kept.rows[spec.kind], f"x_{spec.kind}"
            )
        else:
            loaded = table.load(self.con, entry, found, head, cells, select, name, self.opened.spool)
        self.notices += scan.notices(entry, found)
        self.notices += head.notices
        self.notices += loaded.notices
        if not loaded.rows:
            self.warn(
                "header-only",
                entry.name,
                "The file has a header and no rows.",
                "Leave the file out if nothing is meant.",
            )
        raw = Raw(spec, entry, found, head, name, loaded.rows, mode, frozenset(filled), cells, part)
        raw.look = clean.look(
            self.con, name, entry.name, columns,
            spaces=found.spaces, odd_spaces=found.odd_spaces or found.encoding != "utf-8", multiline=loaded.multiline,
        )  # fmt: skip
        raw.looked = tuple(columns)
        lenient = bool(raw.look.notices or raw.look.expressions or raw.look.dates)
        if part and lenient:  # how a column is read may rest on all its rows
            raise ReadWhole
        if digest and loaded.regular and loaded.rows and not loaded.notices and not lenient:
            self.regular[spec.kind] = digest
        if part:
            self.part.add(spec.kind)
        if extensions:
            raw.look.expressions["metadata"] = _metadata(extensions, raw.look.expressions)
        return raw

    def clean(self) -> None:
        """Decide what the dates of every file mean, then bring each table to its final form."""
        evidence = {id(raw): list(raw.look.dates.values()) for raw in self.raws.values()}
        everywhere = [e for found in evidence.values() for e in found]
        for raw in self.raws.values():
            for column in raw.looked:
                own = raw.look.dates.get(column.column)
                if own is None:
                    continue
                day_first = clean.decide_day_first(own, (*evidence[id(raw)], *everywhere), self.day_first)
                if day_first is None and own.either:
                    self.warn(
                        "date-ambiguous", raw.entry.name,
                        "No row tells whether the day or the month comes first; these dates were left as they came.",
                        "Write dates as YYYY-MM-DD.", column.shown, n=own.either,
                    )  # fmt: skip
                clean.finish_date(self.con, raw.table, raw.entry.name, column, raw.look, day_first)
            self.notices += raw.look.notices
            self._apply(raw)

    def _apply(self, raw: Raw) -> None:
        changed = raw.look.expressions
        extra = [c.column for c in raw.looked if re.fullmatch(r"x\d+", c.column)]
        if not changed and not extra:
            return
        replace = ", ".join(
            f"{expression} AS {table.name(c)}" for c, expression in changed.items() if c not in extra
        )
        exclude = f" EXCLUDE ({', '.join(extra)})" if extra else ""
        self.con.execute(
            f"CREATE TABLE {raw.table}_c AS SELECT *{exclude}{f' REPLACE ({replace})' if replace else ''} FROM {raw.table}"
        )
        self.con.execute(f"DROP TABLE {raw.table}")
        self.con.execute(f"ALTER TABLE {raw.table}_c RENAME TO {raw.table}")

    def keep(self, raw: Raw, kind: str) -> None:
        """The raw table, without its passing columns, becomes the staging table of the kind."""
        for column in sorted(raw.columns - set(staging.STAGING[kind])):
            self.con.execute(f"ALTER TABLE {raw.table} DROP COLUMN {table.name(column)}")
        self.con.execute(f"ALTER TABLE {raw.table} RENAME TO s_{kind}")

    def column_again(self, raw: Raw, columns: Sequence[str], name: str, where: str) -> None:
        """Columns of every row of a file of which only changed rows were read, as a table of its own."""
        named = ", ".join(f"nullif({c}, '') AS {c}" for c in columns)
        rows = table.source(raw.entry.path, raw.header, table.named(raw.cells))
        self.con.execute(
            f"CREATE OR REPLACE TABLE {name} AS SELECT {named}, {table.text(raw.entry.name)}::VARCHAR AS _file,"
            f" 0::BIGINT AS _row FROM {rows} WHERE {where}"
        )

    def fill(self, kind: str, selects: Iterable[str]) -> None:
        """Make the staging table of a kind from SELECTs that name their columns; a column not named is NULL."""
        columns = (*(f"{c} VARCHAR" for c in staging.STAGING[kind]), "_file VARCHAR", "_row BIGINT")
        self.con.execute(f"CREATE TABLE IF NOT EXISTS s_{kind} ({', '.join(columns)})")
        for select in selects:
            self.con.execute(f"INSERT INTO s_{kind} BY NAME {select}")

    def administrators(self) -> None:
        """1.2 has no plain 'administrator': it becomes one of the site, or of the district where the org is one."""
        con = self.con
        row = con.execute(
            "SELECT count(*), min(_row), min(_file) FROM s_role WHERE role = 'administrator'"
        ).fetchone()
        if not row or not row[0]:
            return
        orgs = con.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 's_org'").fetchone()
        wide = (
            "SELECT sourced_id FROM s_org WHERE type IN ('district', 'local', 'state', 'national')"
            if orgs and orgs[0]
            else "''"
        )
        con.execute(
            "UPDATE s_role SET role = CASE WHEN org_sourced_id IN "
            f"({wide}) THEN 'districtAdministrator' ELSE 'siteAdministrator' END WHERE role = 'administrator'"
        )
        self.warn(
            "legacy-role", row[2],
            "'administrator' is a role of 1.1; it became districtAdministrator where the org is a district, "
            "else siteAdministrator.",
            "Export siteAdministrator or districtAdministrator.", "role", int(row[1]), int(row[0]),
        )  # fmt: skip

    def put_file(self, raw: Raw, kind: str) -> None:
        """Say in s_file that the file speaks about the kind."""
        self.con.execute(
            "INSERT INTO s_file VALUES (?, ?, ?, ?, ?)",
            [raw.entry.name, kind, raw.mode, raw.rows, raw.scan.sha256],
        )

    def drop_raws(self) -> None:
        """Drop whatever raw tables are left."""
        rows = self.con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'raw_')"
        ).fetchall()
        for (name,) in rows:
            self.con.execute(f"DROP TABLE IF EXISTS {table.name(name)}")


def _metadata(extensions: Mapping[str, str], expressions: Mapping[str, str]) -> str:
    """A JSON object of the extension columns that have a value, or NULL."""
    parts = ", ".join(
        f"{table.text(_json_key(key) + ':')} || to_json({expressions.get(c, table.name(c))})::VARCHAR"
        for c, key in extensions.items()
    )
    return f"nullif('{{' || concat_ws(',', {parts}) || '}}', '{{}}')"


def _json_key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)
