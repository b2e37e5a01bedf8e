"""OneRoster 1.2 rostering and its service description.

Plain Django views that return bytes: measured on a page of 1,000 users, a framework that serialises each object
costs five times the CPU of tuples and orjson. Each answer that holds a person's data is written down, durably,
before its first byte leaves.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from rollbook.kernel.errors import Invalid, NotFound, Refused
from rollbook.kernel.recent import Recent
from rollbook.policy import disclose
from rollbook.sharing.actions import Call, note_call
from rollbook.sharing.api.common import (
    JSON,
    OVER,
    SMALL,
    NoBearer,
    bearer,
    in_short,
    note_refusal,
    origin,
    packed_by,
    packs,
    spend,
)
from rollbook.sharing.connectors.oneroster import faults
from rollbook.sharing.connectors.oneroster.document import DISCOVERY, PROPERTIES, document
from rollbook.sharing.connectors.oneroster.faults import Fault
from rollbook.sharing.connectors.oneroster.operations import PREFIX, Operation, find_operation
from rollbook.sharing.connectors.oneroster.parameters import Parameters, links, read_cursor, read_parameters
from rollbook.sharing.connectors.oneroster.shapes import Shaper
from rollbook.sharing.queries import Grant, Withheld
from rollbook.sharing.queries.collections import Ask, Page, Plan, find, listing, page, plan

log = logging.getLogger(__name__)
STREAMED = 1000  # a page of more rows than this leaves in pieces


@csrf_exempt
def rostering(request: HttpRequest, rest: str = "") -> HttpResponse | StreamingHttpResponse:
    """Everything below the prefix of the rostering service: the operations, the service description, the errors."""
    because = ""
    try:
        return _rostering(request, rest)
    except Fault as fault:
        found = fault
    except Invalid as error:
        found = faults.from_invalid(error)
    except Withheld as withheld:
        found, because = faults.WITHHELD, withheld.reason
    except Refused as refused:
        found, because = Fault("forbidden", "The school shares none of this with this app."), str(refused)
    except (SuspiciousOperation, BadRequest):
        found = Fault("invaliddata", "The request cannot be read.")
    except Exception as error:
        code = secrets.token_hex(4)
        # The type, not the message: a message may hold a person's data.
        log.error("error %s: %s in OneRoster %s", code, type(error).__name__, _operation(rest))
        log.debug("error %s", code, exc_info=error)
        found = Fault(
            "internal_server_error",
            f"Something went wrong here. Try again; if it stays so, tell the school this code: {code}.",
        )
    note_refusal(request, _operation(rest), found.status, because or found.description)
    response = HttpResponse(found.body, content_type=JSON, status=found.status)
    response["Cache-Control"] = "no-store"
    for name, value in found.headers.items():
        response[name] = value
    return response


def _operation(rest: str) -> str:
    found = find_operation(rest)
    return found[0].name if found else "an unknown address"


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
    over, budget = spend(grant)
    if over:
        raise Fault("server_busy", OVER, budget)
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
    """What the bearer of the token gets. Raises Fault (401, 429) or Withheld."""
    try:
        return bearer(request)
    except NoBearer as error:
        code = "server_busy" if error.busy else "unauthorisedrequest"
        raise Fault(code, error.says, error.headers) from None


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
        packed = packs(request)
        response = StreamingHttpResponse(packed_by(pieces) if packed else pieces, content_type=JSON)
    else:
        body = shaper.whole(found)
        _write_down(grant, operation, made, found, parents)
        packed = len(body) > SMALL and packs(request)
        response = HttpResponse(b"".join(packed_by([body])) if packed else body, content_type=JSON)
    if packed:
        response["Content-Encoding"] = "gzip"
    response["Vary"] = "Accept-Encoding"
    response["X-Total-Count"] = str(len(rows.ids))
    response["Link"] = links(f"{base}{PREFIX}/{rest}", rest, grant.app_id, asked, rows, start, len(shown))
    return response


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
    """One row of the disclosure log, durable before the answer leaves; of the audit where it is about nobody."""
    scope = in_short(grant.scopes.intersection(operation.scopes))
    people = set(found.people)
    if operation.relation.startswith("classes of ") and operation.parents[-1].collection == "users":
        people.add(parents[-1])
    if people:
        columns = ",".join(
            sorted(filter(None, {*made.logged.split(","), *_SAYS.get(operation.relation, "").split(",")}))
        )
        door = f"oneroster {operation.name}"
        disclose(grant.access, door, columns, people, authorised_by=grant.rule_id, scope=scope)
    else:
        note_call(Call(grant.tenant_id, grant.app_id, grant.app_name, operation.name, scope), 200)


_shapers: Recent[Shaper] = Recent(200)


def _shaper(grant: Grant, made: Plan, base: str, asked: frozenset[str] | None) -> Shaper:
    return _shapers.get((*grant.version, made, base, asked), lambda: Shaper(grant, made, base, asked))


urlpatterns = [
    re_path(rf"^{PREFIX[1:]}(?:/(?P<rest>[\s\S]*))?\Z", rostering),
]
