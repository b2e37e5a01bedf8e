"""An app's events: what came, changed and left, from any place and without end; cut by what the app gets when it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rollbook.roster import Tenant, undo
from rollbook.roster.models import Class, Person
from rollbook.sharing import create_app, share, stop
from rollbook.sharing.rules import seal_short
from tests.roster.sync.school import School, get, make_tenant, puddlebrook, sync
from tests.sharing.clever.conftest import ask, needs_specs, problems, walk
from tests.sharing.clever.conftest import read as read_path
from tests.sharing.oneroster.conftest import Erin
from tests.sharing.oneroster.test_doors import disclosures

Events = list[dict[str, Any]]


@dataclass
class Told:
    """An app of a school that syncs, and its reading of the events."""

    erin: Erin
    tenant: Tenant
    school: School
    folder: Path

    def sync(self) -> Any:
        return sync(self.tenant, self.school, self.folder, yes=True)

    def events(self, version: str = "v3.1", **query: Any) -> Events:
        return read_path(self.erin, f"/{version}/events", **query)

    def since(self, before: Events, **query: Any) -> Events:
        return self.events(starting_after=before[-1]["id"], **query)

    def id(self, model: Any, code: str, kind: str) -> str:
        return seal_short(bytes.fromhex(self.erin.made.app.id_key), kind, [get(model, self.tenant, code).id])[
            0
        ]

    def person(self, code: str) -> str:
        return self.id(Person, code, "person")


@pytest.fixture
def told(db: None, doors: None, tmp_path: Path) -> Callable[..., Told]:
    def under(people: Any = "all", fields: Any = "all") -> Told:
        tenant = make_tenant()
        made = Told(Erin(None, create_app(tenant, "Erin's Sums")), tenant, puddlebrook(), tmp_path)  # type: ignore[arg-type]  # no cast: this school syncs
        made.erin.agree()
        made.erin.share(rule(people, fields))
        made.sync()
        return made

    return under


def rule(people: Any = "all", fields: Any = "all") -> Any:
    return {
        "people": people,
        "fields": fields if fields == "all" else [{"field": f, "reason": "to test"} for f in fields],
    }


def said(events: Events) -> list[str]:
    return [e["type"] for e in events]


def test_everything_that_an_app_can_read_came_once_in_an_order_that_it_can_use(
    told: Callable[..., Told],
) -> None:
    there = told().events()
    kinds = said(there)
    order = ["terms.created", "schools.created", "courses.created", "users.created", "sections.created"]
    assert kinds == sorted(kinds, key=order.index)
    assert {k: kinds.count(k) for k in kinds} == {
        "terms.created": 2, "schools.created": 2, "courses.created": 1, "users.created": 5, "sections.created": 2,
    }  # fmt: skip
    assert len({e["id"] for e in there}) == len(there)


def test_nothing_new_is_no_event_and_the_same_place_gives_the_same_events(told: Callable[..., Told]) -> None:
    app = told()
    there = app.events()
    app.sync()
    assert app.events() == there
    assert app.since(there) == []
    assert app.since(there[:3]) == there[3:]


def test_a_changed_name_says_what_it_was(told: Callable[..., Told]) -> None:
    app = told()
    there = app.events()
    app.school.users["ada"]["familyName"] = "Brook"
    app.sync()
    [event] = app.since(there)
    assert event["type"] == "users.updated"
    assert event["data"]["object"]["id"] == app.person("ada")
    assert event["data"]["object"]["name"]["last"] == "Brook"
    assert event["previous_attributes"] == {"name": {"last": "Riverstone"}}


def test_a_pupil_who_comes_and_one_who_leaves(told: Callable[..., Told]) -> None:
    app = told()
    there, ivo = app.events(), app.person("ivo")
    app.school.without("ivo")
    app.school.person("juno", "student", givenName="Juno")
    app.school.enroll("juno", "KES")
    app.sync()
    found = app.since(there)
    assert said(found) == ["users.deleted", "users.created", "sections.updated", "sections.updated"]
    assert found[0]["data"] == {"object": {"id": ivo}} and "previous_attributes" not in found[0]
    assert found[1]["data"]["object"]["name"]["first"] == "Juno"
    before = {e["data"]["object"]["id"]: e["previous_attributes"] for e in found[2:]}
    assert before[app.id(Class, "KES", "class")] == {"students": [app.person("ada")]}


def test_links_and_birthdays_are_changes_of_whom_they_are_about(told: Callable[..., Told]) -> None:
    app = told()
    there = app.events()
    app.school.demographics["ada"]["birthDate"] = "2019-03-05"
    app.school.roles["r-ben"]["role"] = "principal"
    app.sync()
    found = {e["data"]["object"]["id"]: e for e in app.since(there)}
    assert found.keys() == {app.person("ada"), app.person("ben")}
    assert found[app.person("ada")]["previous_attributes"] == {"roles": {"student": {"dob": "3/4/2019"}}}
    was = found[app.person("ben")]["previous_attributes"]["roles"]
    assert was["staff"] is None and was["teacher"]["schools"]


def test_an_undo_takes_back_what_came(told: Callable[..., Told]) -> None:
    app = told()
    there = app.events()
    app.school.person("juno", "student", givenName="Juno")
    run = app.sync()
    came = app.since(there)
    undo(app.tenant, run)
    assert said(app.since(came)) == ["users.deleted"]
    assert said(app.since(there)) == ["users.deleted"]  # what came is not there to be shown any more


def test_the_web_process_owns_nothing_and_brings_the_log_up_to_now(
    told: Callable[..., Told], settings: Any
) -> None:
    app = told()
    app.events()
    app.school.users["ada"]["familyName"] = "Brook"
    app.sync()
    settings.ROLLBOOK_WEB_ROLE = "rollbook_web"
    assert app.events()[-1]["previous_attributes"] == {"name": {"last": "Riverstone"}}


# ---- Cut by what the app gets when it reads.


@pytest.mark.commitment("CLEV-2.6", "CLEV-2.7", "CLEV-2.23")
def test_a_narrower_rule_hides_what_old_events_showed(told: Callable[..., Told]) -> None:
    app = told()
    there = app.events()
    app.school.users["ada"]["familyName"] = "Brook"
    app.school.users["ivo"]["familyName"] = "Lake"
    app.sync()
    assert said(app.since(there)) == ["users.updated"] * 2
    share(app.erin.made.app, rule({"classes": ["KES"]}, ["users.givenName"]))
    found = app.events()
    text = str([e for e in found if "deleted" not in e["type"]])
    assert "Ada" in text and "Ivo" not in text and "Dov" not in text
    assert "Brook" not in text and "Riverstone" not in text and "3/4/2019" not in text
    [event] = [e for e in found if e["type"] == "users.updated"]
    assert event["previous_attributes"] == {}
    gone = [e for e in app.since(there) if e["type"] == "users.deleted"]
    assert {e["data"]["object"]["id"] for e in gone} == {app.person(p) for p in ("ivo", "dov", "cleo")}
    stop(app.erin.made.app)
    assert ask(app.erin, "/v3.1/events").status_code == 401


def test_a_wider_rule_brings_those_whom_it_names(told: Callable[..., Told]) -> None:
    app = told({"classes": ["KES"]})
    there = app.events()
    share(app.erin.made.app, rule())
    created = [e["data"]["object"]["id"] for e in app.since(there) if e["type"] == "users.created"]
    assert set(created) == {app.person(p) for p in ("ivo", "dov", "cleo")}


def test_a_pupil_who_moves_into_a_shared_class_comes_and_one_who_moves_out_leaves(
    told: Callable[..., Told],
) -> None:
    app = told({"classes": ["KES"]})
    there = app.events()
    assert "Ivo" not in str(there)
    for code, klass in (("ivo", "OWL"), ("ada", "KES")):
        del app.school.enrollments[f"e-{code}-{klass}"]
    app.school.enroll("ivo", "KES")
    app.sync()
    found = app.since(there)
    assert said(found) == ["users.deleted", "users.created", "sections.updated"]
    assert found[0]["data"]["object"] == {"id": app.person("ada")}
    assert found[1]["data"]["object"]["name"]["first"] == "Ivo"
    assert found[2]["previous_attributes"] == {"students": []}, (
        "whoever is not shared now is not named as having been there"
    )


def test_a_single_event_is_cut_too(told: Callable[..., Told]) -> None:
    app = told()
    ivo = next(e for e in app.events(record_type="users") if e["data"]["object"]["name"]["first"] == "Ivo")
    path = f"/v3.1/events/{ivo['id']}"
    assert read_path(app.erin, path) == ivo
    share(app.erin.made.app, rule({"classes": ["KES"]}))
    assert ask(app.erin, path).status_code == 404
    for id in ("x", "0" * 24, app.person("ada")):
        assert ask(app.erin, f"/v3.1/events/{id}").status_code == 404


@pytest.mark.commitment("CLEV-2.20")
def test_reading_events_is_written_down(told: Callable[..., Told]) -> None:
    app = told()
    app.events(record_type="terms")
    assert disclosures() == []
    app.events()
    [row] = disclosures()
    assert (row.door, row.people_count) == ("clever v3.1 events", 5)
    assert "roster_person.given_name" in row.columns and "roster_enrollment.role" in row.columns


# ---- Pages and filters.


@pytest.mark.parametrize("size", [1, 2, 5, 12, 13])
def test_a_walk_meets_every_event_once_in_both_directions(told: Callable[..., Told], size: int) -> None:
    app = told()
    every = [e["id"] for e in app.events()]
    assert [e["id"] for e in walk(app.erin, f"/v3.1/events?limit={size}")] == every
    back: list[str] = []
    at = every[-1]
    while page := app.events(ending_before=at, limit=size):
        back = [e["id"] for e in page] + back
        at = page[0]["id"]
    assert back == every[:-1]


def test_by_record_type_and_school(told: Callable[..., Told]) -> None:
    app = told()
    assert set(said(app.events(record_type="schools"))) == {"schools.created"}
    assert set(said(app.events(record_type=["users", "terms.created"]))) == {"users.created", "terms.created"}
    assert app.events(record_type="nothing") == []
    [school] = [s["id"] for s in read_path(app.erin, "/v3.1/schools") if s["name"] == "Hollowell"]
    found = app.events(school=school)
    assert said(found) == ["schools.created", "users.created", "users.created", "sections.created"]
    assert {e["data"]["object"]["name"]["first"] for e in found if "users" in e["type"]} == {"Dov", "Ivo"}
    assert ask(app.erin, "/v3.1/events", school="x").status_code == 404
    assert ask(app.erin, "/v3.1/events", starting_after="x").status_code == 400


def test_version_2_has_an_event_for_each_kind_of_person(told: Callable[..., Told]) -> None:
    app = told()
    app.school.roles["r-ben2"] = {**app.school.roles["r-ben"], "role": "parent", "roleType": "secondary"}
    app.sync()
    there = app.events("v2.0")
    kinds = said(there)
    assert {k: kinds.count(k) for k in kinds if k.endswith("created")} == {
        "terms.created": 2, "schools.created": 2, "courses.created": 1, "students.created": 2, "teachers.created": 2,
        "contacts.created": 2, "sections.created": 2,
    }  # fmt: skip
    ben = app.person("ben")
    assert sum(e["data"]["object"]["id"] == ben for e in there if e["type"].endswith("created")) == 2
    app.school.without("ben")
    app.sync()
    after = app.events("v2.0", starting_after=there[-1]["id"])
    assert [e["type"] for e in after if e["data"]["object"]["id"] == ben] == [
        "teachers.deleted",
        "contacts.deleted",
    ]


@needs_specs
@pytest.mark.parametrize("version", ["v2.0", "v3.0", "v3.1"])
def test_events_have_the_shape_of_the_description(told: Callable[..., Told], version: str) -> None:
    app = told()
    app.events(version)
    app.school.users["ada"] |= {"familyName": "Brook", "grades": "03"}
    app.school.classes["KES"]["title"] = "Kites"
    app.school.without("ivo")
    app.sync()
    answer = ask(app.erin, f"/{version}/events").json()
    assert problems(version, "EventsResponse", answer) == []
    types = set()
    for event in answer["data"]:
        types.add(event["data"]["type"])
        assert problems(version, event["data"]["type"], event["data"]) == []
    assert {t.partition(".")[2] for t in types} == {"created", "updated", "deleted"}
    one = ask(app.erin, f"/{version}/events/{answer['data'][0]['data']['id']}").json()
    assert problems(version, "EventResponse", one) == []
