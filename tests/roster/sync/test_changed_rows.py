"""Reading only the rows that changed gives exactly what reading the whole bundle gives."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rollbook.policy import unguarded
from rollbook.roster import jobs
from rollbook.roster.actions import sync as syncing
from rollbook.roster.actions.sync import existing
from rollbook.roster.actions.sync.workspace import home
from rollbook.roster.models import Event, Person
from tests.roster.sync.school import School, get, make_tenant, puddlebrook, roster, set_aside, sync

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("ROLLBOOK_EXAMPLES", "3"))
BIG = frozenset({"person", "role", "enrollment", "demographics"})
_slugs = iter(range(1_000_000))


@pytest.fixture
def seen(monkeypatch):
    """What each reading of a bundle staged in part; the keys of every kind are kept, however few."""
    monkeypatch.setattr(existing, "WORTH", 0)
    return watch(monkeypatch)


def watch(monkeypatch):
    parts, stage = [], jobs.stage

    def staged(*a, **k):
        found = stage(*a, **k)
        parts.append(found.part)
        return found

    monkeypatch.setattr(jobs, "stage", staged)
    return parts


def crowd() -> School:
    """Puddlebrook with some more pupils, all of whose rows are as they should be."""
    found = puddlebrook()
    for n in range(6):
        code = f"p{n}"
        found.person(code, "student", agentSourcedIds="cleo" if n < 2 else "", phone=f"07700 90010{n}")
        found.enroll(code, "KES")
        found.demographics[code] = {"birthDate": f"2019-01-0{n + 1}", "asian": "true" if n % 2 else ""}
    return found


# ---- The same, whatever changes.


def someone(school: School, dice: random.Random) -> str:
    return dice.choice(sorted(school.users) or ["nobody"])


def change(school: School, what: str, dice: random.Random) -> None:
    """One thing that happens to an export, good or bad."""
    code, klass = someone(school, dice), dice.choice(sorted(school.classes) or ["KES"])
    enrollment = dice.choice(sorted(school.enrollments) or ["none"])
    if what == "phone" and code in school.users:
        school.users[code]["phone"] = f"07700 9{dice.randrange(100):05}"
    elif what == "stamp":
        for row in school.enrollments.values():
            row["dateLastModified"] = f"2026-10-0{dice.randrange(1, 9)}T10:00:00Z"
    elif what == "order":
        for rows in (school.users, school.enrollments, school.roles):
            items = sorted(rows.items(), key=lambda _: dice.random())
            rows.clear()
            rows.update(items)
    elif what == "leaves":
        school.without(code)
    elif what == "vanishes":  # from users.csv alone
        school.users.pop(code, None)
    elif what == "joins":
        fresh = f"n{dice.randrange(1000)}"
        school.person(fresh, dice.choice(["student", "guardian", "teacher"]), dice.choice(["S1", "S2"]))
        if klass in school.classes:
            school.enroll(fresh, klass)
        school.demographics[fresh] = {"birthDate": "2018-05-05", "white": dice.choice(["", "true"])}
    elif what == "moves" and enrollment in school.enrollments:
        school.enrollments[enrollment]["classSourcedId"] = klass
    elif what == "role" and f"r-{code}" in school.roles:
        school.roles[f"r-{code}"]["role"] = dice.choice(["student", "guardian", "teacher", "administrator"])
    elif what == "agents" and code in school.users:
        school.users[code]["agentSourcedIds"] = dice.choice(["", "cleo", "ben", "cleo,dov", code])
    elif what == "ethnicity" and code in school.demographics:
        school.demographics[code]["asian"] = dice.choice(["", "true", "false"])
    elif what == "class" and klass in school.classes:
        school.classes[klass].update(
            title=f"Class {dice.randrange(9)}", schoolSourcedId=dice.choice(["S1", "S2"])
        )
    elif what == "class goes":
        school.classes.pop(klass, None)
        if dice.random() < 0.5:
            for key in [k for k, row in school.enrollments.items() if row["classSourcedId"] == klass]:
                del school.enrollments[key]
    elif what == "org goes":
        school.orgs.pop("S2", None)
    elif what == "marked" and code in school.users:
        school.users[code]["status"] = "tobedeleted"
    elif what == "no school" and enrollment in school.enrollments:
        school.enrollments[enrollment]["schoolSourcedId"] = ""
    elif what == "bad date" and code in school.demographics:
        school.demographics[code]["birthDate"] = dice.choice(["soon", "1/2/2019", "2019-02-31"])
    elif what == "spaces" and code in school.users:
        school.users[code]["familyName"] = " Blank "
    elif what == "case" and f"r-{code}" in school.roles:
        school.roles[f"r-{code}"]["role"] = "Student"
    elif what == "twice" and code in school.users:
        school.extra["users"] = [{"sourcedId": code, **school.users[code], "phone": dice.choice(["", "1"])}]
    elif what == "once":
        school.extra.clear()
    elif what == "no id":
        school.extra["enrollments"] = [{"classSourcedId": klass, "userSourcedId": code, "role": "student"}]
    elif what == "lines" and code in school.users:
        school.users[code]["familyName"] = "Two\nlines"
    elif what == "delta":
        school.modes["enrollments"] = "delta"
    elif what == "bulk":
        school.modes.pop("enrollments", None)
    elif what == "metadata" and code in school.users:
        school.users[code]["pronouns"] = dice.choice(["she/her", "they/them", ""])


USUAL = [
    "phone",
    "stamp",
    "order",
    "leaves",
    "joins",
    "moves",
    "agents",
    "ethnicity",
    "class",
    "metadata",
    "role",
]
ODD = ["vanishes", "class goes", "org goes", "marked", "no school", "bad date", "spaces", "case", "twice", "once", "no id",
       "lines", "delta", "bulk"]  # fmt: skip
steps = st.lists(
    st.tuples(st.lists(st.sampled_from([*USUAL, *USUAL, *ODD]), min_size=1, max_size=4), st.integers(0, 10_000)),
    min_size=2, max_size=4,
)  # fmt: skip


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize="ROLLBOOK_EXAMPLES" not in os.environ,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(steps=steps)
def test_whatever_changes_the_outcome_is_that_of_the_whole_bundle(seen, steps) -> None:
    one, two = (make_tenant(f"tenant-{next(_slugs)}") for _ in range(2))
    school = crowd()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        for tenant in (one, two):
            sync(tenant, school, path, yes=True)
        for changes, seed in steps:
            dice = random.Random(seed)
            for what in changes:
                change(school, what, dice)
            for file in home(two).glob("keys-*"):
                file.unlink()
            assert outcome(one, sync(one, school, path, yes=True)) == outcome(
                two, sync(two, school, path, yes=True)
            )


def outcome(tenant, done):
    """All that a sync leaves behind, without ids."""
    with unguarded("a test compares two syncs"):
        events = sorted(Event.objects.filter(tenant=tenant).values_list("entity", "action", "count"))
    lines = [
        (a.file, a.row, a.column, a.code, a.sourced_id, a.value, a.reason, a.dependents)
        for a in set_aside(done)
    ]
    plan = sorted((p["about"], p["name"], p["text"], str(p["reasons"])) for p in done.plan)
    holds = [{k: v for k, v in hold.items() if k != "people"} for hold in done.holds]
    return (
        done.state,
        done.message.partition(" of ")[0],
        done.counts,
        plan,
        holds,
        done.notices,
        lines,
        events,
        roster(tenant, tombstones=True),
    )


# ---- When only changed rows are read, and when not.


def test_of_a_good_bundle_after_a_good_one_only_changed_rows_are_read(seen, tmp_path):
    tenant, school = make_tenant(), crowd()
    sync(tenant, school, tmp_path)
    school.users["p1"]["phone"] = "1"
    done = sync(tenant, school, tmp_path)
    assert seen == [frozenset(), BIG]
    assert done.counts["person"] | {"codes": {}} == {
        "existing": 11, "rows": 11, "created": 0, "changed": 1, "removed": 0, "unchanged": 10, "set_aside": 0, "codes": {},
    }  # fmt: skip
    school.without("p2")
    assert sync(tenant, school, tmp_path).counts["enrollment"]["removed"] == 1
    assert seen[-1] == BIG


def whole_after(seen, tenant, school, tmp_path):
    """Whether a bundle in which one telephone number changes is read whole."""
    school.users["p1"]["phone"] = f"{len(seen)}"
    assert sync(tenant, school, tmp_path).state == "applied"
    return not seen[-1]


def test_after_a_sync_with_rows_set_aside_the_bundle_is_read_whole(seen, tmp_path):
    tenant, school = make_tenant(), crowd()
    school.users["p1"]["enabledUser"] = "perhaps"
    sync(tenant, school, tmp_path)
    school.users["p1"]["enabledUser"] = "true"
    assert whole_after(seen, tenant, school, tmp_path)
    assert not whole_after(seen, tenant, school, tmp_path)


def test_after_a_change_by_hand_the_bundle_is_read_whole(seen, tmp_path):
    tenant, school = make_tenant(), crowd()
    first = sync(tenant, school, tmp_path)
    syncing.undo(tenant, first)
    assert whole_after(seen, tenant, school, tmp_path)


def test_after_the_selection_changed_the_bundle_is_read_whole(seen, tmp_path):
    tenant, school = make_tenant(), crowd()
    sync(tenant, school, tmp_path)
    tenant.keep = {"fields": {"drop": ["users.email"]}}
    tenant.save()
    assert whole_after(seen, tenant, school, tmp_path)
    tenant.keep = {}
    tenant.save()
    assert whole_after(seen, tenant, school, tmp_path)
    assert get(Person, tenant, "ben").email == "ben@puddlebrook.example"


def test_with_other_code_the_bundle_is_read_whole(seen, tmp_path, monkeypatch):
    tenant, school = make_tenant(), crowd()
    sync(tenant, school, tmp_path)
    monkeypatch.setattr(existing, "_code", lambda: "a later version")
    assert whole_after(seen, tenant, school, tmp_path)


def test_a_broken_snapshot_is_worth_no_more_than_none(seen, tmp_path):
    tenant, school = make_tenant(), crowd()
    sync(tenant, school, tmp_path)
    for file in home(tenant).glob("keys-*.parquet"):
        file.write_text("not Parquet")
    assert whole_after(seen, tenant, school, tmp_path)
    assert not whole_after(seen, tenant, school, tmp_path)
