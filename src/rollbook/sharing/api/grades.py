"""LTI assignment and grade services: line items of a class, scores that come in, results that the app may read back.

An app gets here what it made itself, in classes that its rule reaches, and only while the rule names results.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from rollbook import learning
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.learning import RESULT_COLUMNS, Older
from rollbook.policy import disclose
from rollbook.sharing.actions import Call, note_call
from rollbook.sharing.api.common import OVER, NoBearer, bearer, in_short, note_refusal, origin, spend
from rollbook.sharing.api.lti import answer
from rollbook.sharing.connectors import grades
from rollbook.sharing.queries import Grant, Withheld
from rollbook.sharing.queries.grades import item_code, item_named, item_row, link_named, pupil_named
from rollbook.sharing.queries.lti import Context, context_named
from rollbook.sharing.rules import seal

PAGE = 100
NOT_ALLOWED = "The school does not let this app send results."

Verb = Callable[..., HttpResponse]


class _Fault(Exception):
    """An answer that is an error: the status, the standard's word for it, and what to do."""

    def __init__(self, status: int, code: str, says: str, **headers: str) -> None:
        self.status, self.code, self.says, self.headers = status, code, says, headers


def service(operation: str, **verbs: tuple[tuple[str, ...], Verb]) -> Any:
    """A door of the service. verbs: method -> (scopes of which one is needed, what answers). Every refusal is noted."""

    @csrf_exempt
    @wraps(next(iter(verbs.values()))[1])
    def view(request: HttpRequest, code: str, *names: str, **named: str) -> HttpResponse:
        try:
            grant = bearer(request)
            over, budget = spend(grant)
            if over:
                raise _Fault(429, "server_busy", OVER, **budget)
            if request.method not in verbs:
                raise _Fault(405, "invalid_request", f"Use {' or '.join(verbs)}.", Allow=", ".join(verbs))
            wanted, act = verbs[request.method]
            if grant.scopes.isdisjoint(wanted):
                challenge = f'Bearer realm="rollbook", error="insufficient_scope", scope="{" ".join(wanted)}"'
                raise _Fault(
                    403, "insufficient_scope", "The token is for something else.", WWW_Authenticate=challenge
                )
            if not grant.takes_results:
                raise _Fault(403, "access_denied", NOT_ALLOWED)
            return act(request, grant, context_named(grant, code), **named)
        except NoBearer as error:
            return answer({"error": "invalid_token", "error_description": error.says}, 401, **error.headers)
        except Withheld:
            fault = _Fault(403, "access_denied", "The school shares nothing with this app.")
        except NotFound as error:
            fault = _Fault(404, "not_found", str(error))
        except Invalid as error:
            fault = _Fault(400, "invalid_request", str(error))
        except Older as error:
            fault = _Fault(409, "conflict", str(error))
        except _Fault as found:
            fault = found
        note_refusal(request, operation, fault.status, fault.says)
        said = {"error": fault.code, "error_description": fault.says}
        return answer(said, fault.status, **fault.headers)

    return view


def _where(request: HttpRequest, here: Context) -> str:
    return f"{origin(request)}/lti/contexts/{here.id}/lineitems"


def _body(request: HttpRequest, kind: str) -> dict[str, Any]:
    if request.content_type not in (kind, "application/json"):
        raise _Fault(415, "invalid_request", f"Send the body as {kind}.")
    return grades.read_object(request.body)


def _limit(request: HttpRequest) -> int:
    text = request.GET.get("limit", "")
    if not text:
        return PAGE
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise Invalid("limit is not a number above 0.", "Send such as limit=50.", "limit")
    return min(int(text), PAGE)


def _further(where: str, **kept: str | int) -> dict[str, Any]:
    """The header that leads to the next page."""
    return {"Link": f'<{where}?{urlencode({k: v for k, v in kept.items() if v})}>; rel="next"'}


# ---- Line items.

_FILTERS = {"resource_link_id": "resource_link", "resource_id": "resource_id", "tag": "tag"}


def _items(request: HttpRequest, grant: Grant, here: Context) -> HttpResponse:
    """The app's line items in the class, page by page."""
    limit, asked = _limit(request), {k: request.GET[k] for k in _FILTERS if request.GET.get(k)}
    after = item_row(grant, request.GET["after"]) if request.GET.get("after") else 0
    words: dict[str, Any] = {_FILTERS[name]: text.replace("\0", "") for name, text in asked.items()}
    found = learning.line_items(grant.access, here.row, limit + 1, after=after, **words)
    shown, where = found[:limit], _where(request, here)
    body = [grades.item(f"{where}/{item_code(grant, row.id)}", row) for row in shown]
    _note(grant, "lti line items", grades.ITEM, grades.ITEM_READ)
    more = (
        _further(where, **asked, limit=limit, after=item_code(grant, shown[-1].id))
        if len(found) > limit
        else {}
    )
    return answer(body, kind=grades.ITEMS, **more)


def _add(request: HttpRequest, grant: Grant, here: Context) -> HttpResponse:
    """A new line item of the app in the class."""
    said = grades.read_item(_body(request, grades.ONE_ITEM))
    link_named(grant, here, said.resource_link)
    row = learning.add_line_item(grant.access.actor, grant.tenant_id, here.row, said)
    url = f"{_where(request, here)}/{item_code(grant, row.id)}"
    return answer(grades.item(url, row), 201, kind=grades.ONE_ITEM, Location=url)


def _item(request: HttpRequest, grant: Grant, here: Context, item: str) -> HttpResponse:
    row = item_named(grant, here, item)
    _note(grant, "lti line item", grades.ITEM, grades.ITEM_READ)
    return answer(grades.item(f"{_where(request, here)}/{item}", row), kind=grades.ONE_ITEM)


def _change(request: HttpRequest, grant: Grant, here: Context, item: str) -> HttpResponse:
    """What the app says anew of its line item; the link that opens the work stays."""
    row = item_named(grant, here, item)
    said = grades.read_item(_body(request, grades.ONE_ITEM))
    if said.resource_link and said.resource_link != row.resource_link:
        raise Invalid(
            "resourceLinkId cannot be changed.", "Make a line item for the other link.", "resourceLinkId"
        )
    row = learning.change_line_item(grant.access.actor, grant.tenant_id, row.id, said)
    return answer(grades.item(f"{_where(request, here)}/{item}", row), kind=grades.ONE_ITEM)


def _remove(request: HttpRequest, grant: Grant, here: Context, item: str) -> HttpResponse:
    row = item_named(grant, here, item)
    learning.remove_line_item(grant.access.actor, grant.tenant_id, row.id)
    return HttpResponse(status=204)


# ---- Scores and results.


def _score(request: HttpRequest, grant: Grant, here: Context, item: str) -> HttpResponse:
    """A pupil's score comes in."""
    row = item_named(grant, here, item)
    who, said = grades.read_score(_body(request, grades.ONE_SCORE), clock.now())
    person = pupil_named(grant, here, who)
    if person is None:
        raise NotFound("There is no such pupil in this class.")
    learning.take_score(grant.access.actor, grant.tenant_id, row.id, person, said)
    return HttpResponse(status=204)


def _results(request: HttpRequest, grant: Grant, here: Context, item: str) -> HttpResponse:
    """The results that the app sent for its line item, page by page. Each answer is in the disclosure log."""
    row, limit, asked = item_named(grant, here, item), _limit(request), request.GET.get("user_id", "")
    person = (pupil_named(grant, here, asked) or 0) if asked else None
    after = item_row(grant, request.GET["after"]) if request.GET.get("after") else 0
    found = learning.results(grant.access, row.id, limit + 1, person=person, after=after)
    shown, where = found[:limit], f"{_where(request, here)}/{item}"
    body = [
        grades.result(f"{where}/results?user_id={sub}", where, sub, r, row.result_value_max)
        for r, sub in zip(shown, seal(grant.id_key, "person", [r.person_id for r in shown]), strict=True)
    ]
    if shown:
        columns: list[tuple[Any, str]] = [(apps.get_model("roster", "Person"), "id"), *RESULT_COLUMNS]
        disclose(
            grant.access, "lti results", columns, [r.person_id for r in shown], authorised_by=grant.rule_id,
            scope=in_short(grant.scopes.intersection([grades.RESULT_READ])),
        )  # fmt: skip
    else:
        _note(grant, "lti results", grades.RESULT_READ)
    more = (
        _further(f"{where}/results", limit=limit, after=item_code(grant, shown[-1].id))
        if len(found) > limit
        else {}
    )
    return answer(body, kind=grades.RESULTS, **more)


def _note(grant: Grant, operation: str, *scopes: str) -> None:
    """Write down an answer that held nobody's data."""
    scope = in_short(grant.scopes.intersection(scopes))
    note_call(Call(grant.tenant_id, grant.app_id, grant.app_name, operation, scope), 200)


_READ, _WRITE = (grades.ITEM, grades.ITEM_READ), (grades.ITEM,)
_BASE = "lti/contexts/<str:code>/lineitems"
urlpatterns = [
    path(_BASE, service("lti line items", GET=(_READ, _items), POST=(_WRITE, _add))),
    path(
        f"{_BASE}/<str:item>",
        service("lti line item", GET=(_READ, _item), PUT=(_WRITE, _change), DELETE=(_WRITE, _remove)),
    ),
    path(f"{_BASE}/<str:item>/scores", service("lti scores", POST=((grades.SCORE,), _score))),
    path(f"{_BASE}/<str:item>/results", service("lti results", GET=((grades.RESULT_READ,), _results))),
]
