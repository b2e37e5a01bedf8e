"""The rule's form, its check before saving, undo by history; agreement, requests, stop."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.policy import Audit, unguarded
from rollbook.roster.models import Person
from rollbook.sharing.actions import NewApp, ask_field, create_app, share
from rollbook.sharing.models import Agreement, App, FieldRequest, SharingRule
from rollbook.sharing.queries import Withheld, grant_for
from tests.cast import Cast
from tests.staff import desk, plain

GREET = {"field": "users.givenName", "reason": "To greet the child"}
FORM = {
    "who": "some",
    "classes": ["KES"],
    "field": ["users.givenName"],
    "reason.users.givenName": "To greet the child",
}
RULE = "/apps/numberyard/rule"


@pytest.fixture
def administrator(cast: Cast) -> Client:
    return desk(cast.tenant, "administrator")


def in_force(new: NewApp) -> SharingRule | None:
    with unguarded("the rule that stands"):
        return SharingRule.objects.filter(app=new.app, ended_at=None).first()


def save(client: Client, checked: Any) -> Any:
    return client.post(RULE, {"do": "save", "rule": checked.context["rule"], "on": checked.context["on"]})


@pytest.mark.commitment("CLEV-2.22", "CLEV-2.23")
def test_a_rule_is_checked_first_and_shares_only_when_it_is_saved(
    numberyard: NewApp, cast: Cast, administrator: Client
) -> None:
    checked = administrator.post(RULE, {**FORM, "do": "check"})
    assert checked.status_code == 200
    assert "Adds 2 people: 1 pupil and 1 member of staff." in plain(checked)
    assert "First name: Numberyard newly gets it, of 2 people." in plain(checked)
    with pytest.raises(Withheld):
        grant_for(numberyard.app.id)
    answer = save(administrator, checked)
    assert answer.status_code == 302 and answer["Location"] == "/apps/numberyard?done=shared"
    rows = grant_for(numberyard.app.id).access.select(Person)
    assert sorted(rows.values_list("given_name", flat=True)) == ["Ada", "Ben"]
    with unguarded("who did it, for what reason"):
        audited = Audit.objects.get(verb="sharing.rule_changed")
    assert audited.actor == "Hana Larkspur" and GREET in audited.details["fields"]


def test_a_narrower_rule_says_whom_it_takes_away(numberyard: NewApp, administrator: Client) -> None:
    share(numberyard.app, {"people": "all", "fields": [GREET]})
    checked = administrator.post(RULE, {**FORM, "do": "check"})
    assert (
        "Takes away 4 people: 1 pupil, 2 staff and 1 family member. They will be shown to Numberyard as deleted."
        in plain(checked)
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classes": []}, "Nobody is chosen."),
        ({"reason.users.givenName": " "}, "First name has no reason."),
        ({"field": ["users.shoeSize"]}, "There is no field"),
    ],
)
def test_a_form_that_says_too_little_comes_back_as_it_was_typed(
    numberyard: NewApp, administrator: Client, change: dict[str, Any], says: str
) -> None:
    answer = administrator.post(RULE, {**FORM, **change, "do": "check"})
    assert answer.status_code == 422 and says in plain(answer)
    assert in_force(numberyard) is None


def test_what_the_policy_never_gives_cannot_be_smuggled_in(numberyard: NewApp, administrator: Client) -> None:
    assert "Needs and entitlements" in plain(administrator.get(RULE))
    rule = json.dumps({"people": "all", "fields": [{"field": "flags.flag", "reason": "x"}]})
    assert administrator.post(RULE, {"do": "save", "rule": rule, "on": "0"}).status_code == 400
    assert administrator.post(RULE, {"do": "save", "rule": "{", "on": "0"}).status_code == 400
    assert in_force(numberyard) is None


def test_two_administrators_do_not_overwrite_each_other(numberyard: NewApp, administrator: Client) -> None:
    checked = administrator.post(RULE, {**FORM, "do": "check"})
    share(numberyard.app, {"people": "all", "fields": []})
    answer = save(administrator, checked)
    assert answer.status_code == 422 and "Somebody changed the rule" in plain(answer)
    assert in_force(numberyard).people == "all"  # type: ignore[union-attr]
    assert save(administrator, answer).status_code == 302
    assert in_force(numberyard).people == {"classes": ["KES"]}  # type: ignore[union-attr]


def test_long_lists_are_searched_and_keep_what_is_chosen(numberyard: NewApp, administrator: Client) -> None:
    answer = administrator.post(RULE, {**FORM, "do": "find", "find_classes": "owl"})
    [classes] = [c for c in answer.context["lists"] if c.name == "classes"]
    assert [(o.title, o.chosen) for o in classes.options] == [("Kestrels", True), ("Owls", False)]
    assert 'value="To greet the child"' in plain(answer)


def test_the_form_begins_with_the_rule_in_force(numberyard: NewApp, administrator: Client) -> None:
    share(numberyard.app, {"people": {"grades": ["02"]}, "fields": [GREET]})
    answer = administrator.get(RULE)
    chosen = {c.name: [o.value for o in c.options if o.chosen] for c in answer.context["lists"]}
    assert chosen["grades"] == ["02"] and not chosen["classes"]
    assert [o.title for c in answer.context["lists"] if c.name == "grades" for o in c.options] == ["2", "3"]
    assert 'value="To greet the child"' in plain(answer)


def test_the_part_that_follows_the_form_says_what_would_change(
    numberyard: NewApp, administrator: Client
) -> None:
    assert "Adds 2 people" in plain(administrator.post(f"{RULE}/preview", FORM))
    assert "Nobody is chosen yet." in plain(administrator.post(f"{RULE}/preview", {"who": "some"}))
    assert in_force(numberyard) is None


def test_an_earlier_rule_is_used_again_after_a_check(numberyard: NewApp, administrator: Client) -> None:
    share(numberyard.app, {"people": {"classes": ["KES"]}, "fields": [GREET]})
    share(numberyard.app, {"people": "all", "fields": [GREET]})
    page = administrator.get("/apps/numberyard/history")
    assert [p["whom"] for p in page.context["past"]] == ["Everyone on the roll", "Everyone in Kestrels"]
    checked = administrator.post(RULE, {"do": "again", "rule": page.context["past"][1]["data"]})
    assert "Takes away 4 people" in plain(checked)
    assert save(administrator, checked).status_code == 302
    assert in_force(numberyard).people == {"classes": ["KES"]}  # type: ignore[union-attr]


@pytest.mark.commitment("CLEV-2.7", "CLEV-4.2")
def test_stopping_says_what_it_takes_away_and_then_nothing_leaves(numberyard: NewApp, cast: Cast) -> None:
    share(numberyard.app, {"people": {"classes": ["KES"]}, "fields": [GREET]})
    officer = desk(cast.tenant, "dpo", "Femi Inkwell")
    assert "Numberyard loses 2 people: 1 pupil and 1 member of staff." in plain(
        officer.get("/apps/numberyard/stop")
    )
    assert officer.post("/apps/numberyard/stop", {"because": "not used"}).status_code == 302
    with pytest.raises(Withheld, match="stopped"):
        grant_for(numberyard.app.id)
    assert officer.post(RULE, {**FORM, "do": "check"}).status_code == 403, (
        "to share again is the administrator's"
    )


# ---- Requests.


def ask(client: Client, new: NewApp, answer: str, field: str = "demographics.birthDate") -> Any:
    request = ask_field(new.app, field, "to choose questions by age")
    return client.post(f"/apps/{new.app.slug}/requests/{request.id}", {"answer": answer})


def test_a_refused_request_changes_nothing(numberyard: NewApp, administrator: Client) -> None:
    share(numberyard.app, {"people": "all", "fields": [GREET]})
    assert ask(administrator, numberyard, "refuse")["Location"].endswith("done=refused")
    assert "demographics.birthDate" not in grant_for(numberyard.app.id).fields
    assert "asks for one more" not in plain(administrator.get("/apps/numberyard"))


def test_a_request_that_is_granted_joins_the_rule_with_the_apps_reason(
    numberyard: NewApp, administrator: Client
) -> None:
    share(numberyard.app, {"people": "all", "fields": [GREET]})
    assert ask(administrator, numberyard, "share").status_code == 302
    assert "demographics.birthDate" in grant_for(numberyard.app.id).fields
    assert "to choose questions by age" in plain(administrator.get("/apps/numberyard"))


def test_a_detail_that_all_does_not_hold_is_named_when_it_is_granted(
    numberyard: NewApp, administrator: Client
) -> None:
    share(numberyard.app, {"people": "all", "fields": "all"})
    before = grant_for(numberyard.app.id).fields
    ask(administrator, numberyard, "share", "demographics.cityOfBirth")
    assert grant_for(numberyard.app.id).fields == before | {"demographics.cityOfBirth"}


def test_an_answer_that_cannot_be_carried_out_leaves_the_request_open(
    numberyard: NewApp, administrator: Client
) -> None:
    assert ask(administrator, numberyard, "share").status_code == 400, "there is no rule to add it to"
    with unguarded("it still waits"):
        assert FieldRequest.objects.get().answer == ""


def test_another_apps_request_is_as_unknown_as_none(
    numberyard: NewApp, cast: Cast, administrator: Client
) -> None:
    other = create_app(cast.tenant, "Paint Tray")
    theirs = ask_field(other.app, "users.email", "to write")
    answers = [
        administrator.post(f"/apps/numberyard/requests/{n}", {"answer": "refuse"})
        for n in (theirs.id, 12345, "x")
    ]
    assert {a.status_code for a in answers} == {404} and len({plain(a) for a in answers}) == 1


# ---- A new app and its agreement.


def test_a_new_app_shows_its_secret_once_and_gets_nothing(cast: Cast, administrator: Client) -> None:
    form = {
        "name": "Paint Tray",
        "vendor": "Daub",
        "about": "paint",
        "privacy_url": "https://daub.example/p",
        "contact": "a@daub.example",
    }
    answer = administrator.post("/apps/new", form)
    made = answer.context["made"]
    assert made.client_secret in plain(answer) and made.client_id in plain(answer)
    assert made.client_secret not in plain(administrator.get("/apps/paint-tray"))
    with unguarded("only its hash is kept"):
        assert made.client_secret not in str(App.objects.filter(slug="paint-tray").values())
    with pytest.raises(Withheld, match="no agreement"):
        grant_for(made.app.id)


def test_a_new_app_without_a_policy_link_is_not_made(cast: Cast, administrator: Client) -> None:
    answer = administrator.post("/apps/new", {"name": "Paint Tray", "vendor": "Daub", "about": "paint"})
    assert answer.status_code == 422 and "privacy policy is missing" in plain(answer)
    assert administrator.get("/apps/paint-tray").status_code == 404


def terms(**change: Any) -> dict[str, Any]:
    return {
        "purpose": "learning-app", "region": "GB", "retention_days": "30", "contact": "privacy@numberyard.example",
        "begins_on": clock.today().isoformat(), "ends_on": (clock.today() + timedelta(days=100)).isoformat(),
        "helper_name": ["Cloudy", ""], "helper_does": ["storage", ""], "helper_region": ["ie", ""],
        "read_policy": "yes", **change,
    }  # fmt: skip


AGREEMENT = "/apps/numberyard/agreement"


def test_a_new_agreement_takes_the_place_of_the_one_before(numberyard: NewApp, administrator: Client) -> None:
    share(numberyard.app, {"people": "all", "fields": [GREET]})
    assert administrator.post(AGREEMENT, terms())["Location"].endswith("done=agreed")
    with unguarded("what was recorded"):
        agreement = Agreement.objects.get(app=numberyard.app, ended_at=None)
    assert agreement.retention_days == 30 and agreement.agreed_by == "Hana Larkspur"
    assert agreement.sub_processors == [{"name": "Cloudy", "does": "storage", "region": "IE"}]
    seen = plain(administrator.get("/apps/numberyard"))
    assert "Cloudy, storage (Ireland)" in seen and "30 days after leaving" in seen
    assert len(administrator.get(AGREEMENT).context["past"]) == 2


@pytest.mark.commitment("CLEV-2.25")
def test_nobody_agrees_without_having_read_the_apps_policy(numberyard: NewApp, administrator: Client) -> None:
    page = plain(administrator.get(AGREEMENT))
    assert (
        'href="https://numberyard.example/privacy"' in page
        and "I have read Numberyard’s privacy policy." in page
    )
    answer = administrator.post(AGREEMENT, terms(read_policy=""))
    assert answer.status_code == 422 and "Confirm that you have read" in plain(answer)
    assert len(administrator.get(AGREEMENT).context["past"]) == 1


@pytest.mark.commitment("CLEV-2.2", "CLEV-2.3", "CLEV-1.78")
@pytest.mark.parametrize("purpose", ["advertising", "marketing", "sale", "profiling"])
def test_no_agreement_for_advertising_or_sale_can_be_entered(
    numberyard: NewApp, administrator: Client, purpose: str
) -> None:
    page = administrator.get(AGREEMENT)
    assert purpose not in [p["name"] for p in page.context["purposes"]]
    answer = administrator.post(AGREEMENT, terms(purpose=purpose))
    assert answer.status_code == 422 and "never used for advertising or sold" in plain(answer)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"retention_days": "soon"}, "not a number of days"),
        ({"ends_on": "tomorrow"}, "not a date"),
        ({"ends_on": "2020-01-01"}, "ends before it begins"),
        ({"region": ""}, "Say where the data is kept"),
        ({"purpose": ""}, "Choose what the data is for"),
        ({"contact": ""}, "nobody to write to"),
        ({"helper_region": ["", ""]}, "Helper 1 lacks"),
    ],
)
def test_an_agreement_that_is_not_whole_says_which_part(
    numberyard: NewApp, administrator: Client, change: dict[str, Any], says: str
) -> None:
    answer = administrator.post(AGREEMENT, terms(**change))
    assert answer.status_code == 422 and says in plain(answer)
    assert 'value="Cloudy"' in plain(answer), "what was typed stays"


# ---- A new secret, a letter.


def test_a_new_secret_is_shown_once_and_the_old_one_ends_when_it_was_said(
    numberyard: NewApp, cast: Cast, administrator: Client
) -> None:
    door = "/apps/numberyard/secret"
    assert f'href="{door}"' in plain(administrator.get("/apps/numberyard"))
    assert administrator.post(door, {"days": "soon"}).status_code == 422
    answer = administrator.post(door, {"days": "7"})
    made = answer.context["made"]
    assert made.client_secret in plain(answer) and "The old one works until" in plain(answer)
    assert made.client_secret not in plain(administrator.get(door))
    assert "An old secret still works" in plain(administrator.get(door))
    assert administrator.post(door, {"do": "end"})["Location"].endswith("done=secret_ended")
    assert "An old secret still works" not in plain(administrator.get(door))
    assert "gave Numberyard a new secret" in plain(administrator.get("/audit"))
    officer = desk(cast.tenant, "dpo", "Femi Inkwell")
    assert officer.get(door).status_code == officer.post(door, {"days": "0"}).status_code == 403
    elsewhere = desk(cast.other, "administrator", "Zed Farmer")
    assert elsewhere.get(door).status_code == elsewhere.post(door, {"days": "0"}).status_code == 404


def test_an_app_that_asks_can_be_asked_why(numberyard: NewApp, administrator: Client) -> None:
    share(numberyard.app, {"people": "all", "fields": [GREET]})
    ask_field(numberyard.app, "demographics.birthDate", "to choose questions by age & year")
    page = administrator.get("/apps/numberyard")
    [asked] = page.context["asked"]
    assert asked["mail"].startswith("mailto:privacy%40numberyard.example?subject=Numberyard%3A%20why")
    assert "by%20age%20%26%20year" in asked["mail"] and "Ask them why" in plain(page)
