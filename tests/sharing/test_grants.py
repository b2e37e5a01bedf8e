"""What an app gets: the people and fields its rule names, of an agreement in force; otherwise nothing, with a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, Refused
from rollbook.policy import unguarded
from rollbook.roster.models import Class, Enrollment, Person, Tenant
from rollbook.sharing.actions import NewApp, create_app, share, stop
from rollbook.sharing.models import Agreement
from rollbook.sharing.queries import Withheld, audience, grant_for
from tests.cast import Cast


def seen(new: NewApp, cast: Cast) -> list[str]:
    names = {getattr(cast, n).id: n for n in ("ada", "ben", "cleo", "dov", "gus", "hana", "ivo", "stranger")}
    return sorted(names[i] for i in grant_for(new.app.id).access.select(Person).values_list("id", flat=True))


def rule(fields: Any = "all", **people: list[str]) -> dict[str, Any]:
    return {"people": people or "all", "fields": fields}


@pytest.mark.commitment("CLEV-0.5", "CLEV-2.23")
def test_without_a_rule_nothing_leaves(numberyard: NewApp) -> None:
    with pytest.raises(Withheld, match="No rule"):
        grant_for(numberyard.app.id)


def test_without_an_agreement_no_rule_can_be_made(cast: Cast) -> None:
    new = create_app(cast.tenant, "Paint Tray")
    with pytest.raises(Invalid, match="no agreement"):
        share(new.app, rule())
    with pytest.raises(Withheld, match="no agreement"):
        grant_for(new.app.id)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ends_on": timedelta(days=-1)}, "ended on"),
        ({"begins_on": timedelta(days=1)}, "begins on"),
        ({"region": "US"}, "keeps data in US"),
        ({"sub_processors": [{"name": "Cloudy", "region": "CN"}]}, "Cloudy keeps data in CN"),
        ({"sub_processors": [{"name": "Cloudy"}]}, "does not say where"),
        ({"purpose": "advertising"}, "advertising"),
        ({"purpose": "curiosity"}, "Nobody has decided"),
    ],
)
def test_an_agreement_that_does_not_hold_withholds_everything(
    numberyard: NewApp, change: dict[str, Any], says: str
) -> None:
    share(numberyard.app, rule())
    change = {k: clock.today() + v if isinstance(v, timedelta) else v for k, v in change.items()}
    with unguarded("make the agreement bad"):
        Agreement.objects.filter(app=numberyard.app).update(**change)
    with pytest.raises(Withheld, match=says):
        grant_for(numberyard.app.id)


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ({}, ["ada", "ben", "cleo", "dov", "hana", "ivo"]),
        ({"orgs": ["S1"]}, ["ada", "ben", "cleo"]),
        ({"orgs": ["T"]}, ["ada", "ben", "cleo", "dov", "hana", "ivo"]),
        ({"roles": ["student"]}, ["ada", "ivo"]),
        ({"roles": ["student"], "orgs": ["S2"]}, ["ivo"]),
        ({"grades": ["02"]}, ["ada", "ben"]),
        ({"grades": ["2"]}, []),
        ({"classes": ["OWL"]}, ["dov", "ivo"]),
        ({"courses": ["MA2"], "roles": ["student"]}, ["ada", "ivo"]),
    ],
)
def test_a_rule_names_people_by_where_they_are_now(
    numberyard: NewApp, cast: Cast, people: dict[str, list[str]], expected: list[str]
) -> None:
    share(numberyard.app, rule(**people))
    assert seen(numberyard, cast) == expected


@pytest.mark.commitment("CLEV-2.6")
def test_an_app_gets_these_fields_of_these_classes_only_and_nothing_after_revocation(
    numberyard: NewApp, cast: Cast
) -> None:
    share(
        numberyard.app, rule([{"field": "users.givenName", "reason": "To greet the child"}], classes=["KES"])
    )
    grant = grant_for(numberyard.app.id)
    assert sorted(grant.access.select(Person).values_list("given_name", flat=True)) == ["Ada", "Ben"]
    assert list(grant.access.select(Class).values_list("sourced_id", flat=True)) == ["KES"]
    assert set(grant.access.select(Enrollment).values_list("klass_id", flat=True)) == {cast.kestrels.id}
    with pytest.raises(Refused, match="does not name it"):
        list(grant.access.select(Person).values_list("family_name"))
    stop(numberyard.app)
    with pytest.raises(Withheld, match="stopped"):
        grant_for(numberyard.app.id)


@pytest.mark.commitment("CLEV-2.7")
def test_a_rule_is_live_a_child_who_moves_class_leaves_it(numberyard: NewApp, cast: Cast) -> None:
    share(numberyard.app, rule(classes=["KES"]))
    before = audience(grant_for(numberyard.app.id), "person")
    assert cast.ada.id in before.active and not before.gone
    with unguarded("a sync moves Ada"):
        Enrollment.objects.filter(person=cast.ada).update(
            status="tobedeleted", date_last_modified=clock.now()
        )
        Tenant.objects.filter(id=cast.tenant.id).update(roster_version=1)
    after = audience(grant_for(numberyard.app.id), "person")
    assert cast.ada.id not in after.active
    assert cast.ada.id in after.gone, "the app is told that she is gone, as a deletion"


def test_people_whom_a_narrower_rule_leaves_out_are_shown_as_deleted(numberyard: NewApp, cast: Cast) -> None:
    share(numberyard.app, rule())
    share(numberyard.app, rule(classes=["KES"]))
    people = audience(grant_for(numberyard.app.id), "person")
    assert set(people.active) == {cast.ada.id, cast.ben.id}
    assert cast.ivo.id in people.gone


def test_special_categories_are_shared_only_by_name_and_needs_never(numberyard: NewApp) -> None:
    share(numberyard.app, rule())
    assert "demographics.asian" not in grant_for(numberyard.app.id).fields
    share(numberyard.app, rule([{"field": "demographics.asian", "reason": "The law asks for it"}]))
    assert "demographics.asian" in grant_for(numberyard.app.id).fields
