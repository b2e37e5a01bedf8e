"""What hands have done to people, a sync does not undo: a merge stands, and a restricted child is left alone."""

from __future__ import annotations

import pytest

from rollbook.kernel import clock
from rollbook.policy import Restriction, unguarded
from rollbook.roster.models import Enrollment, Identity, Person, Role
from tests.roster.sync.school import get, make_tenant, puddlebrook, roster, set_aside, sync

pytestmark = pytest.mark.django_db


@pytest.mark.commitment("CLEV-5.15")
def test_nothing_more_is_stored_of_a_child_under_a_stop(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    ada = get(Person, tenant, "ada")
    with unguarded("a test stops the collection of a child's data"):
        Restriction.objects.create(
            tenant_id=tenant.id, person_id=ada.id, because="the school asked", began_at=clock.now()
        )
    before = roster(tenant, tombstones=True)
    school.users["ada"].update(givenName="Adah", email="new@example.org")
    school.demographics["ada"]["birthDate"] = "2019-03-05"
    school.enroll("ada", "OWL")
    school.roles["r-ada-2"] = {"userSourcedId": "ada", "role": "student", "orgSourcedId": "S2"}
    school.person("bob", "guardian")
    school.users["ada"]["agentSourcedIds"] = "cleo,bob"
    sync(tenant, school, tmp_path)
    after = roster(tenant, tombstones=True)
    for table in ("Enrollment", "Demographics", "Ethnicity", "Guardianship"):
        assert after[table] == before[table]
    assert after["Person"]["ada"] == before["Person"]["ada"] and "r-ada-2" not in after["Role"]
    assert "bob" in after["Person"]


def test_two_people_who_were_merged_stay_one(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    school.person("ada2", "student", "S2")
    sync(tenant, school, tmp_path)
    ada, twin = get(Person, tenant, "ada"), get(Person, tenant, "ada2")
    with unguarded("a test merges two people by hand"):
        Identity.objects.create(
            tenant=tenant, person=twin, other=ada, kind="merged", sourced_id="ada2", at=clock.now(), by="Femi"
        )
        Person.objects.filter(id=twin.id).update(status="tobedeleted")
        Role.objects.filter(person_id=twin.id).update(person_id=ada.id)
    tenant.roster_version += 1
    tenant.save()
    school.enroll("ada2", "OWL")
    school.users["ada2"]["givenName"] = "Changed"
    school.demographics["ada2"] = {"birthDate": "2018-01-01"}
    done = sync(tenant, school, tmp_path)
    assert done.state == "applied" and set_aside(done) == []
    assert get(Person, tenant, "ada2").status == "tobedeleted"
    assert get(Enrollment, tenant, "e-ada2-OWL").person_id == ada.id
    assert get(Role, tenant, "r-ada2").person_id == ada.id and get(Role, tenant, "r-ada2").status == "active"
    assert set(roster(tenant)["Demographics"]) == {"ada"}
    assert done.counts["person"]["removed"] == 0
