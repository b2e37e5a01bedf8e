"""Each operation of Clever's API: works; a stranger, a wrong scope and a stopped app are refused; limits hold; what left
is written down. And the two doors of an app never differ in whom or what they show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.kernel.ids import new_id
from rollbook.policy import unguarded
from rollbook.roster.models import Person
from rollbook.sharing import agree, create_app, share, stop
from rollbook.sharing.connectors.oneroster.operations import CORE, DEMOGRAPHICS, ROSTER
from rollbook.sharing.rules import FIELDS, seal_short, unseal, unseal_short
from tests.cast import Cast
from tests.sharing.clever.conftest import VERSIONS, ask, known, read
from tests.sharing.oneroster.conftest import EVERYTHING, Erin
from tests.sharing.oneroster.test_doors import disclosures
from tests.sharing.oneroster.test_lists import roster_changed
from tests.sharing.oneroster.test_record import calls

PEOPLE = {"v2.0": "/v2.0/students", "v3.0": "/v3.0/users", "v3.1": "/v3.1/users"}
LISTS = [
    *("/v2.0/" + word for word in ("students", "teachers", "contacts", "schools", "sections", "courses", "terms")),
    *("/v3.0/" + word for word in ("users", "schools", "sections", "courses", "terms", "districts", "resources")),
]  # fmt: skip


def message(answer: Any) -> str:
    [(word, said)] = answer.json().items()
    assert word == "message"
    return str(said)


@pytest.mark.parametrize("path", LISTS)
def test_strangers_and_tokens_of_another_scope_are_refused(erin: Erin, path: str) -> None:
    for header in ({}, {"authorization": "Bearer made-up"}, {"authorization": "Basic eDp5"}):
        answer = Client().get(path, headers=header)
        assert (answer.status_code, "Bearer" in answer["WWW-Authenticate"]) == (401, True)
    for scope in (CORE, DEMOGRAPHICS):
        answer = Client().get(path, headers={"authorization": f"Bearer {erin.token(scope)}"})
        assert answer.status_code == 403 and message(answer)
    assert disclosures() == []
    assert ask(erin, path).status_code == 200


@pytest.mark.commitment("CLEV-0.5", "CLEV-2.23")
def test_before_an_agreement_and_a_rule_an_app_gets_nothing_through_either_door(newcomer: Erin) -> None:
    said = newcomer.get("/users").json()["imsx_description"]
    for step in (lambda: None, newcomer.agree):
        step()
        for path in LISTS:
            answer = ask(newcomer, path)
            assert (answer.status_code, message(answer)) == (403, said)
            assert b"Puddlebrook" not in answer.content and b"agreement" not in answer.content
    assert disclosures() == []
    newcomer.share()
    assert read(newcomer, "/v3.0/users")


def test_an_agreement_that_ends_or_a_region_outside_binds_the_next_request(erin: Erin) -> None:
    assert ask(erin, "/v3.0/users").status_code == 200
    erin.agree(region="US")
    answer = ask(erin, "/v3.0/users")
    assert (answer.status_code, b"region" in answer.content) == (403, False)


@pytest.mark.commitment("CLEV-2.6", "CLEV-2.7")
def test_an_app_gets_the_classes_and_fields_that_the_school_names_and_after_a_stop_nothing(
    narrowed: Callable[..., Erin],
) -> None:
    fields = [{"field": f"users.{f}", "reason": "to greet"} for f in ("givenName", "grades")]
    erin = narrowed({"classes": ["KES"]}, fields)
    people = read(erin, "/v3.1/users")
    assert {p["name"]["first"] for p in people} == {"Ada", "Ben"}
    for person in people:
        assert set(person) == {"id", "district", "created", "last_modified", "name", "roles"}
        assert set(person["name"]) == {"first"}
    [ada] = [p["roles"]["student"] for p in people if "student" in p["roles"]]
    assert ada["grade"] == "2"
    assert set(ada) == {"legacy_id", "created", "last_modified", "grade", "school", "schools", "enrollments"}
    [section] = read(erin, "/v3.1/sections")
    assert section["name"] == "Kestrels" and len(section["students"]) == len(section["teachers"]) == 1
    share(erin.made.app, {"people": {"classes": ["KES"]}, "fields": [fields[1]]})
    assert all("name" not in p for p in read(erin, "/v3.1/users"))
    stop(erin.made.app)
    assert ask(erin, "/v3.1/users").status_code == 401


@pytest.mark.commitment("CLEV-2.20", "CLEV-2.23")
@pytest.mark.parametrize("version", VERSIONS)
def test_each_answer_about_people_is_written_down_with_the_rule_that_allows_it(
    erin: Erin, version: str
) -> None:
    read(erin, PEOPLE[version])
    [row] = disclosures()
    assert (row.recipient, row.door) == ("Erin's Sums", f"clever {version} {PEOPLE[version][6:]}")
    assert row.people_count == {"v2.0": 2}.get(version, 6)
    assert "roster_person.given_name" in row.columns and "roster_demographics.birth_date" in row.columns
    assert row.authorised_by > 0 and row.purpose == "learning-app"


def test_a_section_is_about_those_in_it_and_an_answer_about_nobody_writes_nothing_down(erin: Erin) -> None:
    for path in ("/v3.0/schools", "/v3.0/courses", "/v3.0/terms", "/v3.0/districts", "/v3.0/resources"):
        assert ask(erin, path).status_code == 200
    assert disclosures() == []
    read(erin, f"/v3.0/sections/{known(erin, 'class', erin.cast.kestrels)}")
    [row] = disclosures()
    assert (row.people_count, row.columns) == (2, row.columns) and "roster_enrollment.role" in row.columns


def test_the_sections_and_schools_of_a_child_are_about_the_child(erin: Erin) -> None:
    ada = known(erin, "person", erin.cast.ada)
    read(erin, f"/v3.0/users/{ada}/schools")
    [row] = disclosures()
    assert (row.people_count, row.first_id) == (1, erin.cast.ada.id)
    assert "roster_role.org_id" in row.columns


@pytest.mark.commitment("CLEV-1.48")
def test_calls_about_nobody_and_refused_calls_are_written_down_too(erin: Erin) -> None:
    for path in ("/v3.0/schools", "/v3.0/districts", "/v3.0/users/x", "/v3.0/nothing"):
        ask(erin, path)
    erin.agree(region="US")
    ask(erin, "/v2.0/students")
    found = [(operation, status) for _, operation, _, status, _ in calls(erin)]
    assert found == [
        ("clever v3.0 schools", 200), ("clever v3.0 districts", 200), ("clever v3.0 users/*", 404),
        ("clever v3.0, another address", 404), ("clever v2.0 students", 403),
    ]  # fmt: skip
    assert "US" in calls(erin)[-1][4]


def test_no_answer_leaves_when_it_cannot_be_written_down(erin: Erin, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("rollbook.sharing.api.clever.disclose", full)
    answer = ask(erin, "/v3.0/users")
    assert (answer.status_code, b"Ada" in answer.content) == (500, False)
    assert ask(erin, "/v3.0/schools").status_code == 200


def test_a_token_without_the_scope_of_demographics_reads_no_birthday_through_either_door(erin: Erin) -> None:
    ada = known(erin, "person", erin.cast.ada)
    for scope, shown in ((ROSTER, False), ("", True)):
        answer = Client().get(f"/v3.0/users/{ada}", headers={"authorization": f"Bearer {erin.token(scope)}"})
        student = answer.json()["data"]["roles"]["student"]
        assert ("dob" in student, "gender" in student) == (shown, shown)
        assert (erin.get("/demographics", scope=scope).status_code == 200) == shown


def test_unknown_malformed_foreign_and_unshared_ids_get_one_and_the_same_answer(
    narrowed: Callable[..., Erin], cast: Cast
) -> None:
    erin = narrowed({"classes": ["KES"]})
    other = create_app(cast.other, "Another app")
    agree(
        other.app, purpose="learning-app", region="GB", retention_days=1, contact="x", ends_on=clock.today(),
        read_policy=True,
    )  # fmt: skip
    share(other.app, EVERYTHING)
    mine, theirs = bytes.fromhex(erin.made.app.id_key), bytes.fromhex(other.app.id_key)
    ids = [
        *seal_short(mine, "person", [cast.dov.id, cast.stranger.id, cast.gus.id, new_id(), 0]),
        *seal_short(mine, "class", [cast.kestrels.id]), *seal_short(theirs, "person", [cast.stranger.id, cast.ada.id]),
        str(cast.ada.id), "ada", "%00", "x" * 3000, "é", "f" * 24, "F" * 24,
    ]  # fmt: skip
    for template in (
        "/v3.0/users/{}",
        "/v3.0/users/{}/sections",
        "/v2.0/students/{}",
        "/v2.0/students/{}/teachers",
    ):
        answers = {(a.status_code, a.content) for a in (ask(erin, template.format(i)) for i in ids)}
        assert len(answers) == 1 and answers.pop()[0] == 404
    assert read(erin, f"/v3.0/users/{known(erin, 'person', cast.ada)}")["name"]["first"] == "Ada"


def test_an_apps_ids_for_a_child_say_nothing_to_another_app_and_look_like_clevers(erin: Erin) -> None:
    other = Erin(erin.cast, create_app(erin.cast.tenant, "Second"))
    other.agree()
    other.share()
    mine, theirs = ({u["id"] for u in read(app, "/v3.0/users")} for app in (erin, other))
    assert not mine & theirs
    assert all(len(i) == 24 and set(i) <= set("0123456789abcdef") for i in mine | theirs)
    assert mine == {u["id"] for u in read(erin, "/v3.0/users")}


@pytest.mark.parametrize(
    "path",
    [
        "/v3.0/",
        "/v3.0/nothing",
        "/v3.0/users/",
        "/v3.0/students",
        "/v2.0/users",
        "/v3.0/users/a/b/c",
        "/v2.0/resources",
    ],
)
def test_an_unknown_address_is_answered_in_clevers_words(erin: Erin, path: str) -> None:
    answer = ask(erin, path)
    assert (answer.status_code, bool(message(answer)), answer["Content-Type"]) == (
        404,
        True,
        "application/json",
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_data_is_for_reading(erin: Erin, method: str) -> None:
    answer = Client().generic(method, "/v3.0/users", headers={"authorization": f"Bearer {erin.token()}"})
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def test_an_app_that_asks_too_often_is_told_when_to_go_on_and_both_doors_count(
    erin: Erin, settings: Any
) -> None:
    settings.ROLLBOOK_API_RATE = 3
    with clock.at(clock.now().replace(second=10)):
        assert erin.get("/orgs").status_code == 200
        answers = [ask(erin, "/v3.0/schools") for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[2]["Retry-After"] == "50"
    with clock.at(clock.now().replace(second=10) + timedelta(minutes=1)):
        assert ask(erin, "/v3.0/schools").status_code == 200


# ---- One app, one rule, two doors.

RULES = [
    ("all", "all"),
    ({"classes": ["KES"]}, "all"),
    ({"orgs": ["S2"]}, "all"),
    ({"roles": ["student", "guardian"]}, "all"),
    ({"grades": ["02"]}, "all"),
    ({"courses": ["MA2"], "roles": ["teacher"]}, "all"),
    *(("all", [name]) for name in FIELDS if name.split(".")[1] not in ("cityOfBirth", "asian")),
]
# A field of OneRoster's users and demographics, and where Clever shows it.
_SHOWN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "givenName": lambda u: u.get("name", {}).get("first"),
    "middleName": lambda u: u.get("name", {}).get("middle"),
    "familyName": lambda u: u.get("name", {}).get("last"),
    "email": lambda u: u.get("email"),
    "username": lambda u: _any(u, "credentials"),
    "identifier": lambda u: _any(u, "student_number") or _any(u, "teacher_number") or _any(u, "staff_id") or _any(u, "sis_id"),
    "userMasterIdentifier": lambda u: _any(u, "state_id"),
    "metadata": lambda u: _any(u, "ext"),
    "grades": lambda u: u["roles"].get("student", {}).get("grade"),
}  # fmt: skip


def _any(user: dict[str, Any], field: str) -> Any:
    return next((role[field] for role in user["roles"].values() if field in role), None)


@pytest.mark.commitment("CLEV-2.6")
@pytest.mark.parametrize(("people", "fields"), RULES, ids=str)
def test_the_two_doors_never_differ_in_whom_or_what_they_show(
    narrowed: Callable[..., Erin], people: Any, fields: Any
) -> None:
    erin = narrowed(
        people, fields if fields == "all" else [{"field": f, "reason": "to test"} for f in fields]
    )
    with unguarded("set-up"):
        Person.objects.filter(id=erin.cast.ada.id).update(
            middle_name="Wren", user_master_identifier="M1", metadata='{"house": "Otter"}'
        )
    roster_changed(erin.cast)
    key = bytes.fromhex(erin.made.app.id_key)
    pairs = (
        ("/users", "/v3.1/users", "person"), ("/schools", "/v3.1/schools", "org"), ("/classes", "/v3.1/sections", "class"),
        ("/courses", "/v3.1/courses", "course"), ("/academicSessions", "/v3.1/terms", "session"),
    )  # fmt: skip
    for ours, clever, kind in pairs:
        one = {unseal(key, kind, o["sourcedId"]): o for o in erin.read(ours, filter="status='active'")}
        other = {unseal_short(key, kind, o["id"]): o for o in read(erin, clever)}
        assert one.keys() == other.keys(), clever
        for row in one if kind == "person" else ():
            shown = {field for field, find in _SHOWN.items() if find(other[row])}
            has_role = bool(other[row]["roles"].keys() & {"student", "teacher", "staff"})
            named = {
                f
                for f in _SHOWN
                if one[row].get(f) and (has_role or f in ("givenName", "middleName", "familyName", "email"))
            }
            assert shown - {"identifier"} <= named and named <= shown | {"grades"}, (row, shown, named)
    listed = {
        (
            unseal(key, "class", e["class"]["sourcedId"]),
            unseal(key, "person", e["user"]["sourcedId"]),
            e["role"],
        )
        for e in erin.read("/enrollments", filter="status='active'")
    }
    held = {
        (unseal_short(key, "class", s["id"]), unseal_short(key, "person", p), role)
        for s in read(erin, "/v3.1/sections") for role in ("student", "teacher") for p in s[role + "s"]
    }  # fmt: skip
    assert {e for e in listed if None not in e[:2]} == held
    born = erin.get("/demographics", filter="status='active'")
    shown = (
        {o["sourcedId"] for o in born.json()["demographics"] if o.get("birthDate")}
        if born.status_code == 200
        else set()
    )
    students = [u["roles"]["student"] for u in read(erin, "/v3.1/users") if "student" in u["roles"]]
    assert sum("dob" in s for s in students) == len(shown)
