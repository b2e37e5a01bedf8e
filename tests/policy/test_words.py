"""A table whose columns do not say what they are cannot load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from rollbook.policy import BOOKKEEPING, LINK, not_personal, personal, words

START = """
import django
from django.conf import settings
from rollbook.entrypoints import settings as ours
values = {k: getattr(ours, k) for k in dir(ours) if k.isupper()}
values["INSTALLED_APPS"] = [*ours.INSTALLED_APPS[:-3], "extra", *ours.INSTALLED_APPS[-3:]]
settings.configure(**values)
django.setup()
print("started")
"""
MODELS = """
from django.db import models
from rollbook.policy import BOOKKEEPING, LINK, Guarded, Open, not_personal, personal

class Thing({base}):
    id = not_personal(models.BigIntegerField(primary_key=True), LINK)
    tenant_id = not_personal(models.BigIntegerField(), LINK)
    {column}
"""
NAMED = 'name = personal(models.TextField(), "identity.name"{})'


def start(folder: Path, base: str, column: str) -> subprocess.CompletedProcess[str]:
    """Start Rollbook with one more app, which has one table with one column."""
    (folder / "extra").mkdir()
    (folder / "extra" / "__init__.py").touch()
    (folder / "extra" / "models.py").write_text(MODELS.format(base=base, column=column), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-c", START], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parents[2] / "src")])},
    )  # fmt: skip


def test_a_table_that_says_what_it_is_starts(tmp_path: Path) -> None:
    done = start(tmp_path, "Guarded", NAMED.format(""))
    assert done.stdout.strip() == "started", done.stderr


@pytest.mark.parametrize(
    ("base", "column", "said"),
    [
        ("Guarded", "name = models.TextField()", "extra.Thing.name says nothing about itself"),
        (
            "Open",
            NAMED.format(""),
            "extra.Thing.name holds “identity.name”, but its table is not behind the gate",
        ),
        ("models.Model", NAMED.format(""), "its table is not behind the gate"),
        (
            "Guarded",
            NAMED.format(', about="person_id"'),
            "is about 'person_id', but the table has no such column",
        ),
        (
            "Guarded",
            'name = personal(models.TextField(), "identity.shoe_size")',
            "Columns hold “identity.shoe_size”",
        ),
        ("Guarded", 'name = not_personal(models.TextField(), "harmless")', "not_personal() takes one of"),
    ],
)
def test_a_table_that_does_not_stops_the_start(tmp_path: Path, base: str, column: str, said: str) -> None:
    done = start(tmp_path, base, column)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_word_about_a_column_that_does_not_exist_is_refused() -> None:
    for table, column in (("kernel.Job", "no_such_column"), ("kernel.Nothing", "id")):
        words.BELOW.setdefault(table, {})[column] = words.Word(None, because=BOOKKEEPING)
        try:
            with pytest.raises(ImproperlyConfigured, match=column):
                words.inventory()
        finally:
            del words.BELOW[table][column]
            if not words.BELOW[table]:
                del words.BELOW[table]


def test_a_word_says_what_it_was_given() -> None:
    field = personal(models.TextField(), "identity.name", about="person_id")
    assert words.word_of(field) == words.Word("identity.name", about="person_id")
    assert words.word_of(not_personal(models.TextField(), LINK)) == words.Word(None, because=LINK)


def test_the_inventory_names_every_column_once_in_order() -> None:
    found = words.inventory()
    assert list(found) == sorted(found)
    assert found["roster_person"]["email"] == words.Word("contact.email", about="id")
    assert found["roster_enrollment"]["class_id"] == words.Word(None, because=LINK)
