"""An app that people sign in to: Numberyard on the cast, with Ben at a browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.conf import settings
from django.test import Client

from rollbook.identity.actions import SessionStore, begin
from rollbook.identity.models import PersonAccount, SignInRules
from rollbook.identity.queries import person_is
from rollbook.kernel import clock, limits
from rollbook.policy import Audit, Disclosure, unguarded
from rollbook.sharing import share
from rollbook.sharing.actions import NewApp
from rollbook.sharing.actions.sign_on import set_sign_on
from tests.cast import Cast
from tests.sharing.conftest import numberyard as numberyard
from tests.staff import desk

BACK, AFTER = "https://numberyard.example/back", "https://numberyard.example/bye"
VERIFIER = "v" * 50


@dataclass
class Yard:
    """Numberyard as its maker uses it, without a library, so that every mistake can be made."""

    cast: Cast
    made: NewApp
    ben: Client = field(default_factory=Client)

    def ask(self, browser: Client | None = None, **changed: Any) -> Any:
        """GET /oauth/authorize; a value of None leaves a parameter out."""
        asked = {
            "response_type": "code", "client_id": self.made.client_id, "redirect_uri": BACK, "state": "s1", "nonce": "n1",
            "scope": "openid profile email school", "code_challenge": create_s256_code_challenge(VERIFIER),
            "code_challenge_method": "S256", **changed,
        }  # fmt: skip
        query = {k: v for k, v in asked.items() if v is not None}
        return (browser or self.ben).get("/oauth/authorize", query, HTTP_HOST="localhost")

    def code(self, **changed: Any) -> str:
        return back_of(self.ask(**changed))["code"]

    def swap(self, code: str | None, secret: str | None = "", **changed: Any) -> Any:
        """POST /oauth/token for a code."""
        body = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER,
            "client_id": self.made.client_id, "client_secret": self.made.client_secret if secret == "" else secret,
            **changed,
        }  # fmt: skip
        body = {k: v for k, v in body.items() if v is not None}
        return Client().post("/oauth/token", body, HTTP_HOST="localhost")

    def tokens(self, **changed: Any) -> dict[str, Any]:
        answer = self.swap(self.code(**changed))
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    def refresh(self, token: str) -> Any:
        return self.swap(None, grant_type="refresh_token", refresh_token=token, redirect_uri=None)

    def userinfo(self, token: str) -> Any:
        return Client().get("/userinfo", headers={"authorization": f"Bearer {token}"}, HTTP_HOST="localhost")


def back_of(answer: Any) -> dict[str, str]:
    """What a redirect to the app carries."""
    assert answer.status_code == 302, answer.content
    parts = urlsplit(answer["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == BACK
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


def refusals() -> list[tuple[str, str]]:
    """(door, error) of what was refused, as the audit has it."""
    with unguarded("a test reads the audit"):
        rows = Audit.objects.filter(verb="sign_on.refused").order_by("id")
        return [(r.details["door"], r.details["error"]) for r in rows]


def disclosures() -> list[Any]:
    with unguarded("a test reads the log"):
        return list(Disclosure.objects.filter(door__startswith="sign-in").order_by("id"))


@pytest.fixture
def yard(
    numberyard: NewApp, cast: Cast, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> Yard:
    """The app, with everything shared that may be, and Ben signed in."""
    settings.ROLLBOOK_DATA_DIR = tmp_path
    monkeypatch.setattr(limits, "_counter", None)
    share(numberyard.app, {"people": "all", "fields": "all"})
    set_sign_on(
        numberyard.app,
        redirect_uris=[BACK],
        logout_uris=[AFTER],
        launch_url="https://numberyard.example/start",
    )
    return Yard(cast, numberyard, desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id))


@pytest.fixture
def narrowed(yard: Yard) -> Callable[..., None]:
    def under(people: Any = "all", fields: Any = "all") -> None:
        share(yard.made.app, {"people": people, "fields": fields})

    return under


def cookie(browser: Client) -> str:
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={browser.cookies[name].value}"


def signed_in_pupil(tenant: Any, person: Any) -> Client:
    """A browser in which a pupil signed in with a picture code."""
    with unguarded("a test lets a pupil sign in", tenant=tenant.id):
        SignInRules.objects.update_or_create(tenant=tenant, defaults={"students": True, "badges": True})
        account = PersonAccount.objects.create(
            tenant=tenant, person_id=person.id, kind="student", made_by="Hana", made_at=clock.now()
        )
    who = person_is(account.id, None)
    assert who is not None
    session = SessionStore()
    begin(session, who, "the tests", "picture")
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return browser
