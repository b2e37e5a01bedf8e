"""Each door: works; a stranger, a wrong scope and a stopped app are refused; limits hold; what left is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.kernel.ids import new_id
from rollbook.policy import Disclosure, unguarded
from rollbook.sharing import agree, create_app, share, stop
from rollbook.sharing.connectors.oneroster.operations import (
    CORE,
    DEMOGRAPHICS,
    OPERATIONS,
    PREFIX,
    ROSTER,
    SINGULAR,
    Operation,
)
from rollbook.sharing.rules import seal
from tests.cast import Cast
from tests.sharing.oneroster.conftest import EVERYTHING, Erin

LISTS = [o for o in OPERATIONS if not o.single]


def address(erin: Erin, operation: Operation) -> str:
    """The path of an operation, with ids of the cast's rows that it finds something under."""
    cast, key = erin.cast, bytes.fromhex(erin.made.app.id_key)

    def known(kind: str, row: int) -> str:
        return seal(key, kind, [row])[0]

    ids = {
        "classSourcedId": known("class", cast.kestrels.id), "schoolSourcedId": known("org", cast.school.id),
        "courseSourcedId": known("course", cast.course.id), "termSourcedId": known("session", cast.term.id),
        "studentSourcedId": known("person", cast.ada.id), "teacherSourcedId": known("person", cast.ben.id),
        "userSourcedId": known("person", cast.ada.id),
    }  # fmt: skip
    own = {
        "academicSessions": ("session", cast.year), "terms": ("session", cast.term), "gradingPeriods": ("session", cast.term),
        "classes": ("class", cast.kestrels), "courses": ("course", cast.course), "orgs": ("org", cast.school),
        "schools": ("org", cast.school), "users": ("person", cast.ada), "students": ("person", cast.ada),
        "teachers": ("person", cast.ben), "demographics": ("person", cast.ada), "enrollments": ("enrollment", None),
    }  # fmt: skip
    if operation.single:
        kind, row = own[operation.path.split("/")[1]]
        ids["sourcedId"] = known(kind, row.id) if row else enrollment(erin)
    return operation.path.format(**ids)


def enrollment(erin: Erin) -> str:
    return str(erin.read("/enrollments")[0]["sourcedId"])


def disclosures() -> list[Disclosure]:
    with unguarded("a test reads the log"):
        return list(Disclosure.objects.order_by("id"))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
def test_every_operation_answers_with_what_the_cast_has(erin: Erin, operation: Operation) -> None:
    if operation.path.startswith("/gradingPeriods/"):
        with unguarded("set-up"):
            type(erin.cast.term).objects.filter(id=erin.cast.term.id).update(type="gradingPeriod")
    answer = erin.get(address(erin, operation))
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert list(body) == [SINGULAR[operation.collection] if operation.single else operation.collection]
    assert "no-store" in answer["Cache-Control"]
    if not operation.single:
        assert int(answer["X-Total-Count"]) == len(body[operation.collection])
        assert bool(body[operation.collection]) == ("gradingPeriods" not in operation.path)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
def test_every_operation_refuses_strangers_and_tokens_of_another_scope(
    erin: Erin, operation: Operation
) -> None:
    path = address(erin, operation)
    before = len(disclosures())
    for header in ({}, {"authorization": "Bearer made-up"}, {"authorization": "Basic eDp5"}):
        answer = Client().get(PREFIX + path, headers=header)
        assert (answer.status_code, "Bearer" in answer["WWW-Authenticate"]) == (401, True)
        assert minor(answer) == "unauthorisedrequest"
    other = {DEMOGRAPHICS: ROSTER}.get(operation.scopes[0], DEMOGRAPHICS)
    answer = erin.get(path, scope=other)
    assert (answer.status_code, minor(answer)) == (403, "forbidden")
    assert len(disclosures()) == before
    for scope in operation.scopes:
        assert erin.get(path, scope=scope).status_code in (200, 404)


def minor(answer: object) -> str:
    return json.loads(answer.content)["imsx_CodeMinor"]["imsx_codeMinorField"][0]["imsx_codeMinorFieldValue"]  # type: ignore[attr-defined]


def test_the_core_scope_opens_whole_collections_and_not_the_lists_under_a_parent(erin: Erin) -> None:
    assert erin.get("/users", scope=CORE).status_code == 200
    under = address(erin, next(o for o in OPERATIONS if o.name == "getStudentsForClass"))
    assert erin.get(under, scope=CORE).status_code == 403


@pytest.mark.commitment("CLEV-0.5", "CLEV-2.23")
def test_before_an_agreement_and_a_rule_an_app_gets_nothing(newcomer: Erin) -> None:
    for step in (lambda: None, newcomer.agree):
        step()
        for path in ("/users", "/orgs", "/enrollments", "/demographics"):
            answer = newcomer.get(path)
            assert (answer.status_code, minor(answer)) == (403, "forbidden")
            assert b"Puddlebrook" not in answer.content and b"agreement" not in answer.content
    assert disclosures() == []
    newcomer.share()
    assert newcomer.read("/users")


@pytest.mark.commitment("CLEV-2.20", "CLEV-2.23", "CLEV-2.1")
def test_each_answer_about_people_is_written_down_with_the_rule_that_allows_it(erin: Erin) -> None:
    erin.read("/users", fields="givenName,roles")
    [row] = disclosures()
    assert (row.recipient, row.door, row.people_count) == ("Erin's Sums", "oneroster getAllUsers", 7 - 1)
    assert "roster_person.given_name" in row.columns and "roster_person.email" not in row.columns
    assert row.authorised_by > 0 and row.purpose == "learning-app"


def test_an_answer_about_nobody_writes_nothing_down(erin: Erin) -> None:
    for path in ("/orgs", "/classes", "/courses", "/academicSessions"):
        assert erin.read(path)
    assert disclosures() == []


def test_the_classes_of_a_child_are_about_the_child(erin: Erin) -> None:
    erin.read(address(erin, next(o for o in OPERATIONS if o.name == "getClassesForStudent")))
    [row] = disclosures()
    assert (row.people_count, row.first_id) == (1, erin.cast.ada.id)
    assert "roster_enrollment.class_id" in row.columns


@pytest.mark.commitment("CLEV-2.6", "CLEV-2.7")
def test_an_app_gets_the_classes_and_fields_that_the_school_names_and_after_a_stop_nothing(
    narrowed: Callable[..., Erin],
) -> None:
    erin = narrowed(
        {"classes": ["KES"]},
        [{"field": f"users.{f}", "reason": "to greet"} for f in ("givenName", "familyName", "grades")],
    )
    people = erin.read("/users")
    assert {p["givenName"] for p in people} == {"Ada", "Ben"}
    for person in people:
        assert set(person) <= {
            "sourcedId", "status", "dateLastModified", "enabledUser", "givenName", "familyName", "grades", "roles", "primaryOrg",
        }  # fmt: skip
    assert [c["title"] for c in erin.read("/classes")] == ["Kestrels"]
    share(
        erin.made.app,
        {"people": {"classes": ["KES"]}, "fields": [{"field": "users.familyName", "reason": "to greet"}]},
    )
    assert {p["givenName"] for p in erin.read("/users", filter="status='active'")} == {""}
    stop(erin.made.app)
    assert erin.get("/users").status_code == 401
    again = Client().post("/oauth/token", {
        "grant_type": "client_credentials", "client_id": erin.made.client_id, "client_secret": erin.made.client_secret,
    })  # fmt: skip
    assert again.status_code == 401


def test_an_agreement_that_ends_or_a_region_outside_binds_the_next_request(erin: Erin) -> None:
    assert erin.get("/users").status_code == 200
    with clock.at(clock.now() + timedelta(minutes=59)):
        assert erin.get("/users").status_code == 200
    erin.agree(region="US")
    answer = erin.get("/users")
    assert (answer.status_code, minor(answer), b"region" in answer.content) == (403, "forbidden", False)


def test_unknown_malformed_foreign_and_unshared_ids_get_one_and_the_same_answer(
    narrowed: Callable[..., Erin], cast: Cast
) -> None:
    erin = narrowed({"classes": ["KES"]})
    other = create_app(cast.other, "Another app")
    agree(
        other.app,
        purpose="learning-app",
        region="GB",
        retention_days=1,
        contact="x",
        ends_on=clock.today(),
        read_policy=True,
    )
    share(other.app, EVERYTHING)
    mine, theirs = bytes.fromhex(erin.made.app.id_key), bytes.fromhex(other.app.id_key)
    ids = [
        *seal(mine, "person", [cast.dov.id, cast.stranger.id, new_id(), 0]), *seal(mine, "class", [cast.kestrels.id]),
        *seal(theirs, "person", [cast.stranger.id, cast.ada.id]), str(cast.ada.id), "ada", "%00", "x" * 3000, "é", "a%2Fb",
    ]  # fmt: skip
    for template in (
        "/users/{}",
        "/students/{}",
        "/demographics/{}",
        "/users/{}/classes",
        "/teachers/{}/classes",
    ):
        answers = {(a.status_code, a.content) for a in (erin.get(template.format(i)) for i in ids)}
        assert len(answers) == 1 and answers.pop()[0] == 404
    assert erin.read(f"/users/{seal(mine, 'person', [cast.ada.id])[0]}")["givenName"] == "Ada"


def test_a_student_is_no_teacher(erin: Erin) -> None:
    [ada] = seal(bytes.fromhex(erin.made.app.id_key), "person", [erin.cast.ada.id])
    assert erin.get(f"/students/{ada}").status_code == 200
    assert erin.get(f"/teachers/{ada}").status_code == 404
    assert erin.get(f"/teachers/{ada}/classes").status_code == 404


def test_a_class_stands_only_under_its_own_school(erin: Erin) -> None:
    key, cast = bytes.fromhex(erin.made.app.id_key), erin.cast
    [school, elsewhere] = seal(key, "org", [cast.school.id, cast.school2.id])
    [kestrels] = seal(key, "class", [cast.kestrels.id])
    assert erin.read(f"/schools/{school}/classes/{kestrels}/students")
    assert erin.get(f"/schools/{elsewhere}/classes/{kestrels}/students").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/nothing",
        "/users/",
        "/users//classes",
        "/users/a/b/c",
        "/discovery/other.json",
        "/users/%0A/x",
    ],
)
def test_an_unknown_address_is_answered_in_the_standards_words(erin: Erin, path: str) -> None:
    answer = erin.get(path)
    assert (answer.status_code, minor(answer), answer["Content-Type"]) == (
        404,
        "unknownobject",
        "application/json",
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_service_is_for_reading(erin: Erin, method: str) -> None:
    answer = Client().generic(method, f"{PREFIX}/users", headers={"authorization": f"Bearer {erin.token()}"})
    assert (answer.status_code, answer["Allow"], minor(answer)) == (405, "GET, HEAD", "invaliddata")


def test_a_mistake_of_ours_shows_nothing_of_how_we_work(
    erin: Erin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a secret of the works")

    monkeypatch.setattr("rollbook.sharing.api.oneroster.page", broken)
    answer = erin.get("/users")
    assert (answer.status_code, minor(answer), b"secret" in answer.content) == (
        500,
        "internal_server_error",
        False,
    )


def test_no_answer_leaves_when_it_cannot_be_written_down(erin: Erin, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("rollbook.sharing.api.oneroster.disclose", full)
    answer = erin.get("/users")
    assert (answer.status_code, b"Ada" in answer.content) == (500, False)
    assert erin.get("/orgs").status_code == 200


def test_an_app_that_asks_too_often_is_told_when_to_go_on(erin: Erin, settings: object) -> None:
    settings.ROLLBOOK_API_RATE = 3  # type: ignore[attr-defined]
    with clock.at(clock.now().replace(second=10)):
        answers = [erin.get("/orgs") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[0]["X-RateLimit-Remaining"] == "2"
    assert (minor(answers[3]), answers[3]["Retry-After"]) == ("server_busy", "50")
    with clock.at(clock.now().replace(second=10) + timedelta(minutes=1)):
        assert erin.get("/orgs").status_code == 200


def test_an_apps_ids_for_a_child_say_nothing_to_another_app(erin: Erin) -> None:
    second = create_app(erin.cast.tenant, "Second")
    other = Erin(erin.cast, second)
    other.agree()
    other.share()
    assert not {u["sourcedId"] for u in erin.read("/users")} & {u["sourcedId"] for u in other.read("/users")}


def test_addresses_in_answers_are_absolute_and_follow_the_setting(erin: Erin, settings: object) -> None:
    assert erin.read("/schools")[0]["parent"]["href"].startswith("http://testserver" + PREFIX)
    settings.ROLLBOOK_BASE_URL = "https://roster.example"  # type: ignore[attr-defined]
    answer = erin.get("/schools", limit=1)
    assert answer.json()["orgs"][0]["parent"]["href"].startswith("https://roster.example" + PREFIX)
    assert answer["Link"].startswith("<https://roster.example" + PREFIX)
    href = erin.read("/schools")[0]["parent"]["href"].removeprefix("https://roster.example" + PREFIX)
    assert erin.read(href)["name"] == "Sevenhills Trust"
