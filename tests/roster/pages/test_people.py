"""The list of people and the page of one: who sees whom and what, what is logged, merge, split and undo by hand."""

from __future__ import annotations

import logging

import pytest
from django.test import Client

from rollbook.identity import find_account
from rollbook.kernel import idset
from rollbook.policy import Access, Actor, Disclosure, Restriction, bundle_for, disclose, unguarded
from rollbook.roster.actions import identity
from rollbook.roster.models import Identity, Person
from tests.cast import Cast
from tests.roster.test_identity import HANA, roster, twin
from tests.staff import desk, plain

DOORS = ["/people", "/people/{ada}", "/people/{ada}/merge", "/classes", "/classes/{kestrels}"]


def address(door: str, cast: Cast) -> str:
    return door.format(ada=cast.ada.id, kestrels=cast.kestrels.id)


@pytest.fixture
def administrator(cast: Cast) -> Client:
    return desk(cast.tenant, "administrator")


@pytest.fixture
def ben(cast: Cast) -> Client:
    return desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)


@pytest.mark.parametrize("door", DOORS)
def test_each_door_opens_for_the_administrator_and_for_nobody_signed_out(
    cast: Cast, administrator: Client, door: str
) -> None:
    page = administrator.get(address(door, cast))
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"], "nothing about people stays in a cache"
    assert Client().get(address(door, cast)).status_code == 302


@pytest.mark.commitment("CLEV-1.38")
def test_what_is_read_stays_out_of_caches_and_logs(
    cast: Cast, administrator: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    doors = [address(door, cast) for door in DOORS]
    strange = [f"{doors[1]}?q=Riverstone&before=x", f"/people/{cast.stranger.id}?q=Riverstone"]
    for door in [*doors, "/people?q=Riverstone", *strange]:
        assert "no-store" in administrator.get(door)["Cache-Control"], door
    administrator.post(f"{doors[1]}/edit", {"family_name": "Riverstone", "email": "broken Riverstone"})
    assert caplog.text
    for value in ("Riverstone", "ada@puddlebrook", "07700", "ID-ada", "Thistlewick", "hana.administrator"):
        assert value not in caplog.text


@pytest.mark.parametrize("door", ["/people/{}", "/people/{}/merge", "/people?klass={}", "/classes/{}"])
def test_another_tenants_id_an_unknown_one_and_a_malformed_one_get_the_same_page(
    cast: Cast, administrator: Client, door: str
) -> None:
    theirs = cast.stranger.id if "people/" in door else cast.kestrels.id
    who = administrator if "people/" in door else desk(cast.other, "administrator", "Zed Farmer")
    answers = [who.get(door.format(i)) for i in (theirs, 123456789, "x", "9" * 30, "-1")]
    assert {a.status_code for a in answers} == {404}
    assert len({plain(a) for a in answers}) == 1


@pytest.mark.commitment("CLEV-2.5")
def test_a_teacher_sees_their_pupil_and_the_one_next_door_does_not(cast: Cast, ben: Client) -> None:
    seen = plain(ben.get(f"/people/{cast.ada.id}"))
    assert "Riverstone" in seen and "Kestrels" in seen
    for hidden in ("puddlebrook.example", "07700", "4 March 2019", "ada.ada", "Cleo", "iep"):
        assert hidden not in seen
    assert "Email" in seen and "is not for a teacher" in seen, "what is left out is named, with the reason"
    dov = desk(cast.tenant, "teacher", "Dov Marlow", person_id=cast.dov.id)
    answer = dov.get(f"/people/{cast.ada.id}")
    assert answer.status_code == 404 and "Riverstone" not in plain(answer)
    assert "Riverstone" not in plain(dov.get("/people")) and "Riverstone" not in plain(
        dov.get("/people?q=ada")
    )
    assert dov.get(f"/classes/{cast.kestrels.id}").status_code == 404


def test_each_role_sees_what_the_policy_grants_it(cast: Cast, administrator: Client) -> None:
    head = plain(desk(cast.tenant, "head", "Ms Fenn", org_id=cast.school.id).get(f"/people/{cast.ada.id}"))
    femi = plain(desk(cast.tenant, "dpo", "Femi Inkwell").get(f"/people/{cast.ada.id}"))
    admin = plain(administrator.get(f"/people/{cast.ada.id}"))
    for page, sees in ((head, (1, 1, 0, 0, 0)), (admin, (1, 1, 1, 1, 0)), (femi, (1, 1, 1, 1, 1))):
        parts = ("4 March 2019", "Cleo Riverstone", "07700 900123", "ID-ada", "iep")
        assert tuple(int(part in page) for part in parts) == sees
    assert "Who received or saw" in admin and "Who received or saw" not in head


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=ada", ["Ada"]), ("q=RIVER", ["Ada", "Cleo"]), ("q=river+cleo", ["Cleo"]), ("q=ID-ben", ["Ben"]),
        ("q=ben.ben", ["Ben"]),
        ("role=teacher", ["Ben", "Dov"]), ("role=student&grade=02", ["Ada"]), ("left=1", ["Gus"]), ("q=gus", []), ("q=zed", []),
        ("org={school2}", ["Dov", "Ivo"]), ("klass={kestrels}", ["Ada", "Ben"]), ("q=%25", []), ("grade=0", []),
    ],
)  # fmt: skip
def test_search_and_filters_find_whom_they_name(
    cast: Cast, administrator: Client, query: str, names: list[str]
) -> None:
    page = administrator.get("/people?" + query.format(school2=cast.school2.id, kestrels=cast.kestrels.id))
    found = [line.name.split()[0] for line in page.context["page"].rows]
    assert sorted(found) == names
    assert ("Nobody fits" in plain(page)) == (not names)


def test_a_teacher_cannot_search_by_what_they_may_not_see(ben: Client) -> None:
    assert ben.get("/people?q=ID-ada").context["page"].rows == ()
    assert [p.name for p in ben.get("/people?q=ada").context["page"].rows] == ["Ada Riverstone"]


def test_the_list_turns_pages_without_leaving_anybody_out(cast: Cast, administrator: Client) -> None:
    with unguarded("a bigger school"):
        Person.objects.bulk_create(
            Person(
                tenant=cast.tenant, sourced_id=f"m{n}", given_name=f"N{n % 7}", family_name="Many", name_key=f"many n{n % 7}",
                date_last_modified=cast.ada.date_last_modified,
            )
            for n in range(120)
        )  # fmt: skip
    seen, door = [], "/people?q=many"
    while door:
        page = administrator.get(door)
        seen += [p.id for p in page.context["page"].rows]
        assert page.context["count"] == "120 people"
        door = page.context["next"]
    assert len(seen) == len(set(seen)) == 120


def test_looking_is_written_down_and_shown(cast: Cast, administrator: Client, ben: Client) -> None:
    ben.get(f"/people/{cast.ada.id}")
    ben.get("/people?q=nobody")
    with unguarded("look"):
        looks = list(Disclosure.objects.order_by("id"))
    one = looks[0]
    assert (one.door, one.recipient, one.purpose, idset.unpack(bytes(one.people))) == (
        "page:person", "Ben Thistlewick", "teaching", [cast.ada.id],
    )  # fmt: skip
    assert "roster_person.given_name" in one.columns and "email" not in one.columns
    assert looks[1].people_count == 0
    page = plain(administrator.get(f"/people/{cast.ada.id}"))
    assert "Ben Thistlewick" in page and "Teach the class" in page and "on this page" in page
    assert "Hana Larkspur" in page, "one's own look is the newest line"


def test_the_record_turns_pages(cast: Cast, administrator: Client) -> None:
    for _ in range(25):
        administrator.get(f"/people/{cast.ada.id}")
    first = administrator.get(f"/people/{cast.ada.id}")
    assert len(first.context["told"]) == 20 and first.context["next"]
    second = administrator.get(first.context["next"])
    assert not {t.id for t in first.context["told"]} & {t.id for t in second.context["told"]}
    assert administrator.get(f"/people/{cast.ada.id}?before=x").status_code == 404


def test_a_restricted_person_is_not_used_but_kept(cast: Cast, administrator: Client, ben: Client) -> None:
    with unguarded("set-up"):
        Restriction.objects.create(
            tenant_id=cast.tenant.id,
            person_id=cast.ada.id,
            because="asked",
            began_at=cast.ada.date_last_modified,
        )
    assert ben.get(f"/people/{cast.ada.id}").status_code == 404
    assert administrator.get(f"/people/{cast.ada.id}").status_code == 200


@pytest.mark.commitment("CLEV-4.7")
def test_two_records_are_compared_merged_split_and_undone_by_an_administrator(
    cast: Cast, administrator: Client
) -> None:
    other = twin(cast)
    before, door = roster(cast.tenant), f"/people/{cast.ada.id}"
    assert "Ada Riverston" in plain(administrator.get(f"{door}/merge?q=riverston"))
    page = plain(administrator.get(f"{door}/merge?other={other.id}"))
    assert "Riverstone" in page and "differs" in page and roster(cast.tenant) == before
    silent = administrator.post(f"{door}/merge", {"other": other.id})
    assert silent.status_code == 422 and roster(cast.tenant) == before
    assert (
        administrator.post(f"{door}/merge", {"other": other.id, "reason": "came back"})["Location"]
        == f"{door}?done=merged"
    )
    with unguarded("look"):
        change = Identity.objects.get(kind="merged")
    assert change.by == "Hana Larkspur"
    page = plain(administrator.get(door))
    assert "was merged into this one" in page and "came back" in page
    gone = plain(administrator.get(f"/people/{other.id}"))
    assert "stands for nobody now" in gone and f"/people/{cast.ada.id}" in gone
    assert administrator.post(f"{door}/split", {"sourced_id": "ada2"}).status_code == 302
    assert roster(cast.tenant) == before
    with unguarded("look"):
        parted = Identity.objects.get(kind="split")
    assert administrator.post(f"{door}/undo", {"change": parted.id}).status_code == 302
    assert administrator.post(f"{door}/undo", {"change": change.id}).status_code == 302
    assert roster(cast.tenant) == before
    assert administrator.post(f"{door}/undo", {"change": change.id}).status_code == 404


def test_nobody_else_merges(cast: Cast, ben: Client) -> None:
    other, door = twin(cast), f"/people/{cast.ada.id}"
    before = roster(cast.tenant)
    femi = desk(cast.tenant, "dpo", "Femi Inkwell")
    for client in (ben, femi, Client()):
        for path, form in (
            ("merge", {"other": other.id, "reason": "x"}),
            ("split", {"sourced_id": "ada2"}),
            ("undo", {"change": 1}),
        ):
            assert client.post(f"{door}/{path}", form).status_code in (302, 403)
    elsewhere = desk(cast.other, "administrator", "Zed Farmer")
    assert elsewhere.post(f"{door}/merge", {"other": other.id, "reason": "x"}).status_code == 404
    assert roster(cast.tenant) == before
    assert "Same as another" not in plain(femi.get(door))


def test_an_administrator_of_another_tenant_sees_their_own_list(cast: Cast) -> None:
    page = desk(cast.other, "administrator", "Zed Farmer").get("/people")
    assert [p.name for p in page.context["page"].rows] == ["Zed Stranger"]
    assert find_account("zed.administrator@otherside.example").name == "Zed Farmer"


def test_who_received_a_merged_person_is_one_history_until_they_are_split_again(cast: Cast) -> None:
    other = twin(cast)
    numberyard = Access(
        Actor("app", "app", 77, "Numberyard"), "learning-app", cast.tenant.id, bundle_for("default")
    )
    disclose(numberyard, "oneroster getAllUsers", [(Person, "email")], [cast.ada.id, cast.ivo.id])
    disclose(numberyard, "oneroster getUser", [(Person, "phone")], [other.id])
    disclose(numberyard, "oneroster getUser", [(Person, "grades")], [cast.ivo.id])
    officer = desk(cast.tenant, "dpo", "Femi Inkwell")

    def told(person: int) -> list[tuple[str, ...]]:
        page = officer.get(f"/people/{person}")
        return [line.what for line in page.context["told"] if line.app]

    def lines(person: int) -> int:
        days = officer.get(f"/audit?person={person}&kind=received").context["days"]
        return sum(len(events) for _, events in days)

    assert (told(cast.ada.id), told(other.id)) == ([("Email",)], [("Phone",)])
    assert (lines(cast.ada.id), lines(other.id)) == (1, 1)
    identity.merge(cast.tenant, cast.ada.id, other.id, HANA, "came back")
    assert told(cast.ada.id) == told(other.id) == [("Phone",), ("Email",)]
    assert lines(cast.ada.id) == lines(other.id) == 2
    identity.split(cast.tenant, cast.ada.id, "ada2", HANA, "not the same")
    assert (told(cast.ada.id), told(other.id)) == ([("Email",)], [("Phone",)])
