"""One sync at a time for a tenant, and a sync that stopped half way is closed by the next."""

from __future__ import annotations

import pytest

from rollbook.kernel.errors import Invalid
from rollbook.policy import unguarded
from rollbook.roster.actions import sync as syncing
from rollbook.roster.actions.sync import existing, writing
from rollbook.roster.actions.sync.workspace import home, one_at_a_time
from rollbook.roster.jobs import sync_path
from rollbook.roster.models import Sync
from tests.roster.sync.school import make_tenant, puddlebrook, roster, sync

pytestmark = pytest.mark.django_db


def test_a_second_sync_of_the_tenant_is_told_to_wait_and_another_tenant_is_not(tmp_path):
    mine, other = make_tenant(), make_tenant("otherside")
    with one_at_a_time(mine):
        with pytest.raises(Invalid, match="Another sync"):
            sync(mine, puddlebrook(), tmp_path)
        assert sync(other, puddlebrook(), tmp_path).state == "applied"
    assert sync(mine, puddlebrook(), tmp_path).state == "applied"


def test_a_sync_that_fails_leaves_the_old_roster_and_says_so(tmp_path, monkeypatch):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    before = roster(tenant, tombstones=True)
    school.without("ivo")
    with monkeypatch.context() as broken:
        broken.setattr(writing, "audit", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sync(tenant, school, tmp_path)
    assert roster(tenant, tombstones=True) == before
    with unguarded("a test looks"):
        assert Sync.objects.filter(tenant=tenant).latest("id").state == "failed"
    assert [p for p in home(tenant).iterdir() if p.is_dir()] == []
    assert sync(tenant, school, tmp_path).state == "applied"


def test_what_a_killed_sync_left_is_cleared_away(tmp_path):
    tenant = make_tenant()
    with unguarded("a test plays a killed sync"):
        dead = Sync.objects.create(tenant=tenant, state="applying", started_at="2026-01-01T00:00Z")
    left = home(tenant) / f"work-{dead.id}"
    left.mkdir(parents=True)
    (left / "load.csv").write_text("personal")
    sync(tenant, puddlebrook(), tmp_path)
    with unguarded("a test looks"):
        assert Sync.objects.get(id=dead.id).state == "failed"
    assert not left.exists()


def test_a_bundle_that_cannot_be_read_is_refused_with_a_message(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    school.modes = dict.fromkeys(["orgs", "users", "classes"], "bulk")
    path = school.write(tmp_path / "broken")
    (path / "users.csv").unlink()
    done = sync_path(tenant, path)
    assert done.state == "refused" and "users.csv" in done.message and done.finished_at


def test_the_kept_keys_give_the_same_plan_as_the_database(tmp_path, monkeypatch):
    monkeypatch.setattr(existing, "WORTH", 1)
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    assert list(home(tenant).glob("keys-*-person.parquet"))
    school.without("ivo")
    school.person("jo", "student")
    sync(tenant, school, tmp_path)
    school.users["jo"]["grades"] = "03"
    with_keys = sync(tenant, school, tmp_path, dry_run=True)
    for path in home(tenant).glob("keys-*"):
        path.write_text("not Parquet")
    without = sync(tenant, school, tmp_path, dry_run=True)
    assert with_keys.counts == without.counts and without.counts["person"]["changed"] == 1


def test_a_full_disk_after_the_commit_does_not_call_the_sync_failed(tmp_path, monkeypatch):
    tenant, school = make_tenant(), puddlebrook()

    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(syncing, "write_snapshots", full)
        assert sync(tenant, school, tmp_path).state == "applied"
    assert len(roster(tenant)["Person"]) == 5
    school.without("ivo")
    assert sync(tenant, school, tmp_path).counts["person"]["removed"] == 1
