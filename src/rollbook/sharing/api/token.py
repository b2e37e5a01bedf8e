"""POST /oauth/token: OAuth 2 client credentials (RFC 6749, sections 4.4 and 5)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from rollbook.kernel import limits
from rollbook.kernel.errors import NotFound
from rollbook.sharing.actions import issue_token
from rollbook.sharing.api.common import JSON, WRONG_TRIES, TokenError, address, body_of
from rollbook.sharing.api.oidc import FOR_A_PERSON
from rollbook.sharing.api.oidc import token as for_a_person
from rollbook.sharing.connectors.oneroster.operations import SCOPES


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """POST /oauth/token: an access token for a client id and secret, by Basic or in a form or JSON body.

    For a person's code or refresh token it is the OpenID Connect provider that answers.
    """
    if request.method == "POST" and request.POST.get("grant_type") in FOR_A_PERSON:
        return for_a_person(request)
    try:
        body, status, headers = _token(request), 200, {}
    except TokenError as error:
        body, status = {"error": error.code, "error_description": error.description}, error.status
        headers = {name.replace("_", "-"): value for name, value in error.headers.items()}
    response = HttpResponse(orjson.dumps(body), content_type=JSON, status=status)
    response["Cache-Control"], response["Pragma"] = "no-store", "no-cache"
    for name, value in headers.items():
        response[name] = value
    return response


def _token(request: HttpRequest) -> dict[str, Any]:
    if request.method != "POST":
        raise TokenError("invalid_request", "A token is asked for with POST.", 405, Allow="POST")
    given = body_of(request)
    client, secret, basic = credentials(request, given)
    if given.get("grant_type") != "client_credentials":
        code = "unsupported_grant_type" if given.get("grant_type") else "invalid_request"
        raise TokenError(code, "grant_type must be client_credentials.")
    asked = given.get("scope", "").split()
    unknown = [scope for scope in asked if scope not in SCOPES]
    if unknown:
        raise TokenError("invalid_scope", "A scope is unknown. Scopes are " + " ".join(SCOPES))
    keys = {f"token-client:{client}": WRONG_TRIES // 4, f"token-address:{address(request)}": WRONG_TRIES}
    for key, most in keys.items():
        use = limits.count(key, add=0)
        if use.count >= most:
            raise TokenError(
                "invalid_client",
                "Too many wrong tries. Wait a little.",
                429,
                Retry_After=str(use.seconds_left),
            )
    scopes = asked or list(SCOPES)
    try:
        made, seconds = issue_token(client, secret, scopes)
    except NotFound as error:
        for key in keys:
            limits.count(key)
        challenge = {"WWW_Authenticate": 'Basic realm="rollbook"'} if basic else {}
        raise TokenError(
            "invalid_client", "There is no app with this client id and secret.", 401, **challenge
        ) from error
    return {"access_token": made, "token_type": "Bearer", "expires_in": seconds, "scope": " ".join(scopes)}


def credentials(request: HttpRequest, given: Mapping[str, str]) -> tuple[str, str, bool]:
    """(client id, secret, whether by Basic)."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header:
        kind, _, value = header.partition(" ")
        try:
            client, found, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            client, found, secret = "", "", ""
        if kind.lower() != "basic" or not found:
            raise TokenError(
                "invalid_client",
                "The Authorization header is not Basic.",
                401,
                WWW_Authenticate='Basic realm="rollbook"',
            )
        if "client_secret" in given:
            raise TokenError("invalid_request", "Give the secret once: by Basic or in the body.")
        return unquote_plus(client), unquote_plus(secret), True
    if "client_id" not in given or "client_secret" not in given:
        raise TokenError(
            "invalid_client",
            "client_id and client_secret are missing.",
            401,
            WWW_Authenticate='Basic realm="rollbook"',
        )
    return given["client_id"], given["client_secret"], False


urlpatterns = [path("oauth/token", token)]
