"""Rollbook as the relying party of a school's own OpenID Connect provider: code flow with PKCE, all checked here."""

from __future__ import annotations

import secrets
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from rollbook.identity.connectors import Refused
from rollbook.identity.queries.idp import Idp
from rollbook.kernel import clock

SCOPE = "openid email profile"
SECONDS = 10  # to wait for the provider
SKEW = 60  # seconds that its clock may be off
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]


def begin(idp: Idp, back: str) -> tuple[str, dict[str, str]]:
    """Where to send the browser, and what it keeps until it comes back. Raises Refused."""
    kept = {
        "state": secrets.token_urlsafe(24),
        "nonce": secrets.token_urlsafe(24),
        "verifier": secrets.token_urlsafe(48),
    }
    with _client(idp, back) as client:
        url, _ = client.create_authorization_url(
            _about(idp)["authorization_endpoint"], state=kept["state"], nonce=kept["nonce"],
            code_verifier=kept["verifier"],
        )  # fmt: skip
    return str(url), kept


def finish(idp: Idp, back: str, kept: dict[str, str], said: dict[str, str]) -> dict[str, Any]:
    """The claims of whoever came back with `said`, checked. Raises Refused."""
    if not kept or not secrets.compare_digest(kept["state"], said.get("state", "")):
        raise Refused("state", "This sign-in was not begun in this browser, or is too old.")
    if "error" in said:
        raise Refused(said["error"][:60], "Your school’s sign-in said no.")
    if said.get("iss", idp.issuer) != idp.issuer:
        raise Refused("iss", "The answer is from another provider.")
    about = _about(idp)
    with _client(idp, back) as client:
        try:
            token = client.fetch_token(
                about["token_endpoint"], grant_type="authorization_code", code=said.get("code", ""),
                code_verifier=kept["verifier"], timeout=SECONDS,
            )  # fmt: skip
        except AuthlibBaseError as error:
            raise Refused(str(error.error), "Your school’s sign-in did not accept its own answer.") from None
        except (requests.RequestException, ValueError):
            raise Refused("unreachable", "Your school’s sign-in does not answer.") from None
        claims = _believed(idp, about, str(token.get("id_token", "")), kept["nonce"])
        if "email" not in claims and about.get("userinfo_endpoint"):
            more = _get(
                about["userinfo_endpoint"], {"Authorization": f"Bearer {token.get('access_token', '')}"}
            )
            if more.get("sub") != claims["sub"]:
                raise Refused("sub", "Your school’s sign-in spoke of two people.")
            claims = {**more, **claims}
    return claims


def _client(idp: Idp, back: str) -> OAuth2Session:
    return OAuth2Session(
        idp.client_id, idp.secret, scope=SCOPE, redirect_uri=back, code_challenge_method="S256"
    )


def _about(idp: Idp) -> dict[str, Any]:
    """The provider's own description. Raises Refused."""
    found = _get(f"{idp.issuer}/.well-known/openid-configuration")
    if found.get("issuer") != idp.issuer:
        raise Refused("issuer", "The provider calls itself by another name than the school gave us.")
    if not all(
        isinstance(found.get(k), str) for k in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    ):
        raise Refused("discovery", "The provider’s description cannot be read.")
    return found


def _get(url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    try:
        answer = requests.get(url, headers=headers, timeout=SECONDS, allow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError):
        raise Refused("unreachable", "Your school’s sign-in does not answer.") from None
    if not isinstance(found, dict):
        raise Refused("discovery", "Your school’s sign-in gave an answer that cannot be read.")
    return found


def _believed(idp: Idp, about: dict[str, Any], text: str, nonce: str) -> dict[str, Any]:
    """The claims of an ID token: signed by the provider, for us, now, for this very sign-in. Raises Refused."""
    try:
        keys = KeySet.import_key_set(_get(about["jwks_uri"]))  # type: ignore[arg-type]  # what it holds is checked
        claims = dict(jwt.decode(text, keys, algorithms=ALGORITHMS).claims)
    except (JoseError, ValueError, TypeError, KeyError):
        raise Refused("signature", "The answer is not signed by your school’s sign-in.") from None
    moment, aud = clock.now().timestamp(), claims.get("aud")
    heard = aud if isinstance(aud, list) else [aud]
    ends, began = claims.get("exp"), claims.get("iat")
    if claims.get("iss") != idp.issuer or idp.client_id not in heard:
        raise Refused("audience", "The answer was made by another, or for another.")
    if len(heard) > 1 and claims.get("azp") != idp.client_id:
        raise Refused("audience", "The answer was made for another.")
    if not isinstance(ends, int | float) or not isinstance(began, int | float):
        raise Refused("time", "The answer does not say how long it is good.")
    if ends < moment - SKEW or began > moment + SKEW:
        raise Refused("time", "The answer has ended, or a clock is wrong.")
    if claims.get("nonce") != nonce or not claims.get("sub"):
        raise Refused("nonce", "The answer belongs to another sign-in.")
    return claims
