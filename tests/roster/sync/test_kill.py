"""Killed with -9 at any moment, a sync leaves the old roster or the new one, and the next run goes on."""

from __future__ import annotations

import random

import pytest
from django.db import connection

from tests.roster.sync import killing
from tests.roster.sync.databases import scratch
from tests.roster.sync.school import puddlebrook

TIMES = 5


def crowd(seed: int):
    school, dice = puddlebrook(), random.Random(seed)
    for n in range(400):
        school.person(f"p{n:03}", "student", givenName=f"Name{dice.randrange(3)}")
        school.enroll(f"p{n:03}", dice.choice(["KES", "OWL"]))
    return school


@pytest.mark.slow
def test_a_killed_sync_leaves_the_old_roster_or_the_new_one(tmp_path):
    old, new = crowd(1).write(tmp_path / "old"), crowd(2).write(tmp_path / "new")
    with scratch(connection.vendor, tmp_path) as env, killing.Nursery(env) as nursery:
        whole = nursery.seconds(old)  # as quick as the machine is: the moments lie inside
        before = nursery.finish(old)
        dice, killed, left = random.Random(7), 0, {before}
        for moment in sorted(dice.uniform(0.05, 1) * whole for _ in range(TIMES)):
            killed += nursery.kill_after(new, moment)
            left.add(nursery.look())
        after = nursery.finish(new)
        assert killed
        assert left <= {before, after}
        assert after != before
        assert not [path for path in (tmp_path / "data" / "sync").glob("*/*") if path.is_dir()]
