"""The administrator's pages: a plan for each person, approve, progress, errors, undo; the officer looks, others do not."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from rollbook.kernel.jobs import run_one
from rollbook.policy import Disclosure, unguarded
from rollbook.sharing.queries.directories import find_directory, pushes
from tests.cast import Cast
from tests.sharing.directories.conftest import ScimHallkeys, change
from tests.staff import desk, plain


@pytest.fixture
def hana(cast: Cast, scim_server: Any, settings: Any) -> Client:
    """The administrator; on PostgreSQL the pages work behind the second wall, as a role that owns nothing."""
    client = desk(cast.tenant, "administrator")
    settings.ROLLBOOK_WEB_ROLE = "rollbook_web"
    return client


def latest(scim: ScimHallkeys) -> Any:
    return pushes(scim.directory, 1)[0]


def here(scim: ScimHallkeys) -> str:
    return f"/directories/hallkeys/plans/{latest(scim).id}"


def test_a_plan_shows_each_persons_change_and_writes_nothing(
    scim: ScimHallkeys, cast: Cast, hana: Client
) -> None:
    scim.share()
    answer = hana.post("/directories/hallkeys", {"do": "plan"}, follow=True)
    page = plain(answer)
    assert "6 accounts to make" in page
    assert "ada.riverstone" in page
    assert "Approve: write" in page
    assert scim.users() == {}


def work() -> None:
    """Run the jobs that are due."""
    while run_one():
        pass


def test_an_approved_plan_is_carried_out_by_the_worker(scim: ScimHallkeys, cast: Cast, hana: Client) -> None:
    scim.share()
    hana.post("/directories/hallkeys", {"do": "plan"})
    page = plain(hana.post(here(scim), {"do": "approve"}, follow=True))
    assert "Begins soon" in page
    work()
    assert "ada.riverstone" in scim.users()
    page = plain(hana.get(here(scim)))
    assert "Done" in page
    assert "approved by Hana Larkspur" in page


def test_undo_is_a_plan_too(scim: ScimHallkeys, cast: Cast, hana: Client) -> None:
    scim.share().run()
    change(cast.ada, family_name="Brook")
    scim.run()
    page = plain(hana.post("/directories/hallkeys", {"do": "undo"}, follow=True))
    assert "1 account to rename" in page
    hana.post(here(scim), {"do": "approve"})
    work()
    assert "ada.riverstone" in scim.users()


def test_an_error_stands_first_with_what_to_do(scim: ScimHallkeys, cast: Cast, hana: Client) -> None:
    scim.share().plan()
    scim.ask(
        "POST",
        "Users",
        {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada.riverstone"},
    )
    hana.post(here(scim), {"do": "approve"})
    work()
    page = plain(hana.get(here(scim)))
    assert "Not done, and what to do" in page
    assert "Rename it there, or change the pattern" in page
    assert "Try what is left again" in page


def test_a_plan_can_be_put_away(scim: ScimHallkeys, cast: Cast, hana: Client) -> None:
    scim.share().plan()
    assert "Put away" in plain(hana.post(here(scim), {"do": "discard"}, follow=True))
    assert hana.post(here(scim), {"do": "approve"}).status_code == 422


def test_a_look_at_a_plan_is_written_down(scim: ScimHallkeys, cast: Cast, hana: Client) -> None:
    scim.share().plan()
    hana.get(here(scim))
    with unguarded("a test reads the log", tenant=cast.tenant.id):
        row = Disclosure.objects.get(door="page:directory_plan")
    assert row.people_count == 6


def test_without_an_agreement_the_page_says_what_is_next(
    scim: ScimHallkeys, cast: Cast, hana: Client
) -> None:
    page = plain(hana.get("/directories/hallkeys"))
    assert "Nothing is written there now" in page
    assert hana.post("/directories/hallkeys", {"do": "plan"}).status_code == 422


def test_the_officer_looks_and_does_not_write(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().plan()
    femi = desk(cast.tenant, "dpo", "Femi Inkwell")
    page = plain(femi.get(here(scim)))
    assert "ada.riverstone" in page
    assert "Approve" not in page
    assert femi.post(here(scim), {"do": "approve"}).status_code == 403
    assert femi.post("/directories/hallkeys", {"do": "plan"}).status_code == 403


@pytest.mark.parametrize("role", ["teacher", "head"])
def test_teachers_and_heads_see_no_directory(scim: ScimHallkeys, cast: Cast, role: str) -> None:
    who = desk(cast.tenant, role, person_id=cast.ben.id, org_id=cast.school.id)
    assert who.get("/directories").status_code == 403
    assert who.get("/directories/hallkeys").status_code == 403


def test_another_tenants_directory_is_not_there(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().plan()
    stranger = desk(cast.other, "administrator")
    assert stranger.get("/directories/hallkeys").status_code == 404
    assert stranger.get(here(scim)).status_code == 404


def test_a_directory_is_added_on_a_page(cast: Cast, hana: Client) -> None:
    form = {
        "name": "School keys", "kind": "ldap", "url": "ldaps://keys.example", "base": "dc=school", "account": "cn=a",
        "secret": "hush", "username": "{g}{family}{n}", "archive_days": "14", "delete_days": "",
    }  # fmt: skip
    answer = hana.post("/directories/new", form)
    assert (answer.status_code, answer["Location"]) == (302, "/apps/school-keys/agreement")
    made = find_directory(cast.tenant.id, "school-keys")
    assert (made.settings["username"], made.settings["archive_days"]) == ("{g}{family}{n}", 14)
    assert "hush" not in made.secret


def test_a_form_with_a_fault_says_where(cast: Cast, hana: Client) -> None:
    form = {"name": "School keys", "kind": "scim", "url": "http://keys.example", "username": "{given}{n}"}
    answer = hana.post("/directories/new", form)
    assert answer.status_code == 422
    assert "Names and passwords would travel in the open" in plain(answer)
