"""Readers: a folder or a zip of CSV files becomes the canonical staging tables of one DuckDB connection."""

from __future__ import annotations

from pathlib import Path

import duckdb

from rollbook.kernel.progress import Progress, Silent
from rollbook.roster.connectors import detect, oneroster_csv, sds
from rollbook.roster.connectors.reading import staging
from rollbook.roster.connectors.reading.pipeline import Reader
from rollbook.roster.connectors.reading.source import DEFAULT_MAX_BYTES, open_bundle
from rollbook.roster.rules.bundle import Kept, Refused, Staged

__all__ = ["stage"]


def stage(
    path: Path,
    con: duckdb.DuckDBPyConnection,
    *,
    format: str = "auto",
    progress: Progress | None = None,
    day_first: bool | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    kept: Kept | None = None,
) -> Staged:
    """Read the bundle at path into the staging tables ``s_*`` of con, replacing what they held.

    format: ``auto``, ``oneroster-csv`` or ``sds-csv``. day_first: whether 1/5/2023 is the first of May where the rows
    themselves do not tell (None: such dates stay as they came). max_bytes: the most a zip may unpack to.
    kept: what the roster stands at; of these kinds only changed rows are then staged (`Staged.part`), and ``x_<kind>``
    holds the sourcedIds whose row is no longer what it was. Raises ReadWhole where that cannot be; without kept, never.
    Raises Refused when the bundle cannot be used; its tables are then not to be read.
    """
    progress = progress or Silent()
    order = con.execute("SELECT current_setting('preserve_insertion_order')").fetchone()
    con.execute("SET preserve_insertion_order = true")  # the row numbers are the order of the rows
    try:
        with open_bundle(Path(path), detect.KNOWN, max_bytes) as opened:
            staging.reset(con)
            reader = Reader(con, opened, progress, day_first, kept)
            found = detect.detect(opened, format, reader.head)
            reader.notices += found.notices
            try:
                if found.format == "oneroster-csv":
                    version, kinds = oneroster_csv.read(reader, found.files)
                elif found.generation == "v1":
                    version, kinds = sds.read_v1(reader, found.files)
                else:
                    version, kinds = sds.read_v2(reader, found.files)
            finally:
                reader.drop_raws()
            staging.make_missing(con)
            staging.put_notices(con, reader.notices)
            progress.step("read", reader.files, reader.files)
            return Staged(
                found.format, version, reader.sha256(), opened.source, kinds, reader.regular, frozenset(reader.part)
            )  # fmt: skip
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except duckdb.Error as error:
        raise Refused(
            f"'{Path(path).name}' could not be read into tables ({type(error).__name__}).",
            mend="Check that the files are plain CSV, and export them again.",
        ) from error
    finally:
        con.execute(f"SET preserve_insertion_order = {'true' if order is None or order[0] else 'false'}")
