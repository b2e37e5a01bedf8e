"""A sync makes the roster match the bundle: creates, changes, removes, and nothing else."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection

from rollbook.kernel import idset
from rollbook.policy import Audit, unguarded
from rollbook.roster.actions.sync import bulk
from rollbook.roster.actions.sync.workspace import home
from rollbook.roster.models import Demographics, Enrollment, Ethnicity, Event, Guardianship, Identity, Person
from tests.roster.sync.school import get, make_tenant, puddlebrook, roster, sync

pytestmark = pytest.mark.django_db


@pytest.mark.commitment("CLEV-5.9")
def test_the_first_sync_creates_everyone_with_their_classes_and_family(tmp_path):
    tenant = make_tenant()
    done = sync(tenant, puddlebrook(), tmp_path)
    assert done.state == "applied"
    found = roster(tenant)
    assert {table: len(rows) for table, rows in found.items()} == {
        "Org": 3, "AcademicSession": 2, "Course": 1, "Class": 2, "Person": 5, "Role": 5, "Enrollment": 4,
        "Demographics": 1, "Ethnicity": 1, "Guardianship": 1, "Flag": 0, "ClassTerm": 2,
    }  # fmt: skip
    ada = found["Person"]["ada"]
    assert (ada["given_name"], ada["family_name"], ada["phone"]) == ("Ada", "Riverstone", "07700 900123")
    assert ada["primary_org_id"] == "S1" and ada["enabled_user"] is True
    assert found["Person"]["cleo"]["name_key"] == "riverstone cleo"
    assert found["Org"]["S1"]["parent_id"] == "T"
    assert found["Enrollment"]["e-ada-KES"]["klass_id"] == "KES"
    assert found["Demographics"]["ada"]["birth_date"] == date(2019, 3, 4)
    assert found["Ethnicity"]["ada"]["asian"] is True and found["Ethnicity"]["ada"]["white"] is None
    assert [row["guardian_id"] for row in found["Guardianship"].values()] == ["cleo"]
    assert done.counts["person"]["created"] == 5
    tenant.refresh_from_db()
    assert tenant.roster_version == done.roster_version == 1


@pytest.mark.commitment("CLEV-5.9")
def test_what_changed_is_changed_and_what_left_becomes_a_tombstone(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    before = get(Person, tenant, "ada").id
    school.users["ada"]["givenName"] = "Adah"
    school.without("ivo")
    school.person("jo", "student")
    school.enroll("jo", "KES")
    done = sync(tenant, school, tmp_path)
    assert done.state == "applied"
    ada, ivo = get(Person, tenant, "ada"), get(Person, tenant, "ivo")
    assert (ada.id, ada.given_name, ada.name_key) == (before, "Adah", "riverstone adah")
    assert ivo.status == "tobedeleted" and ivo.date_last_modified == ada.date_last_modified
    assert get(Enrollment, tenant, "e-ivo-OWL").status == "tobedeleted"
    counts = done.counts["person"]
    assert (counts["created"], counts["changed"], counts["removed"], counts["unchanged"]) == (1, 1, 1, 3)
    assert {line["text"] for line in done.plan} == {
        "Puddlebrook: 1 student joined", "Hollowell: 1 student left", "Kestrels: 1 student joined", "Owls: 1 student left",
    }  # fmt: skip
    owls = next(line for line in done.plan if line["name"] == "Owls")
    assert owls["reasons"] == ["1 left: no longer in the files"]


def test_a_person_who_returns_keeps_their_id(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    first, smaller = get(Person, tenant, "ivo"), school.copy()
    smaller.without("ivo")
    sync(tenant, smaller, tmp_path)
    back = sync(tenant, school, tmp_path)
    again = get(Person, tenant, "ivo")
    assert (again.id, again.status) == (first.id, "active")
    assert get(Enrollment, tenant, "e-ivo-OWL").status == "active"
    with unguarded("a test looks"):
        given = Identity.objects.get(tenant=tenant, person_id=first.id)
        assert given.kind == "given" and given.sourced_id == "ivo"
        event = Event.objects.get(tenant=tenant, sync=back, entity="person", action="created")
        assert idset.unpack(bytes(event.ids)) == [first.id]


def test_the_same_files_are_known_at_once_and_another_order_changes_nothing(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    first = sync(tenant, school, tmp_path)
    again = sync(tenant, school, tmp_path)
    assert again.state == "unchanged" and "nothing to do" in again.message and again.counts == {}
    last = home(tenant) / "last.json"
    last.unlink()  # without the note of the bytes, the files are read, and known by what they hold
    read = sync(tenant, school, tmp_path)
    assert read.state == "unchanged" and "nothing to do" in read.message and last.exists()
    school.users = dict(reversed(school.users.items()))
    turned = sync(tenant, school, tmp_path)
    assert turned.state == "unchanged" and turned.counts["person"]["unchanged"] == 5
    tenant.refresh_from_db()
    assert tenant.roster_version == first.roster_version


def test_events_and_audit_tell_what_was_done(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    school.without("ivo")
    school.users["ada"]["grades"] = "03"
    done = sync(tenant, school, tmp_path)
    with unguarded("a test looks"):
        told = {
            (e.entity, e.action): idset.unpack(bytes(e.ids))
            for e in Event.objects.filter(tenant=tenant, sync=done)
        }
        assert Audit.objects.filter(tenant_id=tenant.id, verb="sync.applied", object_id=done.id).count() == 1
    assert told == {
        ("person", "changed"): [get(Person, tenant, "ada").id], ("person", "removed"): [get(Person, tenant, "ivo").id],
        ("role", "removed"): told["role", "removed"], ("enrollment", "removed"): [get(Enrollment, tenant, "e-ivo-OWL").id],
    }  # fmt: skip


def test_no_row_of_another_tenant_is_touched(tmp_path):
    mine, other = make_tenant(), make_tenant("otherside")
    sync(other, puddlebrook(), tmp_path)
    before = roster(other, tombstones=True)
    school = puddlebrook()
    sync(mine, school, tmp_path)
    school.without("ada")
    sync(mine, school, tmp_path, yes=True)
    assert roster(other, tombstones=True) == before


def test_terms_of_a_class_follow(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    school.classes["KES"]["termSourcedIds"] = "Y26"
    sync(tenant, school, tmp_path)
    assert set(roster(tenant)["ClassTerm"]) == {"KES:Y26", "OWL:AUT"}


def test_special_rows_go_when_the_source_no_longer_names_any(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    school.demographics["ada"]["asian"] = "false"
    sync(tenant, school, tmp_path)
    assert get(Ethnicity, tenant, "ada").status == "tobedeleted"
    assert get(Demographics, tenant, "ada").status == "active"


def test_a_guardian_who_is_no_longer_named_is_no_longer_linked(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    school.users["ada"]["agentSourcedIds"] = ""
    sync(tenant, school, tmp_path)
    assert [g["guardian_id"] for g in roster(tenant)["Guardianship"].values()] == []
    with unguarded("a test looks"):
        assert Guardianship.objects.filter(tenant=tenant, status="tobedeleted").count() == 1


def _shape():
    """Indexes and column defaults of the roster's tables, as the database says them."""
    if connection.vendor == "postgresql":
        says = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename LIKE 'roster_%' UNION ALL SELECT table_name || '.' ||"
            " column_name, coalesce(column_default, '') FROM information_schema.columns WHERE table_name LIKE 'roster_%'"
        )
    else:
        says = "SELECT name, coalesce(sql, '') FROM sqlite_master WHERE tbl_name LIKE 'roster_%'"
    with connection.cursor() as cursor:
        cursor.execute(says)
        return sorted(cursor.fetchall())


def test_a_big_first_load_leaves_the_tables_as_they_were(tmp_path, monkeypatch):
    tenant = make_tenant()
    before, during, real = _shape(), [], bulk.load

    def watched(*args, **named):
        during.append(len(_shape()))
        return real(*args, **named)

    monkeypatch.setattr(bulk, "MANY", 1)
    monkeypatch.setattr(bulk, "load", watched)
    assert sync(tenant, puddlebrook(), tmp_path).state == "applied"
    assert min(during) < len(before)  # indexes were away while rows came in
    assert _shape() == before
    assert len(roster(tenant)["Person"]) == 5  # in force: what is the same in every row came too
