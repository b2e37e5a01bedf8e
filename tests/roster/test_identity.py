"""Two records of one human are made one, split again, and undone, and nothing is lost on the way."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Actor, Audit, Restriction, unguarded
from rollbook.roster.actions import identity
from rollbook.roster.models import (
    Demographics,
    Enrollment,
    Ethnicity,
    Event,
    Flag,
    Guardianship,
    Identity,
    Person,
    Role,
    Tenant,
)
from rollbook.roster.queries.ids import survivor
from tests.cast import Cast
from tests.roster.sync.school import get, make_tenant, puddlebrook, sync

HANA = Actor("staff", "administrator", 7, "Hana Larkspur")
TABLES: list[Any] = [Person, Role, Enrollment, Guardianship, Demographics, Ethnicity, Flag, Restriction]


def roster(tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
    """Every row about people, but for when it was last changed."""
    with unguarded("compare"):
        return {
            m._meta.label: [
                {k: v for k, v in row.items() if k != "date_last_modified"}
                for row in m.objects.filter(tenant_id=tenant.id).order_by("id").values()
            ]
            for m in TABLES
        }


def given_ids(tenant: Tenant) -> dict[str, int]:
    """Whom the ids of merged people stand for, as a sync reads it."""
    with unguarded("look"):
        merged = Identity.objects.filter(tenant=tenant, kind="merged", undone_at=None)
        return dict(merged.values_list("sourced_id", "other_id"))


def twin(cast: Cast, code: str = "ada2") -> Person:
    """A second record of Ada, as a school makes one when a child comes back."""
    row: dict[str, Any] = {"tenant": cast.tenant, "date_last_modified": clock.now()}
    with unguarded("set-up"):
        made: Person = Person.objects.create(
            **row,
            sourced_id=code,
            given_name="Ada",
            family_name="Riverston",
            name_key="riverston ada",
            primary_org=cast.school2,
        )
        Role.objects.create(**row, sourced_id=f"{code}:r", person=made, org=cast.school2, role="student")
        Role.objects.create(**row, sourced_id=f"{code}:r1", person=made, org=cast.school, role="student")
        Enrollment.objects.create(
            **row, sourced_id=f"{code}:e", person=made, klass=cast.owls, school=cast.school2, role="student"
        )
        Enrollment.objects.create(
            **row,
            sourced_id=f"{code}:k",
            person=made,
            klass=cast.kestrels,
            school=cast.school,
            role="student",
        )
        Guardianship.objects.create(
            **row, sourced_id=f"{code}:g", guardian=cast.cleo, child=made, relationship="parent"
        )
        Demographics.objects.create(**row, sourced_id=code, person=made, sex="female")
        Flag.objects.create(**row, sourced_id=f"{code}:f", person=made, flag="freeLunch")
    return made


@pytest.mark.commitment("CLEV-4.7")
def test_a_merge_keeps_one_person_with_what_both_had(cast: Cast) -> None:
    other = twin(cast)
    identity.merge(cast.tenant, keep=cast.ada.id, lose=other.id, by=HANA, reason="came back")
    access = cast.administrator
    classes = (
        access.select(Enrollment)
        .filter(person_id=cast.ada.id, status="active")
        .values_list("klass_id", flat=True)
    )
    assert sorted(classes) == sorted([cast.kestrels.id, cast.owls.id])
    assert access.select(Person).get(id=other.id).status == "tobedeleted"
    roles = access.select(Role).filter(person_id=cast.ada.id, status="active")
    assert sorted(r.role_type for r in roles) == ["primary", "secondary"]
    assert access.select(Guardianship).filter(child_id=cast.ada.id, status="active").count() == 1
    assert cast.dpo.select(Flag).filter(person_id=cast.ada.id, status="active").count() == 2
    assert access.select(Demographics).get(person_id=cast.ada.id).birth_date is not None
    assert given_ids(cast.tenant) == {"ada2": cast.ada.id}
    assert survivor(cast.tenant.id, other.id) == cast.ada.id
    with unguarded("look"):
        assert Audit.objects.get(verb="person.merged").actor == "Hana Larkspur"
        assert {(e.entity, e.action) for e in Event.objects.all()} >= {
            ("person", "removed"),
            ("person", "changed"),
        }
        assert Tenant.objects.get(id=cast.tenant.id).roster_version == 1


def test_undo_of_a_merge_and_of_a_split_restores_every_row(cast: Cast) -> None:
    other = twin(cast)
    before = roster(cast.tenant)
    merged = identity.merge(cast.tenant, cast.ada.id, other.id, HANA, "")
    between = roster(cast.tenant)
    assert between != before
    parted = identity.split(cast.tenant, cast.ada.id, "ada2", HANA, "")
    assert roster(cast.tenant) == before
    identity.undo(cast.tenant, parted, HANA)
    assert roster(cast.tenant) == between and given_ids(cast.tenant) == {"ada2": cast.ada.id}
    identity.undo(cast.tenant, merged, HANA)
    assert roster(cast.tenant) == before and given_ids(cast.tenant) == {}


def test_a_split_keeps_what_came_after_the_merge(cast: Cast) -> None:
    other = twin(cast)
    identity.merge(cast.tenant, cast.ada.id, other.id, HANA, "")
    with unguarded("a later sync"):
        Flag.objects.create(
            tenant=cast.tenant,
            date_last_modified=clock.now(),
            sourced_id="late",
            person=cast.ada,
            flag="late",
        )
        Enrollment.objects.filter(sourced_id="ada2:e").update(status="tobedeleted")
    identity.split(cast.tenant, cast.ada.id, "ada2", HANA, "not the same child")
    with unguarded("look"):
        assert Flag.objects.get(sourced_id="late").person_id == cast.ada.id
        assert Person.objects.get(id=other.id).status == "active"
        assert Role.objects.get(sourced_id="ada2:r").person_id == other.id
        assert Role.objects.get(sourced_id="ada2:r1").status == "active"
        assert Enrollment.objects.get(sourced_id="ada2:e").status == "tobedeleted"


def test_undo_refuses_when_a_row_was_changed_since(cast: Cast) -> None:
    other = twin(cast)
    merged = identity.merge(cast.tenant, cast.ada.id, other.id, HANA, "")
    with unguarded("a later sync"):
        Person.objects.filter(id=cast.ada.id).update(given_name="Ada Mae")
    before = roster(cast.tenant)
    with pytest.raises(Invalid, match="changed since"):
        identity.undo(cast.tenant, merged, HANA)
    assert roster(cast.tenant) == before


def test_a_chain_of_merges_leads_to_the_last_survivor_and_is_undone_backwards(cast: Cast) -> None:
    second, third = twin(cast), twin(cast, "ada3")
    before = roster(cast.tenant)
    first = identity.merge(cast.tenant, second.id, third.id, HANA, "")
    last = identity.merge(cast.tenant, cast.ada.id, second.id, HANA, "")
    assert given_ids(cast.tenant) == {"ada2": cast.ada.id, "ada3": cast.ada.id}
    with pytest.raises(Invalid):
        identity.undo(cast.tenant, first, HANA)
    identity.undo(cast.tenant, last, HANA)
    identity.undo(cast.tenant, first, HANA)
    assert roster(cast.tenant) == before


def test_what_cannot_be_one_is_refused(cast: Cast) -> None:
    other = twin(cast)
    before = roster(cast.tenant)
    with pytest.raises(Invalid, match="one record already"):
        identity.merge(cast.tenant, cast.ada.id, cast.ada.id, HANA, "")
    with pytest.raises(NotFound):
        identity.merge(cast.tenant, cast.ada.id, cast.stranger.id, HANA, "")
    with pytest.raises(Invalid, match="on the roll"):
        identity.merge(cast.tenant, cast.gus.id, other.id, HANA, "")
    with pytest.raises(NotFound):
        identity.split(cast.tenant, cast.ada.id, "ada2", HANA, "")
    assert roster(cast.tenant) == before
    merged = identity.merge(cast.tenant, cast.ada.id, other.id, HANA, "")
    with pytest.raises(Invalid, match="already"):
        identity.merge(cast.tenant, cast.ivo.id, other.id, HANA, "")
    with pytest.raises(NotFound):
        identity.undo(cast.other, merged, HANA)


def test_a_restriction_goes_with_the_person(cast: Cast) -> None:
    other = twin(cast)
    with unguarded("set-up"):
        Restriction.objects.create(
            tenant_id=cast.tenant.id, person_id=other.id, because="asked", began_at=clock.now()
        )
    before = roster(cast.tenant)
    merged = identity.merge(cast.tenant, cast.ada.id, other.id, HANA, "")
    assert not cast.teacher.select(Person).filter(id=cast.ada.id).exists()
    identity.undo(cast.tenant, merged, HANA)
    assert roster(cast.tenant) == before


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_merge_then_undo_is_the_identity(cast: Cast, data: st.DataObject) -> None:
    """Any two people of the school, with any rows between them: merging and undoing leaves everything as it was."""
    with transaction.atomic():  # each example starts from the cast alone
        _merge_and_undo(cast, data)
        transaction.set_rollback(True)


def _merge_and_undo(cast: Cast, data: st.DataObject) -> None:
    people = [cast.ada, cast.ben, cast.cleo, cast.dov, cast.ivo, cast.hana]
    number = itertools.count()
    row: dict[str, Any] = {"tenant": cast.tenant, "date_last_modified": clock.now()}
    with unguarded("set-up"):
        for _ in range(data.draw(st.integers(1, 4))):
            who = data.draw(st.sampled_from(people))
            match data.draw(st.sampled_from(["role", "class", "family", "flag"])):
                case "role":
                    org = data.draw(st.sampled_from([cast.school, cast.school2]))
                    kind = data.draw(st.sampled_from(["primary", "secondary"]))
                    Role.objects.create(
                        **row,
                        sourced_id=f"p{next(number)}",
                        person=who,
                        org=org,
                        role="student",
                        role_type=kind,
                    )
                case "class":
                    klass = data.draw(st.sampled_from([cast.kestrels, cast.owls]))
                    Enrollment.objects.create(
                        **row,
                        sourced_id=f"p{next(number)}",
                        person=who,
                        klass=klass,
                        school_id=klass.school_id,
                        role="student",
                    )
                case "family":
                    child = data.draw(st.sampled_from([p for p in people if p.id != who.id]))
                    Guardianship.objects.get_or_create(
                        tenant=cast.tenant, guardian=who, child=child,
                        defaults={"sourced_id": f"p{next(number)}", "date_last_modified": clock.now()},
                    )  # fmt: skip
                case "flag":
                    Flag.objects.create(
                        **row,
                        sourced_id=f"p{next(number)}",
                        person=who,
                        flag=data.draw(st.sampled_from("ab")),
                    )
    keep, lose = data.draw(st.permutations(people))[:2]
    before = roster(cast.tenant)
    merged = identity.merge(cast.tenant, keep.id, lose.id, HANA, "")
    with unguarded("look"):
        assert not Role.objects.filter(person_id=lose.id, status="active").exists()
        assert Identity.objects.get(id=merged).other_id == keep.id
    identity.undo(cast.tenant, merged, HANA)
    assert roster(cast.tenant) == before


def test_a_sync_after_a_merge_and_after_a_split_gives_each_id_to_its_person(
    cast: Cast, tmp_path: Path
) -> None:
    tenant, school = make_tenant("fresh"), puddlebrook()
    school.person("ada2", "student", "S2", givenName="Ada")
    school.demographics["ada2"] = {"sex": "female"}
    sync(tenant, school, tmp_path)
    ada, other = get(Person, tenant, "ada"), get(Person, tenant, "ada2")
    identity.merge(tenant, ada.id, other.id, HANA, "")
    tenant.refresh_from_db()
    school.enroll("ada2", "OWL")
    done = sync(tenant, school, tmp_path, yes=True)
    assert done.state == "applied", done.message
    assert get(Person, tenant, "ada2").status == "tobedeleted"
    assert get(Enrollment, tenant, "e-ada2-OWL").person_id == ada.id
    assert get(Role, tenant, "r-ada2").person_id == ada.id
    identity.split(tenant, ada.id, "ada2", HANA, "two children after all")
    tenant.refresh_from_db()
    sync(tenant, school, tmp_path, yes=True)
    assert get(Person, tenant, "ada2").status == "active" and get(Person, tenant, "ada").status == "active"
    assert get(Enrollment, tenant, "e-ada2-OWL").person_id == other.id
    assert get(Role, tenant, "r-ada2").person_id == other.id
    assert get(Demographics, tenant, "ada2").person_id == other.id


def test_when_only_the_merged_id_is_left_in_the_export_the_person_stays(cast: Cast, tmp_path: Path) -> None:
    tenant, school = make_tenant("fresh"), puddlebrook()
    school.person("ada2", "student", "S2", givenName="Ada")
    sync(tenant, school, tmp_path)
    ada, other = get(Person, tenant, "ada"), get(Person, tenant, "ada2")
    identity.merge(tenant, ada.id, other.id, HANA, "")
    tenant.refresh_from_db()
    school.without("ada")
    sync(tenant, school, tmp_path, yes=True)
    assert get(Person, tenant, "ada").status == "active"
    assert get(Role, tenant, "r-ada2").person_id == ada.id
