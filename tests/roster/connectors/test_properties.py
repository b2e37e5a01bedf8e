"""Whatever the bytes, a bundle is staged or refused; and what is read is what Python's csv module reads."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollbook.roster.connectors import stage
from rollbook.roster.rules import Refused
from tests.roster.connectors.bundles import ONEROSTER, SDS_V2, write

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def mangled(content: str | bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    for at, length, new in cuts:
        at %= len(raw) + 1
        raw = raw[:at] + new + raw[at + length :]
    return raw


cuts = st.lists(
    st.tuples(
        st.integers(0, 5000),
        st.integers(0, 12),
        st.one_of(
            st.sampled_from(
                [b'"', b'""', b"\n", b"\r", b"\r\n", b"\0", b",", b";", b"\xff", b"\xc2\xa0", b"\x02"]
            ),
            st.binary(max_size=6),
        ),
    ),
    min_size=1,
    max_size=6,
)


@QUICK
@given(name=st.sampled_from([*ONEROSTER]), changes=cuts)
def test_mangled_oneroster_is_staged_or_refused(name: str, changes: list[tuple[int, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {**ONEROSTER, name: mangled(ONEROSTER[name], changes)})
        staged_or_refused(Path(folder))


@QUICK
@given(name=st.sampled_from([*SDS_V2]), changes=cuts)
def test_mangled_sds_is_staged_or_refused(name: str, changes: list[tuple[int, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {**SDS_V2, name: mangled(SDS_V2[name], changes)})
        staged_or_refused(Path(folder))


@QUICK
@given(content=st.binary(max_size=400))
def test_any_bytes_as_users_are_staged_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {**ONEROSTER, "users.csv": content})
        staged_or_refused(Path(folder))


@QUICK
@given(content=st.binary(max_size=400), start=st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06"]))
def test_any_bytes_as_a_zip_are_staged_or_refused(content: bytes, start: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        path.write_bytes(start + content)
        staged_or_refused(path)


def staged_or_refused(path: Path) -> None:
    con = duckdb.connect()
    try:
        found = stage(path, con)
    except Refused:
        return
    else:
        kinds = {kind for (kind,) in con.execute("SELECT DISTINCT kind FROM s_file").fetchall()}
        assert kinds == found.kinds
        for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            assert table.startswith("s_")
            con.execute(f"SELECT * FROM {table}").fetchall()
    finally:
        con.close()


values = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Cf", "Zl", "Zp"), exclude_characters="\ufeff"
    ),
    max_size=8,
)


@QUICK
@given(
    rows=st.lists(st.tuples(values, values), min_size=1, max_size=8),
    delimiter=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    blank=st.booleans(),
)
def test_well_formed_rows_are_read_as_they_were_written(
    rows: list[tuple[str, str]], delimiter: str, end: str, blank: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(["sourcedId", "name", "type"])
    if blank:
        text.write(end)
    for i, (name, identifier) in enumerate(rows):
        writer.writerow([f"o{i}", name, identifier or "school"])
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {**ONEROSTER, "orgs.csv": text.getvalue()})
        con = duckdb.connect()
        stage(Path(folder), con)
        got = con.execute("SELECT sourced_id, coalesce(name, ''), _row FROM s_org ORDER BY _row").fetchall()
        con.close()
    first = 3 if blank else 2
    assert got == [(f"o{i}", name, first + i) for i, (name, _) in enumerate(rows)]
