"""A sandbox: 120 invented pupils with the awkward cases, always the same, and nobody real."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.jobs import run_one
from rollbook.policy import unguarded
from rollbook.roster import ask_to_fill, fill_sandbox
from rollbook.roster.models import Guardianship, Org, Person, Role
from rollbook.roster.rules.sandbox import CASES
from rollbook.sharing.actions import create_app
from tests.cast import Cast
from tests.sharing.developers.conftest import Developer, developer
from tests.staff import desk, plain


def people(tenant: Any) -> dict[str, tuple[str, str]]:
    """Code -> name, of everybody on the roll."""
    with unguarded("look"):
        rows = Person.objects.filter(tenant=tenant, status="active")
        return {
            code: (given, family)
            for code, given, family in rows.values_list("sourced_id", "given_name", "family_name")
        }


def pupil(tenant: Any, case: str) -> Person:
    code = next(code for code, (name, _) in CASES.items() if name == case)
    with unguarded("look"):
        return Person.objects.get(tenant=tenant, sourced_id=code)


def test_120_pupils_in_two_schools_with_every_awkward_case(filled: Developer) -> None:
    tenant, page = filled.tenant, plain(filled.client.get("/developers"))
    assert "<b>120 invented pupils</b> in two schools" in page
    for case, (name, hint) in CASES.items():
        assert name in page and hint in page, case
    with unguarded("look"):
        assert Org.objects.filter(tenant=tenant, type="school").count() == 2
        assert (
            Role.objects.filter(tenant=tenant, role="student").values("person_id").distinct().count() == 120
        )

        def grown_ups(person: Person) -> list[str]:
            kept = Guardianship.objects.filter(tenant=tenant, child_id=person.id, status="active")
            return sorted(kept.values_list("guardian__family_name", flat=True))

        def begins(case: str) -> int:
            return ord(pupil(tenant, case).given_name[0])

        assert len(set(grown_ups(pupil(tenant, "Two families")))) == 2
        assert pupil(tenant, "No last name").family_name == ""
        left = Role.objects.get(tenant=tenant, person=pupil(tenant, "Left yesterday"))
        assert left.end_date == clock.today() - timedelta(days=1)
        assert (
            Role.objects.filter(tenant=tenant, person=pupil(tenant, "Two schools"), status="active").count()
            == 2
        )
        assert 0x0600 <= begins("Arabic name") < 0x0700 and 0x0400 <= begins("Cyrillic name") < 0x0500
        assert 0x0590 <= begins("Hebrew name") < 0x0600 and 0x0900 <= begins("Hindi name") < 0x0980
        twin = pupil(tenant, "The same name twice")
        same = Person.objects.filter(tenant=tenant, given_name=twin.given_name, family_name=twin.family_name)
        assert same.count() >= 2
        assert len(pupil(tenant, "A very long name").family_name) > 20
        sibling = pupil(tenant, "Brothers and sisters").sourced_id[:-1]
        assert Person.objects.filter(tenant=tenant, sourced_id__startswith=sibling).count() == 3
    assert "No grown-up yet" in page


def test_every_sandbox_has_the_same_people_and_can_be_made_new_after_a_day(filled: Developer) -> None:
    eli = developer("eli@inkpot.example", "Inkpot Books")
    fill_sandbox(eli.tenant)
    first = people(filled.tenant)
    assert people(eli.tenant) == first
    answer = filled.client.post("/developers/sandbox", {"do": "day"})
    assert "A day is passing" in plain(filled.client.get(answer["Location"]))
    while run_one():
        pass
    later = people(filled.tenant)
    assert later.keys() - first.keys() and first.keys() - later.keys(), "some joined, some left"
    assert people(eli.tenant) == first, "the other sandbox had no such day"
    filled.client.post("/developers/sandbox", {"do": "new"})
    while run_one():
        pass
    assert people(filled.tenant) == first
    assert filled.client.post("/developers/sandbox", {"do": "nothing"}).status_code == 404


def test_nobody_elses_roll_is_made_new(cast: Cast, dana: Developer) -> None:
    admin = desk(cast.tenant, "administrator")
    assert admin.post("/developers/sandbox", {"do": "new"}).status_code == 403
    assert Client().post("/developers/sandbox", {"do": "new"}).status_code == 302
    with pytest.raises(NotFound):
        ask_to_fill(cast.tenant, cast.administrator.actor, a_day_on=False)
    with pytest.raises(NotFound):
        fill_sandbox(cast.tenant)


def test_no_directory_writes_into_a_sandbox(dana: Developer) -> None:
    for kind in ("scim", "directory"):
        with pytest.raises(Invalid):
            create_app(dana.tenant, "Hallkeys", kind=kind)
