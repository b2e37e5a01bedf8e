"""What an app's page says: counts, states of each detail, last use from the disclosure log."""

from __future__ import annotations

import pytest

from rollbook.kernel.errors import NotFound
from rollbook.policy import disclose
from rollbook.roster.models import Person
from rollbook.sharing.actions import NewApp, ask_field, share
from rollbook.sharing.queries import facts, grant_for
from rollbook.sharing.rules import People
from tests.cast import Cast

GREET = {"field": "users.givenName", "reason": "To greet the child"}


def state(found: facts.Facts, name: str) -> str:
    return next(d.state for d in found.details if d.field.name == name)


def test_the_page_counts_who_is_reached_now(numberyard: NewApp, cast: Cast) -> None:
    share(numberyard.app, {"people": {"classes": ["KES"]}, "fields": [GREET]})
    found = facts.facts_of(cast.administrator, cast.tenant, numberyard.app)
    assert (found.reached.people, found.reached.pupils, found.reached.staff, found.reached.schools) == (
        2,
        1,
        1,
        1,
    )
    assert {d.field.title for d in found.shared} == {"First name", "Role at school", "Classes"}
    assert found.naming == 1 and found.sensitive == 0


def test_each_detail_says_how_it_stands(numberyard: NewApp, cast: Cast) -> None:
    share(numberyard.app, {"people": "all", "fields": [GREET]})
    ask_field(numberyard.app, "demographics.birthDate", "To choose questions by age")
    found = facts.facts_of(cast.administrator, cast.tenant, numberyard.app)
    assert state(found, "users.givenName") == "shared"
    assert state(found, "demographics.birthDate") == "asked"
    assert state(found, "users.email") == "none"
    assert "Needs and entitlements" in found.groups[-1].locked
    assert (
        "Email" in found.unseen
        and "First name" not in found.unseen
        and "Needs and entitlements" in found.unseen
    )
    assert "Place of birth" not in found.unseen, "the school holds none"


def test_last_use_is_measured_from_the_log(numberyard: NewApp, cast: Cast) -> None:
    share(
        numberyard.app,
        {"people": "all", "fields": [GREET, {"field": "users.email", "reason": "To write to them"}]},
    )
    grant = grant_for(numberyard.app.id)
    disclose(
        grant.access, "api:getAllUsers", [(Person, "given_name")], [cast.ada.id], authorised_by=grant.rule_id
    )
    found = facts.facts_of(cast.administrator, cast.tenant, numberyard.app)
    used = {d.field.title: d.used for d in found.shared}
    assert used["First name"] is not None and used["Email"] is None
    assert found.use.answers == 1
    line = facts.app_lines(cast.administrator)[0]
    assert line.last_used == used["First name"] and line.leaves and line.reached.pupils == 2


def test_an_app_without_a_rule_stands_in_the_list_with_the_reason(numberyard: NewApp, cast: Cast) -> None:
    line = facts.app_lines(cast.administrator)[0]
    assert not line.leaves and "No rule" in line.reason and line.details == 0


def test_another_tenants_app_is_as_unknown_as_none(numberyard: NewApp, cast: Cast) -> None:
    assert facts.app_named(cast.administrator, "numberyard").id == numberyard.app.id
    with pytest.raises(NotFound):
        facts.app_named(
            cast.access("administrator", "administration").__class__(
                cast.administrator.actor, "administration", cast.other.id, cast.administrator.bundle
            ),
            "numberyard",
        )
    with pytest.raises(NotFound):
        facts.app_named(cast.administrator, "nothing")


@pytest.mark.parametrize(
    ("people", "says"),
    [
        (People(), "Everyone on the roll"),
        (People(orgs=("S1",)), "Everyone at Puddlebrook"),
        (
            People(orgs=("S1", "S2"), grades=("02",), roles=("student",)),
            "Pupils in school year 2 at Puddlebrook and Hollowell",
        ),
        (People(classes=("KES", "GONE")), "Everyone in Kestrels and GONE"),
    ],
)
def test_a_rule_is_said_in_words(cast: Cast, people: People, says: str) -> None:
    assert facts.in_words(cast.administrator, people) == says
