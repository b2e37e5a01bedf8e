"""A delta file speaks of some rows only; a file that is absent says nothing."""

from __future__ import annotations

import pytest

from rollbook.roster.models import Class, Enrollment, Person, Role
from tests.roster.sync.school import COLUMNS, School, get, make_tenant, puddlebrook, roster, set_aside, sync

pytestmark = pytest.mark.django_db


def delta(**files):
    """A bundle of some rows, every file delta or absent."""
    found = School()
    for name in COLUMNS:
        found.modes[name] = "delta" if name in files else "absent"
        setattr(found, name, files.get(name, {}))
    return found


@pytest.fixture
def tenant(tmp_path):
    found = make_tenant()
    sync(found, puddlebrook(), tmp_path)
    return found


def test_rows_that_are_not_named_stay(tenant, tmp_path):
    done = sync(
        tenant,
        delta(users={"ada": {"givenName": "Adah", "familyName": "Riverstone", "status": "active"}}),
        tmp_path,
    )
    assert done.state == "applied"
    assert get(Person, tenant, "ada").given_name == "Adah"
    assert len(roster(tenant)["Person"]) == 5 and len(roster(tenant)["Enrollment"]) == 4


def test_a_new_row_may_refer_to_rows_of_the_roster(tenant, tmp_path):
    row = {"classSourcedId": "OWL", "userSourcedId": "ada", "role": "student", "status": "active"}
    done = sync(tenant, delta(enrollments={"e9": row}), tmp_path)
    assert done.state == "applied", set_aside(done)
    found = roster(tenant)["Enrollment"]["e9"]
    assert (found["klass_id"], found["person_id"], found["school_id"]) == ("OWL", "ada", "S2")


def test_a_marked_person_goes_with_all_that_hangs_on_them(tenant, tmp_path):
    done = sync(tenant, delta(users={"ada": {"status": "tobedeleted"}}), tmp_path)
    assert done.state == "applied"
    found = roster(tenant)
    assert (
        "ada" not in found["Person"]
        and "r-ada" not in found["Role"]
        and "e-ada-KES" not in found["Enrollment"]
    )
    assert found["Demographics"] == found["Ethnicity"] == found["Guardianship"] == {}
    assert len(found["Person"]) == 4
    kestrels = next(line for line in done.plan if line["name"] == "Kestrels")
    assert kestrels["reasons"] == ["1 left: the person goes"]


def test_a_marked_class_leaves_no_active_enrollment(tenant, tmp_path):
    sync(tenant, delta(classes={"OWL": {"status": "tobedeleted"}}), tmp_path)
    assert get(Class, tenant, "OWL").status == "tobedeleted"
    assert get(Enrollment, tenant, "e-ivo-OWL").status == "tobedeleted"
    assert get(Role, tenant, "r-ivo").status == "active"


def test_a_row_that_refers_to_one_marked_in_the_same_files_is_set_aside(tenant, tmp_path):
    row = {"classSourcedId": "OWL", "schoolSourcedId": "S2", "userSourcedId": "ada", "role": "student"}
    done = sync(tenant, delta(classes={"OWL": {"status": "tobedeleted"}}, enrollments={"e9": row}), tmp_path)
    [line] = set_aside(done)
    assert (line.code, line.sourced_id) == ("reference", "e9") and "marks to be deleted" in line.reason


def test_marking_what_is_not_there_changes_nothing(tenant, tmp_path):
    done = sync(tenant, delta(users={"nobody": {"status": "tobedeleted"}}), tmp_path)
    assert done.state == "unchanged" and set_aside(done) == []
