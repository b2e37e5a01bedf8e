"""What the school does not let us store is stored nowhere: not in a table, an event, a line, an image or a file."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.conf import settings

from rollbook.policy import unguarded
from rollbook.roster.models import Person
from rollbook.roster.rules.keep import Keep, KeepError, parse_keep
from tests.roster.sync.school import get, make_tenant, puddlebrook, roster, set_aside, sync


def everything() -> str:
    """Every value of every table, and every byte that a sync left in its folder."""
    found = []
    with unguarded("a test looks for what must not be there"):
        for model in apps.get_models():
            found += [repr(row) for row in model._default_manager.values_list()]
    for path in (settings.ROLLBOOK_DATA_DIR / "sync").rglob("*"):
        if path.is_file():
            found.append(repr(path.read_bytes()))
    return "\n".join(found)


@pytest.mark.django_db
@pytest.mark.commitment("CLEV-0.4", "CLEV-1.37")
def test_fields_outside_the_selection_are_not_stored(tmp_path):
    keep = {"fields": {"drop": ["users.phone", "users.middleName", "demographics", "users.metadata"]}}
    tenant, school = make_tenant(keep=keep), puddlebrook()
    school.users["ada"].update(phone="needle-phone", middleName="needle-middle")
    school.demographics["ada"]["cityOfBirth"] = "needle-city"
    done = sync(tenant, school, tmp_path)
    school.users["ada"].update(phone="needle-later", givenName="Adah")
    school.demographics["ada"]["sex"] = "needle-sex"
    held = sync(tenant, school, tmp_path, dry_run=True)
    assert (done.state, held.state) == ("applied", "proposed")
    assert roster(tenant)["Person"]["ada"]["phone"] == "" and roster(tenant)["Demographics"] == {}
    assert "needle" not in everything()


@pytest.mark.django_db
@pytest.mark.commitment("CLEV-0.4", "CLEV-1.37")
@pytest.mark.parametrize(
    ("people", "kept"),
    [
        ({"roles": ["student", "teacher"]}, {"ada", "ben", "dov", "ivo"}),
        ({"orgs": ["S1"]}, {"ada", "ben", "cleo"}),
        ({"orgs": ["T"]}, {"ada", "ben", "cleo", "dov", "ivo"}),
        ({"orgs": ["S2"], "roles": ["student"]}, {"ivo"}),
    ],
)
def test_people_outside_the_selection_are_not_stored(tmp_path, people, kept):
    tenant, school = make_tenant(keep={"people": people}), puddlebrook()
    for code, row in school.users.items():
        row["email"] = f"needle-{code}@example.org"
    done = sync(tenant, school, tmp_path)
    found = roster(tenant)
    assert set(found["Person"]) == kept and {r["person_id"] for r in found["Role"].values()} == kept
    assert {e["person_id"] for e in found["Enrollment"].values()} == kept & {"ada", "ben", "dov", "ivo"}
    assert set_aside(done) == []
    everywhere = everything()
    assert {code for code in school.users if f"needle-{code}" in everywhere} == kept
    assert done.counts["person"].get("left_out", 0) == 5 - len(kept)


@pytest.mark.django_db
@pytest.mark.commitment("CLEV-0.4")
def test_a_narrower_selection_takes_away_what_was_stored(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    tenant.keep = {"fields": {"drop": ["users.phone"]}}
    tenant.save()
    done = sync(tenant, school, tmp_path)
    assert done.state == "applied" and get(Person, tenant, "ada").phone == ""


@pytest.mark.django_db
def test_a_selection_that_cannot_be_understood_stops_the_sync(tmp_path):
    tenant = make_tenant(keep={"fields": {"drop": ["users.fone"]}})
    done = sync(tenant, puddlebrook(), tmp_path)
    assert done.state == "refused" and "users.fone" in done.message
    assert roster(tenant)["Person"] == {}


@pytest.mark.parametrize(
    "given",
    [
        {"feilds": {}}, {"fields": {"keep": []}}, {"fields": {"drop": ["users"]}}, {"fields": {"drop": ["users.sourcedId"]}},
        {"fields": {"drop": ["pupils.phone"]}}, {"people": {"roles": ["wizard"]}}, {"people": []},
    ],
)  # fmt: skip
def test_a_typing_mistake_in_a_selection_is_an_error(given):
    with pytest.raises(KeepError):
        parse_keep(given)


def test_a_selection_is_read():
    assert parse_keep({}) == Keep()
    found = parse_keep(
        {
            "fields": {"drop": ["flags", "users.preferredGivenName", "ethnicity"]},
            "people": {"roles": ["student"]},
        }
    )
    assert found.kinds == {"flag"} and ("person", "preferred_first_name") in found.columns
    assert (
        ("demographics", "white") in found.columns
        and found.roles == frozenset({"student"})
        and found.orgs is None
    )
