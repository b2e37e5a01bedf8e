"""Bringing cells to one form. Looks first, in a few aggregates over a column, and rewrites only columns that need it.

What a rule cannot bring to the form stays as it came, for the check to set aside with its row and column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import duckdb

from rollbook.roster.connectors.reading.header import plain
from rollbook.roster.connectors.reading.table import name, text
from rollbook.roster.rules.bundle import Notice

Form = Literal["text", "boolean", "date", "enum", "list", "user_ids", "year"]

_SPACES = "' \t\r\n\u00a0\u200b\ufeff\u2007\u202f\u3000'"
_TRUE = ("true", "t", "yes", "y", "1", "on", "wahr", "vrai", "oui", "ja", "si", "sí")
_FALSE = ("false", "f", "no", "n", "0", "off", "falsch", "faux", "non", "nein", "nee")
_ISO = r"^\d{4}-\d{2}-\d{2}$"
_SLASHED = r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})([ T].*)?$"
_YEAR_FIRST = r"^(\d{4})[/.\-](\d{1,2})[/.\-](\d{1,2})([ T].*)?$"
# More spellings of one enumeration than this is no enumeration; the column is left alone.
_MOST_SPELLINGS = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a raw table: its published name for messages, the form it should have, and its words if an enum.

    values maps each allowed spelling to itself; synonyms maps other spellings (plain) to an allowed one, with the code
    of the notice that says so. personal columns never show a value in a notice.
    """

    column: str
    shown: str
    form: Form = "text"
    values: tuple[str, ...] = ()
    synonyms: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DateEvidence:
    """How many values can only be day first, only month first, or either."""

    day_first: int
    month_first: int
    either: int


@dataclass
class Cleaned:
    """What the look at one raw table found: SQL for the columns that change, and date columns still undecided."""

    expressions: dict[str, str] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    dates: dict[str, DateEvidence] = field(default_factory=dict)


def look(
    con: duckdb.DuckDBPyConnection,
    table: str,
    file: str,
    columns: Iterable[Column],
    *,
    spaces: bool,
    odd_spaces: bool,
    multiline: bool,
) -> Cleaned:
    """Find what in the raw table is not in its form."""
    columns = list(columns)
    out = Cleaned()
    if spaces or odd_spaces or multiline:
        _whitespace(con, table, file, columns, out, odd=odd_spaces, multiline=multiline)
    for column in columns:
        base = out.expressions.get(column.column, name(column.column))
        if column.form == "boolean":
            _boolean(con, table, file, column, base, out)
        elif column.form == "enum":
            _enum(con, table, file, column, base, out)
        elif column.form == "date":
            _date_look(con, table, file, column, base, out)
        elif column.form == "list":
            _list(con, table, file, column, base, out)
        elif column.form == "user_ids":
            _user_ids(con, table, file, column, base, out)
        elif column.form == "year":
            _year(con, table, file, column, base, out)
    return out


def _warn(
    out: Cleaned,
    code: str,
    file: str,
    first: int,
    column: Column,
    n: int,
    message: str,
    mend: str,
    value: str | None = None,
) -> None:
    out.notices.append(Notice(code, "warning", file, first, column.shown, value, message, mend, n))


def _tally(con: duckdb.DuckDBPyConnection, table: str, where: str) -> tuple[int, int]:
    row = con.execute(f"SELECT count(*), min(_row) FROM {table} WHERE {where}").fetchone()
    return (int(row[0]), int(row[1])) if row and row[0] else (0, 0)


def _whitespace(
    con: duckdb.DuckDBPyConnection,
    table: str,
    file: str,
    columns: list[Column],
    out: Cleaned,
    *,
    odd: bool,
    multiline: bool,
) -> None:
    tests: list[str] = []
    for column in columns:
        c = name(column.column)
        test = f"trim({c}, {_SPACES}) <> {c}" if odd else f"({c} < '!' OR ends_with({c}, ' '))"
        tests.append(f"bool_or({test})")
        tests.append(f"bool_or(regexp_matches({c}, '[\\r\\n\\t]'))" if multiline else "false")
    row = con.execute(f"SELECT {', '.join(tests)} FROM {table}").fetchone()
    assert row is not None
    for i, column in enumerate(columns):
        c = name(column.column)
        if row[2 * i + 1]:
            n, first = _tally(con, table, f"regexp_matches({c}, '[\\r\\n\\t]')")
            _warn(out, "line-break", file, first, column, n, "A cell holds a line break or tab; it became a space.",
                  "Write the value on one line.")  # fmt: skip
            c = f"regexp_replace({c}, '[ ]*[\\r\\n\\t]+[ ]*', ' ', 'g')"
            out.expressions[column.column] = f"nullif(trim({c}, {_SPACES}), '')"
        if row[2 * i]:
            n, first = _tally(con, table, f"trim({name(column.column)}, {_SPACES}) <> {name(column.column)}")
            if n:
                _warn(out, "whitespace", file, first, column, n, "Spaces around the value were removed.",
                      "Remove them at the source.")  # fmt: skip
            out.expressions[column.column] = f"nullif(trim({c}, {_SPACES}), '')"


def _in(values: Iterable[str]) -> str:
    return "(" + ", ".join(text(v) for v in values) + ")"


def _boolean(
    con: duckdb.DuckDBPyConnection, table: str, file: str, column: Column, base: str, out: Cleaned
) -> None:
    lower = f"lower({base})"
    other = f"{base} NOT IN ('true', 'false') AND {lower} IN {_in(_TRUE + _FALSE)}"
    n, first = _tally(con, table, other)
    if not n:
        return
    out.expressions[column.column] = (
        f"CASE WHEN {lower} IN {_in(_TRUE)} THEN 'true' WHEN {lower} IN {_in(_FALSE)} THEN 'false' ELSE {base} END"
    )
    seen = [
        r[0]
        for r in con.execute(
            f"SELECT DISTINCT {base} FROM {table} WHERE {other} ORDER BY 1 LIMIT 3"
        ).fetchall()
    ]
    _warn(out, "boolean-spelling", file, first, column, n, f"{_quoted(seen)} was read as true or false.",
          "Write true or false.", seen[0])  # fmt: skip


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f"'{v}'" for v in values)


def _enum(
    con: duckdb.DuckDBPyConnection, table: str, file: str, column: Column, base: str, out: Cleaned
) -> None:
    rows = con.execute(
        f"SELECT v, count(*), min(_row) FROM (SELECT {base} AS v, _row FROM {table}) WHERE v IS NOT NULL "
        f"AND v NOT IN {_in(column.values)} GROUP BY v ORDER BY min(_row) LIMIT {_MOST_SPELLINGS + 1}"
    ).fetchall()
    if not rows or len(rows) > _MOST_SPELLINGS:
        return
    by_plain = {plain(v): v for v in column.values}
    cases: list[str] = []
    tallies: dict[tuple[str, str], tuple[int, int]] = {}
    for value, n, first in rows:
        key = plain(value)
        if key in by_plain:
            to, code = by_plain[key], "enum-case"
        elif key in column.synonyms:
            to, code = column.synonyms[key]
        else:
            continue
        cases.append(f"WHEN {text(value)} THEN {text(to)}")
        before = tallies.get((code, f"'{value}' was read as '{to}'."), (0, first))
        tallies[(code, f"'{value}' was read as '{to}'.")] = (before[0] + n, min(before[1], first))
    if not cases:
        return
    out.expressions[column.column] = f"CASE {base} {' '.join(cases)} ELSE {base} END"
    merged: dict[str, list[tuple[str, int, int]]] = {}
    for (code, said), (n, first) in tallies.items():
        merged.setdefault(code, []).append((said, n, first))
    for code, said_rows in merged.items():
        message = " ".join(s for s, _, _ in said_rows[:6])
        _warn(out, code, file, min(f for _, _, f in said_rows), column, sum(n for _, n, _ in said_rows), message,
              f"Write one of: {', '.join(column.values)}.", said_rows[0][0].split("'")[1])  # fmt: skip


def _date_look(
    con: duckdb.DuckDBPyConnection, table: str, file: str, column: Column, base: str, out: Cleaned
) -> None:
    n, first = _tally(con, table, f"NOT regexp_matches({base}, {text(_ISO)})")
    if not n:
        return
    row = con.execute(
        f"SELECT count(*) FILTER (a > 12 AND b <= 12), count(*) FILTER (b > 12 AND a <= 12), "
        f"count(*) FILTER (a <= 12 AND b <= 12 AND a <> b) FROM ("
        f"SELECT regexp_extract(v, {text(_SLASHED)}, 1)::INT AS a, regexp_extract(v, {text(_SLASHED)}, 2)::INT AS b "
        f"FROM (SELECT {base} AS v FROM {table}) WHERE regexp_matches(v, {text(_SLASHED)}))"
    ).fetchone()
    assert row is not None
    out.dates[column.column] = DateEvidence(int(row[0]), int(row[1]), int(row[2]))


def decide_day_first(own: DateEvidence, others: Iterable[DateEvidence], hint: bool | None) -> bool | None:
    """Whether ambiguous dates of a column are day first: from its own rows, else its neighbours', else the hint.

    None when its own rows contradict each other, or nobody knows.
    """
    for evidence in (own, *others):
        if evidence.day_first and evidence.month_first:
            if evidence is own:
                return None
            continue
        if evidence.day_first or evidence.month_first:
            return evidence.day_first > 0
    return hint


def finish_date(
    con: duckdb.DuckDBPyConnection,
    table: str,
    file: str,
    column: Column,
    out: Cleaned,
    day_first: bool | None,
) -> None:
    """Write the expression of a date column, now that the order of day and month is decided."""
    base = out.expressions.get(column.column, name(column.column))
    v = base

    def part(pattern: str, group: int) -> str:
        return f"regexp_extract({v}, {text(pattern)}, {group})"

    def iso(y: str, m: str, d: str) -> str:
        return f"try_cast({y} || '-' || {m} || '-' || {d} AS DATE)"

    a, b, y = part(_SLASHED, 1), part(_SLASHED, 2), part(_SLASHED, 3)
    either = {
        True: iso(y, b, a),
        False: iso(y, a, b),
        None: f"CASE WHEN {a} = {b} OR {b}::INT > 12 THEN {iso(y, a, b)} WHEN {a}::INT > 12 THEN {iso(y, b, a)} END",
    }[day_first]
    words = "['%d-%b-%Y', '%d %b %Y', '%d %B %Y', '%b %d, %Y', '%B %d, %Y', '%d. %B %Y']"
    year_first = iso(*(part(_YEAR_FIRST, group) for group in (1, 2, 3)))
    read = (
        f"CASE WHEN regexp_matches({v}, {text(_ISO)}) THEN NULL "
        f"WHEN regexp_matches({v}, {text(_YEAR_FIRST)}) THEN {year_first} "
        f"WHEN regexp_matches({v}, '^(19|20)\\d{{6}}$') THEN {iso(f'{v}[1:4]', f'{v}[5:6]', f'{v}[7:8]')} "
        f"WHEN regexp_matches({v}, {text(_SLASHED)}) THEN {either} "
        f"WHEN regexp_matches({v}, '[A-Za-z]{{3}}') THEN try_strptime({v}, {words})::DATE END"
    )
    out.expressions[column.column] = f"coalesce(CAST({read} AS VARCHAR), {base})"
    n, first = _tally(con, table, f"({read}) IS NOT NULL")
    if n:
        order = {True: " (day first)", False: " (month first)", None: ""}[day_first]
        slashed, _ = _tally(con, table, f"regexp_matches({v}, {text(_SLASHED)})")
        _warn(out, "date-format", file, first, column, n,
              f"Dates were read as YYYY-MM-DD{order if slashed else ''}.", "Write dates as YYYY-MM-DD.")  # fmt: skip


def _list(
    con: duckdb.DuckDBPyConnection, table: str, file: str, column: Column, base: str, out: Cleaned
) -> None:
    odd = f"regexp_matches({base}, '[;|\\[\\]\"]|,\\s|\\s,|,,|^,|,$|^''')"
    n, first = _tally(con, table, odd)
    if not n:
        return
    quotes, first_quote = _tally(con, table, f"regexp_matches({base}, '[\\[\\]\"]|^''')")
    marks, first_mark = _tally(con, table, f"regexp_matches({base}, '[;|]') AND NOT contains({base}, ',')")
    if quotes:
        _warn(out, "quoted-list", file, first_quote, column, quotes, "Quotes or brackets inside the list were removed.",
              "Write a list as a,b,c in one quoted cell.")  # fmt: skip
    if marks:
        _warn(out, "list-separator", file, first_mark, column, marks, "The list is parted by ; or |, not by commas.",
              "Part the values by commas, in one quoted cell.")  # fmt: skip
    v = base
    if quotes:
        # A comma inside a quoted value would part it: it becomes a space.
        whole = '^\\s*\\[?\\s*"[^"]*"(\\s*[,;|]\\s*"[^"]*")*\\s*\\]?\\s*$'
        spaced = "lambda x: regexp_replace(x, '\\s*,\\s*', ' ', 'g')"
        values = f'list_transform(regexp_extract_all({base}, \'"([^"]*)"\', 1), {spaced})'
        bare = f"regexp_replace(regexp_replace({base}, '[\\[\\]\"]', '', 'g'), '^''|''$', '', 'g')"
        v = f"CASE WHEN regexp_matches({base}, {text(whole)}) THEN array_to_string({values}, ',') ELSE {bare} END"
    v = f"CASE WHEN contains({v}, ',') THEN {v} ELSE regexp_replace({v}, '[;|]', ',', 'g') END"
    v = f"regexp_replace(regexp_replace({v}, '\\s*,[\\s,]*', ',', 'g'), '^,|,$', '', 'g')"
    out.expressions[column.column] = f"CASE WHEN {odd} THEN nullif(trim({v}), '') ELSE {base} END"


def _user_ids(
    con: duckdb.DuckDBPyConnection, table: str, file: str, column: Column, base: str, out: Cleaned
) -> None:
    good = r"^\{[^{}:,]+:[^{}]*\}(,\{[^{}:,]+:[^{}]*\})*$"
    odd = f"NOT regexp_matches({base}, {text(good)})"
    n, first = _tally(con, table, odd)
    if not n:
        return
    v = f"regexp_replace({base}, '\"', '', 'g')"
    each = (
        "lambda x: CASE WHEN regexp_matches(x, '^\\{[^{}:]+:.*\\}$') THEN x "
        "WHEN contains(x, ':') THEN '{' || trim(x, '{}') || '}' ELSE '{id:' || trim(x, '{}') || '}' END"
    )
    tidy = "lambda x: regexp_replace(trim(x), '\\s*:\\s*', ':')"
    parts = f"list_filter(list_transform(regexp_split_to_array({v}, '[,;|]'), {tidy}), lambda x: trim(x, '{{}}') <> '')"
    out.expressions[column.column] = (
        f"CASE WHEN {odd} THEN nullif(array_to_string(list_transform({parts}, {each}), ','), '') ELSE {base} END"
    )
    _warn(out, "user-ids-form", file, first, column, n, "The ids are not written {type:id}; an id without a type got 'id'.",
          "Write each as {type:id}, parted by commas.")  # fmt: skip


def _year(
    con: duckdb.DuckDBPyConnection, table: str, file: str, column: Column, base: str, out: Cleaned
) -> None:
    span = r"^\D{0,4}((19|20)\d\d)\s*[-/\x{2013}]\s*((19|20)?\d\d)$"
    start, end = f"regexp_extract({base}, {text(span)}, 1)", f"regexp_extract({base}, {text(span)}, 3)"
    right = f"(try_cast({start} AS INT) + 1) % 100 = try_cast(right({end}, 2) AS INT)"
    where = f"regexp_matches({base}, {text(span)}) AND {right}"
    n, first = _tally(con, table, where)
    if not n:
        return
    out.expressions[column.column] = (
        f"CASE WHEN {where} THEN CAST(try_cast({start} AS INT) + 1 AS VARCHAR) ELSE {base} END"
    )
    _warn(out, "year-format", file, first, column, n, "A span of years was read as the year in which it ends.",
          "Write the year in which the school year ends, as YYYY.")  # fmt: skip
