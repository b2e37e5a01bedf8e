"""A student entered, changed and taken off the roll by hand, with the adult who did it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps
from django.test import Client

from rollbook.kernel import idset
from rollbook.policy import Audit, unguarded
from rollbook.roster.models import Enrollment, Event, Identity, Person, Role, Tenant
from tests.cast import Cast
from tests.roster.sync.school import get, make_tenant, puddlebrook, sync
from tests.roster.test_identity import roster
from tests.staff import desk, plain


@pytest.fixture
def administrator(cast: Cast) -> Client:
    return desk(cast.tenant, "administrator")


def form(cast: Cast, **more: object) -> dict[str, object]:
    return {
        "given_name": " Juno ",
        "family_name": "Fernweh",
        "grades": "02",
        "org": cast.school.id,
        "klass": cast.kestrels.id,
        **more,
    }


@pytest.mark.commitment("CLEV-5.8")
def test_a_student_entered_by_hand_names_the_adult_as_the_source(cast: Cast, administrator: Client) -> None:
    answer = administrator.post("/people/new", form(cast))
    assert answer.status_code == 302, plain(answer)
    with unguarded("look"):
        juno = Person.objects.get(given_name="Juno")
        entered, said = Identity.objects.get(person=juno), Audit.objects.get(verb="person.entered")
        event = Event.objects.get(entity="enrollment", action="created")
        version = Tenant.objects.get(id=cast.tenant.id).roster_version
    assert (entered.kind, entered.by, said.actor, said.object_id) == (
        "entered",
        "Hana Larkspur",
        "Hana Larkspur",
        juno.id,
    )
    assert idset.unpack(bytes(event.ids)) and version == 1
    page = plain(administrator.get(answer["Location"]))
    assert (
        "The student is entered." in page
        and "Entered by hand" in page
        and "by Hana Larkspur" in page
        and "Kestrels" in page
    )
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    assert "Juno Fernweh" in plain(ben.get(f"/classes/{cast.kestrels.id}"))
    assert [p.name for p in administrator.get("/people?q=fernweh+juno").context["page"].rows] == [
        "Juno Fernweh"
    ]


def test_a_student_needs_a_name_and_a_school_of_the_tenant(cast: Cast, administrator: Client) -> None:
    before = roster(cast.tenant)
    changes: tuple[dict[str, object], ...] = (
        {"given_name": "", "family_name": " "},
        {"org": ""},
        {"org": 12345},
        {"email": "none"},
        {"given_name": "x" * 201},
    )
    for change in changes:
        answer = administrator.post("/people/new", form(cast, **change))
        assert answer.status_code == 422 and 'role="alert"' in answer.content.decode(), change
        assert "family_name" in change or "Fernweh" in plain(answer), "what was typed is kept"
    assert roster(cast.tenant) == before


@pytest.mark.commitment("CLEV-4.7")
def test_an_administrator_reviews_changes_and_takes_off_and_each_is_audited(
    cast: Cast, administrator: Client
) -> None:
    door = f"/people/{cast.ada.id}/edit"
    assert 'value="Riverstone"' in administrator.get(door).content.decode()
    assert administrator.post(door, {"family_name": "Rivers-Stone", "email": ""}).status_code == 302
    with unguarded("look"):
        ada, said = Person.objects.get(id=cast.ada.id), Audit.objects.get(verb="person.changed")
    assert (ada.family_name, ada.given_name, ada.email, ada.name_key) == (
        "Rivers-Stone",
        "Ada",
        "",
        "rivers-stone ada",
    )
    assert said.details == {"columns": ["email", "family_name"]}, "the audit does not repeat the values"
    assert administrator.post(door, {"given_name": "", "family_name": ""}).status_code == 422
    assert administrator.post(door, {"do": "remove", "reason": ""}).status_code == 422
    assert administrator.post(door, {"do": "remove", "reason": "moved away"}).status_code == 302
    with unguarded("look"):
        assert Person.objects.get(id=cast.ada.id).status == "tobedeleted"
        assert not Enrollment.objects.filter(person_id=cast.ada.id, status="active").exists()
        assert not Role.objects.filter(person_id=cast.ada.id, status="active").exists()
        assert Audit.objects.get(verb="person.removed").details == {"reason": "moved away"}
    assert "Ada" not in [p.name.split()[0] for p in administrator.get("/people").context["page"].rows]
    assert administrator.get(door).status_code == 404


def test_nobody_else_changes_anybody(cast: Cast) -> None:
    before = roster(cast.tenant)
    door = f"/people/{cast.ada.id}/edit"
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    for client in (ben, desk(cast.tenant, "dpo", "Femi Inkwell")):
        for answer in (
            client.get(door),
            client.post(door, {"family_name": "X"}),
            client.post("/people/new", form(cast)),
        ):
            assert answer.status_code == 403
    elsewhere = desk(cast.other, "administrator", "Zed Farmer")
    for answer in (
        elsewhere.get(door),
        elsewhere.post(door, {"family_name": "X"}),
        elsewhere.post(door, {"do": "remove", "reason": "x"}),
    ):
        assert answer.status_code == 404
    assert elsewhere.post("/people/new", form(cast)).status_code == 422, (
        "another tenant's school is no school"
    )
    assert Client().post(door, {"family_name": "X"}).status_code == 302
    assert roster(cast.tenant) == before


def test_a_sync_keeps_whom_a_hand_entered_and_writes_again_what_it_knows_better(
    cast: Cast, tmp_path: Path
) -> None:
    tenant, school = make_tenant("fresh"), puddlebrook()
    sync(tenant, school, tmp_path)
    client = desk(tenant, "administrator")
    puddle, kestrels = get(type(cast.school), tenant, "S1"), get(type(cast.kestrels), tenant, "KES")
    made = client.post("/people/new", {"given_name": "Juno", "org": puddle.id, "klass": kestrels.id})
    assert made.status_code == 302
    client.post(f"/people/{get(Person, tenant, 'ada').id}/edit", {"given_name": "Adah"})
    assert get(Person, tenant, "ada").given_name == "Adah"
    tenant.refresh_from_db()
    school.users["ivo"]["givenName"] = "Ivor"
    done = sync(tenant, school, tmp_path)
    assert done.state == "applied", done.message
    assert get(Person, tenant, "ada").given_name == "Ada"
    with unguarded("look"):
        juno = Person.objects.get(tenant=tenant, given_name="Juno")
        assert juno.status == "active"
        assert {m.objects.get(person_id=juno.id).status for m in (Role, Enrollment)} == {"active"}


@pytest.mark.commitment("CLEV-5.7", "CLEV-1.37")
def test_a_field_that_nobody_needs_is_dropped_whatever_a_form_sends(
    cast: Cast, administrator: Client
) -> None:
    Tenant.objects.filter(id=cast.tenant.id).update(
        keep={"fields": {"drop": ["users.phone", "demographics"]}}
    )
    page = administrator.get("/people/new").content.decode()
    assert 'name="email"' in page and 'name="phone"' not in page
    needles = {"phone": "07700 900999", "birthDate": "2019-09-09", "religion": "needle", "metadata": "needle"}
    answer = administrator.post("/people/new", form(cast, **needles))
    assert answer.status_code == 302
    administrator.post(answer["Location"].split("?")[0] + "/edit", {"pronouns": "they", **needles})
    with unguarded("look"):
        juno = Person.objects.filter(given_name="Juno").values().get()
        everything = repr([list(m._default_manager.values()) for m in apps.get_models()])
    assert juno["pronouns"] == "they" and juno["phone"] == ""
    assert not [n for n in needles.values() if n in everything]


@pytest.mark.commitment("CLEV-1.37")
@pytest.mark.parametrize("people", [{"roles": ["teacher"]}, {"orgs": ["S2"]}])
def test_a_person_outside_the_schools_selection_is_not_entered_by_hand_either(
    cast: Cast, administrator: Client, people: dict[str, list[str]]
) -> None:
    Tenant.objects.filter(id=cast.tenant.id).update(keep={"people": people})
    before = roster(cast.tenant)
    answer = administrator.post("/people/new", form(cast))
    assert answer.status_code == 422 and "such a person is not stored" in plain(answer)
    assert roster(cast.tenant) == before
    Tenant.objects.filter(id=cast.tenant.id).update(keep={"people": {"orgs": ["T"], "roles": ["student"]}})
    assert administrator.post("/people/new", form(cast)).status_code == 302
