"""Names of accounts, plans and undo, without a destination."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.kernel.errors import Invalid
from rollbook.sharing.rules.accounts import (
    Facts,
    Key,
    Record,
    Settings,
    allot,
    ascii_of,
    parse_settings,
    records,
    wanted_username,
)
from rollbook.sharing.rules.pushing import apply, plan, undo

TODAY = date(2026, 11, 21)
ORGS = {1: "Puddlebrook", 2: "Hollowell"}
CLASSES = {10: "Kestrels", 20: "Owls"}


def person(id_: int, given: str = "Ada", family: str = "Riverstone", org: int = 1, klass: int = 10) -> Facts:
    return Facts(id_, f"x{id_}", given, family, grades=("02",), roles=[("student", org)], classes=[klass])


def made(people: list[Facts], kept: dict[Key, Record] | None = None, **more: object) -> dict[Key, Record]:
    return records(people, ORGS, CLASSES, Settings(), kept or {}, **more)  # type: ignore[arg-type]  # as given


def names(desired: dict[Key, Record]) -> dict[str, str]:
    return {key: r["username"] for (kind, key), r in desired.items() if kind == "user"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Zoë", "zoe"), ("O’Brien-Łuk", "obrienluk"), ("Straße", "strasse"), ("Søren Ærø", "sorenaero"),
        ("Дмитрий", "dmitrii"), ("آية العلي", "ayaalaly"), ("Ελένη", "eleni"), ("李", ""),
    ],
)  # fmt: skip
def test_names_become_plain_letters(text: str, plain: str) -> None:
    assert ascii_of(text) == plain


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{given}.{family}{n}", "ada.riverstone"), ("{g}{family}{n}", "ariverstone"), ("{family}{n}.{given}", "riverstone.ada"),
        ("s{code}", "s417"),
    ],
)  # fmt: skip
def test_a_pattern_makes_a_user_name(pattern: str, name: str) -> None:
    values = {"given": "Ada", "family": "Riverstone", "g": "A", "code": "417"}
    assert wanted_username(pattern, values, "user").with_number("") == name


def test_a_name_that_no_table_knows_falls_back() -> None:
    assert names(made([person(1, "李", "王")])) == {"1": "student"}


def test_the_second_of_a_name_gets_a_number() -> None:
    assert names(made([person(1), person(2), person(3)])) == {
        "1": "ada.riverstone", "2": "ada.riverstone2", "3": "ada.riverstone3",
    }  # fmt: skip


def test_a_name_stays_with_whom_it_was_given_to() -> None:
    first = made([person(5)])
    assert names(made([person(1), person(5)], first)) == {"5": "ada.riverstone", "1": "ada.riverstone2"}


def test_a_name_that_is_taken_there_is_not_given() -> None:
    assert names(made([person(1)], taken={"ada.riverstone"})) == {"1": "ada.riverstone2"}


def test_the_name_of_somebody_who_left_is_not_given_to_another() -> None:
    kept = apply({}, plan(made([person(1)]), {}, Settings(), TODAY))
    kept = apply(kept, plan({}, kept, Settings(), TODAY))
    assert names(made([person(2)], kept)) == {"2": "ada.riverstone2"}


def test_a_long_name_is_cut_and_still_unique() -> None:
    wanted = {str(n): wanted_username("{given}{n}", {"given": "a" * 80}, "user") for n in range(12)}
    found = allot(wanted, {}, (), 20)
    assert len(set(found.values())) == 12
    assert max(map(len, found.values())) == 20


def test_a_person_comes_with_their_groups() -> None:
    groups = {
        r["name"]: r["members"]
        for (kind, _), r in made([person(1), person(2, org=2, klass=20)]).items()
        if kind == "group"
    }
    assert groups == {
        "Puddlebrook": ["1"], "Hollowell": ["2"], "All students": ["1", "2"], "Grade 02": ["1", "2"],
        "Kestrels": ["1"], "Owls": ["2"],
    }  # fmt: skip


def test_who_leaves_is_disabled_then_archived_then_deleted() -> None:
    settings = Settings(archive_days=30, delete_days=365)
    kept = apply({}, plan(made([person(1)]), {}, settings, TODAY))
    actions = []
    for days in (0, 1, 30, 31, 364, 365, 366):
        steps = plan({}, kept, settings, TODAY + timedelta(days=days))
        actions += [(days, s.action) for s in steps if s.kind == "user"]
        kept = apply(kept, steps)
    assert actions == [(0, "disable"), (30, "archive"), (365, "delete")]
    assert kept == {}


def test_who_comes_back_is_enabled_under_the_old_name() -> None:
    first = made([person(1)])
    kept = apply(first, plan({}, first, Settings(), TODAY))
    again = made([person(1)], kept)
    [step] = [s for s in plan(again, kept, Settings(), TODAY) if s.kind == "user"]
    assert (step.action, step.after and step.after["username"]) == ("enable", "ada.riverstone")


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"colour": "red"}, "colour"), ({"username": "everyone"}, "username"), ({"username": "{shoe}"}, "username"),
        ({"groups": ["house"]}, "groups"), ({"archive_days": 0}, "archive_days"), ({"rename": "yes"}, "rename"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_by_name(settings: dict[str, object], part: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_settings(settings)
    assert error.value.field == part


PEOPLE = st.lists(
    st.builds(
        person, st.integers(1, 8), st.sampled_from(["Ada", "Zoë", "李", ""]), st.sampled_from(["River", "Łuk", ""]),
        st.sampled_from([1, 2]), st.sampled_from([10, 20]),
    ),
    unique_by=lambda p: p.id, max_size=8,
)  # fmt: skip


@given(PEOPLE, PEOPLE, st.booleans())
def test_a_plan_ends_where_it_should_and_undo_where_it_began(
    old: list[Facts], new: list[Facts], by_place: bool
) -> None:
    before = apply({}, plan(made(old, by_place=by_place), {}, Settings(), TODAY))
    desired = made(new, before, by_place=by_place)
    steps = plan(desired, before, Settings(), TODAY)
    after = apply(before, steps)
    assert {k: after[k] for k in desired} == desired
    assert plan(made(new, after, by_place=by_place), after, Settings(), TODAY) == []
    assert apply(after, undo(steps)) == before
    users = [r["username"].lower() for (kind, _), r in after.items() if kind == "user"]
    assert len(users) == len(set(users))
    assert all(r["members"] for (kind, _), r in after.items() if kind == "group")
