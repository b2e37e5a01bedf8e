"""Clever's API: data, in versions 2.0, 3.0 and 3.1. Reads under the grant that the OneRoster door reads under."""

from __future__ import annotations

import logging
import re
import secrets
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from rollbook.kernel.errors import Invalid, NotFound, Refused
from rollbook.policy import disclose
from rollbook.sharing.actions import Call, note_call
from rollbook.sharing.actions.feed import advance
from rollbook.sharing.api.common import (
    JSON,
    OVER,
    Answer,
    NoBearer,
    bearer,
    in_short,
    json_answer,
    note_refusal,
    spend,
)
from rollbook.sharing.connectors.clever.events import Log, cursor, event_ids, place_of
from rollbook.sharing.connectors.clever.operations import (
    BIRTH_SCOPES,
    DATA_SCOPES,
    LISTS,
    NONE,
    ROLES,
    VERSIONS,
    Operation,
    find_operation,
)
from rollbook.sharing.connectors.clever.parameters import NOTHING, Parameters, links, read_parameters
from rollbook.sharing.connectors.clever.plans import PEOPLE, plan_for
from rollbook.sharing.connectors.clever.shapes import iso, shaper_for
from rollbook.sharing.connectors.oneroster import faults
from rollbook.sharing.queries import Grant, Withheld
from rollbook.sharing.queries.collections import Ask, Listing, Page, find_short, listing, page, within
from rollbook.sharing.queries.district import district
from rollbook.sharing.rules import seal_short, unseal_short

log = logging.getLogger(__name__)
UNKNOWN, WITHHELD = faults.UNKNOWN.description, faults.WITHHELD.description
NO_ASSIGNMENTS = "Rollbook keeps no assignments; none can be made here."


@csrf_exempt
def data(request: HttpRequest, version: str, rest: str) -> HttpResponse:
    """Everything below /v2.0, /v3.0 and /v3.1: the operations and the errors."""
    because = ""
    try:
        return _data(request, version, rest)
    except Answer as answer:
        found = answer
    except NoBearer as error:
        found = Answer(429 if error.busy else 401, error.says, error.headers)
    except Invalid as error:
        found = Answer(400, f"{error.what} {error.mend}".strip())
    except Withheld as withheld:
        found, because = Answer(403, WITHHELD), withheld.reason
    except NotFound:
        found = Answer(404, UNKNOWN)
    except Refused as refused:
        found, because = Answer(403, "The school shares none of this with this app."), str(refused)
    except (SuspiciousOperation, BadRequest):
        found = Answer(400, "The request cannot be read.")
    except Exception as error:
        code = secrets.token_hex(4)
        # The type, not the message: a message may hold a person's data.
        log.error("error %s: %s in %s", code, type(error).__name__, _said(version, rest))
        log.debug("error %s", code, exc_info=error)
        found = Answer(
            500, f"Something went wrong here. Try again; if it stays so, tell the school this code: {code}."
        )
    note_refusal(request, _said(version, rest), found.status, because or found.message)
    response = HttpResponse(orjson.dumps({"message": found.message}), content_type=JSON, status=found.status)
    response["Cache-Control"] = "no-store"
    for name, value in found.headers.items():
        response[name] = value
    return response


def _said(version: str, rest: str) -> str:
    """The operation for the record: no id in it."""
    found = find_operation(version, rest)
    if rest.partition("/")[0] == "events":
        return f"clever {version} events"
    return f"clever {version} {found[0].name}" if found else f"clever {version}, another address"


def _data(request: HttpRequest, version: str, rest: str) -> HttpResponse:
    answer = _door(version, rest)
    if answer is None:
        raise Answer(404, UNKNOWN)
    grant, budget = _signed_in(request)
    response = answer(request, grant)
    response["Cache-Control"] = "no-store"
    for name, value in budget.items():
        response[name] = value
    return response


_Door = Callable[[HttpRequest, Grant], HttpResponse]


def _door(version: str, rest: str) -> _Door | None:
    """What answers this path, or None."""
    found = find_operation(version, rest)
    if found is not None:
        operation, id = found
        return lambda request, grant: _operation(request, grant, version, rest, operation, id)
    parts = rest.split("/")
    if parts[0] == "events" and len(parts) < 3 and all(parts):
        return lambda request, grant: _events(request, grant, version, parts[1] if len(parts) > 1 else "")
    if version == "v3.1" and all(parts):
        if len(parts) == 3 and parts[0] == "attendance" and parts[1] in ("schools", "sections"):
            return lambda request, grant: _no_attendance(request, grant, parts[1], parts[2])
        if parts[0] == "sections" and parts[2:3] == ["assignments"] and parts[4:5] in ([], ["submissions"]):
            return lambda request, grant: _no_assignment(request, grant, parts)
    return None


def _signed_in(request: HttpRequest) -> tuple[Grant, dict[str, str]]:
    """What the bearer's app gets here, and what is left of its budget."""
    grant = bearer(request)
    over, budget = spend(grant)
    if over:
        raise Answer(429, OVER, budget)
    if grant.scopes.isdisjoint(DATA_SCOPES):
        challenge = 'Bearer realm="rollbook", error="insufficient_scope"'
        raise Answer(403, "This token is not one for a district's data.", {"WWW-Authenticate": challenge})
    if grant.scopes.isdisjoint(BIRTH_SCOPES):
        grant = _without_birth(grant)
    return grant, budget


def _without_birth(grant: Grant) -> Grant:
    """The grant of a token that was not given the scope of demographics."""
    return replace(grant, fields=frozenset(f for f in grant.fields if not f.startswith("demographics.")))


def _only_get(request: HttpRequest) -> None:
    if request.method not in ("GET", "HEAD"):
        raise Answer(405, "This address is for reading: use GET.", {"Allow": "GET, HEAD"})


def _query(request: HttpRequest) -> Parameters:
    return read_parameters(dict(request.GET.lists()) if request.META.get("QUERY_STRING") else {})


def _operation(
    request: HttpRequest, grant: Grant, version: str, rest: str, operation: Operation, id: str
) -> HttpResponse:
    _only_get(request)
    door = f"clever {version} {operation.name}"
    if operation.parent == "resources":
        raise Answer(404, UNKNOWN)
    parent = find_short(grant, LISTS[operation.parent], id) if operation.parent else 0
    if operation.shape in NONE:
        own = "" if operation.parent else id
        answer = (
            _district(request, grant, own) if operation.shape == "districts" else _resources(request, own)
        )
        _write_down(grant, door)
        return answer
    assert operation.ask is not None
    if operation.named:
        return _named(request, grant, version, operation, parent, door)
    if operation.single:
        row = find_short(grant, operation.ask, id)
        return _one(request, grant, version, operation.shape, row, door, set())
    asked = _query(request)
    rows = listing(grant, _ask(operation, parent, asked))
    return _list(request, grant, version, rest, operation, asked, rows, parent, door)


def _ask(operation: Operation, parent: int, asked: Parameters) -> Ask:
    assert operation.ask is not None
    collection, subset = operation.ask.collection, operation.ask.subset
    if not operation.parent:
        return Ask(collection, ROLES[asked.role] if asked.role and operation.shape == "users" else subset)
    relation = operation.relation
    if operation.shape == "users" and asked.role:
        relation = operation.relation_for(asked.role)
        if relation == operation.relation:
            subset = ROLES[asked.role]
    if asked.primary and operation.primary:
        relation = operation.primary
        subset = ROLES[asked.role] if operation.shape == "users" and asked.role else subset
    return Ask(collection, subset, relation, (parent,))


def _list(
    request: HttpRequest, grant: Grant, version: str, rest: str, operation: Operation, asked: Parameters, rows: Listing,
    parent: int, door: str,
) -> HttpResponse:  # fmt: skip
    ids, shape = rows.here, operation.shape
    label = "person" if shape in PEOPLE else _LABEL[shape]
    start, stop = 0, asked.limit
    if asked.after:
        start = _place(grant, label, asked.after, rows, after=True)
        stop = start + asked.limit
    elif asked.before:
        stop = _place(grant, label, asked.before, rows, after=False)
        start = max(0, stop - asked.limit)
    shown = ids[start:stop]
    made = plan_for(shape, version, grant.fields)
    found = page(grant, made, shown)
    objects = shaper_for(grant, version).objects(shape, made, found, shown)
    first, last = seal_short(grant.id_key, label, [shown[0], shown[-1]]) if len(shown) else ("", "")
    more, earlier = start + len(shown) < len(ids), start > 0
    body: dict[str, Any] = {
        "data": [{"data": o} for o in objects],
        "links": links(f"/{version}/{rest}", asked, first, last, more, earlier),
    }
    if asked.count:
        body["count"] = len(ids)
    owner, says = _about(operation, parent)
    _write_down(grant, door, _people(grant, found) | owner, made.logged, says)
    return json_answer(request, body)


_LABEL = {"schools": "org", "sections": "class", "courses": "course", "terms": "session"}


def _place(grant: Grant, label: str, text: str, rows: Listing, after: bool) -> int:
    """The place after or before the object with this id, whether or not it is still in the list."""
    row = unseal_short(grant.id_key, label, text)
    if row is None:
        name = "starting_after" if after else "ending_before"
        raise Invalid(
            f"{name} is no id of an object in this list.", "Follow a link of the answer before.", name
        )
    return bisect_left(rows.here, row + 1 if after else row)


def _about(operation: Operation, parent: int) -> tuple[set[int], str]:
    """The person whose list this is, if it is one's, and the columns that the list itself speaks of."""
    return {parent} if operation.parent in PEOPLE else set(), _SAYS.get(
        operation.relation.rpartition(" of ")[0], ""
    )


_ENROLLED = "roster_enrollment.class_id,roster_enrollment.person_id,roster_enrollment.role"
_SAYS = {
    "classes": _ENROLLED, "students": _ENROLLED, "teachers": _ENROLLED, "users": _ENROLLED,
    "schools": "roster_role.org_id,roster_role.role",
    "children": "roster_guardianship.child_id,roster_guardianship.guardian_id",
    "guardians": "roster_guardianship.child_id,roster_guardianship.guardian_id",
}  # fmt: skip


def _one(
    request: HttpRequest, grant: Grant, version: str, shape: str, row: int, door: str, about: set[int]
) -> HttpResponse:
    made = plan_for(shape, version, grant.fields)
    found = page(grant, made, [row])
    objects = shaper_for(grant, version).objects(shape, made, found, [row])
    if not objects:
        raise Answer(404, UNKNOWN)
    _write_down(grant, door, _people(grant, found) | about, made.logged)
    return json_answer(request, {"data": objects[0]})


def _named(
    request: HttpRequest, grant: Grant, version: str, operation: Operation, parent: int, door: str
) -> HttpResponse:
    """The one object that the parent names: its course, its school, its teacher, its term."""
    assert operation.ask is not None
    made = plan_for(operation.parent, version, grant.fields)
    [*above] = shaper_for(grant, version).objects(
        operation.parent, made, page(grant, made, [parent]), [parent]
    )
    text = above[0].get(operation.named) if above else None
    if text is None:
        raise Answer(404, UNKNOWN)
    row = find_short(grant, operation.ask, text)
    about = {parent} if operation.parent in PEOPLE else set()
    return _one(request, grant, version, operation.shape, row, door, about)


def _district(request: HttpRequest, grant: Grant, id: str) -> HttpResponse:
    """The one district there is: the tenant of the grant. id: "" for the list or the district of another object."""
    found = district(grant)
    mine = seal_short(grant.id_key, "district", [grant.tenant_id])[0]
    made = {"id": mine, "name": found.name, "state": "running", "launch_date": found.since.date().isoformat()}
    if found.last_sync is not None:
        made["last_sync"] = iso(found.last_sync)
    listed = request.path.endswith("/districts")
    if listed:
        body: dict[str, Any] = {
            "data": [{"data": made}],
            "links": [{"rel": "self", "uri": request.get_full_path()}],
        }
        return json_answer(request, {**body, "count": 1} if _query(request).count else body)
    if id not in ("", mine):
        raise Answer(404, UNKNOWN)
    return json_answer(request, {"data": made})


def _resources(request: HttpRequest, id: str) -> HttpResponse:
    """There are no resources: an empty list, and nothing at any id."""
    if id:
        raise Answer(404, UNKNOWN)
    _query(request)
    return _empty(request)


def _empty(request: HttpRequest) -> HttpResponse:
    return json_answer(request, {"data": [], "links": [{"rel": "self", "uri": request.get_full_path()}]})


def _events(request: HttpRequest, grant: Grant, version: str, id: str) -> HttpResponse:
    """The app's own log, brought up to now: a page of it, or one event. Each is cut by what the app gets now."""
    _only_get(request)
    door = f"clever {version} events{'/*' if id else ''}"
    asked = NOTHING if id else _query(request)
    school = find_short(grant, LISTS["schools"], asked.school) if asked.school else None
    advance(grant)
    log_of = Log(grant, version, shaper_for(grant, version), asked.types, school)
    if id:
        place = place_of(grant.id_key, id)
        found = log_of.at(place) if place else None
        shown, more, earlier = [found] if found else [], False, False
    elif asked.before:
        back = list(
            islice(log_of.before(cursor(grant.id_key, asked.before, "ending_before")), asked.limit + 1)
        )
        shown, more, earlier = back[: asked.limit][::-1], True, len(back) > asked.limit
    else:
        start = cursor(grant.id_key, asked.after, "starting_after") if asked.after else None
        ahead = list(islice(log_of.after(start), asked.limit + 1))
        shown, more, earlier = ahead[: asked.limit], len(ahead) > asked.limit, start is not None
    made, people, columns = log_of.bodies(shown)
    if id and not made:
        raise Answer(404, UNKNOWN)
    _write_down(grant, door, people, *columns)
    if id:
        return json_answer(request, {"data": made[0]})
    ids = event_ids(grant.id_key, [shown[0], shown[-1]]) if shown else ["", ""]
    body = {
        "data": [{"data": event} for event in made],
        "links": links(f"/{version}/events", asked, ids[0], ids[1], more, earlier),
    }
    return json_answer(request, body)


def _no_attendance(request: HttpRequest, grant: Grant, word: str, id: str) -> HttpResponse:
    """Rollbook keeps no attendance: an empty list, for a school or section that the app reaches."""
    _only_get(request)
    find_short(grant, LISTS[word], id)
    _query(request)
    _write_down(grant, f"clever v3.1 attendance/{word}")
    return _empty(request)


def _no_assignment(request: HttpRequest, grant: Grant, parts: list[str]) -> HttpResponse:
    """Rollbook keeps no assignments: none is there, none can be made."""
    find_short(grant, LISTS["sections"], parts[1])
    allowed = ["POST"] if len(parts) == 3 else ["GET", "PATCH", "DELETE"]
    if request.method not in allowed:
        raise Answer(405, "This address has no such method.", {"Allow": ", ".join(allowed)})
    raise Answer(501, NO_ASSIGNMENTS) if len(parts) == 3 else Answer(404, UNKNOWN)


def _people(grant: Grant, found: Page) -> set[int]:
    """Whose data a page shows: those of its people whom the app reaches."""
    reached = shaper_for(grant, "v3.1").people
    return {person for person in found.people if within(reached, person)}


def _write_down(grant: Grant, door: str, people: Iterable[int] = (), *columns: str) -> None:
    """One row of the disclosure log, durable before the answer leaves; of the audit where it is about nobody."""
    scope = in_short(grant.scopes & DATA_SCOPES)
    if people:
        named = ",".join(sorted(set(",".join(columns).split(",")) - {""}))
        disclose(grant.access, door, named, people, authorised_by=grant.rule_id, scope=scope)
    else:
        note_call(Call(grant.tenant_id, grant.app_id, grant.app_name, door, scope), 200)


urlpatterns = [re_path(rf"^(?P<version>{'|'.join(map(re.escape, VERSIONS))})/(?P<rest>[\s\S]*)\Z", data)]
