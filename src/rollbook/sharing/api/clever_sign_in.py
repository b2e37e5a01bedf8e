"""Clever's sign-in: codes and tokens as its own clients ask for them, district tokens, `me`, `userinfo`, `tokeninfo`.

`/oauth/authorize` is the one of `api/oidc.py`. A person's token opens `me` and `userinfo` alone; a district's opens the
data that `api/clever.py` serves.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from rollbook.kernel import limits
from rollbook.kernel.errors import NotFound
from rollbook.policy import disclose
from rollbook.sharing.actions import sign_on
from rollbook.sharing.api.common import JSON, WRONG_TRIES, TokenError, address
from rollbook.sharing.api.oidc import token as standard_token
from rollbook.sharing.api.token import credentials
from rollbook.sharing.connectors.clever import person
from rollbook.sharing.connectors.clever.operations import DISTRICT
from rollbook.sharing.connectors.clever.shapes import iso
from rollbook.sharing.queries import Withheld, token_grant
from rollbook.sharing.queries.sign_on import Held, Seen, held, relying_by_id, seen
from rollbook.sharing.rules import seal_short

ME = ("v2.0", "v2.1", "v3.0", "v3.1")


def answer(data: Any, status: int = 200, **headers: str) -> HttpResponse:
    """JSON that nobody keeps."""
    response = HttpResponse(orjson.dumps(data), content_type=JSON, status=status)
    response["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response[name.replace("_", "-")] = value
    return response


@csrf_exempt
def tokens(request: HttpRequest) -> HttpResponse:
    """/oauth/tokens: POST turns a person's code into a token; GET gives the district's token, both by Basic."""
    if request.method == "POST":
        return standard_token(request)
    if request.method != "GET":
        return answer(
            {"error": "invalid_request", "error_description": "Use GET or POST."}, 405, Allow="GET, POST"
        )
    try:
        return _district(request)
    except TokenError as error:
        said = {"error": error.code, "error_description": error.description}
        return answer(said, error.status, **error.headers)


def _district(request: HttpRequest) -> HttpResponse:
    client, secret, _ = credentials(request, {})
    if request.GET.get("owner_type") != "district":
        raise TokenError("invalid_request", "owner_type must be district.")
    keys = {f"token-client:{client}": WRONG_TRIES // 4, f"token-address:{address(request)}": WRONG_TRIES}
    for key, most in keys.items():
        if (use := limits.count(key, add=0)).count >= most:
            raise TokenError(
                "invalid_client", "Too many wrong tries. Wait a little.", 429, Retry_After=str(use.seconds_left)
            )  # fmt: skip
    try:
        made = sign_on.district_token(client, secret, DISTRICT)
    except NotFound:
        for key in keys:
            limits.count(key)
        raise TokenError(
            "invalid_client", "There is no app with this client id and secret.", 401,
            WWW_Authenticate='Basic realm="rollbook"',
        ) from None  # fmt: skip
    mine = seal_short(made.id_key, "district", [made.tenant_id])[0]
    found = {
        "id": seal_short(made.id_key, "token", [made.app_id])[0], "created": iso(made.issued_at),
        "owner": {"type": "district", "id": mine}, "access_token": made.token, "scopes": list(person.OF_A_DISTRICT),
    }  # fmt: skip
    wanted = request.GET.get("district", mine)
    data = [found] if wanted == mine else []
    return answer({"data": data, "links": [{"rel": "self", "uri": request.get_full_path()}]})


# ---- Whose token it is.


class _No(Exception):
    """The token opens nothing here."""


def _person(request: HttpRequest, door: str) -> tuple[Held, Seen]:
    kind, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    key = held(given.strip(), "access") if kind.lower() == "bearer" and given else None
    if key is None or not key.alive:
        raise _No
    try:
        return key, seen(key.app_id, key.person)
    except Withheld as withheld:
        sign_on.refused(key.tenant_id, door, withheld.code, withheld.reason, relying_by_id(key.app_id))
        raise _No from None


def _refused() -> HttpResponse:
    challenge = 'Bearer realm="rollbook", error="invalid_token"'
    return answer(
        {"error": "invalid_token", "message": "The token is unknown or has ended."},
        401,
        WWW_Authenticate=challenge,
    )


@require_GET
def me(request: HttpRequest, version: str) -> HttpResponse:
    """Whose token this is: an id and a kind; names are at `userinfo` or in the data."""
    door = f"clever {version} me"
    try:
        key, found = _person(request, door)
    except _No:
        return _refused()
    columns = found.columns(["roles"] if version.startswith("v2") else [])
    disclose(
        found.grant.access, f"sign-in {door}", columns, [found.person],
        authorised_by=found.grant.rule_id, scope=key.scopes,
    )  # fmt: skip
    return answer(person.me(found, version))


@require_GET
def tokeninfo(request: HttpRequest) -> HttpResponse:
    """Which app a token was made for and what it opens; nothing about a person."""
    kind, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    given = given.strip() if kind.lower() == "bearer" else ""
    key = held(given, "access") if given else None
    if key is not None and key.alive:
        to = relying_by_id(key.app_id)
        return answer({"client_id": to.client_id, "scopes": list(person.OF_A_PERSON)}) if to else _refused()
    try:
        grant = token_grant(given) if given else None
    except Withheld:
        grant = None
    to = relying_by_id(grant.app_id) if grant else None
    return answer({"client_id": to.client_id, "scopes": list(person.OF_A_DISTRICT)}) if to else _refused()


urlpatterns = [
    path("oauth/tokens", tokens),
    path("oauth/tokeninfo", tokeninfo),
    re_path(rf"^(?P<version>{'|'.join(map(re.escape, ME))})/me\Z", me),
]
