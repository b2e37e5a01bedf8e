"""A sign-in at Rollbook that is ended takes with it what apps got from it: codes, access and refresh tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from rollbook.identity.actions import SessionStore, begin, close_account, end_membership, set_password, stop
from rollbook.identity.actions.people import close_person
from rollbook.identity.queries import account_by_email, staff_of, who_is
from rollbook.kernel import clock
from rollbook.policy import Actor, Audit, unguarded
from rollbook.sharing import share
from tests.sharing.sign_on.conftest import Yard, back_of
from tests.staff import desk, let_in, pupil

KEPT = "openid profile offline_access"
BY = Actor("staff", "administrator", 1, "Hana Larkspur")


def works(yard: Yard, tokens: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the access token opens anything, and whether the refresh token makes another."""
    opens = yard.userinfo(tokens["access_token"]).status_code == 200
    return opens, yard.refresh(tokens["refresh_token"]).status_code == 200


def ben(yard: Yard) -> Any:
    found = account_by_email("ben.teacher@sevenhills.example")
    assert found is not None
    return found


def role_of(yard: Yard) -> int:
    return next(c.id for c in staff_of(yard.cast.tenant.id) if c.account_id == ben(yard).id)


ENDS: dict[str, Callable[[Yard], Any]] = {
    "signed out": lambda yard: yard.ben.post("/sign-out"),
    "everywhere": lambda yard: yard.ben.post("/me", {"do": "everywhere"}),
    "password set anew": lambda yard: set_password(ben(yard), "chalk ledger margin"),
    "account closed": lambda yard: close_account(ben(yard), None),
    "role ended": lambda yard: end_membership(yard.cast.tenant, role_of(yard), None),
}


@pytest.mark.parametrize("end", list(ENDS.values()), ids=list(ENDS))
def test_ending_a_sign_in_ends_what_an_app_got_from_it(yard: Yard, end: Callable[[Yard], Any]) -> None:
    tokens, code = yard.tokens(scope=KEPT), yard.code(scope=KEPT)
    end(yard)
    assert works(yard, tokens) == (False, False)
    assert yard.swap(code).status_code == 400, "a code that was not yet used"
    with unguarded("a test reads the audit"):
        row = Audit.objects.filter(verb="sign_on.ended").latest("id")
    assert row.details == {"because": "the sign-in at Rollbook ended", "count": 2}


def test_another_browser_and_another_person_keep_theirs(yard: Yard) -> None:
    mine = yard.tokens(scope=KEPT)
    dov = desk(yard.cast.tenant, "teacher", "Dov Marigold", person_id=yard.cast.dov.id)
    his = yard.swap(back_of(yard.ask(dov, scope=KEPT))["code"]).json()
    yard.ben.post("/sign-out")
    assert works(yard, mine) == (False, False) and works(yard, his) == (True, True)


def test_everywhere_ends_what_came_of_a_sign_in_that_had_run_out_by_itself(yard: Yard) -> None:
    tokens = yard.tokens(scope=KEPT)
    with clock.at(clock.now() + timedelta(hours=2)):
        fresh = desk_again(yard)
        anew = yard.refresh(tokens["refresh_token"])
        assert anew.status_code == 200, "it ran out by itself: nobody ended what came of it"
        fresh.post("/me", {"do": "everywhere"})
        assert works(yard, anew.json()) == (False, False)


def desk_again(yard: Yard) -> Client:
    """Ben signed in anew, in another browser."""
    who = who_is(ben(yard).id, 0)
    assert who is not None
    session = SessionStore()
    begin(session, who, "the tests", "passkey")
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return client


@pytest.mark.parametrize("how", ["badge stopped", "account closed", "badges switched off", "not me"])
def test_a_pupils_sign_in_at_an_app_ends_with_the_badge_that_opened_it(yard: Yard, how: str) -> None:
    cast = yard.cast
    let_in(cast.tenant)
    share(yard.made.app, {"people": "all", "fields": "all"})
    ada = pupil(cast.tenant, cast.ada.id)
    tokens = yard.swap(back_of(yard.ask(ada))["code"]).json()
    assert yard.userinfo(tokens["access_token"]).status_code == 200
    match how:
        case "badge stopped":
            stop(cast.tenant, [cast.ada.id], BY)
        case "account closed":
            close_person(cast.tenant.id, cast.ada.id, BY)
        case "badges switched off":
            let_in(cast.tenant, badges=False)
        case _:
            ada.post("/sign-out")
    assert yard.userinfo(tokens["access_token"]).status_code == 401
