"""Syncs: bring in an export, look at what it would do, apply or discard, mend what was set aside."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rollbook.kernel.errors import Invalid
from rollbook.kernel.http import StaffRequest, row_id, signed_in
from rollbook.policy import disclose
from rollbook.roster.actions import orders
from rollbook.roster.actions import sync as syncing
from rollbook.roster.jobs import Tenant
from rollbook.roster.queries import syncs as queries
from rollbook.roster.queries.person import name_columns
from rollbook.roster.rules import keep as keeping
from rollbook.roster.rules.details import LABELS
from rollbook.roster.rules.people import role_name

SEES = ("administrator", "dpo")
WAITS = "waiting for its turn"
REFRESH = 3  # seconds between looks where there is no JavaScript


@require_GET
@signed_in(*SEES)
def syncs(request: StaffRequest) -> HttpResponse:
    """All syncs, newest first, and the form to bring in files."""
    return _list(request)


def _list(request: StaffRequest, error: Invalid | None = None) -> HttpResponse:
    access = request.access()
    before = row_id(request.GET["before"]) if request.GET.get("before") else None
    with access.open():
        lines, older = queries.syncs(access, before)
    context = {
        "lines": lines, "error": error, "may": request.who.role == "administrator",
        "busy": queries.waiting_jobs(access.tenant), "first": "/sync" if before else "",
        "next": f"/sync?before={older}" if older else "",
    }  # fmt: skip
    return render(request, "roster/syncs.html", context, status=422 if error else 200)


@require_POST
@signed_in("administrator")
def upload(request: StaffRequest) -> HttpResponse:
    """Take a zip and ask the worker for a proposal."""
    given = request.FILES.get("file")
    access = request.access()
    last = queries.newest(access)
    try:
        if given is None:
            raise Invalid("Choose a file first.", "It is the zip that your school’s system exported.", "file")
        orders.receive(request.who.tenant, given.name or "", given.chunks(), request.who.actor)
    except Invalid as error:
        return _list(request, error)
    return HttpResponseRedirect(f"/sync/new?since={last}")


@require_GET
@signed_in(*SEES)
def begun(request: StaffRequest) -> HttpResponse:
    """Where an upload leads: its own page as soon as the worker has begun."""
    access = request.access()
    since = row_id(request.GET.get("since", "0"))
    last = queries.newest(access)
    if last > since:
        return _go(request, f"/sync/{last}")
    if not queries.waiting_jobs(access.tenant):
        return _go(request, "/sync")
    context = {
        "here": f"/sync/new?since={since}",
        "step": WAITS,
        "done": 0,
        "refresh": REFRESH,
    }
    return render(
        request, "roster/progress.html" if request.headers.get("HX-Request") else "roster/begun.html", context
    )


def _go(request: StaffRequest, to: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(status=200, headers={"HX-Redirect": to})
    return HttpResponseRedirect(to)


@require_http_methods(["GET", "POST"])
@signed_in(*SEES)
def sync(request: StaffRequest, sync: str) -> HttpResponse:
    """One sync: its plan, why it waits, what was set aside. POST answers it."""
    sync_id = row_id(sync)
    if request.method == "POST":
        return _answer(request, sync_id)
    return _one(request, sync_id)


def _one(request: StaffRequest, sync_id: int, error: Invalid | None = None) -> HttpResponse:
    access = request.access()
    with access.open():
        found = queries.sync(access, sync_id)
    if found.people or found.causes:
        columns = [*name_columns(access), *queries.set_aside_columns(access)]
        disclose(access, "page:sync", columns, found.people)
    jobs = queries.waiting_jobs(access.tenant)
    context = {
        "sync": found, "error": error, "may": request.who.role == "administrator", "here": f"/sync/{sync_id}",
        "asked": bool(jobs) and (found.waits or found.latest), "refresh": REFRESH,
        "step": (found.busy and found.step) or WAITS, "done": found.done if found.busy else 0,
        "poll": f"/sync/{sync_id}/progress?was={found.line.state}",
    }  # fmt: skip
    return render(request, "roster/sync.html", context, status=422 if error else 200)


def _answer(request: StaffRequest, sync_id: int) -> HttpResponse:
    if request.who.role != "administrator":
        raise request.who.not_for(("administrator",))
    with request.access().open():
        queries.progress(request.access(), sync_id)  # another tenant's sync is not found
    tenant, by = request.who.tenant, request.who.actor
    try:
        match request.POST.get("do", ""):
            case "apply":
                orders.ask(tenant, sync_id, orders.APPLY, by)
            case "undo":
                orders.ask(tenant, sync_id, orders.UNDO, by)
            case "discard":
                syncing.discard(tenant, syncing.find(tenant, sync_id), by=by)
            case _:
                raise Invalid("There is no such answer.", "Choose one of the buttons.")
    except Invalid as error:
        return _one(request, sync_id, error)
    return HttpResponseRedirect(f"/sync/{sync_id}")


@require_GET
@signed_in(*SEES)
def progress(request: StaffRequest, sync: str) -> HttpResponse:
    """How far a sync is, as a part of its page; when its state has changed, the whole page."""
    access, sync_id = request.access(), row_id(sync)
    with access.open():
        state, step, done = queries.progress(access, sync_id)
    was = request.GET.get("was", "")
    busy = state in queries.BUSY or (state == was and queries.waiting_jobs(access.tenant))
    if not busy or state != was:
        return _go(request, f"/sync/{sync_id}")
    context = {
        "step": (state in queries.BUSY and step) or WAITS,
        "done": done if state in queries.BUSY else 0,
        "poll": f"/sync/{sync_id}/progress?was={was}",
        "here": f"/sync/{sync_id}",
    }
    return render(request, "roster/progress.html", context)


@require_GET
@signed_in(*SEES)
def set_aside_csv(request: StaffRequest, sync: str) -> StreamingHttpResponse:
    """Every row that a sync set aside, for a spreadsheet."""
    access, sync_id = request.access(), row_id(sync)
    with access.open():
        queries.progress(access, sync_id)
    disclose(access, "page:set-aside", queries.set_aside_columns(access), [])

    def lines() -> Iterator[str]:
        yield "\ufeff" + _csv(
            [
                "file",
                "row",
                "column",
                "code",
                "sourcedId",
                "value",
                "reason",
                "how to mend",
                "rows that hang on it",
            ]
        )
        for row in queries.set_aside_rows(access, sync_id):
            yield _csv(row)

    answer = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="set-aside-{sync_id}.csv"'
    return answer


def _csv(cells: Any) -> str:
    """One line of CSV. A cell that a spreadsheet would run as a formula gets a quote in front."""
    line = io.StringIO()
    csv.writer(line).writerow(
        f"'{c}" if isinstance(c, str) and c[:1] in ("=", "+", "-", "@", "\t", "\r") else c for c in cells
    )
    return line.getvalue()


# ---- Settings.

_PERSON = {k: v for k, v in LABELS["roster_person"].items() if k in keeping.COLUMNS["person"]}
_BIRTH = {k: v for k, v in LABELS["roster_demographics"].items() if k in keeping.COLUMNS["demographics"]}
DROPPABLE: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Whole files", (
        ("demographics", "Birth, sex and ethnicity"), ("guardianships", "Who looks after whom"),
        ("flags", "Needs and entitlements"),
    )),
    ("About each person", tuple((f"users.{k}", v) for k, v in _PERSON.items())),
    ("Birth", (("ethnicity", "Ethnicity"), *((f"demographics.{k}", v) for k, v in _BIRTH.items()))),
)  # fmt: skip
LISTED = frozenset(name for _, names in DROPPABLE for name, _ in names)


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def settings(request: StaffRequest) -> HttpResponse:
    """When a sync waits for a person, and what is stored at all."""
    tenant: Tenant = request.who.tenant
    keep, error = tenant.keep or {}, None
    removed, changed = f"{tenant.hold_removed_percent:g}", f"{tenant.hold_changed_percent:g}"
    if request.method == "POST":
        removed, changed = request.POST.get("removed", ""), request.POST.get("changed", "")
        keep = _keep(request, keep)
        try:
            orders.change_settings(
                tenant, _percent(removed, "removed"), _percent(changed, "changed"), keep, request.who.actor
            )
            return HttpResponseRedirect("/sync/settings?done=1")
        except Invalid as found:
            error = found
    dropped = set(keep.get("fields", {}).get("drop") or [])
    people = keep.get("people", {})
    context = {
        "error": error, "said": "The settings are changed. They count from the next sync." if request.GET.get("done") else "",
        "removed": removed, "changed": changed,
        "groups": [(title, [(name, label, name in dropped) for name, label in names]) for title, names in DROPPABLE],
        "roles": [(r, role_name(r), r in (people.get("roles") or [])) for r in sorted(keeping.ROLES, key=role_name)],
        "orgs": [(s, name, s in (people.get("orgs") or [])) for s, name in queries.schools(request.access())],
        "others": sorted(dropped - LISTED),
    }  # fmt: skip
    return render(request, "roster/sync_settings.html", context, status=422 if error else 200)


def _percent(text: str, field: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise Invalid(
            "A limit is a number from 0 to 100.", "10 means: ask me when more than a tenth would go.", field
        ) from None


def _keep(request: StaffRequest, before: dict[str, Any]) -> dict[str, Any]:
    """The selection that the form says. What was left out by other means, and the form does not show, stays left out."""
    drop = [name for name in request.POST.getlist("drop") if name in LISTED]
    drop += sorted(set(before.get("fields", {}).get("drop") or []) - LISTED)
    roles, orgs = request.POST.getlist("roles"), request.POST.getlist("orgs")
    keep: dict[str, Any] = {"fields": {"drop": drop}} if drop else {}
    people = {name: values for name, values in (("roles", roles), ("orgs", orgs)) if values}
    return {**keep, "people": people} if people else keep
