"""The list of apps, one app's page, one pupil as an app sees them: who may look, what stands there, what is logged."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client

from rollbook.kernel import clock, idset
from rollbook.policy import Disclosure, unguarded
from rollbook.sharing.actions import NewApp, ask_field, create_app, share, stop
from rollbook.sharing.models import Agreement
from tests.cast import Cast
from tests.staff import desk, plain

GREET = {"field": "users.givenName", "reason": "To greet the child"}
DOORS = ["/apps", "/apps/new", "/apps/numberyard", "/apps/numberyard/try", "/apps/numberyard/rule",
         "/apps/numberyard/history", "/apps/numberyard/agreement", "/apps/numberyard/stop",
         "/apps/numberyard/events"]  # fmt: skip


@pytest.fixture
def administrator(cast: Cast) -> Client:
    return desk(cast.tenant, "administrator")


@pytest.mark.parametrize("door", DOORS)
def test_each_door_opens_for_the_administrator_and_for_nobody_signed_out(
    numberyard: NewApp, administrator: Client, door: str
) -> None:
    assert administrator.get(door).status_code == 200
    answer = Client().get(door)
    assert answer.status_code == 302 and answer["Location"].startswith("/sign-in?next=/apps")


@pytest.mark.parametrize("door", DOORS)
def test_a_teacher_is_refused_with_the_reason(numberyard: NewApp, cast: Cast, door: str) -> None:
    answer = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id).get(door)
    assert answer.status_code == 403
    assert "This page is for the administrator" in plain(answer)


@pytest.mark.parametrize("door", DOORS[2:])
def test_another_tenants_app_is_answered_like_one_that_is_not_there(
    numberyard: NewApp, cast: Cast, door: str
) -> None:
    elsewhere = desk(cast.other, "administrator", "Zed Farmer")
    theirs, none = elsewhere.get(door), elsewhere.get(door.replace("numberyard", "nothing"))
    assert theirs.status_code == none.status_code == 404
    assert plain(theirs) == plain(none)


def test_the_list_says_who_gets_what_and_why_nothing_leaves(
    numberyard: NewApp, cast: Cast, administrator: Client
) -> None:
    assert "No rule says what Numberyard gets." in plain(administrator.get("/apps"))
    share(numberyard.app, {"people": {"classes": ["KES"]}, "fields": [GREET]})
    create_app(cast.tenant, "Paint Tray")
    seen = plain(administrator.get("/apps"))
    assert "1 of 2 apps</b> gets details" in seen
    assert '3 details<br><span class="ex">of 1 pupil and 1 member of staff' in seen
    assert "There is no agreement with Paint Tray." in seen
    assert "never" in seen
    with unguarded("the agreement ran out"):
        Agreement.objects.filter(app=numberyard.app).update(ends_on=clock.today() - timedelta(days=1))
    assert "The agreement with Numberyard ended on" in plain(administrator.get("/apps"))


@pytest.mark.commitment("CLEV-2.24")
def test_the_page_says_what_the_app_sees_and_links_its_own_policy(
    numberyard: NewApp, administrator: Client
) -> None:
    share(numberyard.app, {"people": {"classes": ["KES"]}, "fields": [GREET]})
    ask_field(numberyard.app, "demographics.birthDate", "to choose questions by age")
    seen = plain(administrator.get("/apps/numberyard"))
    assert (
        "Numberyard gets <b>3 details</b> about <b>1 pupil and 1 member of staff</b> in 1 school,"
        " so that they can practise maths." in seen
    )
    assert "To greet the child<small>Public task</small>" in seen
    assert "asks for one more detail: date of birth" in seen and "to choose questions by age" in seen
    assert "Never for an app. No setting can change that." in seen
    assert (
        "Our promise does not cover what it does itself." in seen
        and 'href="https://numberyard.example/privacy"' in seen
    )
    assert "Everyone in Kestrels." in seen


def test_the_payload_shown_is_of_the_apis_own_shape(numberyard: NewApp, administrator: Client) -> None:
    share(
        numberyard.app,
        {
            "people": {"classes": ["KES"]},
            "fields": [GREET, {"field": "users.grades", "reason": "To choose the level"}],
        },
    )
    shown = administrator.get("/apps/numberyard").context["payload"]
    made_up = json.loads(shown)
    assert made_up["enabledUser"] == "true" and made_up["primaryOrg"]["type"] == "org"
    assert made_up["givenName"] == "Juno" and made_up["grades"] == ["02"] and made_up["familyName"] == ""
    assert made_up["roles"][0]["role"] == "student" and "email" not in made_up


def test_when_nothing_leaves_the_page_says_what_is_missing(
    numberyard: NewApp, cast: Cast, administrator: Client
) -> None:
    create_app(cast.tenant, "Paint Tray")
    assert "First, record the agreement" in plain(administrator.get("/apps/paint-tray"))
    assert "Next, choose what it sees" in plain(administrator.get("/apps/numberyard"))
    share(numberyard.app, {"people": "all", "fields": [GREET]})
    stop(numberyard.app)
    seen = plain(administrator.get("/apps/numberyard"))
    assert "Sharing is stopped" in seen and "gets <b>nothing</b>" in seen


def test_trying_as_one_pupil_shows_the_true_payload_and_is_a_look_by_the_staff(
    numberyard: NewApp, cast: Cast, administrator: Client
) -> None:
    share(numberyard.app, {"people": {"classes": ["KES"]}, "fields": [GREET]})
    found = administrator.get("/apps/numberyard/try", {"q": "riverstone"})
    assert [m.name for m in found.context["matches"]] == ["Cleo Riverstone", "Ada Riverstone"] or len(
        found.context["matches"]
    ) == 2
    answer = administrator.get("/apps/numberyard/try", {"person": cast.ada.id})
    payload = json.loads(answer.context["payload"])
    assert payload["users"][0]["givenName"] == "Ada" and payload["users"][0]["familyName"] == ""
    assert len(payload["enrollments"]) == 1 and "demographics" not in payload
    assert "Riverstone" not in answer.context["payload"]
    with unguarded("what was logged"):
        last = Disclosure.objects.order_by("-id")[0]
        assert not Disclosure.objects.filter(recipient_kind="app").exists(), "the app received nothing"
    assert last.door == "page:app_try" and last.recipient == "Hana Larkspur"
    assert idset.unpack(bytes(last.people)) == [cast.ada.id] and "roster_person.given_name" in last.columns


def test_trying_as_somebody_whom_the_app_does_not_see_says_why(
    numberyard: NewApp, cast: Cast, administrator: Client
) -> None:
    share(numberyard.app, {"people": {"classes": ["KES"], "grades": ["02"]}, "fields": [GREET]})
    because = {
        p.given_name: administrator.get("/apps/numberyard/try", {"person": p.id}).context["because"]
        for p in (cast.ivo, cast.gus)
    }
    assert (
        because["Ivo"]
        == "Ivo is in none of the school years that it names and is in none of the classes that it names."
    )
    assert because["Gus"] == "Gus Fenn is not on the roll any more."
    stop(numberyard.app)
    assert "stopped" in administrator.get("/apps/numberyard/try", {"person": cast.ada.id}).context["because"]


def test_an_administrator_does_not_see_ethnicity_by_way_of_an_app(
    numberyard: NewApp, cast: Cast, administrator: Client
) -> None:
    fields = [
        GREET,
        {"field": "demographics.asian", "reason": "The law asks for it"},
        {"field": "demographics.birthDate", "reason": "By age"},
    ]
    share(numberyard.app, {"people": "all", "fields": fields})
    answer = administrator.get("/apps/numberyard/try", {"person": cast.ada.id})
    payload = json.loads(answer.context["payload"])
    assert (
        payload["demographics"][0]["birthDate"] == "2019-03-04" and "asian" not in payload["demographics"][0]
    )
    assert answer.context["hidden"] == "asian"
    officer = desk(cast.tenant, "dpo", "Femi Inkwell")
    assert (
        json.loads(officer.get("/apps/numberyard/try", {"person": cast.ada.id}).context["payload"])[
            "demographics"
        ][0]["asian"]
        == "true"
    )


def test_another_tenants_person_is_as_unknown_as_none(
    numberyard: NewApp, cast: Cast, administrator: Client
) -> None:
    answers = [
        administrator.get("/apps/numberyard/try", {"person": p}) for p in (cast.stranger.id, 12345, "x")
    ]
    assert {a.status_code for a in answers} == {404} and len({plain(a) for a in answers}) == 1
