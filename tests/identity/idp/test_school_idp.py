"""Signing in by the school's own identity provider: npm's oidc-provider, started by the test, and a forger."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from django.conf import settings
from django.test import Client
from joserfc import jwt
from joserfc.jwk import RSAKey

from rollbook.identity.actions import add_membership, create_account, set_idp
from rollbook.identity.connectors import oidc
from rollbook.identity.models import PersonAccount, SignInRules
from rollbook.identity.queries.idp import idp_of
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.policy import Audit, unguarded
from tests.cast import Cast
from tests.outside import npm

SECRET = "s" * 40


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class School:
    """A browser that goes through the provider's own pages."""

    site: str
    issuer: str

    def sign_in(self, name: str, where: str = "/me") -> httpx.Response:
        """Sign in over there as `name`; what Rollbook answers when the browser is back."""
        with httpx.Client(timeout=30) as browser:
            answer = browser.get(f"{self.site}/sign-in/with/sevenhills", params={"next": where})
            for _ in range(20):
                if answer.is_redirect:
                    url = urljoin(str(answer.url), answer.headers["location"])
                    if urlsplit(url).path.endswith("/back"):
                        self.jar = browser.cookies
                        return browser.get(url)
                    answer = browser.get(url)
                    continue
                form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
                assert form, answer.text
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                data = {"prompt": prompt[1] if prompt else "login", "login": name, "password": "x"}
                answer = browser.post(urljoin(str(answer.url), form[1]), data=data)
        raise AssertionError("the provider never sent the browser back")


@pytest.fixture
def school(cast: Cast, live_server: Any) -> Iterator[School]:
    folder, port = npm("oidc-provider@9.13.3"), free_port()
    script = Path(__file__).with_name("oidc_provider.mjs")
    (folder / script.name).write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    said = {"port": port, "secret": SECRET, "back": f"{live_server.url}/sign-in/with/sevenhills/back"}
    started = subprocess.Popen(
        ["node", script.name], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "SAID": json.dumps(said)},
    )  # fmt: skip
    try:
        assert started.stdout is not None
        for line in started.stdout:
            if line.strip() == "ready":
                break
        issuer = f"http://localhost:{port}"
        set_idp(cast.tenant, name="Sevenhills", issuer=issuer, client_id="rollbook", client_secret=SECRET)
        yield School(live_server.url, issuer)
    finally:
        started.kill()
        started.wait()
        if started.stdout is not None:
            started.stdout.close()


def refusals() -> list[str]:
    with unguarded("a test reads the audit"):
        return [
            str(r.details["error"]) for r in Audit.objects.filter(verb="identity.idp_refused").order_by("id")
        ]


def staff(cast: Cast, email: str = "ben@puddlebrook.example") -> Any:
    account = create_account(email, "Ben Thistlewick")
    add_membership(account, cast.tenant, "teacher", person_id=cast.ben.id)
    return account


def pupil(cast: Cast) -> None:
    with unguarded("a test lets a pupil sign in", tenant=cast.tenant.id):
        SignInRules.objects.create(tenant=cast.tenant, students=True)
        PersonAccount.objects.create(
            tenant=cast.tenant, person_id=cast.ada.id, kind="student", made_by="Hana", made_at=clock.now()
        )


@pytest.mark.slow
def test_staff_sign_in_by_the_schools_own_provider_and_land_where_they_wanted(
    school: School, cast: Cast
) -> None:
    staff(cast)
    answer = school.sign_in("ben", where="/classes")
    assert (answer.status_code, answer.headers["location"]) == (302, "/classes")
    key = answer.cookies[settings.SESSION_COOKIE_NAME]
    mine = httpx.get(f"{school.site}/me", headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={key}"})
    assert mine.status_code == 200 and "Ben Thistlewick" in mine.text
    with unguarded("a test reads the audit"):
        row = Audit.objects.filter(verb="identity.signed_in").latest("id")
    assert row.details["by"] == "idp"


@pytest.mark.slow
def test_a_pupil_whom_the_school_lets_sign_in_is_found_by_the_roster(school: School, cast: Cast) -> None:
    set_idp(
        cast.tenant,
        name="Sevenhills",
        issuer=school.issuer,
        client_id="rollbook",
        client_secret=SECRET,
        match="username",
    )
    assert school.sign_in("ada").status_code == 403, "no account is made of what a provider says"
    pupil(cast)
    assert school.sign_in("ada").status_code == 302
    assert refusals() == ["unknown_person"]


@pytest.mark.slow
def test_whoever_has_no_account_here_is_not_signed_in(school: School, cast: Cast) -> None:
    answer = school.sign_in("nobody")
    assert answer.status_code == 403 and settings.SESSION_COOKIE_NAME not in answer.cookies
    assert refusals() == ["unknown_person"]


@pytest.mark.slow
def test_an_account_of_two_schools_is_not_opened_by_the_provider_of_one(school: School, cast: Cast) -> None:
    account = staff(cast)
    add_membership(account, cast.other, "dpo")
    assert school.sign_in("ben").status_code == 403


@pytest.mark.slow
def test_a_wrong_secret_is_refused_by_the_standards_error(school: School, cast: Cast) -> None:
    staff(cast)
    set_idp(cast.tenant, name="S", issuer=school.issuer, client_id="rollbook", client_secret="wrong")
    assert school.sign_in("ben").status_code == 403
    assert refusals() == ["invalid_client"]


# ---- Without a provider: what comes back is forged, late, or meant for another.

KEY = RSAKey.generate_key(2048, {"kid": "k"}, private=True)
ISSUER = "https://idp.puddlebrook.example"


@pytest.fixture
def wired(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A provider that lives in this test: its description, its keys, and whatever ID token is put into `answer`."""
    set_idp(cast.tenant, name="S", issuer=ISSUER, client_id="rollbook", client_secret=SECRET)
    answer: dict[str, Any] = {}

    def get(url: str, headers: Any = None) -> dict[str, Any]:
        if url.endswith("/jwks"):
            return {"keys": [KEY.as_dict(private=False)]}
        made = {
            k: f"{ISSUER}/{v}"
            for k, v in (("authorization_endpoint", "a"), ("token_endpoint", "t"), ("jwks_uri", "jwks"))
        }
        return {"issuer": answer.get("calls itself", ISSUER), **made}

    monkeypatch.setattr(oidc, "_get", get)
    monkeypatch.setattr(oidc.OAuth2Session, "fetch_token", lambda *_, **__: {"id_token": answer["id_token"]})
    return answer


def come_back(wired: dict[str, Any], browser: Client, **changed: Any) -> Any:
    """Begin, and come back with an ID token in which something is changed."""
    begun = browser.get("/sign-in/with/sevenhills", HTTP_HOST="localhost")
    asked = {k: v[0] for k, v in parse_qs(urlsplit(begun["Location"]).query).items()}
    assert asked["code_challenge_method"] == "S256" and asked["redirect_uri"].endswith(
        "/sign-in/with/sevenhills/back"
    )
    moment, key = int(clock.now().timestamp()), changed.pop("key", KEY)
    state, iss = changed.pop("state", asked["state"]), changed.pop("answer_iss", ISSUER)
    claims = {
        "iss": ISSUER, "aud": "rollbook", "sub": "1", "email": "ben@puddlebrook.example", "iat": moment, "exp": moment + 60,
        "nonce": asked["nonce"], **changed,
    }  # fmt: skip
    wired["id_token"] = jwt.encode({"alg": "RS256", "kid": "k"}, claims, key)
    query = {"code": "c", "state": state, "iss": iss}
    return browser.get("/sign-in/with/sevenhills/back", query, HTTP_HOST="localhost")


def test_a_right_answer_signs_in_once(wired: Any, cast: Cast) -> None:
    staff(cast)
    browser = Client()
    assert come_back(wired, browser).status_code == 302
    again = browser.get("/sign-in/with/sevenhills/back", {"code": "c", "state": "x"}, HTTP_HOST="localhost")
    assert again.status_code == 403 and refusals() == ["state"]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"state": "another"}, "state"),
        ({"answer_iss": "https://evil.example"}, "iss"),
        ({"iss": "https://evil.example"}, "audience"),
        ({"aud": "another"}, "audience"),
        ({"aud": ["rollbook", "another"]}, "audience"),
        ({"nonce": "another"}, "nonce"),
        ({"exp": 1000}, "time"),
        ({"iat": 9999999999, "exp": 99999999999}, "time"),
        ({"key": RSAKey.generate_key(2048, {"kid": "k"})}, "signature"),
        ({"email_verified": False}, "unknown_person"),
    ],
)
def test_a_wrong_answer_signs_nobody_in(wired: Any, cast: Cast, changed: dict[str, Any], error: str) -> None:
    staff(cast)
    browser = Client()
    answer = come_back(wired, browser, **changed)
    assert answer.status_code == 403 and refusals() == [error]
    assert browser.get("/me").status_code == 302


def test_a_browser_that_began_nothing_is_not_signed_in(wired: Any, cast: Cast) -> None:
    answer = Client().get("/sign-in/with/sevenhills/back", {"code": "c", "state": "s"}, HTTP_HOST="localhost")
    assert answer.status_code == 403 and refusals() == ["state"]


def test_a_provider_that_calls_itself_otherwise_is_not_used(wired: Any, cast: Cast) -> None:
    wired["calls itself"] = "https://evil.example"
    assert Client().get("/sign-in/with/sevenhills", HTTP_HOST="localhost").status_code == 403
    assert refusals() == ["issuer"]


def test_its_word_for_two_factors_counts_where_the_school_says_so(wired: Any, cast: Cast) -> None:
    from rollbook.identity.models import Session

    staff(cast)
    for trusts, how in ((False, "idp"), (True, "idp+mfa")):
        set_idp(
            cast.tenant,
            name="S",
            issuer=ISSUER,
            client_id="rollbook",
            client_secret=SECRET,
            trusts_mfa=trusts,
        )
        assert come_back(wired, Client(), amr=["pwd", "mfa"]).status_code == 302
        with unguarded("a test looks at a sign-in"):
            assert Session.objects.latest("created_at").how == how


def test_the_secret_is_not_in_the_database_in_the_clear(wired: Any, cast: Cast) -> None:
    from rollbook.identity.models import SchoolIdp

    with unguarded("a test looks for a secret"):
        assert SECRET not in str(list(SchoolIdp.objects.values()))
    assert idp_of("sevenhills").secret == SECRET


def test_a_provider_without_https_is_refused(cast: Cast) -> None:
    with pytest.raises(Invalid, match="not a safe web address"):
        set_idp(cast.tenant, name="S", issuer="http://idp.example", client_id="a", client_secret="b")


def test_the_sign_in_page_offers_it(wired: Any, cast: Cast) -> None:
    page = Client().get("/sign-in", {"next": "/classes"}).content.decode()
    assert 'href="/sign-in/with/sevenhills?next=/classes"' in page


def test_a_school_without_one_has_no_such_page(cast: Cast) -> None:
    assert Client().get("/sign-in/with/otherside", HTTP_HOST="localhost").status_code == 404
