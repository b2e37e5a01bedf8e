"""The rules of the house hold in this checkout; each is shown a breach that it must catch and a near miss."""

import importlib
from pathlib import Path

import pytest

from tools import house, lock, vendor

ROOT = Path(__file__).resolve().parents[2]
HOME = "src/rollbook/roster"
SHEET = "src/rollbook/entrypoints/static/rollbook/x.css"


@pytest.mark.parametrize("check", house.CHECKS.values(), ids=house.CHECKS)
def test_this_checkout_keeps_the_rule(check):
    assert check(ROOT) == []


@pytest.mark.parametrize(
    ("check", "path", "text"),
    [
        ("inline_code", f"{HOME}/templates/a.html", '<p class="a"\n   style="color: red">'),
        ("inline_code", f"{HOME}/templates/a.html", "<style>p { color: red }</style>"),
        ("inline_code", f"{HOME}/templates/a.html", "<script>alert(1)</script>"),
        ("inline_code", f"{HOME}/templates/a.html", '<script src="a.js">alert(1)</script>'),
        ("inline_code", f"{HOME}/templates/a.html", '<button onclick="go()">'),
        ("inline_code", f"{HOME}/templates/a.html", '<form hx-on:submit="go()">'),
        ("inline_code", f"{HOME}/templates/a.html", '<a href="javascript:go()">'),
        ("machine_names", "docs/a.md", "see https://" + "pypi" + ".org/project/x"),
        ("machine_names", "requirements/x.txt", "--index-url https://registry." + "npmjs" + ".org"),
        ("machine_names", "docs/a.md", "cd /" + "work/main && make run"),
        ("machine_names", "tests/a.py", 'open("/' + 'root/x")'),
        ("physical_css", SHEET, ".a { margin-left: 1rem; }"),
        ("physical_css", SHEET, ".a { border-top-color: red }"),
        ("physical_css", SHEET, ".a{left:0}"),
        ("physical_css", SHEET, ".a { text-align: right; }"),
        ("physical_css", SHEET, ".a { width: 3rem; }"),
        ("long_files", f"{HOME}/actions.py", "x = 1\n" * 521),
        ("long_files", f"{HOME}/templates/a.html", "<p>\n" * 521),
        (
            "unknown_icons",
            f"{HOME}/templates/a.html",
            """<use href="{% static 'rollbook/icons.svg' %}#unicorn">""",
        ),
        ("unknown_icons", f"{HOME}/templates/a.html", '{% icon "unicorn" %}'),
        (
            "unused_names",
            f"{HOME}/__init__.py",
            "if TYPE_CHECKING:\n    from rollbook.roster.rules import Year as Year",
        ),
        ("doors_with_tables", f"{HOME}/pages.py", "from django.db import transaction"),
        ("doors_with_tables", f"{HOME}/connectors/csv/reader.py", "import django.db.models"),
        ("doors_with_tables", f"{HOME}/api.py", "def f():\n    from django import db"),
    ],
)
def test_a_breach_is_caught_where_it_is(tmp_path, check, path, text):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    found = house.CHECKS[check](tmp_path)
    assert found
    assert found[0].startswith(f"{path}:")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            f"{HOME}/templates/a.html",
            '{# style="x" #}<script src="a.js" defer></script><p data-style="x">based on it',
        ),
        (
            SHEET,
            "/* left: 0 */ .a { margin-inline-start: 1px; float: none } @media (min-width: 4rem) {}",
        ),
        ("docs/a.md", "GET /ims/oneroster and ../" + "work/main, https://example.org/tmp/x"),
        (f"{HOME}/actions.py", "from django.db import transaction\n" * 520),
        ("src/rollbook/kernel/jobs.py", "from django.db import transaction"),
    ],
)
def test_a_near_miss_is_left_alone(tmp_path, path, text):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    assert [found for check in house.CHECKS.values() for found in check(tmp_path)] == []


def test_a_name_at_a_front_door_is_used_when_another_module_asks_for_it(tmp_path):
    door = tmp_path / "src/rollbook/roster/__init__.py"
    door.parent.mkdir(parents=True)
    door.write_text(
        "if TYPE_CHECKING:\n    from rollbook.roster.rules import Year as Year, Day as Day\n",
        encoding="utf-8",
    )
    (door.parent / "pages.py").write_text("from rollbook.roster import Day, Year", encoding="utf-8")
    assert len(house.unused_names(tmp_path)) == 2  # the module itself is not another
    other = tmp_path / "src/rollbook/sharing/pages.py"
    other.parent.mkdir(parents=True)
    other.write_text(
        "from rollbook import roster\nfrom rollbook.roster import Day\nprint(roster.Year)", encoding="utf-8"
    )
    assert house.unused_names(tmp_path) == []


@pytest.mark.parametrize(
    "door", sorted((ROOT / house.SOURCE).glob("*/__init__.py")), ids=lambda d: d.parent.name
)
def test_every_name_at_a_front_door_loads(door):
    module = importlib.import_module(f"rollbook.{door.parent.name}")
    assert [name for name in house.listed(door) if not hasattr(module, name)] == []


def test_vendored_files_are_those_of_the_manifest():
    assert vendor.problems(ROOT) == []


def test_a_changed_missing_or_unnamed_vendored_file_is_caught(tmp_path):
    for file in [ROOT / vendor.MANIFEST, *(ROOT / f["to"] for p in vendor.packages(ROOT) for f in p["file"])]:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    assert vendor.problems(tmp_path) == []
    folder = tmp_path / "src/rollbook/entrypoints/static/rollbook"
    (folder / "vendor/htmx.min.js").write_text("alert(1)", encoding="utf-8")
    (folder / "vendor/other.js").write_text("", encoding="utf-8")
    (folder / "icons.svg").unlink()
    changed, missing, unnamed = vendor.problems(tmp_path)
    assert "htmx.min.js: is not the file of htmx.org 4.0.1" in changed
    assert "icons.svg: missing" in missing
    assert "other.js: not in tools/vendor.toml" in unnamed


def test_the_lock_can_be_believed():
    assert lock.problems(ROOT / "requirements") == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("base.in", "orjson", "orjson\nnot-locked", "base.in asks for not-locked"),
        ("base.txt", "orjson==", "orjson==0", "tests would not test what runs"),
        ("dev.txt", "pytest==", "# https://example.org\npytest==", "names a host"),
        ("dev.txt", "    --hash=sha256", "    --nothing", "has no hash"),
    ],
)
def test_a_broken_lock_is_caught(tmp_path, file, old, new, said):
    for name in ("base.in", "base.txt", "dev.in", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(old, new) if name == file else text, encoding="utf-8")
    assert any(said in found for found in lock.problems(tmp_path))
