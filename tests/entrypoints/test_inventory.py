"""What is held and from where: made of the words and the policy alone, for the profile and for one school."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client

from rollbook.entrypoints.cli import cli, load
from rollbook.entrypoints.inventory import inventory
from rollbook.policy import bundle_for
from rollbook.sharing import share
from rollbook.sharing.actions import NewApp
from tests.cast import Cast
from tests.policy.oracle import words as recorded
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.staff import desk, plain

load()
ON_STUDENTS = (
    "identity.",
    "contact.",
    "school.",
    "family.",
    "demographics.",
    "special.",
    "attainment.",
    "account.directory",
)


def run(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(cli, ["policy", "inventory", *arguments, "--json"], catch_exceptions=False)
    return {row["category"]: row for row in json.loads(done.stdout)}


@pytest.mark.commitment("CLEV-1.19")
def test_each_field_of_a_student_is_labelled_and_given_by_one_of_four() -> None:
    rows = run()
    mine = [row for name, row in rows.items() if name.startswith(ON_STUDENTS)]
    assert len(mine) == 18
    for row in mine:
        assert row["label"] == "Student Data", row["category"]
        assert row["sources"] and set(row["given_by"]) <= {"school", "parent", "student", "developer"}, row[
            "category"
        ]
    assert rows["staff.act"]["label"] == rows["account.session"]["label"] == "", "these are made by use"


@pytest.mark.commitment("CLEV-1.44")
def test_each_field_of_a_guardian_is_given_by_the_school_or_the_parent() -> None:
    rows = run()
    for name in (
        "identity.name",
        "identity.preferred",
        "identity.code",
        "contact.email",
        "contact.phone",
        "family.link",
    ):
        assert rows[name]["given_by"] and set(rows[name]["given_by"]) <= {"school", "parent"}, name


def test_it_lists_every_column_that_says_something_about_somebody() -> None:
    personal = {
        f"{table}.{c}"
        for table, columns in recorded().items()
        for c, w in columns.items()
        if not w.startswith("(")
    }
    assert {c for row in run().values() for c in row["columns"]} == personal
    rows = run()
    assert {"role": "teacher", "purpose": "Teach the class"} in rows["identity.name"]["used"]
    assert (
        rows["special.need"]["apps"] == "never"
        and rows["identity.name"]["kept"] == "6 months after they leave"
    )


@pytest.mark.commitment("CLEV-1.23")
def test_a_school_is_shown_only_the_kinds_that_it_has(cast: Cast, numberyard: NewApp) -> None:  # noqa: F811  # a fixture by its name
    ours, theirs = run("--tenant", "sevenhills"), run("--tenant", "otherside")
    assert {"demographics.birth", "special.ethnicity", "family.link", "app.contact"} <= set(ours)
    assert set(theirs) == {"identity.name", "identity.code", "school.role"}, (
        "a pupil with a name, a code and a role"
    )
    assert ours["identity.name"]["apps_now"] == []
    share(numberyard.app, {"people": "all", "fields": [{"field": "users.givenName", "reason": "To greet"}]})
    ours = run("--tenant", "sevenhills")
    assert ours["identity.name"]["apps_now"] == ["Numberyard"] and ours["contact.email"]["apps_now"] == []
    assert "record.disclosure" not in ours, "nothing was shown to anybody yet"


def test_the_page_is_for_the_administrator_and_the_officer(cast: Cast) -> None:
    for role in ("administrator", "dpo"):
        seen = plain(desk(cast.tenant, role).get("/inventory"))
        assert "the school’s own system, by a sync" in seen and "Student Data" in seen and "Ada" not in seen
    far = plain(desk(cast.other, "administrator").get("/inventory"))
    assert "Date of birth" not in far and "Names" in far
    assert Client().get("/inventory")["Location"].startswith("/sign-in")
    for role, where in (("teacher", {"person_id": cast.ben.id}), ("head", {"org_id": cast.school.id})):
        assert desk(cast.tenant, role, "Ben Thistlewick", **where).get("/inventory").status_code == 403


def test_every_source_and_purpose_has_words() -> None:
    for row in inventory(bundle_for("default")):
        assert all(row.source_titles) and row.apps_words and all(title for _, title in row.uses)
