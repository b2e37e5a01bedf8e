"""Lists: pages and links, a walk while the roster changes, order, filters; and nothing unshared to be felt out by any of them."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.roster.models import (
    AcademicSession,
    Class,
    ClassTerm,
    Course,
    Enrollment,
    Ethnicity,
    Org,
    Person,
    Role,
    Tenant,
)
from tests.cast import Cast
from tests.sharing.oneroster.conftest import Erin
from tests.sharing.oneroster.test_doors import minor


def names(objects: list[dict[str, Any]]) -> list[str]:
    return [o["givenName"] for o in objects]


def roster_changed(cast: Cast) -> None:
    """What every sync and every change by hand does in its transaction."""
    tenant = Tenant.objects.get(id=cast.tenant.id)
    tenant.roster_version += 1
    tenant.save()


def add(cast: Cast, given: str, **more: Any) -> Person:
    """One more pupil of the school."""
    with unguarded("set-up"):
        row = {"tenant": cast.tenant, "date_last_modified": clock.now()}
        made = Person.objects.create(
            **row, sourced_id=given, given_name=given, family_name="New", primary_org=cast.school, **more
        )
        Role.objects.create(**row, sourced_id=given, person=made, org=cast.school, role="student")
        roster_changed(cast)
    return made


def followed(erin: Erin, answer: Any) -> dict[str, str]:
    """rel -> address, from a Link header."""
    return {rel: url for url, rel in re.findall(r'<([^>]+)>; rel="(\w+)"', answer["Link"])}


def walk(erin: Erin, path: str, between: Any = lambda n: None, **query: Any) -> list[dict[str, Any]]:
    answer, found, n = erin.get(path, **query), [], 0
    while True:
        assert answer.status_code == 200, answer.content
        found += next(iter(answer.json().values()))
        links = followed(erin, answer)
        if "next" not in links:
            return found
        n += 1
        between(n)
        answer = erin.get(links["next"])


@pytest.mark.parametrize(
    "query",
    [{}, {"sort": "givenName"}, {"sort": "givenName", "orderBy": "desc"}, {"filter": "status='active'"}],
)
def test_pages_put_together_are_the_whole(erin: Erin, query: dict[str, str]) -> None:
    whole = erin.read("/users", **query)
    assert walk(erin, "/users", limit=2, **query) == whole
    by_offset = [u for offset in range(0, 8, 2) for u in erin.read("/users", limit=2, offset=offset, **query)]
    assert by_offset == whole
    answer = erin.get("/users", limit=2, offset=2, **query)
    assert answer["X-Total-Count"] == "6"
    links = followed(erin, answer)
    assert set(links) == {"first", "prev", "next", "last"}
    assert names(erin.get(links["first"]).json()["users"]) == names(whole[:2])
    assert names(erin.get(links["last"]).json()["users"]) == names(whole[4:])


@pytest.mark.parametrize("query", [{}, {"sort": "givenName"}])
def test_a_walk_stays_steady_while_people_come_and_go(erin: Erin, query: dict[str, str]) -> None:
    def between(n: int) -> None:
        if n == 1:
            with unguarded("set-up"):
                long_ago = clock.now() - timedelta(days=500)
                Person.objects.filter(id=erin.cast.ada.id).update(
                    status="tobedeleted", date_last_modified=long_ago
                )
            add(erin.cast, "Zora")

    seen = names(walk(erin, "/users", between, limit=1, **query))
    assert sorted(seen) == ["Ada", "Ben", "Cleo", "Dov", "Hana", "Ivo", "Zora"]


@pytest.mark.parametrize("value", ["00", "zz", "ab" * 40, "é"])
def test_a_cursor_that_was_not_made_for_this_list_is_refused(erin: Erin, value: str) -> None:
    answer = erin.get("/users", limit=1, cursor=value)
    assert (answer.status_code, minor(answer)) == (400, "invaliddata")
    link = followed(erin, erin.get("/users", limit=1))["next"]
    assert erin.get(link.replace("/users", "/students")).status_code == 400
    assert erin.get(link + "&filter=status%3D%27active%27").status_code == 400


@pytest.mark.parametrize(
    "query",
    [{"limit": v} for v in ("0", "-1", "10001", "x", "", "1.5", "٣", "9" * 30)] + [{"offset": v} for v in ("-1", "x", "9" * 15)]
    + [{"limit": ["1", "2"]}, {"orderBy": "up"}, {"orderBy": ""}],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(erin: Erin, query: dict[str, Any]) -> None:
    answer = erin.get("/users", **query)
    assert (answer.status_code, minor(answer)) == (400, "invaliddata")


def test_the_largest_page_and_the_one_behind_the_end(erin: Erin) -> None:
    assert len(erin.read("/users", limit=10000)) == 6
    answer = erin.get("/users", offset=600)
    assert (answer.json()["users"], answer["X-Total-Count"]) == ([], "6")


def test_a_page_of_many_rows_leaves_in_pieces_and_is_the_same(
    erin: Erin, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = erin.read("/users")
    monkeypatch.setattr("rollbook.sharing.api.oneroster.STREAMED", 2)
    assert erin.get("/users").streaming
    assert erin.read("/users") == whole


@pytest.mark.parametrize("streamed", [2, 1000])
def test_an_answer_is_compressed_for_a_client_that_takes_it(
    erin: Erin, monkeypatch: pytest.MonkeyPatch, streamed: int
) -> None:
    whole = erin.read("/users")
    monkeypatch.setattr("rollbook.sharing.api.oneroster.STREAMED", streamed)
    headers = {"authorization": f"Bearer {erin.token()}", "accept-encoding": "br, gzip"}
    answer = Client().get("/ims/oneroster/rostering/v1p2/users", headers=headers)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
    assert (answer["Content-Encoding"], answer["Vary"]) == ("gzip", "Accept-Encoding")
    assert json.loads(gzip.decompress(body))["users"] == whole


FILTERS = {
    "givenName='Ada'": ["Ada"],
    "givenName='ada'": ["Ada"],
    "givenName!='Ada'": ["Ben", "Cleo", "Dov", "Hana", "Ivo"],
    "givenName > 'Cleo'": ["Dov", "Hana", "Ivo"],
    "givenName>='Cleo' AND givenName<'Hana'": ["Cleo", "Dov"],
    "familyName~'river'": ["Ada", "Cleo"],
    "familyName=''": ["Ivo"],
    "givenName='Ada' OR givenName='Ben' OR givenName='Dov'": ["Ada", "Ben", "Dov"],
    "givenName='Ada' OR givenName='Ben' AND familyName='Riverstone'": ["Ada"],
    "givenName='Ben' and familyName='Thistlewick'": ["Ben"],
    "email~'@PUDDLEBROOK'": ["Ada", "Ben", "Cleo", "Dov", "Hana", "Ivo"],
    "enabledUser='true'": ["Ada", "Ben", "Cleo", "Dov", "Hana", "Ivo"],
    "enabledUser!='true'": [],
    "grades='02'": ["Ada"],
    "grades~'0'": ["Ada", "Ivo"],
    "grades!='02'": ["Ben", "Cleo", "Dov", "Hana", "Ivo"],
    "grades='02,03'": [],
    "roles.role='student'": ["Ada", "Ivo"],
    "roles.role!='student'": ["Ben", "Cleo", "Dov", "Hana"],
    "roles.role~'ADMIN'": ["Hana"],
    "roles.roleType='primary' AND roles.role='teacher'": ["Ben", "Dov"],
    "status='active'": ["Ada", "Ben", "Cleo", "Dov", "Hana", "Ivo"],
    "status='tobedeleted'": [],
    "status!='active' OR givenName='Ada'": ["Ada"],
    "dateLastModified>'2020-01-01'": ["Ada", "Ben", "Cleo", "Dov", "Hana", "Ivo"],
    "dateLastModified<'2020-01-01T00:00:00.000Z'": [],
    "dateLastModified~'T'": ["Ada", "Ben", "Cleo", "Dov", "Hana", "Ivo"],
    "userIds.type='x'": [],
    "sourcedId='no such'": [],
    "primaryOrg.sourcedId='no such'": [],
    "phone='07700 900123' AND givenName='Ada'": ["Ada"],
    "givenName='O''Brien'": [],
    "givenName='%'": [],
    "givenName~'_'": [],
    "givenName='Ädä' OR givenName='Ada'": ["Ada"],
}


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_finds(erin: Erin, text: str) -> None:
    assert sorted(names(erin.read("/users", filter=text))) == FILTERS[text]


def test_a_filter_by_id_and_by_reference_finds(erin: Erin) -> None:
    ada = next(u for u in erin.read("/users") if u["givenName"] == "Ada")
    one = ada["sourcedId"]
    assert names(erin.read("/users", filter=f"sourcedId='{one}'")) == ["Ada"]
    assert "Ada" not in names(erin.read("/users", filter=f"sourcedId!='{one}'"))
    assert "Ada" in names(erin.read("/users", filter=f"sourcedId>='{one}'"))
    assert sorted(
        names(erin.read("/users", filter=f"primaryOrg.sourcedId='{ada['primaryOrg']['sourcedId']}'"))
    ) == ["Ada", "Ben", "Cleo"]
    assert names(erin.read("/users", filter=f"agents.sourcedId='{one}'")) == ["Cleo"]
    assert sorted(
        names(erin.read("/users", filter=f"roles.org.sourcedId='{ada['primaryOrg']['sourcedId']}'"))
    ) == ["Ada", "Ben", "Cleo"]
    assert len(erin.read("/enrollments", filter=f"user.sourcedId='{one}'")) == 1
    assert len(erin.read("/enrollments", filter="primary='true' AND role='teacher'")) == 2
    assert (
        len(
            erin.read(
                "/demographics", filter=f"sourcedId='{one}' AND birthDate>='2019-01-01' AND sex='Female'"
            )
        )
        == 1
    )
    [kestrels] = erin.read("/classes", filter="title='kestrels'")
    assert len(erin.read("/classes", filter=f"terms.sourcedId='{kestrels['terms'][0]['sourcedId']}'")) == 2
    assert (
        len(
            erin.read(
                "/classes", filter=f"school.sourcedId='{kestrels['school']['sourcedId']}' AND subjects~'mat'"
            )
        )
        == 1
    )
    [trust] = erin.read("/orgs", filter="type='district'")
    assert len(erin.read("/orgs", filter=f"parent.sourcedId='{trust['sourcedId']}'")) == 2
    assert erin.read("/orgs", filter=f"children.sourcedId='{kestrels['school']['sourcedId']}'") == [trust]


SENSELESS = (
    "", " ", "x", "givenName", "givenName=", "givenName=Ada", "givenName='Ada", "='Ada'", "givenName=='Ada'",
    "givenName='A' XOR givenName='B'", "givenName='A' AND", "AND", "givenName='A'givenName='B'", "nothing='x'",
    "givenName.first='x'", "role='student'", "roles='x'", "roles.org='x'", "primaryOrg='x'", "primaryOrg.name='x'",
    "enabledUser='yes'", "enabledUser>'true'", "dateLastModified>'soon'", "userIds='x'", "metadata='x'", "password='x'",
    "agents.givenName='x'", "givenName='\0'", " AND ".join(["givenName='A'"] * 21),
)  # fmt: skip


@pytest.mark.parametrize("text", SENSELESS)
def test_a_filter_that_makes_no_sense_is_refused_with_the_place(erin: Erin, text: str) -> None:
    answer = erin.get("/users", filter=text)
    assert (answer.status_code, minor(answer)) == (400, "invalid_filter_field")
    assert len(answer.json()["imsx_description"]) > 20


@pytest.mark.commitment("CLEV-2.4")
def test_what_is_not_shared_cannot_be_felt_out(narrowed: Callable[..., Erin]) -> None:
    erin = narrowed("all", [{"field": "users.givenName", "reason": "to greet"}])
    with unguarded("set-up"):
        Ethnicity.objects.filter(person=erin.cast.ada).update(asian=True)
    fields = (
        "familyName",
        "email",
        "phone",
        "grades",
        "username",
        "identifier",
        "userIds.identifier",
        "agents.sourcedId",
        "metadata.x",
    )
    for field in fields:
        for text in (
            f"{field}='Riverstone'",
            f"{field}!='Riverstone'",
            f"givenName='Ada' AND {field}~'a'",
            f"{field}>'' OR givenName='Ada'",
        ):
            answer = erin.get("/users", filter=text)
            assert (answer.status_code, minor(answer)) == (400, "invalid_filter_field")
        answer = erin.get("/users", sort=field)
        assert (answer.status_code, minor(answer)) == (400, "invalid_selection_field")
    assert erin.read("/users", filter="givenName='Ada'", fields="givenName,familyName,email") == [
        {"givenName": "Ada", "familyName": ""}
    ]
    assert erin.get("/demographics", filter="asian='true'").status_code in (400, 403)


def test_a_list_is_sorted_by_any_field_that_is_shared(erin: Erin) -> None:
    add(erin.cast, "ádam")
    assert names(erin.read("/users", sort="givenName")) == [
        "Ada",
        "ádam",
        "Ben",
        "Cleo",
        "Dov",
        "Hana",
        "Ivo",
    ]
    assert names(erin.read("/users", sort="givenName", orderBy="desc", limit=2)) == ["Ivo", "Hana"]
    for field in (
        "sourcedId",
        "status",
        "dateLastModified",
        "familyName",
        "enabledUser",
        "grades",
        "primaryOrg",
        "primaryOrg.sourcedId",
    ):
        assert len(erin.read("/users", sort=field, orderBy="desc")) == 7
    ids = [u["sourcedId"] for u in erin.read("/users", sort="sourcedId")]
    assert ids == sorted(ids)
    starts = [s["startDate"] for s in erin.read("/academicSessions", sort="startDate", orderBy="desc")]
    assert starts == sorted(starts, reverse=True)


@pytest.mark.parametrize("query", [{"sort": v} for v in ("", "nothing", "roles", "roles.role", "userIds", "x y", "password")] + [
    {"fields": v} for v in ("", "nothing", "givenName,", "givenName,nothing", "roles.role")
])  # fmt: skip
def test_a_selection_of_what_there_is_not_is_refused(erin: Erin, query: dict[str, str]) -> None:
    answer = erin.get("/users", **query)
    assert (answer.status_code, minor(answer)) == (400, "invalid_selection_field")


def test_only_the_fields_asked_for_are_sent(erin: Erin) -> None:
    assert {tuple(u) for u in erin.read("/users", fields="givenName")} == {("givenName",)}
    assert set(erin.read("/users", fields=["sourcedId", "roles"])[0]) == {"sourcedId", "roles"}
    [ada] = erin.read("/users", filter="givenName='Ada'", fields="sourcedId")
    assert erin.read(f"/users/{ada['sourcedId']}", fields="sourcedId,familyName") == {
        **ada,
        "familyName": "Riverstone",
    }
    assert set(erin.read("/classes", fields="title,terms")[0]) == {"title", "terms"}


def test_those_who_left_are_shown_as_deleted_with_no_value_about_them(erin: Erin) -> None:
    cast = erin.cast
    later = clock.now() + timedelta(hours=1)
    assert erin.read("/enrollments")
    with clock.at(later), unguarded("set-up"):
        Person.objects.filter(id=cast.ada.id).update(status="tobedeleted", date_last_modified=later)
        Enrollment.objects.filter(person=cast.ivo).update(status="tobedeleted", date_last_modified=later)
        roster_changed(cast)
    with clock.at(later + timedelta(minutes=1)):
        erin.tokens.clear()
        since = clock.now() - timedelta(minutes=30)
        [gone] = erin.read("/users", filter=f"dateLastModified>='{since.isoformat()}'")
        [role] = gone.pop("roles")
        assert (
            gone.pop("sourcedId")
            and gone.pop("dateLastModified") == f"{later.isoformat(timespec='milliseconds')[:23]}Z"
        )
        assert gone == {"status": "tobedeleted", "enabledUser": "false", "givenName": "", "familyName": ""}
        assert (role["roleType"], role["role"]) == ("primary", "ext:withheld")
        left = erin.read("/enrollments", filter="status='tobedeleted'")
        assert [e["role"] for e in left] == ["ext:withheld", "ext:withheld"]
        assert [u["status"] for u in erin.read("/students")] == ["tobedeleted", "active"]
        assert names(erin.read("/users", filter="givenName!='Ben'", sort="givenName")) == [
            "Cleo",
            "Dov",
            "Hana",
            "Ivo",
        ]
        assert erin.read("/users", sort="givenName")[0]["status"] == "tobedeleted"
        assert erin.read("/users", filter="status='tobedeleted'")[0]["givenName"] == ""
        assert erin.read("/demographics")[0].keys() == {"sourcedId", "status", "dateLastModified"}


def test_whom_a_narrower_rule_leaves_out_is_told_to_the_app_as_deleted_then(erin: Erin) -> None:
    before = clock.now()
    time.sleep(0.005)
    erin.share({"people": {"classes": ["KES"]}, "fields": "all"})
    found = erin.read("/users", filter=f"dateLastModified>'{before.isoformat()}'")
    assert [u["status"] for u in found] == ["tobedeleted"] * 4
    assert [u["givenName"] for u in erin.read("/users", filter="status='active'")] == ["Ada", "Ben"]


def test_a_source_with_gaps_still_makes_whole_objects(erin: Erin) -> None:
    cast = erin.cast
    with unguarded("set-up"):
        row: dict[str, Any] = {"tenant": cast.tenant, "date_last_modified": clock.now()}
        Class.objects.create(**row, sourced_id="BARE", title="Bare", school=cast.school)
        Course.objects.create(**row, sourced_id="BARE", title="Bare")
        Org.objects.create(**row, sourced_id="BARE", name="Choir", type="music club")
        AcademicSession.objects.create(**row, sourced_id="BARE", title="Someday")
        ClassTerm.objects.filter(klass=cast.owls).delete()
        Role.objects.filter(person=cast.ivo).update(role="prefect", begin_date=date(2026, 9, 1))
        roster_changed(cast)
    year = erin.id_of("/academicSessions", type="schoolYear")
    [bare] = erin.read("/classes", filter="title='Bare'")
    assert [t["sourcedId"] for t in bare["terms"]] == [year]
    assert erin.get(bare["course"]["href"]).status_code == 404
    [choir] = erin.read("/orgs", filter="name='Choir'")
    assert choir["type"] == "ext:music_club"
    [someday] = erin.read("/academicSessions", filter="title='Someday'")
    assert (someday["startDate"], someday["endDate"], someday["type"]) == (
        "1970-01-01",
        "9999-12-31",
        "ext:unknown",
    )
    [ivo] = erin.read("/users", filter="givenName='Ivo'")
    assert (ivo["roles"][0]["role"], ivo["roles"][0]["beginDate"]) == ("ext:prefect", "2026-09-01")


def test_codes_and_other_details_are_objects_and_can_be_found(narrowed: Callable[..., Erin]) -> None:
    erin = narrowed(
        "all",
        [{"field": f, "reason": "to match"} for f in ("users.userIds", "users.metadata", "users.givenName")],
    )
    with unguarded("set-up"):
        Person.objects.filter(id=erin.cast.ada.id).update(
            user_ids="{LDAP:ada1},{x:y:z}", metadata='{"house": "Otter", "n": [1, 2]}'
        )
        roster_changed(erin.cast)
    [ada] = erin.read("/users", filter="userIds.identifier='ADA1'")
    assert ada["userIds"] == [{"type": "LDAP", "identifier": "ada1"}, {"type": "x", "identifier": "y:z"}]
    assert ada["metadata"] == {"house": "Otter", "n": [1, 2]}
    assert erin.read(
        "/users", filter="metadata.house~'ott' AND metadata.n='2,1' AND userIds.type='ldap'"
    ) == [ada]
