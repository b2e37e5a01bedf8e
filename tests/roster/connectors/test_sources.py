"""Folders, zips, and things that are neither."""

from __future__ import annotations

import zipfile
from pathlib import Path

import duckdb
import pytest

from rollbook.roster.connectors import stage
from rollbook.roster.rules import Refused
from tests.roster.connectors.bundles import ONEROSTER, Files, staged, write


def zipped(
    path: Path,
    files: Files,
    prefix: str = "",
    when: tuple[int, int, int, int, int, int] = (2026, 1, 2, 3, 4, 6),
) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(prefix + name, when), content, zipfile.ZIP_DEFLATED)
    return path


def refusal(path: Path, **options: int) -> Refused:
    with pytest.raises(Refused) as refused:
        stage(path, duckdb.connect(), **options)  # type: ignore[arg-type]
    assert refused.value.message and refused.value.mend
    return refused.value


def test_a_zip_is_the_same_bundle_as_its_folder_whenever_it_was_zipped(tmp_path: Path) -> None:
    con = duckdb.connect()
    folder = stage(write(tmp_path / "f", ONEROSTER), con)
    one = stage(zipped(tmp_path / "a.zip", ONEROSTER), con)
    two = stage(
        zipped(tmp_path / "b.zip", dict(reversed(ONEROSTER.items())), when=(2020, 1, 1, 0, 0, 0)), con
    )
    assert folder.sha256 == one.sha256 == two.sha256
    assert (one.kinds, one.source) == (folder.kinds, "a.zip")


def test_one_nested_folder_and_what_systems_add(tmp_path: Path) -> None:
    files = {f"roster 2026/{name}": content for name, content in ONEROSTER.items()}
    files |= {"__MACOSX/roster 2026/._users.csv": b"\0\5junk", "roster 2026/.DS_Store": b"x"}
    con = duckdb.connect()
    found = stage(zipped(tmp_path / "a.zip", files), con)
    assert "person" in found.kinds
    assert con.execute("SELECT value FROM s_notice WHERE code = 'nested-folder'").fetchall() == [
        ("roster 2026",)
    ]
    assert con.execute("SELECT count(*) FROM s_notice WHERE code = 'unknown-file'").fetchall() == [(0,)]


def test_two_rosters_in_one_bundle_are_refused(tmp_path: Path) -> None:
    files = {
        f"{folder}/{name}": content for folder in ("east", "west") for name, content in ONEROSTER.items()
    }
    assert "'east', 'west'" in refusal(zipped(tmp_path / "a.zip", files)).message


def test_a_name_that_climbs_out_of_the_zip_is_not_read_and_nothing_is_written(tmp_path: Path) -> None:
    inside = tmp_path / "deep" / "deeper"
    inside.mkdir(parents=True)
    evil = {**ONEROSTER, "../../courses.csv": "sourcedId,title\nx,y\n", "/abs.csv": "x"}
    con = duckdb.connect()
    stage(zipped(inside / "a.zip", evil), con)
    refused = con.execute(
        "SELECT file, severity FROM s_notice WHERE code = 'unsafe-path' ORDER BY 1"
    ).fetchall()
    assert refused == [("abs.csv", "refused"), ("courses.csv", "refused")]
    assert con.execute("SELECT sourced_id FROM s_course").fetchall() == [("c1",)]
    assert sorted(p.name for p in tmp_path.rglob("*.csv")) == []


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    files = {**ONEROSTER, "users.csv": b"0" * (80 << 20)}
    assert refusal(zipped(tmp_path / "a.zip", files)).file == "users.csv"


def test_a_zip_over_the_limit_is_refused(tmp_path: Path) -> None:
    assert "more than is allowed" in refusal(zipped(tmp_path / "a.zip", ONEROSTER), max_bytes=200).message


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ONEROSTER)
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = raw.find(signature)
        while at >= 0:
            raw[at + offset] |= 1
            at = raw.find(signature, at + 4)
    path.write_bytes(raw)
    found = refusal(path)
    assert "encrypted" in found.message and "password" in str(found.mend)


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ONEROSTER)
    raw = bytearray(path.read_bytes())
    raw[60:90] = b"\xff" * 30
    path.write_bytes(raw)
    refusal(path)
    path.write_bytes(raw[: len(raw) // 2])
    refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", b"", "0 bytes"),
        ("a.zip", b"hello", "not a zip"),
        ("users.csv", b"sourcedId\n1\n", "several"),
        ("a.tgz", b"\x1f\x8b\x08\x00", "gzip"),
    ],
)
def test_a_file_that_is_no_zip(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert said in refusal(tmp_path / name).message


def test_nothing_there_and_nothing_in_it(tmp_path: Path) -> None:
    assert "nothing at" in refusal(tmp_path / "gone").message
    (tmp_path / "empty").mkdir()
    assert "empty" in refusal(tmp_path / "empty").message


def test_a_format_may_be_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", ONEROSTER)
    assert stage(folder, duckdb.connect(), format="oneroster").format == "oneroster-csv"
    with pytest.raises(Refused, match="not known"):
        stage(folder, duckdb.connect(), format="x")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"users.json": "{}", "orgs.json": "{}"}, "JSON"),
        ({"roster.xlsx": b"PK"}, "spreadsheets"),
        ({"inner.zip": b"PK"}, "another zip"),
        ({"names.csv": "a\n", "words.csv": "b\n"}, "none of them is a roster file"),
        (
            {"orgs.csv": "Moon\nPhobos\n", "courses.csv": "HR0,HOMEROOM,FY\n"},
            "none of them begins with a header",
        ),
    ],
)
def test_what_was_found_and_what_is_expected(tmp_path: Path, files: Files, said: str) -> None:
    found = refusal(write(tmp_path / "f", files))
    assert said in found.message and "OneRoster" in found.message and "Phobos" not in found.message


def test_odd_characters_in_the_path_are_no_pattern(tmp_path: Path) -> None:
    with staged(tmp_path / "a[1]*' b", ONEROSTER) as look:
        assert look.cells("org", "sourced_id") == ["d1", "s1"]


def test_the_callers_setting_is_given_back(tmp_path: Path) -> None:
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false")
    stage(write(tmp_path / "f", ONEROSTER), con)
    assert con.execute("SELECT current_setting('preserve_insertion_order')").fetchall() == [(False,)]
