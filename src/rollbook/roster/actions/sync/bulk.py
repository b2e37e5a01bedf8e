"""Rows in bulk between DuckDB and the database: the few functions where SQLite and PostgreSQL differ.

PostgreSQL gets and gives CSV by COPY; SQLite gets `executemany` of batches and gives a cursor.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import duckdb
from django.db import connection

from rollbook.kernel import db
from rollbook.policy import raw

BATCH = 20_000
CHUNK = 1 << 20
CACHE_KB = 128_000
RUN_KB = 4_000
THREADS = 2
MANY = 50_000  # rows from which a first load builds its indexes afterwards
REASON = "a sync reads and writes the roster in bulk"


def quoted(names: Iterable[str]) -> str:
    """Column names for SQL, quoted (`primary` is a word of SQL)."""
    return ", ".join(f'"{name}"' for name in names)


def execute(sql: str, params: Sequence[Any] | None = None) -> int:
    """Run one statement on the database; answers the number of rows it touched."""
    with raw(REASON) as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def fetch(sql: str, params: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a statement whose answer is small."""
    with raw(REASON) as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


@contextmanager
def _set(**pragmas: int) -> Iterator[None]:
    """Set pragmas of SQLite, and back to what they were. PostgreSQL has none."""
    usual = {} if db.is_postgres() else {name: int(fetch(f"PRAGMA {name}")[0][0]) for name in pragmas}
    try:
        for name in usual:
            execute(f"PRAGMA {name} = {pragmas[name]}")
        yield
    finally:
        for name, value in usual.items():
            execute(f"PRAGMA {name} = {value}")


def wide_cache() -> AbstractContextManager[None]:
    """Around the transaction of a big load: let SQLite keep the pages that it writes to again and again. With its usual
    cache an index that has grown past it is written out and read in again all the time (twice the CPU at 125,000 rows).
    What it sorts goes into files, since in memory it sorts in one thread; inside a transaction SQLite refuses to change
    that."""
    sorts = {} if connection.in_atomic_block else {"temp_store": 1}
    return _set(cache_size=-CACHE_KB, **sorts)


def _sorting() -> AbstractContextManager[None]:
    """While indexes are built: SQLite sorts runs as large as its cache, beside its reading if it may have threads. Runs
    that fit the processor's cache take half the time of one wide run."""
    return _set(cache_size=-RUN_KB, threads=THREADS)


def few_of_many() -> None:
    """Let PostgreSQL look up the rows of a change by their ids until the transaction ends. Priced as on a turning disk,
    one row in a hundred seemed dearer to it than the whole table, which it read again for each statement."""
    if db.is_postgres():
        execute("SET LOCAL random_page_cost = 1.1")


@contextmanager
def indexes_after(table: str, rows: int) -> Iterator[bool]:
    """Build the indexes of a table that is still empty after a big load into it, not row by row (about half the time).

    In the transaction of the load: until it commits the old state stands. A table that holds any tenant's rows keeps
    its indexes. rows: how many will be written. Yields whether it is such a load: then the table is this transaction's.
    """
    if rows < MANY or fetch(f"SELECT 1 FROM {table} LIMIT 1"):
        yield False
        return
    if db.is_postgres():
        # Those of a constraint (the primary key) belong to it and stay.
        found = fetch(
            "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = %s::regclass"
            " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
            [table],
        )
    else:
        found = fetch(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s AND sql IS NOT NULL",
            [table],
        )
    for name, _ in found:
        execute(f"DROP INDEX {name}" if db.is_postgres() else f'DROP INDEX "{name}"')
    yield True
    with _sorting():
        for _, definition in found:
            execute(definition)


@contextmanager
def _defaults(table: str, same: Mapping[str, str]) -> Iterator[None]:
    """Let a table of PostgreSQL give new rows these values, until the block ends."""

    def each(change: str) -> str:
        return f"ALTER TABLE {table} " + ", ".join(f'ALTER "{c}" {change.format(v)}' for c, v in same.items())

    execute(each("SET DEFAULT {}"))
    yield
    execute(each("DROP DEFAULT"))


def load(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    table: str,
    columns: Sequence[str],
    folder: Path,
    same: Mapping[str, str] | None = None,
    alone: bool = False,
) -> int:
    """Write the rows of a DuckDB query into a table of the database. Answers how many.

    columns: those that sql gives, in order; dates as ISO text. same: further columns that have one value in every row,
    as SQL: SQLite is not handed them row by row, nor is PostgreSQL where the table is ours alone (a moment is dear to
    read). folder: where a file may lie while it is copied.
    """
    same = same or {}
    if alone and db.is_postgres():
        with _defaults(table, same):
            return load(con, sql, table, columns, folder)
    if db.is_postgres():
        file = folder / "load.csv"
        rows = f"SELECT {', '.join([*same.values(), 'q.*'])} FROM ({sql}) q" if same else sql
        count = con.execute(f"COPY ({rows}) TO '{_path(file)}' (FORMAT csv, HEADER false)").fetchone()
        try:
            with raw(REASON) as cursor, file.open("rb") as source:
                with cursor.copy(
                    f"COPY {table} ({quoted([*same, *columns])}) FROM STDIN (FORMAT csv)"
                ) as copy:
                    while chunk := source.read(CHUNK):
                        copy.write(chunk)
        finally:
            file.unlink(missing_ok=True)
        return int(count[0]) if count else 0
    values = ", ".join([*same.values(), *["?"] * len(columns)])
    insert = f"INSERT INTO {table} ({quoted([*same, *columns])}) VALUES ({values})"
    answer = con.execute(sql)
    written = 0
    with raw(REASON) as cursor:
        plain = (
            cursor.connection.cursor()
        )  # sqlite3's own: Django's would rewrite the placeholders of each batch
        while batch := answer.fetchmany(BATCH):
            plain.executemany(insert, batch)
            written += len(batch)
        plain.close()
    return written


def pull(con: duckdb.DuckDBPyConnection, sql: str, table: str, columns: str, folder: Path) -> None:
    """Add the rows of a query on the database to a DuckDB table, made if it is not there.

    columns: its definition, `sid VARCHAR, id BIGINT`. No value may be NULL. Numbers inside `sql` are our own ids.
    """
    con.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    file = folder / "pull.csv"
    try:
        with raw(REASON) as cursor, file.open("wb") as out:
            if db.is_postgres():
                with cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)") as copy:
                    for chunk in copy:
                        out.write(chunk)
            else:
                cursor.execute(sql)
                _write_csv(file, iter(lambda: cursor.fetchmany(BATCH), []))
        if file.stat().st_size:
            types = ", ".join("'{}': '{}'".format(*part.split()) for part in columns.split(", "))
            con.execute(
                f"INSERT INTO {table} SELECT * FROM read_csv('{_path(file)}', auto_detect = false, header = false,"
                f" delim = ',', quote = '\"', escape = '\"', columns = {{{types}}}, parallel = false)"
            )
    finally:
        file.unlink(missing_ok=True)


def pull_ids(
    con: duckdb.DuckDBPyConnection, ids: str, sql: str, table: str, columns: str, folder: Path
) -> None:
    """As `pull`, for the rows of the ids that the DuckDB query `ids` gives, some thousands at a time.

    sql: holds `{ids}` where `column IN ({ids})` wants them.
    """
    con.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    found = con.execute(ids).fetchall()
    for start in range(0, len(found), 5000):
        listed = ", ".join(str(row[0]) for row in found[start : start + 5000])
        pull(con, sql.replace("{ids}", listed), table, columns, folder)


def _write_csv(file: Path, batches: Iterator[list[tuple[Any, ...]]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        for batch in batches:
            writer.writerows(batch)


def _path(file: Path) -> str:
    return str(file).replace("'", "''")
