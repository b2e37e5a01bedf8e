"""What the doors for apps have in common: who the bearer is, how often they may ask, how an answer is packed."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse

from rollbook.kernel import limits
from rollbook.kernel.http import origin as origin
from rollbook.sharing.actions import Call, note_call, short
from rollbook.sharing.queries import Grant, Standing, Withheld, token_grant

log = logging.getLogger(__name__)
JSON = "application/json"
SMALL = 2000  # bytes: a shorter answer is not compressed
WRONG_TRIES = 60  # wrong tokens or secrets a minute, for each address; a quarter of it for each client id
OVER = "Too many requests in this minute. Wait, then go on."


def address(request: HttpRequest) -> str:
    """Where the request comes from."""
    return str(request.META.get("REMOTE_ADDR", ""))


class NoBearer(Exception):
    """The request carries no token that lives. busy: this address tried too many that do not."""

    def __init__(self, says: str, headers: dict[str, str], busy: bool = False) -> None:
        self.says, self.headers, self.busy = says, headers, busy
        super().__init__(says)


def bearer(request: HttpRequest) -> Grant:
    """What the bearer of the token gets. Raises NoBearer or Withheld."""
    return of_token(request, token_grant)


Found = TypeVar("Found")


def of_token(request: HttpRequest, find: Callable[[str], Found | None]) -> Found:
    """What `find` knows of the token that the request carries. Raises NoBearer, and whatever `find` raises."""
    kind, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() != "bearer" or not given:
        raise NoBearer(
            "The request carries no access token.", {"WWW-Authenticate": 'Bearer realm="rollbook"'}
        )
    found = find(given.strip())
    if found is None:
        use = limits.count(f"bearer-address:{address(request)}")
        if use.count > WRONG_TRIES * 10:
            raise NoBearer(
                "Too many wrong tokens in this minute.", {"Retry-After": str(use.seconds_left)}, busy=True
            )
        challenge = 'Bearer realm="rollbook", error="invalid_token"'
        raise NoBearer("The access token is unknown or has ended.", {"WWW-Authenticate": challenge})
    return found


def spend(grant: Grant | Standing) -> tuple[bool, dict[str, str]]:
    """Count one request of the app: whether it is one too many in this minute, and the headers that say so."""
    use, rate = limits.count(f"app:{grant.app_id}"), settings.ROLLBOOK_API_RATE
    headers = {
        "X-RateLimit-Limit": str(rate),
        "X-RateLimit-Remaining": str(max(0, rate - use.count)),
        "X-RateLimit-Reset": str(use.seconds_left),
    }
    if use.count > rate:
        return True, {**headers, "Retry-After": str(use.seconds_left)}
    return False, headers


def in_short(scopes: Iterable[str]) -> str:
    """Scopes for the record: the last part of each."""
    return " ".join(map(short, sorted(scopes)))


def note_refusal(request: HttpRequest, operation: str, status: int, because: str) -> None:
    """Write down a call that was refused or failed, when its token says whose it is.

    Looks the token up again: that costs a refused call one query, and an answered one nothing.
    """
    kind, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() != "bearer" or not given:
        return
    try:
        try:
            grant = token_grant(given.strip())
            caller = grant and (grant.tenant_id, grant.app_id, grant.app_name, " ".join(grant.scopes))
        except Withheld as withheld:
            caller = withheld.caller
        if caller:
            tenant, app, name, scopes = caller
            note_call(Call(tenant, app, name, operation, in_short(scopes.split())), status, because)
    except Exception as error:  # the app hears what went wrong first; the record of it comes second
        log.error("a refused call could not be written down: %s", type(error).__name__)


def packs(request: HttpRequest) -> bool:
    """Whether the client unpacks gzip."""
    return "gzip" in request.META.get("HTTP_ACCEPT_ENCODING", "")


def packed_by(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces as gzip, level 1: a tenth of the size for a tenth more CPU; higher levels cost twice that for little."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


class TokenError(Exception):
    """A body or a client that cannot be read, as RFC 6749 names it."""

    def __init__(self, code: str, description: str, status: int = 400, **headers: str) -> None:
        self.code, self.description, self.status, self.headers = code, description, status, headers


def body_of(request: HttpRequest) -> dict[str, str]:
    """The parameters of a form or JSON body. Raises TokenError when it cannot be read."""
    if request.content_type == JSON:
        try:
            data = orjson.loads(request.body or b"{}")
        except orjson.JSONDecodeError:
            raise TokenError("invalid_request", "The body is not JSON.") from None
        if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
            raise TokenError("invalid_request", "The body is not a JSON object of texts.")
        return data
    try:
        pairs = request.POST.lists()
    except (BadRequest, SuspiciousOperation):
        raise TokenError("invalid_request", "The body cannot be read.") from None
    repeated = [name for name, values in pairs if len(values) > 1]
    if repeated:
        raise TokenError("invalid_request", f"{repeated[0]} is given more than once.")
    return {name: values[0] for name, values in request.POST.lists() if values}


def json_answer(request: HttpRequest, body: dict[str, Any]) -> HttpResponse:
    """An answer of JSON, packed where that helps."""
    text = orjson.dumps(body)
    packed = len(text) > SMALL and packs(request)
    response = HttpResponse(b"".join(packed_by([text])) if packed else text, content_type=JSON)
    if packed:
        response["Content-Encoding"] = "gzip"
    response["Vary"] = "Accept-Encoding"
    return response


class Answer(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.message, self.headers = status, message, headers or {}
        super().__init__(message)
