"""A sync that would change too much waits for a person: applied as it was shown, or discarded."""

from __future__ import annotations

import pytest

from rollbook.kernel.errors import Invalid
from rollbook.policy import Audit, unguarded
from rollbook.roster.actions import sync as syncing
from rollbook.roster.actions.sync.workspace import home
from rollbook.roster.jobs import apply_held
from rollbook.roster.models import Person, Sync
from rollbook.roster.rules.plan import Tally, holds
from tests.roster.sync.school import get, make_tenant, puddlebrook, roster, sync


@pytest.mark.parametrize(
    ("existing", "removed", "changed", "held"),
    [
        (0, 0, 0, []), (100, 10, 75, []), (100, 11, 0, ["removed"]), (100, 0, 76, ["changed"]),
        (1000, 101, 800, ["removed", "changed"]),
        (5, 1, 0, []), (5, 4, 4, []), (5, 5, 0, ["removed"]), (2, 2, 0, ["removed"]), (1, 1, 0, []),
    ],
)  # fmt: skip
def test_what_holds(existing, removed, changed, held):
    found = holds({"person": Tally(existing=existing, removed=removed, changed=changed)}, 10, 75)
    assert [hold.action for hold in found] == held


def test_the_limits_are_the_tenants():
    tallies = {"person": Tally(existing=100, removed=20)}
    assert holds(tallies, 25, 75) == [] and holds(tallies, 15, 75)


def test_the_sentence_is_for_a_head_teacher():
    [hold] = holds({"person": Tally(existing=1280, removed=412)}, 10, 75)
    assert hold.sentence.startswith(
        "412 of 1,280 people (32 %) would leave the roster; you allow 10 % without asking."
    )


@pytest.fixture
def tenant(db, tmp_path):
    found = make_tenant()
    sync(found, crowd(), tmp_path)
    return found


def crowd():
    school = puddlebrook()
    for n in range(20):
        school.person(f"p{n:02}", "student")
    return school


def half():
    """The half export: most pupils are missing."""
    school = puddlebrook()
    school.person("p00", "student")
    return school


def files(tenant):
    return {path.name for path in home(tenant).iterdir() if path.is_dir()}


def test_a_half_export_is_held_and_nothing_changes(tenant, tmp_path):
    before = roster(tenant, tombstones=True)
    done = sync(tenant, half(), tmp_path)
    assert done.state == "held"
    assert [(h["kind"], h["count"], h["of"]) for h in done.holds] == [("person", 19, 25), ("role", 19, 25)]
    assert done.holds[0]["people"] == sorted(get(Person, tenant, f"p{n:02}").id for n in range(1, 20))
    assert done.holds[1]["people"] == done.holds[0]["people"]
    assert roster(tenant, tombstones=True) == before


def test_a_held_sync_is_applied_as_it_was_shown(tenant, tmp_path):
    held = sync(tenant, half(), tmp_path)
    done = apply_held(tenant, held.id)
    assert done.state == "applied" and done.id == held.id
    assert len(roster(tenant)["Person"]) == 6
    assert files(tenant) == set()
    assert sync(tenant, half(), tmp_path).state == "unchanged"


def test_yes_applies_at_once(tenant, tmp_path):
    assert sync(tenant, half(), tmp_path, yes=True).state == "applied"


def test_a_dry_run_changes_nothing_and_can_be_applied(tenant, tmp_path):
    before, school = roster(tenant, tombstones=True), crowd()
    school.users["ada"]["grades"] = "03"
    done = sync(tenant, school, tmp_path, dry_run=True)
    assert done.state == "proposed" and done.counts["person"]["changed"] == 1
    assert roster(tenant, tombstones=True) == before
    apply_held(tenant, done.id)
    assert get(Person, tenant, "ada").grades == "03"


def test_a_discarded_sync_leaves_nothing_and_cannot_be_applied(tenant, tmp_path):
    held = sync(tenant, half(), tmp_path)
    assert files(tenant) == {f"waits-{held.id}"}
    assert syncing.discard(tenant, held).state == "discarded"
    assert files(tenant) == set()
    with unguarded("a test looks"):
        assert Audit.objects.filter(verb="sync.discarded", object_id=held.id).exists()
    with pytest.raises(Invalid, match="discarded"):
        apply_held(tenant, held.id)


def test_a_proposal_is_not_applied_to_another_roster_than_it_was_made_for(tenant, tmp_path):
    held = sync(tenant, half(), tmp_path)
    tenant.refresh_from_db()
    tenant.roster_version += 1  # somebody merged two people meanwhile
    tenant.save()
    before = roster(tenant)
    with pytest.raises(Invalid, match="has changed since"):
        apply_held(tenant, held.id)
    assert roster(tenant) == before


def test_a_newer_sync_takes_the_place_of_one_that_waits(tenant, tmp_path):
    held = sync(tenant, half(), tmp_path)
    sync(tenant, crowd(), tmp_path)
    with unguarded("a test looks"):
        assert Sync.objects.get(id=held.id).state == "discarded"
    assert files(tenant) == set()


def test_a_first_load_never_waits(db, tmp_path):
    assert sync(make_tenant("new"), crowd(), tmp_path).holds == []
