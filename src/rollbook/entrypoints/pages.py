"""The home page of each role, and the audit: a sentence for each thing that was done, shown or sent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date
from itertools import groupby, islice
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from rollbook.entrypoints import queries
from rollbook.entrypoints.inventory import inventory as inventory_of
from rollbook.identity import signed_in
from rollbook.kernel.errors import Invalid
from rollbook.kernel.http import row_id
from rollbook.policy import audit as write_audit
from rollbook.policy import disclose
from rollbook.roster import people_called, recent_syncs
from rollbook.sharing import app_lines, apps_owing

RECENT = 8
ROWS = 200  # of a download, between two writes
HEAD = ("time", "kind", "who", "what", "people", "details", "purpose", "where", "reason")
FILTERS = ("person", "about", "who", "kind", "since", "until", "school")


@require_GET
@signed_in(kinds=("staff", "student", "guardian"))
def home(request: Any) -> HttpResponse:
    """What waits for somebody; a teacher's classes. Pupils and guardians have a home of their own."""
    if request.who.kind != "staff":
        return HttpResponseRedirect("/books" if request.who.kind == "student" else "/family")
    if request.who.role == "developer":
        return HttpResponseRedirect("/developers")
    if request.who.role not in ("administrator", "dpo"):
        if request.who.role == "teacher":
            return render(request, "home_teacher.html", {"classes": queries.classes_of(request.access())})
        return render(request, "home_head.html")
    access = request.access()
    lines = app_lines(access)
    waiting = [
        line
        for line in lines
        if line.asks
        or (line.leaves and line.ends_soon)
        or (line.ends_on and not line.leaves and line.code != "stopped")
    ]
    gaps, open_questions = queries.gaps(access)
    happened = (
        e for e in queries.record(access, queries.Narrow()) if e.kind not in ("look", "asked", "handed")
    )
    synced, _ = recent_syncs(access)
    context = {
        "sync": synced[0] if synced else None,
        "apps": lines,
        "sharing": sum(line.leaves for line in lines),
        "waiting": waiting,
        "asks": sum(line.asks for line in lines),
        "owing": apps_owing(access),
        "gaps": gaps,
        "open_questions": open_questions,
        "events": queries.without_names(list(islice(happened, RECENT))),
    }
    return render(request, "home.html", context)


def _day(text: str, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid("That is not a date.", "Write it as 2026-11-21.", name) from error


def _narrow(get: Any) -> queries.Narrow:
    """The filters of an address. Raises Invalid for a date that is none, NotFound for an id that is none."""
    kind = get.get("kind", "")
    return queries.Narrow(
        person=row_id(get["person"]) if get.get("person") else None,
        who=get.get("who", "").strip()[:100],
        kind=kind if kind in queries.KINDS else "",
        since=_day(get.get("since", ""), "since"),
        until=_day(get.get("until", ""), "until"),
        school=row_id(get["school"]) if get.get("school") else None,
    )


@require_GET
@signed_in("administrator", "dpo", "developer")
def audit(request: Any) -> HttpResponse:
    """The record, newest first. Looking at it is in it too."""
    access, get = request.access(), request.GET
    context: dict[str, Any] = {"get": get, "kinds": queries.KINDS, "schools": queries.schools(access)}
    try:
        narrow = _narrow(get)
    except Invalid as error:
        return render(request, "audit.html", {**context, "errors": [error]}, status=422)
    text, matches, shown = get.get("about", "").strip()[:100], [], set[int]()
    if text and not narrow.person:
        matches = people_called(access, text)
        shown |= {i for i, _ in matches}
    events, older = queries.page_of(access, narrow, row_id(get["before"]) if get.get("before") else None)
    if narrow.person:
        context["person"] = queries.person_called(access, narrow.person)
        shown.add(narrow.person)
    shown |= {i for event in events if event.names for i in event.about}
    if shown:
        disclose(access, "page:audit", queries.NAME_COLUMNS, shown)
    kept = {name: get[name] for name in FILTERS if get.get(name)}
    context |= {
        "days": [(day, list(found)) for day, found in groupby(events, key=lambda e: e.at.date())],
        "matches": matches,
        "sought": text if not narrow.person else "",
        "narrowed": bool(kept),
        "query": urlencode(kept),
        "first": f"/audit?{urlencode(kept)}" if get.get("before") else "",
        "next": f"/audit?{urlencode({**kept, 'before': older})}" if older else "",
        "school": dict(context["schools"]).get(narrow.school),
        "without": urlencode({k: v for k, v in kept.items() if k != "person"}),
    }
    return render(request, "audit.html", context)


def safe_cell(value: str) -> str:
    """A cell that no spreadsheet runs: what begins like a formula gets an apostrophe in front."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


@require_GET
@signed_in("administrator", "dpo", "developer")
def audit_csv(request: Any) -> StreamingHttpResponse:
    """The record as a file, narrowed as the page is. That it was taken is written down before it leaves."""
    access = request.access()
    narrow = _narrow(request.GET)
    if narrow.school:
        queries.people_at(access, narrow.school)
    if narrow.person:
        queries.person_called(access, narrow.person)
    newest = next(queries.record(access, queries.Narrow()), None)
    chosen: dict[str, Any] = {{"kind": "what"}.get(k, k): str(v) for k, v in asdict(narrow).items() if v}
    write_audit(access.tenant, request.who.actor, "audit.exported", "audit", **chosen)
    answer = StreamingHttpResponse(
        _lines(access, narrow, newest.id + 1 if newest else 1), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return answer


def _lines(access: Any, narrow: queries.Narrow, before: int) -> Iterator[bytes]:
    """The file in pieces. Each piece is logged before it leaves, as far as it names people."""
    yield _csv([HEAD])
    events = queries.record(access, narrow, before)
    while found := queries.named(access, list(islice(events, ROWS))):
        people = {i for event in found if event.names for i in event.about}
        if people:
            disclose(access, "page:audit_csv", queries.NAME_COLUMNS, people)
        yield _csv(
            (
                e.at.isoformat(),
                queries.KINDS[e.kind],
                e.who,
                e.sentence,
                e.whom if e.kind in queries.DOES else "",
                ", ".join(e.columns),
                e.purpose,
                e.place,
                e.reason,
            )
            for e in found
        )


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([safe_cell(str(cell)) for cell in row] for row in rows)
    return out.getvalue().encode()


@require_GET
@signed_in("administrator", "dpo")
def inventory(request: Any) -> HttpResponse:
    """What this school holds, from where, who may use it for what, and how long it is kept."""
    rows = inventory_of(request.access().bundle, request.who.tenant)
    return render(request, "inventory.html", {"rows": rows, "bundle": request.access().bundle})


urlpatterns = [
    path("", home, name="home"),
    path("inventory", inventory, name="inventory"),
    path("audit", audit, name="audit"),
    path("audit.csv", audit_csv, name="audit_csv"),
]
