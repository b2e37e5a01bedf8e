"""Relying parties that others wrote complete the flow over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from rollbook.sharing.actions.sign_on import set_sign_on
from tests.outside import node, npm
from tests.sharing.sign_on.conftest import AFTER, BACK, Yard, cookie

SCRIPT = Path(__file__).with_name("openid_client.mjs")


def flow(yard: Yard, site: str, scope: str, secret: str | None) -> dict[str, Any]:
    return node(
        SCRIPT, npm("openid-client@6.8"), site=site, client_id=yard.made.client_id, secret=secret, scope=scope,
        redirect_uri=BACK, after=AFTER, cookie=cookie(yard.ben),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("public", [False, True], ids=["with a secret", "public"])
def test_openid_client_signs_somebody_in(yard: Yard, live_server: Any, public: bool) -> None:
    set_sign_on(yard.made.app, redirect_uris=[BACK], logout_uris=[AFTER], public=public)
    secret = None if public else yard.made.client_secret
    told = flow(yard, live_server.url, "openid profile email school", secret)
    assert told["userinfo"] == {
        "sub": told["claims"]["sub"], "name": "Ben Thistlewick", "given_name": "Ben", "family_name": "Thistlewick",
        "preferred_username": "ben.ben", "email": "ben@puddlebrook.example", "roles": ["teacher"], "identifier": "ID-ben",
    }  # fmt: skip
    assert set(told["claims"]) == {"iss", "aud", "sub", "iat", "exp", "auth_time", "amr", "nonce", "at_hash"}
    assert told["revoked"] == 401


@pytest.mark.slow
def test_openid_client_refreshes_and_a_stolen_refresh_token_ends_all(yard: Yard, live_server: Any) -> None:
    told = flow(yard, live_server.url, "openid email offline_access", yard.made.client_secret)
    assert (
        told["refreshed"]
        == told["userinfo"]
        == {"sub": told["claims"]["sub"], "email": "ben@puddlebrook.example"}
    )
    assert told["introspected"]["active"] is True and told["introspected"]["sub"] == told["claims"]["sub"]
    assert told["reused"] == "invalid_grant"
    assert told["after_reuse"] == 401
    answer = httpx.get(told["logout"], headers={"cookie": cookie(yard.ben)})
    assert (answer.status_code, answer.headers["location"]) == (302, f"{AFTER}?state=s1")
    assert yard.ben.get("/me").status_code == 302, "the browser is signed out here too"


def test_authlibs_client_signs_somebody_in(
    yard: Yard, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = httpx.get(f"{live_server.url}/.well-known/openid-configuration").json()
    app = OAuth2Session(
        yard.made.client_id, yard.made.client_secret, scope="openid email", redirect_uri=BACK,
        code_challenge_method="S256",
    )  # fmt: skip
    verifier = "w" * 60
    url, state = app.create_authorization_url(
        site["authorization_endpoint"], code_verifier=verifier, nonce="n2"
    )
    answer = httpx.get(url, headers={"cookie": cookie(yard.ben)})
    back = answer.headers["location"]
    assert parse_qs(urlsplit(back).query)["iss"] == [live_server.url]
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    token = app.fetch_token(
        site["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
    )
    keys = KeySet.import_key_set(httpx.get(site["jwks_uri"]).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (live_server.url, yard.made.client_id, "n2")
    assert app.get(site["userinfo_endpoint"]).json() == {
        "sub": claims["sub"],
        "email": "ben@puddlebrook.example",
    }
