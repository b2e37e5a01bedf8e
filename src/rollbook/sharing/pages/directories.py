"""Accounts in the school's own directories: the list, one directory, one plan with each person's change, approve, undo."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from rollbook.identity import signed_in
from rollbook.kernel.errors import Invalid
from rollbook.kernel.http import row_id
from rollbook.policy import disclose
from rollbook.sharing.actions.directories import approve, create_directory, discard
from rollbook.sharing.jobs import plan_directory, plan_undo
from rollbook.sharing.queries.directories import (
    directories_of,
    find_directory,
    find_push,
    held,
    pushes,
    resting,
    step_of,
    steps,
    undoable,
)
from rollbook.sharing.queries.facts import grant_or_why
from rollbook.sharing.rules.accounts import parse_settings
from rollbook.sharing.rules.pushing import ACTIONS, differences

SEES = ("administrator", "dpo")
SHOWN = 50
REFRESH = 3  # seconds between looks where there is no JavaScript
LOOKED_AT = "sharing_pushstep.after,sharing_pushstep.before"
STATES = {
    "planned": ("warn", "hourglass-medium", "Waits for you"), "approved": ("info", "hourglass-medium", "Begins soon"),
    "running": ("info", "hourglass-medium", "Being written"), "done": ("ok", "check-bold", "Done"),
    "failed": ("stop", "warning", "Not all done"), "stopped": ("stop", "prohibit", "Stopped"),
    "undone": ("info", "arrow-u-up-left", "Undone"), "discarded": ("info", "trash", "Put away"),
}  # fmt: skip
KINDS = {"user": ("account", "accounts"), "group": ("group", "groups"), "unit": ("org unit", "org units")}
WORDS = {
    "create": "to make", "enable": "to enable again", "rename": "to rename", "move": "to move", "update": "to change",
    "disable": "to disable", "archive": "to archive", "delete": "to delete",
}  # fmt: skip
DONE_WORDS = {
    "create": "Make", "enable": "Enable again", "rename": "Rename", "move": "Move", "update": "Change",
    "disable": "Disable", "archive": "Archive", "delete": "Delete",
}  # fmt: skip


@require_GET
@signed_in(*SEES)
def directories_list(request: Any) -> HttpResponse:
    """Every directory: what it holds by our hand, and its latest plan."""
    lines = []
    for directory in directories_of(request.who.tenant.id):
        latest = pushes(directory, 1)
        lines.append(
            {
                "directory": directory,
                "accounts": held(directory),
                "last": _line(latest[0]) if latest else None,
            }
        )
    context = {"lines": lines, "may_write": request.who.role == "administrator"}
    return render(request, "sharing/directories.html", context)


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def new_directory(request: Any) -> HttpResponse:
    """Make a directory known; next comes the agreement about it, then the rule."""
    names = ("name", "kind", "url", "base", "account", "username", "email", "archive_days", "delete_days")
    form = {name: request.POST.get(name, "").strip() for name in names}
    errors: list[Invalid] = []
    if request.method == "POST":
        try:
            made = create_directory(
                request.who.tenant, form["name"], kind=form["kind"], url=form["url"], base=form["base"],
                account=form["account"], secret=request.POST.get("secret", ""), settings=_settings(form),
                by=request.who.actor,
            )  # fmt: skip
            return HttpResponseRedirect(reverse("app_agreement", args=[made.app.slug]))
        except Invalid as error:
            errors.append(error)
    else:
        form |= {"kind": "scim", "username": "{given}.{family}{n}", "archive_days": "30"}
    context = {"form": form, "errors": errors}
    return render(request, "sharing/directory_new.html", context, status=422 if errors else 200)


def _settings(form: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {name: form[name] for name in ("username", "email") if form[name]}
    for name in ("archive_days", "delete_days"):
        if form[name]:
            made[name] = int(form[name]) if form[name].isdigit() else form[name]
    return made


@require_http_methods(["GET", "POST"])
@signed_in(*SEES)
def directory_page(request: Any, slug: str) -> HttpResponse:
    """One directory: what it holds, how it is kept, its plans. POST makes a plan, or one that undoes the latest."""
    directory = find_directory(request.who.tenant.id, slug)
    error = None
    if request.method == "POST":
        if request.who.role != "administrator":
            raise request.who.not_for(("administrator",))
        try:
            plan = plan_undo if request.POST.get("do") == "undo" else plan_directory
            made = plan(directory, by=request.who.actor)
            return HttpResponseRedirect(reverse("directory_plan", args=[slug, made.id]))
        except Invalid as refused:
            error = refused
    _, why = grant_or_why(directory.app)
    lines = [_line(push) for push in pushes(directory)]
    context = {
        "directory": directory, "app": directory.app, "why": why, "accounts": held(directory), "lines": lines,
        "kept": parse_settings(directory.settings), "error": error, "undoable": undoable(directory),
        "may_write": request.who.role == "administrator",
    }  # fmt: skip
    return render(request, "sharing/directory.html", context, status=422 if error else 200)


@require_http_methods(["GET", "POST"])
@signed_in(*SEES)
def directory_plan(request: Any, slug: str, number: str) -> HttpResponse:
    """One plan: counts, each step with what changes, errors with what to do. POST approves it or puts it away."""
    directory = find_directory(request.who.tenant.id, slug)
    push = find_push(directory, row_id(number))
    error = None
    if request.method == "POST":
        if request.who.role != "administrator":
            raise request.who.not_for(("administrator",))
        try:
            act = discard if request.POST.get("do") == "discard" else approve
            act(directory, push, by=request.who.actor)
            return HttpResponseRedirect(reverse("directory_plan", args=[slug, push.id]))
        except Invalid as refused:
            error = refused
    busy = push.state in ("approved", "running")
    here = reverse("directory_plan", args=[slug, push.id])
    if busy and request.headers.get("HX-Request"):
        return render(request, "roster/progress.html", _progress(push, here))
    if request.headers.get("HX-Request"):
        return HttpResponse(status=200, headers={"HX-Redirect": here})
    kind, action = request.GET.get("kind", ""), request.GET.get("action", "")
    where = {
        **({"kind": kind} if kind in KINDS else {}),
        **({"action": action} if action in ACTIONS else {}),
    }
    after = row_id(request.GET["after"]) if request.GET.get("after") else 0
    access = request.access()
    rows = steps(access, push, after, SHOWN + 1, **where)
    failed = steps(access, push, 0, SHOWN, state="failed") if not after and not where else []
    people = {r.person_id for r in (*rows[:SHOWN], *failed) if r.person_id}
    if people:
        disclose(access, "page:directory_plan", LOOKED_AT, people)
    query = "".join(f"&{k}={v}" for k, v in where.items())
    grant, _ = grant_or_why(directory.app)
    context = {
        "resting": len(resting(directory, grant.access.purpose)) if grant else 0,
        "directory": directory, "app": directory.app, "push": push, "line": _line(push), "busy": busy, "error": error,
        "tallies": _tallies(push, kind, action), "rows": [_shown(r) for r in rows[:SHOWN]], "filtered": bool(where),
        "failed": [_shown(r) for r in failed], "here": here, "refresh": REFRESH,
        "first": f"{here}?{query[1:]}" if after else "",
        "next": f"{here}?after={rows[SHOWN - 1].number}{query}" if len(rows) > SHOWN else "",
        "may_write": request.who.role == "administrator", **_progress(push, here),
    }  # fmt: skip
    return render(request, "sharing/directory_plan.html", context, status=422 if error else 200)


def _progress(push: Any, here: str) -> dict[str, Any]:
    finished = push.done + push.failed
    return {
        "step": f"{finished:,} of {push.total:,} steps", "here": here, "poll": here,
        "done": finished * 100 // push.total if push.total else 0,
    }  # fmt: skip


def _line(push: Any) -> dict[str, Any]:
    tag, icon, title = STATES[push.state]
    return {"push": push, "tag": tag, "icon": icon, "title": title, "sentence": _sentence(push)}


def _sentence(push: Any) -> str:
    users = push.counts.get("user", {})
    parts = [f"{n:,} {KINDS['user'][n != 1]} {WORDS[a]}" for a, n in users.items()]
    for kind in ("group", "unit"):
        number = sum(push.counts.get(kind, {}).values())
        if number:
            parts.append(f"{number:,} {KINDS[kind][number != 1]}")
    return ", ".join(parts) or "nothing to write"


def _tallies(push: Any, kind: str, action: str) -> list[dict[str, Any]]:
    found = []
    for of, (one, many) in KINDS.items():
        for act in ACTIONS:
            number = push.counts.get(of, {}).get(act, 0)
            if number:
                found.append(
                    {"number": number, "what": one if number == 1 else many, "words": WORDS[act], "kind": of, "action": act,
                     "here": (kind, action) == (of, act)}
                )  # fmt: skip
    return found


def _shown(row: Any) -> dict[str, Any]:
    record = row.after or row.before or {}
    return {
        "row": row, "name": record.get("username") or record.get("name") or " / ".join(record.get("path", [])),
        "person": record.get("display", ""), "kind": KINDS[row.kind][0], "does": DONE_WORDS[row.action],
        "changes": differences(step_of(row)),
    }  # fmt: skip
