"""Whatever the two bundles: applying new over old gives what new alone gives, and undo gives old back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rollbook.roster.actions import sync as syncing
from tests.roster.sync.school import School, make_tenant, puddlebrook, roster, sync

CODES = ["ada", "ben", "cleo", "dov", "ivo", "jo", "kim"]
words = st.sampled_from(["", "Ash", "Birch, Jr", 'O"Neil', "Zoë", "2027", "x\ny"])
births = st.sampled_from(["", "2019-03-04", "2018-01-01"])
flags = st.sampled_from(["", "true", "false"])
_slugs = iter(range(1_000_000))
days = st.sampled_from(["", "2026-09-01", "2026-12-19", "2027-01-31"])


@st.composite
def schools(draw) -> School:
    """A valid bundle: every reference finds its row."""
    found = puddlebrook()
    for klass in ("KES", "OWL"):
        row = found.classes[klass]
        row.update(
            title=draw(words) or "Untitled",
            termSourcedIds=draw(st.sampled_from(["", "AUT", "AUT,Y26", "Y26"])),
        )
        row["courseSourcedId"] = draw(st.sampled_from(["", "MA2"]))
        row["schoolSourcedId"] = draw(st.sampled_from(["S1", "S2"]))
    for code in list(found.users):
        found.without(code)
    there = draw(st.lists(st.sampled_from(CODES), unique=True, max_size=len(CODES)))
    for code in there:
        role = draw(st.sampled_from(["student", "teacher", "guardian"]))
        found.person(
            code, role, draw(st.sampled_from(["S1", "S2"])), familyName=draw(words), phone=draw(words)
        )
        for klass in draw(st.lists(st.sampled_from(["KES", "OWL"]), unique=True)):
            found.enroll(code, klass, draw(st.sampled_from(["student", "teacher"])))
            found.enrollments[f"e-{code}-{klass}"].update(beginDate=draw(days), primary=draw(flags))
        if draw(st.booleans()):
            found.demographics[code] = {"birthDate": draw(births), "asian": draw(flags)}
        others = [other for other in there if other != code]
        if others and role == "student":
            found.users[code]["agentSourcedIds"] = draw(st.sampled_from(others))
    return found


@pytest.mark.django_db
@settings(
    max_examples=8, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(old=schools(), new=schools())
def test_new_over_old_is_new_and_undo_is_old(old: School, new: School) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        one, two = (make_tenant(f"tenant-{next(_slugs)}") for _ in range(2))
        sync(one, old, path, yes=True)
        before = roster(one)
        done = sync(one, new, path, yes=True)
        sync(two, new, path, yes=True)
        assert roster(one) == roster(two)
        if done.state == "applied":
            syncing.undo(one, done)
            assert roster(one) == before
