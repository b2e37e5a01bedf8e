"""The door `/sharing/v1/duties`: what an app must delete, and its word that it has.

A bearer token opens it, or the client id and secret by Basic: an app that was stopped gets no token any more, and still
has to know what it must delete.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from rollbook.kernel import limits
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import row_id
from rollbook.sharing.actions.duties import Owing, confirm, note_reading
from rollbook.sharing.actions.renewal import digest
from rollbook.sharing.api.common import (
    JSON,
    OVER,
    WRONG_TRIES,
    Answer,
    NoBearer,
    address,
    of_token,
    origin,
    spend,
)
from rollbook.sharing.queries import Standing, Withheld, token_grant
from rollbook.sharing.queries.duties import CAUSES, app_by_id, app_by_secret, duties_for, duty_for, people_of
from rollbook.sharing.rules import seal, seal_short, unseal_short

PAGE = 1000
UNKNOWN = "There is no such duty."


@csrf_exempt
def duties(request: HttpRequest, number: str = "", part: str = "") -> HttpResponse:
    """The list, the people of one duty, and its confirmation."""
    headers: dict[str, str] = {}
    try:
        owing, headers = _signed_in(request)
        body, status = _answer(request, owing, number, part), 200
    except Answer as answer:
        body, status, headers = {"message": answer.message}, answer.status, {**headers, **answer.headers}
    except NoBearer as error:
        body, status, headers = {"message": error.says}, 429 if error.busy else 401, error.headers
    except Invalid as error:
        body, status = {"message": str(error), "field": error.field}, 422
    except NotFound:
        body, status = {"message": UNKNOWN}, 404
    response = HttpResponse(orjson.dumps(body), content_type=JSON, status=status)
    response["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response[name] = value
    return response


def _signed_in(request: HttpRequest) -> tuple[Owing, dict[str, str]]:
    kind = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[0].lower()
    app = _by_secret(request) if kind == "basic" else _by_token(request)
    key = bytes.fromhex(app.id_key)
    over, budget = spend(Standing(app.id, app.name, app.tenant_id, key, frozenset(), None))
    if over:
        raise Answer(429, OVER, budget)
    return Owing(app.tenant_id, app.id, app.name, key), budget


def _by_token(request: HttpRequest) -> Any:
    def find(token: str) -> tuple[int, int] | None:
        try:
            grant = token_grant(token)
        except Withheld as withheld:  # it gets nothing, and owes all the same
            return withheld.caller[:2] if withheld.caller else None
        return (grant.tenant_id, grant.app_id) if grant else None

    return app_by_id(*of_token(request, find))


def _by_secret(request: HttpRequest) -> Any:
    given = request.META["HTTP_AUTHORIZATION"].partition(" ")[2].strip()
    try:
        client, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        client = secret = ""
    keys = {f"token-client:{client}": WRONG_TRIES // 4, f"token-address:{address(request)}": WRONG_TRIES}
    for key, most in keys.items():
        use = limits.count(key, add=0)
        if use.count >= most:
            raise Answer(429, "Too many wrong tries. Wait a little.", {"Retry-After": str(use.seconds_left)})
    found = app_by_secret(unquote_plus(client), digest(unquote_plus(secret)))
    if found is None:
        for key in keys:
            limits.count(key)
        raise Answer(
            401,
            "There is no app with this client id and secret.",
            {"WWW-Authenticate": 'Basic realm="rollbook"'},
        )
    return found


def _answer(request: HttpRequest, owing: Owing, number: str, part: str) -> dict[str, Any]:
    method = "POST" if part == "confirm" else "GET"
    if request.method != method:
        raise Answer(405, f"Use {method} here.", {"Allow": method})
    base = f"{origin(request)}/sharing/v1/duties"
    if not number:
        return {"duties": [_shape(owing, duty, base) for duty in duties_for(owing.tenant_id, owing.app_id)]}
    found = unseal_short(owing.id_key, "duty", number)
    if found is None:
        raise NotFound(UNKNOWN)
    if part == "confirm":
        return _shape(owing, confirm(owing, found, _statement(request)), base)
    duty = duty_for(owing.tenant_id, owing.app_id, found)
    if not part:
        return _shape(owing, duty, base)
    start = row_id(request.GET.get("offset", "0"))
    ids = people_of(duty, start, PAGE)
    note_reading(owing, found)
    known = zip(seal(owing.id_key, "person", ids), seal_short(owing.id_key, "person", ids), strict=True)
    body: dict[str, Any] = {
        "count": duty.count,
        "people": [{"sourcedId": sourced, "cleverId": short} for sourced, short in known],
    }
    if start + PAGE < duty.count:
        body["next"] = f"{base}/{number}/people?offset={start + PAGE}"
    return body


def _statement(request: HttpRequest) -> str:
    try:
        body = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError:
        raise Answer(400, "The body is not JSON.") from None
    said = body.get("statement", "") if isinstance(body, dict) else ""
    return said if isinstance(said, str) else ""


def _shape(owing: Owing, duty: Any, base: str) -> dict[str, Any]:
    number = seal_short(owing.id_key, "duty", [duty.id])[0]
    return {
        "id": number, "cause": duty.cause, "because": CAUSES.get(duty.cause, duty.cause), "began": duty.began_on.isoformat(),
        "deleteBy": duty.due_on.isoformat(), "state": duty.state, "count": duty.count, "people": f"{base}/{number}/people",
        "confirmed": duty.confirmed_at.isoformat(timespec="seconds") if duty.confirmed_at else None,
        "statement": duty.statement or None,
    }  # fmt: skip


urlpatterns = [
    path("sharing/v1/duties", duties),
    path("sharing/v1/duties/<str:number>", duties),
    path("sharing/v1/duties/<str:number>/people", duties, {"part": "people"}),
    path("sharing/v1/duties/<str:number>/confirm", duties, {"part": "confirm"}),
]
