"""Every read past the gate is listed, each with a reason that a reader can see."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from rollbook.policy import exemptions_page, list_exemptions

ROOT = Path(__file__).resolve().parents[2]


def test_every_exemption_says_why_and_no_reason_serves_two_files() -> None:
    files = defaultdict(set)
    for file, line, reason in list_exemptions(ROOT / "src"):
        assert len(reason.split()) >= 3, f"{file}:{line}: “{reason}” is no reason"
        files[reason].add(file)
    copied = {reason: sorted(where) for reason, where in files.items() if len(where) > 1}
    assert copied == {}


def test_the_page_lists_the_exemptions_of_today() -> None:
    page = (ROOT / "docs" / "exemptions.md").read_text(encoding="utf-8")
    assert page == exemptions_page(ROOT / "src"), "run: rollbook policy exemptions --write"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("with unguarded('a reason here'): pass", "a reason here"),
        ("with unguarded(tenant=1, reason='a reason here'): pass", "a reason here"),
        ("WHY = 'a reason here'\nwith raw(WHY) as c: pass", "a reason here"),
        ("with policy.unguarded('a reason here'): pass", "a reason here"),
    ],
)
def test_an_exemption_is_found(tmp_path: Path, code: str, found: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text(code, encoding="utf-8")
    assert [(f, r) for f, _, r in list_exemptions(tmp_path / "src")] == [("src/a.py", found)]
    assert found in exemptions_page(tmp_path / "src")


@pytest.mark.parametrize(
    "code",
    ["unguarded('')", "unguarded(' ')", "unguarded(why())", "raw(f'for {x}')", "unguarded()", "raw(NAME)"],
)
def test_a_reason_that_nobody_can_read_is_refused(tmp_path: Path, code: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text(code, encoding="utf-8")
    with pytest.raises(ValueError, match=r"src/a\.py:1"):
        list_exemptions(tmp_path / "src")


def test_other_things_of_the_same_name_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("rows.raw(sql)\nself.unguarded()", encoding="utf-8")
    assert list_exemptions(tmp_path / "src") == []
