"""What the check page says a rule would change is what saving it does change."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollbook.kernel import clock
from rollbook.kernel.errors import Refused
from rollbook.policy import Restriction, unguarded
from rollbook.sharing.actions import NewApp, share, stop
from rollbook.sharing.queries import Withheld, grant_for
from rollbook.sharing.queries.preview import Change, change, ending
from rollbook.sharing.rules import FIELDS
from tests.cast import Cast


def exposed(new: NewApp) -> dict[str, set[int]]:
    """Field -> the people of whom the app can read a value now, through the gate; "" -> all people whom it sees."""
    try:
        grant = grant_for(new.app.id)
    except Withheld:
        return {}
    found = {"": set(grant.access.select(apps.get_model("roster.Person")).values_list("id", flat=True))}
    for name in grant.fields:
        label, column = FIELDS[name].columns[0].rsplit(".", 1)
        subject = {"roster.Person": "id", "roster.Guardianship": "child_id"}.get(label, "person_id")
        try:
            rows = list(grant.access.select(apps.get_model(label)).values_list(subject, column))
        except Refused:
            continue
        found[name] = {who for who, value in rows if value not in ("", None)}
    return found


def same(said: Change, before: dict[str, set[int]], after: dict[str, set[int]]) -> None:
    def gain(a: dict[str, set[int]], b: dict[str, set[int]], name: str) -> int:
        return len(b.get(name, set()) - a.get(name, set()))

    assert (said.adds, said.takes) == (gain(before, after, ""), gain(after, before, ""))
    for found in said.fields:
        assert found.given == gain(before, after, found.field.name), found
        assert found.taken == gain(after, before, found.field.name), found
    assert set(before) | set(after) <= {"", *(f.field.name for f in said.fields)}


some = {
    "orgs": ["T", "S1", "S2", "none"], "roles": ["student", "teacher", "guardian"], "grades": ["02", "03", "06"],
    "courses": ["MA2"], "classes": ["KES", "OWL"],
}  # fmt: skip
peoples = st.one_of(
    st.just("all"),
    st.fixed_dictionaries(
        {}, optional={k: st.lists(st.sampled_from(v), min_size=1, unique=True) for k, v in some.items()}
    ).filter(bool),
)
fields = st.one_of(
    st.just("all"),
    st.lists(st.sampled_from(sorted(FIELDS)), unique=True).map(
        lambda names: [{"field": n, "reason": "To learn"} for n in names]
    ),
)
rules = st.builds(lambda p, f: {"people": p, "fields": f}, peoples, fields)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.none() | rules, second=rules)
def test_the_preview_is_the_true_difference(numberyard: NewApp, cast: Cast, first: Any, second: Any) -> None:
    with transaction.atomic():
        with unguarded("one person's data may not be used"):
            Restriction.objects.create(
                tenant_id=cast.tenant.id, person_id=cast.dov.id, because="asked", began_at=clock.now()
            )
        if first:
            share(numberyard.app, first)
        before = exposed(numberyard)
        said = change(numberyard.app, second["people"], second["fields"])
        made = share(numberyard.app, second)
        same(said, before, exposed(numberyard))
        assert change(numberyard.app, made.people, made.fields).nothing, "a rule in force changes nothing"
        after = exposed(numberyard)
        leaving = ending(numberyard.app)
        stop(numberyard.app)
        same(leaving, after, exposed(numberyard))
        transaction.set_rollback(True)


def test_a_narrower_rule_says_whom_it_takes_away(numberyard: NewApp, cast: Cast) -> None:
    birth = [{"field": "demographics.birthDate", "reason": "To choose by age"}]
    share(numberyard.app, {"people": "all", "fields": []})
    said = change(numberyard.app, {"classes": ["KES"]}, birth)
    assert (said.adds, said.takes) == (0, 4)
    assert said.takes_kinds == {"pupils": 1, "families": 1, "staff": 2}
    assert [(c.field.title, c.given) for c in said.given] == [("Date of birth", 1)]


def test_an_agreement_that_does_not_hold_is_said_beside_the_preview(cast: Cast) -> None:
    from rollbook.sharing.actions import create_app

    new = create_app(cast.tenant, "Paint Tray")
    said = change(new.app, "all", "all")
    assert said.adds == 0 and "no agreement" in said.withheld


@pytest.mark.parametrize("people", ["all", {"orgs": ["S1"]}])
def test_a_stopped_app_is_previewed_as_it_would_begin_again(numberyard: NewApp, people: Any) -> None:
    share(numberyard.app, {"people": people, "fields": []})
    reach = ending(numberyard.app).takes
    stop(numberyard.app)
    assert change(numberyard.app, people, []).adds == reach > 0
