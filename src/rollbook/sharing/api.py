"""The doors for apps: the token endpoint, OneRoster 1.2 rostering, its service description.

Plain Django views that return bytes: measured on a page of 1,000 users, a framework that serialises each object
costs five times the CPU of tuples and orjson. Each answer that holds a person's data is written down, durably,
before its first byte leaves.
"""

from __future__ import annotations

import base64
import binascii
import logging
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

import orjson
from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from rollbook.kernel import limits
from rollbook.kernel.errors import Invalid, NotFound, Refused
from rollbook.policy import disclose
from rollbook.sharing.actions import issue_token
from rollbook.sharing.connectors.oneroster import faults
from rollbook.sharing.connectors.oneroster.document import DISCOVERY, PROPERTIES, document
from rollbook.sharing.connectors.oneroster.faults import Fault
from rollbook.sharing.connectors.oneroster.operations import PREFIX, SCOPES, Operation, find_operation
from rollbook.sharing.connectors.oneroster.parameters import Parameters, links, read_cursor, read_parameters
from rollbook.sharing.connectors.oneroster.shapes import Shaper
from rollbook.sharing.queries import Grant, Withheld, token_grant
from rollbook.sharing.queries.collections import Ask, Page, Plan, find, listing, page, plan

log = logging.getLogger(__name__)
SMALL = 2000  # bytes: a shorter answer is not compressed
STREAMED = 1000  # a page of more rows than this leaves in pieces
FAILURES = 60  # wrong tokens or secrets a minute, for each address; a quarter of it for each client id
JSON = "application/json"


def origin(request: HttpRequest) -> str:
    """The address of this site as the app should write it: ROLLBOOK_BASE_URL, or what the request was sent to."""
    return str(settings.ROLLBOOK_BASE_URL) or f"{request.scheme}://{request.get_host()}"


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


# ---- OAuth 2 client credentials (RFC 6749, sections 4.4 and 5).


class _TokenError(Exception):
    def __init__(self, code: str, description: str, status: int = 400, **headers: str) -> None:
        self.code, self.description, self.status, self.headers = code, description, status, headers


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """POST /oauth/token: an access token for a client id and secret, by Basic or in a form or JSON body."""
    try:
        body, status, headers = _token(request), 200, {}
    except _TokenError as error:
        body, status = {"error": error.code, "error_description": error.description}, error.status
        headers = {name.replace("_", "-"): value for name, value in error.headers.items()}
    response = HttpResponse(orjson.dumps(body), content_type=JSON, status=status)
    response["Cache-Control"], response["Pragma"] = "no-store", "no-cache"
    for name, value in headers.items():
        response[name] = value
    return response


def _token(request: HttpRequest) -> dict[str, Any]:
    if request.method != "POST":
        raise _TokenError("invalid_request", "A token is asked for with POST.", 405, Allow="POST")
    given = _token_body(request)
    client, secret, basic = _credentials(request, given)
    if given.get("grant_type") != "client_credentials":
        code = "unsupported_grant_type" if given.get("grant_type") else "invalid_request"
        raise _TokenError(code, "grant_type must be client_credentials.")
    asked = given.get("scope", "").split()
    unknown = [scope for scope in asked if scope not in SCOPES]
    if unknown:
        raise _TokenError("invalid_scope", "A scope is unknown. Scopes are " + " ".join(SCOPES))
    keys = {f"token-client:{client}": FAILURES // 4, f"token-address:{_address(request)}": FAILURES}
    for key, most in keys.items():
        use = limits.count(key, add=0)
        if use.count >= most:
            raise _TokenError(
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
        raise _TokenError(
            "invalid_client", "There is no app with this client id and secret.", 401, **challenge
        ) from error
    return {"access_token": made, "token_type": "Bearer", "expires_in": seconds, "scope": " ".join(scopes)}


def _token_body(request: HttpRequest) -> dict[str, str]:
    if request.content_type == JSON:
        try:
            data = orjson.loads(request.body or b"{}")
        except orjson.JSONDecodeError:
            raise _TokenError("invalid_request", "The body is not JSON.") from None
        if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
            raise _TokenError("invalid_request", "The body is not a JSON object of texts.")
        return data
    try:
        pairs = request.POST.lists()
    except (BadRequest, SuspiciousOperation):
        raise _TokenError("invalid_request", "The body cannot be read.") from None
    repeated = [name for name, values in pairs if len(values) > 1]
    if repeated:
        raise _TokenError("invalid_request", f"{repeated[0]} is given more than once.")
    return {name: values[0] for name, values in request.POST.lists() if values}


def _credentials(request: HttpRequest, given: Mapping[str, str]) -> tuple[str, str, bool]:
    """(client id, secret, whether by Basic)."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header:
        kind, _, value = header.partition(" ")
        try:
            client, found, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            client, found, secret = "", "", ""
        if kind.lower() != "basic" or not found:
            raise _TokenError(
                "invalid_client",
                "The Authorization header is not Basic.",
                401,
                WWW_Authenticate='Basic realm="rollbook"',
            )
        if "client_secret" in given:
            raise _TokenError("invalid_request", "Give the secret once: by Basic or in the body.")
        return unquote_plus(client), unquote_plus(secret), True
    if "client_id" not in given or "client_secret" not in given:
        raise _TokenError(
            "invalid_client",
            "client_id and client_secret are missing.",
            401,
            WWW_Authenticate='Basic realm="rollbook"',
        )
    return given["client_id"], given["client_secret"], False


# ---- OneRoster.


@csrf_exempt
def rostering(request: HttpRequest, rest: str = "") -> HttpResponse | StreamingHttpResponse:
    """Everything below the prefix of the rostering service: the operations, the service description, the errors."""
    try:
        return _rostering(request, rest)
    except Fault as fault:
        found = fault
    except Invalid as error:
        found = faults.from_invalid(error)
    except Withheld:
        found = faults.WITHHELD
    except Refused:
        found = Fault("forbidden", "The school shares none of this with this app.")
    except (SuspiciousOperation, BadRequest):
        found = Fault("invaliddata", "The request cannot be read.")
    except Exception:
        log.exception("OneRoster %s failed", request.path_info.split("/")[5:6])
        found = Fault(
            "internal_server_error", "Something went wrong here. Try again; if it stays so, tell the school."
        )
    response = HttpResponse(found.body, content_type=JSON, status=found.status)
    response["Cache-Control"] = "no-store"
    for name, value in found.headers.items():
        response[name] = value
    return response


def _rostering(request: HttpRequest, rest: str) -> HttpResponse | StreamingHttpResponse:
    found = find_operation(rest)
    described = rest in DISCOVERY
    if found is None and not described:
        raise faults.UNKNOWN
    if request.method not in ("GET", "HEAD"):
        raise Fault("invaliddata", "This service is for reading: use GET.", {"Allow": "GET, HEAD"}, 405)
    if found is None:
        return HttpResponse(document(origin(request)), content_type=JSON)
    operation, ids = found
    grant = _signed_in(request)
    use = limits.count(f"app:{grant.app_id}")
    rate = settings.ROLLBOOK_API_RATE
    budget = {
        "X-RateLimit-Limit": str(rate),
        "X-RateLimit-Remaining": str(max(0, rate - use.count)),
        "X-RateLimit-Reset": str(use.seconds_left),
    }
    if use.count > rate:
        raise Fault(
            "server_busy",
            "Too many requests in this minute. Wait, then go on.",
            {**budget, "Retry-After": str(use.seconds_left)},
        )
    if grant.scopes.isdisjoint(operation.scopes):
        needs = " or ".join(operation.scopes)
        challenge = f'Bearer realm="rollbook", error="insufficient_scope", scope="{operation.scopes[0]}"'
        raise Fault("forbidden", f"The token lacks the scope {needs}.", {"WWW-Authenticate": challenge})
    response = (
        _single(request, grant, operation, ids)
        if operation.single
        else _list(request, grant, operation, ids, rest)
    )
    response["Cache-Control"] = "no-store"
    for name, value in budget.items():
        response[name] = value
    return response


def _signed_in(request: HttpRequest) -> Grant:
    """What the bearer of the token gets. Raises Fault (401) or Withheld."""
    kind, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() != "bearer" or not given:
        raise Fault(
            "unauthorisedrequest",
            "The request carries no access token.",
            {"WWW-Authenticate": 'Bearer realm="rollbook"'},
        )
    grant = token_grant(given.strip())
    if grant is None:
        key = f"bearer-address:{_address(request)}"
        use = limits.count(key)
        if use.count > FAILURES * 10:
            raise Fault(
                "server_busy", "Too many wrong tokens in this minute.", {"Retry-After": str(use.seconds_left)}
            )
        challenge = 'Bearer realm="rollbook", error="invalid_token"'
        raise Fault(
            "unauthorisedrequest",
            "The access token is unknown or has ended.",
            {"WWW-Authenticate": challenge},
        )
    return grant


def _single(request: HttpRequest, grant: Grant, operation: Operation, ids: list[str]) -> HttpResponse:
    asked = _read(request, operation)
    made = plan(operation.collection, grant.fields, asked.fields)
    try:
        row = find(grant, Ask(operation.collection, operation.subset), ids[0])
    except NotFound:
        raise faults.UNKNOWN from None
    found = page(grant, made, [row])
    body = _shaper(grant, made, origin(request), asked.fields).single(found)
    if body is None:
        raise faults.UNKNOWN
    _write_down(grant, operation, made, found, ())
    return HttpResponse(body, content_type=JSON)


def _list(
    request: HttpRequest, grant: Grant, operation: Operation, ids: list[str], rest: str
) -> HttpResponse | StreamingHttpResponse:
    asked = _read(request, operation)
    parents: list[int] = []
    try:
        for parent, text in zip(operation.parents, ids, strict=True):
            stand = (
                Ask(parent.collection, parent.subset, parent.relation, tuple(parents))
                if parent.relation
                else parent
            )
            parents.append(find(grant, stand, text))
    except NotFound:
        raise faults.UNKNOWN from None
    under = tuple(parents if operation.relation == "enrollments of class" else parents[-1:])
    ask = Ask(
        operation.collection,
        operation.subset,
        operation.relation,
        under,
        asked.filter,
        asked.sort,
        asked.descending,
    )
    rows = listing(grant, ask)
    start = rows.after(*read_cursor(grant.app_id, rest, asked)) if asked.cursor else asked.offset
    shown = rows.ids[start : start + asked.limit]
    made = plan(operation.collection, grant.fields, asked.fields)
    found = page(grant, made, shown)
    base = origin(request)
    shaper = _shaper(grant, made, base, asked.fields)
    response: HttpResponse | StreamingHttpResponse
    if len(shown) > STREAMED:
        _write_down(grant, operation, made, found, parents)
        pieces = shaper.stream(found, STREAMED)
        packed = _packs(request)
        response = StreamingHttpResponse(_packed(pieces) if packed else pieces, content_type=JSON)
    else:
        body = shaper.whole(found)
        _write_down(grant, operation, made, found, parents)
        packed = len(body) > SMALL and _packs(request)
        response = HttpResponse(b"".join(_packed([body])) if packed else body, content_type=JSON)
    if packed:
        response["Content-Encoding"] = "gzip"
    response["Vary"] = "Accept-Encoding"
    response["X-Total-Count"] = str(len(rows.ids))
    response["Link"] = links(f"{base}{PREFIX}/{rest}", rest, grant.app_id, asked, rows, start, len(shown))
    return response


def _packs(request: HttpRequest) -> bool:
    return "gzip" in request.META.get("HTTP_ACCEPT_ENCODING", "")


def _packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces as gzip, level 1: a tenth of the size for a tenth more CPU; higher levels cost twice that for little."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def _read(request: HttpRequest, operation: Operation) -> Parameters:
    query = dict(request.GET.lists()) if request.META.get("QUERY_STRING") else {}
    return read_parameters(query, PROPERTIES[operation.collection], operation.single)


# What a list below a person, or of the people in a class, says about them beside their own columns.
_SAYS = {
    "classes of user": "roster_enrollment.class_id,roster_enrollment.person_id",
    "classes of student": "roster_enrollment.class_id,roster_enrollment.person_id,roster_enrollment.role",
    "classes of teacher": "roster_enrollment.class_id,roster_enrollment.person_id,roster_enrollment.role",
    "students of class": "roster_enrollment.class_id,roster_enrollment.role",
    "teachers of class": "roster_enrollment.class_id,roster_enrollment.role",
    "students of school": "roster_role.org_id,roster_role.role",
    "teachers of school": "roster_role.org_id,roster_role.role",
}


def _write_down(grant: Grant, operation: Operation, made: Plan, found: Page, parents: Any) -> None:
    """One row of the disclosure log, durable before the answer leaves; none where the answer is about nobody."""
    people = set(found.people)
    if operation.relation.startswith("classes of ") and operation.parents[-1].collection == "users":
        people.add(parents[-1])
    if people:
        columns = ",".join(
            sorted(filter(None, {*made.logged.split(","), *_SAYS.get(operation.relation, "").split(",")}))
        )
        disclose(grant.access, f"oneroster {operation.name}", columns, people, authorised_by=grant.rule_id)


_shapers: OrderedDict[tuple[Any, ...], Shaper] = OrderedDict()
_shapers_lock = threading.Lock()


def _shaper(grant: Grant, made: Plan, base: str, asked: frozenset[str] | None) -> Shaper:
    key = (
        grant.app_id,
        grant.rule_id,
        grant.agreement_id,
        grant.roster_version,
        grant.access.bundle.hash,
        made,
        base,
        asked,
    )
    with _shapers_lock:
        found = _shapers.get(key)
        if found is not None:
            _shapers.move_to_end(key)
            return found
    found = Shaper(grant, made, base, asked)
    with _shapers_lock:
        _shapers[key] = found
        while len(_shapers) > 200:
            _shapers.popitem(last=False)
    return found


urlpatterns = [
    path("oauth/token", token),
    re_path(rf"^{PREFIX[1:]}(?:/(?P<rest>[\s\S]*))?\Z", rostering),
]
