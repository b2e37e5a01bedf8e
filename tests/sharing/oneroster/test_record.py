"""Each call of an app is written down: whose, which operation, with which scope, when, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from rollbook.kernel import clock
from rollbook.policy import Audit, Disclosure, unguarded
from rollbook.sharing import actions, stop
from rollbook.sharing.connectors.oneroster.operations import DEMOGRAPHICS, PREFIX, ROSTER
from rollbook.sharing.models import Agreement
from tests.sharing.oneroster.conftest import Erin


@pytest.fixture(autouse=True)
def behind(erin: Erin, settings: Any) -> None:
    """As the web process works: on PostgreSQL by a role that owns nothing."""
    settings.ROLLBOOK_WEB_ROLE = "rollbook_web"


def calls(erin: Erin) -> list[tuple[str, str, str, int, str]]:
    """(who, operation, scope, status, reason) of calls that showed nobody's data, in order."""
    with unguarded("a test reads the audit", tenant=erin.cast.tenant.id):
        found = list(Audit.objects.filter(verb__in=("app.called", "app.refused")).order_by("id"))
    return [
        (
            a.actor,
            a.details["operation"],
            a.details["scope"],
            a.details["status"],
            a.details.get("because", ""),
        )
        for a in found
    ]


@pytest.mark.commitment("CLEV-1.48")
def test_a_call_that_shows_people_is_in_the_log_with_app_scope_time_and_what_it_got(erin: Erin) -> None:
    before = clock.now()
    assert erin.get("/users", scope=ROSTER).status_code == 200
    assert erin.get("/demographics").status_code == 200
    with unguarded("a test reads the log", tenant=erin.cast.tenant.id):
        users, demographics = Disclosure.objects.order_by("id")
    assert (users.recipient_kind, users.recipient, users.door) == (
        "app",
        "Erin's Sums",
        "oneroster getAllUsers",
    )
    assert (users.scope, demographics.scope) == ("roster.readonly", "roster-demographics.readonly")
    assert before <= users.at <= clock.now() and users.people_count == 6
    assert calls(erin) == []


@pytest.mark.commitment("CLEV-1.48")
def test_a_call_about_nobody_is_written_down_too(erin: Erin) -> None:
    assert erin.get("/orgs", scope=ROSTER).status_code == 200
    assert calls(erin) == [("Erin's Sums", "getAllOrgs", "roster.readonly", 200, "")]


def moved_away(erin: Erin) -> Erin:
    """The app, with a token, after an agreement that says it keeps data where the policy does not allow."""
    erin.token(ROSTER)
    erin.agree(region="US")
    return erin


def for_another_purpose(erin: Erin, purpose: str) -> Erin:
    """The app, with a token, after its agreement has come to name a purpose that the policy does not allow."""
    erin.token(ROSTER)
    with unguarded("a hand in the database", tenant=erin.cast.tenant.id):
        Agreement.objects.filter(app=erin.made.app).update(purpose=purpose)
    return erin


REFUSED: dict[str, tuple[Callable[[Erin], Any], tuple[str, str, int, str]]] = {
    "a scope that the token lacks": (
        lambda erin: erin.get("/users", scope=DEMOGRAPHICS),
        ("getAllUsers", "roster-demographics.readonly", 403, "The token lacks the scope"),
    ),
    "an id that is not shared": (
        lambda erin: erin.get("/users/nobody", scope=ROSTER),
        ("getUser", "roster.readonly", 404, "shares nothing with this app at this address"),
    ),
    "a filter that cannot be read": (
        lambda erin: erin.get("/users", scope=ROSTER, filter="shoeSize='40'"),
        ("getAllUsers", "roster.readonly", 400, "shoeSize"),
    ),
    "an unknown address": (
        lambda erin: erin.get("/everything", scope=ROSTER),
        ("an unknown address", "roster.readonly", 404, "shares nothing"),
    ),
    "another method": (
        lambda erin: Client().delete(
            f"{PREFIX}/users/x", headers={"authorization": f"Bearer {erin.token(ROSTER)}"}
        ),
        ("getUser", "roster.readonly", 405, "for reading"),
    ),
    "an agreement that does not hold": (
        lambda erin: moved_away(erin).get("/users", scope=ROSTER),
        ("getAllUsers", "roster.readonly", 403, "keeps data in US"),
    ),
    "a purpose that nobody enabled": (
        lambda erin: for_another_purpose(erin, "analytics").get("/users", scope=ROSTER),
        ("getAllUsers", "roster.readonly", 403, "Nobody has decided"),
    ),
    "a purpose that is never": (
        lambda erin: for_another_purpose(erin, "advertising").get("/users", scope=ROSTER),
        ("getAllUsers", "roster.readonly", 403, "never used for advertising or sold"),
    ),
}


@pytest.mark.commitment("CLEV-1.48", "CLEV-2.23", "CLEV-1.35", "CLEV-1.22")
@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_call_leaves_a_line_with_its_reason(erin: Erin, case: str) -> None:
    ask, (operation, scope, status, says) = REFUSED[case]
    assert ask(erin).status_code == status
    [(who, *said, because)] = calls(erin)
    assert (who, *said) == ("Erin's Sums", operation, scope, status)
    assert says in because


@pytest.mark.commitment("CLEV-1.48", "CLEV-1.72", "CLEV-1.38")
def test_a_call_that_fails_here_is_written_down_and_the_log_has_no_word_of_the_data(
    erin: Erin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("Ada Riverstone's row is wrong")

    monkeypatch.setattr("rollbook.sharing.api.oneroster.page", broken)
    answer = erin.get("/users", scope=ROSTER)
    assert answer.status_code == 500
    [(_, operation, _, status, because)] = calls(erin)
    assert (operation, status) == ("getAllUsers", 500)
    [line] = [
        r.getMessage() for r in caplog.records if r.levelname == "ERROR" and r.name.startswith("rollbook")
    ]
    assert "ValueError" in line and line.split()[1].rstrip(":") in because, (
        "the code joins answer, log and audit"
    )
    assert "Ada" not in caplog.text + answer.content.decode() + because


@pytest.mark.commitment("CLEV-1.48")
def test_a_sign_in_with_a_wrong_secret_is_written_down_for_the_app_it_names(erin: Erin) -> None:
    body = {"grant_type": "client_credentials", "client_id": erin.made.client_id, "client_secret": "wrong"}
    assert Client().post("/oauth/token", {**body, "scope": ROSTER}).status_code == 401
    assert Client().post("/oauth/token", {**body, "client_id": "nobody"}).status_code == 401
    stop(erin.made.app)
    assert (
        Client().post("/oauth/token", {**body, "client_secret": erin.made.client_secret}).status_code == 401
    )
    assert [(o, s, why) for _, o, _, s, why in calls(erin)] == [
        ("token", 401, "wrong secret"),
        ("token", 401, "Sharing with Erin's Sums was stopped."),
    ]


def test_a_stranger_without_an_app_leaves_no_line(erin: Erin) -> None:
    for header in ({}, {"authorization": "Bearer made-up"}, {"authorization": "Basic eDp5"}):
        assert Client().get(f"{PREFIX}/users", headers=header).status_code == 401
    assert calls(erin) == []


@pytest.mark.commitment("CLEV-1.48")
def test_an_app_that_is_refused_without_end_does_not_fill_the_audit(
    erin: Erin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "NOTED", 3)
    erin.token(ROSTER)
    with clock.at(clock.now().replace(second=5)):
        for _ in range(105):
            assert erin.get("/users/nobody", scope=ROSTER).status_code == 404
    with unguarded("a test reads the audit", tenant=erin.cast.tenant.id):
        times = [a.details.get("times", 1) for a in Audit.objects.filter(verb="app.refused").order_by("id")]
    assert times == [1, 1, 1, 100]


def test_the_record_of_a_refusal_that_cannot_be_written_changes_no_answer(
    erin: Erin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("rollbook.sharing.api.common.note_call", full)
    assert erin.get("/users/nobody").status_code == 404


def test_an_answered_page_costs_one_write_and_no_more_than_before(erin: Erin) -> None:
    erin.get("/users")
    with CaptureQueriesContext(connection) as asked:
        assert erin.get("/users").status_code == 200
    writes = [q["sql"] for q in asked if q["sql"].startswith("INSERT")]
    assert len(writes) == 1 and "policy_disclosure" in writes[0]
