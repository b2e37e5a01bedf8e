"""For developers of apps: what there is for them, and their own sandbox of invented people."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rollbook.identity import signed_in
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import origin, row_id
from rollbook.policy import disclose
from rollbook.roster import ask_to_fill, awkward_pupils, sandbox_state
from rollbook.sharing.actions.developers import MOST_OPEN, REASON, ask_school, create_sandbox_app
from rollbook.sharing.pages import trying
from rollbook.sharing.pages.words import many
from rollbook.sharing.queries.facts import app_lines, app_named
from rollbook.sharing.queries.listings import askable, asked_of, school_named, schools_of, shared_by
from rollbook.sharing.rules import FIELDS, GROUPS
from rollbook.sharing.rules.reading import PLAIN, grade

DONE = {
    "new": "The people are being made new. That takes some seconds.",
    "day": "A day is passing. That takes some seconds. Then your app’s events say what changed.",
}
REFRESH = 3  # seconds between looks, while the sandbox is being made


@require_GET
def developers(request: Any) -> HttpResponse:
    """What a developer gets here; for one who is signed in, their desk."""
    if request.who is None or request.who.role != "developer":
        return render(request, "sharing/developers.html")
    access = request.access()
    state = sandbox_state(access)
    awkward, columns = awkward_pupils(access)
    if awkward:
        disclose(access, "page:developers", columns, [a.id for a in awkward])
    context = {
        "state": state,
        "awkward": awkward,
        "apps": [
            {"line": line, "schools": many(len(schools_of(line.app)), "school")} for line in app_lines(access)
        ],
        "said": DONE.get(request.GET.get("done", "")) if state.busy else "",
        "refresh": REFRESH,
    }
    return render(request, "sharing/sandbox.html", context)


@require_POST
@signed_in("developer")
def sandbox(request: Any) -> HttpResponse:
    """Make the people of the own sandbox new, or let a day pass there."""
    do = request.POST.get("do", "")
    if do not in DONE:
        raise NotFound("There is no such form.")
    ask_to_fill(request.who.tenant, request.who.actor, a_day_on=do == "day")
    return HttpResponseRedirect(f"/developers?done={do}")


@require_http_methods(["GET", "POST"])
@signed_in("developer")
def new_app(request: Any) -> HttpResponse:
    """Make an app in the own sandbox. Its secret, and the first request with it, are shown in the answer and never again."""
    form = {name: request.POST.get(name, "").strip()[:120] for name in ("name", "about")}
    errors: list[Invalid] = []
    if request.method == "POST":
        who = request.who
        try:
            if not form["about"]:
                raise Invalid(
                    "Say what the app is for.", "It ends the sentence “so that they can …”.", "about"
                )
            made = create_sandbox_app(who.tenant, form["name"], form["about"], who.email, by=who.actor)
            answered = trying.ask(request, made.app, trying.FIRST, by=who.actor)
            return _first(request, made.app, answered, made.client_secret)
        except Invalid as error:
            errors.append(error)
    context = {"form": form, "errors": errors}
    return render(request, "sharing/developer_new.html", context, status=422 if errors else 200)


@require_http_methods(["GET", "POST"])
@signed_in("developer")
def first_request(request: Any, slug: str) -> HttpResponse:
    """The first request of an app, and the answer to it or to another: from the real door, about invented people."""
    app = app_named(request.access(), slug)
    if request.method == "GET":
        return _first(request, app, None)
    address = request.POST.get("address", trying.FIRST)
    if address not in trying.trials():
        raise NotFound("There is no such request here.")
    return _first(request, app, trying.ask(request, app, address, by=request.who.actor))


def _first(request: Any, app: Any, answered: trying.Answered | None, secret: str = "") -> HttpResponse:
    address = answered.address if answered else trying.FIRST
    said = (origin(request), app.client_id, secret or "YOUR-SECRET", address)
    context = {
        "app": app, "secret": secret, "answered": answered, "address": address, "trials": trying.trials(),
        "curl": trying.in_curl(*said), "python": trying.in_python(*said),
    }  # fmt: skip
    return render(request, "sharing/first_request.html", context)


@require_GET
@signed_in("developer")
def schools(request: Any, slug: str) -> HttpResponse:
    """The schools that named the app's listing, and how they answered."""
    app = app_named(request.access(), slug)
    return render(request, "sharing/listing.html", {"app": app, "lines": schools_of(app)})


@require_http_methods(["GET", "POST"])
@signed_in("developer")
def school(request: Any, slug: str, number: str) -> HttpResponse:
    """What one school shares with the app, and a request for more: tick, say why, look at the label, send."""
    listing = app_named(request.access(), slug)
    app, tenant = school_named(listing, row_id(number))
    form, errors = request.POST, []
    wanted = {name: form.get(f"reason.{name}", "").strip()[:300] for name in form.getlist("field")}
    label = [
        {"field": FIELDS[name], "reason": reason, "grade": grade(reason), "hard": grade(reason) > PLAIN}
        for name, reason in wanted.items() if name in FIELDS
    ]  # fmt: skip
    checking = form.get("do") == "check"
    if form.get("do") == "send" or checking:
        try:
            ask_school(listing, app.id, wanted, only_check=checking)
            if not checking:
                return HttpResponseRedirect(f"{request.path}?done=asked")
        except Invalid as error:
            errors.append(error)
    asked = [{"request": one, "title": FIELDS[one.field].title} for one in asked_of(app)]
    shared = [
        {"title": FIELDS[name].title, "reason": reason}
        for name, reason in shared_by(app).items()
        if name in FIELDS
    ]
    rows = [{"field": f, "ticked": f.name in wanted, "reason": wanted.get(f.name, "")} for f in askable(app)]
    context = {
        "app": app, "listing": listing, "school": tenant.name, "errors": errors, "asked": asked, "shared": shared,
        "groups": [(title, found) for title in GROUPS if (found := [r for r in rows if r["field"].group == title])],
        "label": label if checking and not errors else [], "most": REASON, "open": MOST_OPEN, "plain": PLAIN,
        "said": "Sent. Nothing changes until the school answers." if request.GET.get("done") == "asked" else "",
    }  # fmt: skip
    return render(request, "sharing/listing_school.html", context, status=422 if errors else 200)
