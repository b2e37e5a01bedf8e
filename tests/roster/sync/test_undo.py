"""Undo puts the roster back as it was before the latest sync."""

from __future__ import annotations

import pytest

from rollbook.kernel import idset
from rollbook.kernel.errors import Invalid
from rollbook.policy import Audit, unguarded
from rollbook.roster.actions import sync as syncing
from rollbook.roster.models import Event, Person
from tests.roster.sync.school import get, make_tenant, puddlebrook, roster, sync

pytestmark = pytest.mark.django_db


def changed():
    school = puddlebrook()
    school.users["ada"].update(givenName="Adah", phone="")
    school.classes["KES"].update(title="Kites", termSourcedIds="Y26,AUT")
    school.demographics["ada"].update(birthDate="2019-03-05", asian="false", white="true")
    school.without("ivo")
    school.person("jo", "student")
    school.enroll("jo", "OWL")
    return school


def test_undo_restores_changed_and_removed_rows_and_tombstones_new_ones(tmp_path):
    tenant = make_tenant()
    sync(tenant, puddlebrook(), tmp_path)
    before = roster(tenant)
    done = sync(tenant, changed(), tmp_path)
    assert roster(tenant) != before
    undone = syncing.undo(tenant, done)
    assert undone.state == "undone"
    assert roster(tenant) == before
    assert get(Person, tenant, "jo").status == "tobedeleted"
    assert get(Person, tenant, "ada").date_last_modified > done.finished_at
    tenant.refresh_from_db()
    assert tenant.roster_version == 3
    with unguarded("a test looks"):
        event = Event.objects.filter(tenant=tenant, sync=done, entity="person", action="removed").latest("id")
        assert idset.unpack(bytes(event.ids)) == [get(Person, tenant, "jo").id]
        assert Audit.objects.filter(verb="sync.undone", object_id=done.id).exists()


def test_after_an_undo_the_same_files_can_be_applied_again(tmp_path):
    tenant = make_tenant()
    sync(tenant, puddlebrook(), tmp_path)
    first = sync(tenant, changed(), tmp_path)
    after = roster(tenant)
    syncing.undo(tenant, first)
    again = sync(tenant, changed(), tmp_path)
    assert again.state == "applied" and roster(tenant) == after


def test_the_first_load_can_be_undone(tmp_path):
    tenant = make_tenant()
    done = sync(tenant, puddlebrook(), tmp_path)
    syncing.undo(tenant, done)
    assert all(rows == {} for rows in roster(tenant).values())


def test_only_the_latest_can_be_undone_and_it_says_why(tmp_path):
    tenant = make_tenant()
    first = sync(tenant, puddlebrook(), tmp_path)
    second = sync(tenant, changed(), tmp_path)
    with pytest.raises(Invalid, match="A later sync"):
        syncing.undo(tenant, first)
    syncing.undo(tenant, second)
    with pytest.raises(Invalid, match="undone"):
        syncing.undo(tenant, second)
    with pytest.raises(Invalid, match="changed since this sync"):
        syncing.undo(tenant, first)
