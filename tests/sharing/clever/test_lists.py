"""Lists of Clever's API: pages and their links, roles, and what stands in an object."""

from __future__ import annotations

from typing import Any

import pytest

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.roster.models import Class, Enrollment, Guardianship, Person, Role
from tests.sharing.clever.conftest import ask, known, read, walk
from tests.sharing.oneroster.conftest import Erin
from tests.sharing.oneroster.test_lists import add, roster_changed


def links(answer: Any) -> dict[str, str]:
    return {link["rel"]: link["uri"] for link in answer.json()["links"]}


def ids(answer: Any) -> list[str]:
    return [o["data"]["id"] for o in answer.json()["data"]]


def first_names(found: list[Any]) -> set[str]:
    return {u["name"]["first"] for u in found}


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 100])
def test_a_walk_by_the_links_meets_every_record_once(erin: Erin, size: int) -> None:
    every = ids(ask(erin, "/v3.0/users"))
    assert [u["id"] for u in walk(erin, f"/v3.0/users?limit={size}")] == every and len(set(every)) == 6


def test_a_page_says_where_it_is(erin: Erin) -> None:
    whole = ids(ask(erin, "/v3.0/users"))
    first = ask(erin, "/v3.0/users", limit=2)
    assert links(first) == {
        "self": "/v3.0/users?limit=2", "next": f"/v3.0/users?limit=2&starting_after={whole[1]}",
    }  # fmt: skip
    second = ask(erin, links(first)["next"])
    assert ids(second) == whole[2:4]
    assert links(second)["prev"] == f"/v3.0/users?limit=2&ending_before={whole[2]}"
    assert ids(ask(erin, links(second)["prev"])) == whole[:2]
    assert "next" not in links(ask(erin, "/v3.0/users", starting_after=whole[3]))
    assert ids(ask(erin, "/v3.0/users", ending_before=whole[5], limit=2)) == whole[3:5]


def test_a_walk_goes_on_when_the_record_it_stands_on_leaves_and_another_comes(erin: Erin) -> None:
    first = ask(erin, "/v3.0/users", role="student", limit=1)
    with unguarded("set-up"):
        Person.objects.filter(id=erin.cast.ada.id).update(
            status="tobedeleted", date_last_modified=clock.now()
        )
    add(erin.cast, "Newcomer")
    rest = walk(erin, links(first)["next"])
    assert first_names(rest) == {"Ivo", "Newcomer"}
    assert "role=student" in links(first)["next"]


def test_count_gives_the_whole_number(erin: Erin) -> None:
    assert ask(erin, "/v3.0/users", count="true", limit=1).json()["count"] == 6
    assert "count" not in ask(erin, "/v3.0/users", count="false").json()
    assert ask(erin, "/v3.0/districts", count="true").json()["count"] == 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=10001", "limit=x", "limit=1&limit=2", "starting_after=x", "ending_before=x", "role=wizard",
        "starting_after=%00", "count=maybe", "primary=x", "limit=-1", "starting_after=" + "0" * 24,
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_be_read_is_named(erin: Erin, query: str) -> None:
    answer = ask(erin, f"/v3.0/users?{query}")
    assert answer.status_code == 400 and query.partition("=")[0] in answer.json()["message"]


def test_a_parameter_that_clever_does_not_know_is_passed_over(erin: Erin) -> None:
    assert ask(erin, "/v3.0/users?where=x&ascending=1").status_code == 200


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("student", {"Ada", "Ivo"}), ("teacher", {"Ben", "Dov"}), ("contact", {"Cleo"}), ("district_admin", {"Hana"}),
        ("staff", set()),
    ],
)  # fmt: skip
def test_users_by_role(erin: Erin, role: str, names: set[str]) -> None:
    found = read(erin, "/v3.0/users", role=role)
    assert first_names(found) == names and all(role in u["roles"] for u in found)


def test_the_people_around_a_person(erin: Erin) -> None:
    cast = erin.cast
    for who, part, names in (
        (cast.ada, "myteachers", {"Ben"}), (cast.ada, "mycontacts", {"Cleo"}), (cast.ben, "mystudents", {"Ada"}),
        (cast.cleo, "mystudents", {"Ada"}), (cast.ada, "mystudents", set()), (cast.hana, "mystudents", set()),
    ):  # fmt: skip
        assert first_names(read(erin, f"/v3.0/users/{known(erin, 'person', who)}/{part}")) == names, (
            part,
            names,
        )


def test_the_people_of_a_school_and_a_section(erin: Erin) -> None:
    school, section = known(erin, "org", erin.cast.school), known(erin, "class", erin.cast.kestrels)
    assert first_names(read(erin, f"/v3.0/schools/{school}/users")) == {"Ada", "Ben", "Cleo"}
    assert first_names(read(erin, f"/v3.0/schools/{school}/users", role="teacher")) == {"Ben"}
    assert first_names(read(erin, f"/v3.0/schools/{school}/users", primary="true", role="student")) == {"Ada"}
    assert first_names(read(erin, f"/v3.0/sections/{section}/users", role="student")) == {"Ada"}
    assert first_names(read(erin, f"/v3.0/sections/{section}/users")) == {"Ada", "Ben"}


def test_a_student_has_what_the_school_knows_in_clevers_words(erin: Erin) -> None:
    cast = erin.cast
    ada = read(erin, f"/v3.1/users/{known(erin, 'person', cast.ada)}")
    school = known(erin, "org", cast.school)
    assert ada["name"] == {"first": "Ada", "last": "Riverstone"} and ada["email"] == "ada@puddlebrook.example"
    assert ada["district"] == read(erin, "/v3.1/districts")[0]["id"]
    student = ada["roles"]["student"]
    assert (student["grade"], student["dob"], student["gender"]) == ("2", "3/4/2019", "F")
    assert (student["school"], student["schools"], student["student_number"]) == (school, [school], "ID-ada")
    assert student["credentials"] == {"district_username": "ada.ada"}
    assert student["enrollments"] == [{"school": school}]
    [cleo] = read(erin, "/v3.1/users", role="contact")
    [link] = cleo["roles"]["contact"]["student_relationships"]
    assert link == {"student": ada["id"], "relationship": "Parent", "type": "Parent/Guardian"}


def test_a_section_names_its_people_course_school_and_term(erin: Erin) -> None:
    cast = erin.cast
    found = read(erin, f"/v3.0/sections/{known(erin, 'class', cast.kestrels)}")
    assert (found["name"], found["section_number"], found["grade"], found["subject"]) == (
        "Kestrels",
        "2K",
        "2",
        "math",
    )
    assert found["students"] == [known(erin, "person", cast.ada)]
    assert found["teacher"] == known(erin, "person", cast.ben) and found["teachers"] == [found["teacher"]]
    for field, path in (("course", "courses"), ("school", "schools"), ("term_id", "terms")):
        assert read(erin, f"/v3.0/{path}/{found[field]}")["id"] == found[field]


def test_the_primary_teacher_of_a_section_stands_first(erin: Erin) -> None:
    with unguarded("set-up"):
        row = {"tenant": erin.cast.tenant, "date_last_modified": clock.now()}
        Enrollment.objects.filter(person=erin.cast.ben).update(primary=False)
        Enrollment.objects.create(
            **row, sourced_id="X", person=erin.cast.dov, klass=erin.cast.kestrels, school=erin.cast.school, role="teacher",
            primary=True,
        )  # fmt: skip
    roster_changed(erin.cast)
    found = read(erin, f"/v2.0/sections/{known(erin, 'class', erin.cast.kestrels)}")
    assert found["teachers"] == [known(erin, "person", w) for w in (erin.cast.dov, erin.cast.ben)]
    teacher = read(erin, f"/v2.0/sections/{found['id']}/teacher")
    assert teacher["id"] == found["teacher"] == found["teachers"][0]


def test_version_2_writes_older_words(erin: Erin) -> None:
    with unguarded("set-up"):
        Person.objects.filter(id=erin.cast.ada.id).update(grades="IT")
        Class.objects.filter(id=erin.cast.kestrels.id).update(grades="13,12")
    roster_changed(erin.cast)
    [ada] = [s for s in read(erin, "/v2.0/students") if s["name"]["first"] == "Ada"]
    assert ada["grade"] == "PreKindergarten"
    assert read(erin, f"/v3.0/users/{ada['id']}")["roles"]["student"]["grade"] == "InfantToddler"
    section = known(erin, "class", erin.cast.kestrels)
    assert read(erin, f"/v2.0/sections/{section}")["grade"] == "PostGraduate"
    assert read(erin, f"/v3.0/sections/{section}")["grade"] == "13"
    [cleo] = read(erin, "/v2.0/contacts")
    assert (cleo["name"], cleo["students"], cleo["relationship"]) == (
        "Cleo Riverstone",
        [ada["id"]],
        "Parent",
    )


def test_one_person_with_several_roles_is_one_user(erin: Erin) -> None:
    with unguarded("set-up"):
        row = {"tenant": erin.cast.tenant, "date_last_modified": clock.now()}
        Role.objects.create(**row, sourced_id="r", person=erin.cast.ben, org=erin.cast.school, role="parent")
        Role.objects.create(
            **row, sourced_id="p", person=erin.cast.ben, org=erin.cast.school2, role="principal"
        )
        Guardianship.objects.create(
            **row, sourced_id="g", guardian=erin.cast.ben, child=erin.cast.ivo, relationship="uncle"
        )
    roster_changed(erin.cast)
    ben = read(erin, f"/v3.0/users/{known(erin, 'person', erin.cast.ben)}")
    assert set(ben["roles"]) == {"teacher", "contact", "staff"} and ben["roles"]["staff"]["roles"] == [
        "principal"
    ]
    assert ben["roles"]["contact"]["student_relationships"][0]["relationship"] == "Aunt/Uncle"
    assert [u["id"] for u in read(erin, "/v2.0/school_admins")] == [ben["id"]]
    assert len(read(erin, "/v3.0/users")) == 6


def test_what_is_not_kept_is_said_so(erin: Erin) -> None:
    section, school = known(erin, "class", erin.cast.kestrels), known(erin, "org", erin.cast.school)
    for path in (
        f"/v3.1/attendance/sections/{section}",
        f"/v3.1/attendance/schools/{school}",
        "/v3.1/resources",
    ):
        assert ask(erin, path).json()["data"] == []
    assert "last_attendance_sync" not in read(erin, "/v3.1/districts")[0]
    assert ask(erin, f"/v3.1/attendance/sections/{school}").status_code == 404
    assert ask(erin, f"/v3.1/sections/{section}/assignments/{'a' * 24}").status_code == 404
    assert ask(erin, f"/v3.1/sections/{section}/assignments/{'a' * 24}/submissions").status_code == 404
    assert ask(erin, f"/v3.0/sections/{section}/assignments/{'a' * 24}").status_code == 404
    made = post(erin, f"/v3.1/sections/{section}/assignments", {"title": "Sums"})
    assert made.status_code == 501 and "assignments" in made.json()["message"]


def post(erin: Erin, path: str, body: Any) -> Any:
    from django.test import Client

    return Client().post(
        path, body, content_type="application/json", headers={"authorization": f"Bearer {erin.token()}"}
    )
