"""The library: its limits and what is in it, for the administrator; adding and taking away, for a teacher."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from rollbook.identity import signed_in
from rollbook.kernel.errors import Invalid
from rollbook.kernel.http import row_id
from rollbook.sharing.actions import library as actions
from rollbook.sharing.pages.deciding import to
from rollbook.sharing.pages.words import change_lines, country
from rollbook.sharing.queries import library as queries
from rollbook.sharing.queries.choices import choices
from rollbook.sharing.queries.facts import app_named
from rollbook.sharing.rules import People
from rollbook.sharing.rules.library import MOST, PUPILS, WITH_TEACHERS


@require_http_methods(["GET", "POST"])
@signed_in("administrator", "dpo")
def library(request: Any) -> HttpResponse:
    """Whether teachers may add apps, within which limits, and which apps."""
    access, who, errors = request.access(), request.who, list[Invalid]()
    if request.method == "POST":
        if who.role != "administrator":
            raise who.not_for(("administrator",))
        try:
            _save(request, access)
            return HttpResponseRedirect(reverse("library") + "?done=saved")
        except Invalid as error:
            errors = [error]
    limits = queries.limits_of(who.tenant.id)
    with access.open():
        shelf = queries.shelf(access)
        years = next(c for c in choices(access, People(grades=limits.grades), {}) if c.name == "grades")
    context = {
        "limits": limits, "shelf": shelf, "years": years.options, "teachers": limits.roles == WITH_TEACHERS,
        "shared": queries.SHARED, "also": queries.ALSO, "most": MOST, "errors": errors,
        "may_write": who.role == "administrator",
        "said": "Saved. It holds from the next request of each app." if request.GET.get("done") else "",
    }  # fmt: skip
    return render(request, "sharing/library.html", context, status=422 if errors else 200)


def _save(request: Any, access: Any) -> None:
    post, by = request.POST, request.who.actor
    roles = WITH_TEACHERS if post.get("roles") == "teachers" else PUPILS
    most = post.get("most", "")
    if not most.isdecimal():
        raise Invalid("The most for one class is not a number.", f"From 1 to {MOST}.", "most")
    wanted = set(post.getlist("apps"))
    for line in queries.shelf(access):
        if line.app.slug in wanted and not line.app.in_library:
            actions.put_in(line.app, by=by)
        elif line.app.in_library and line.app.slug not in wanted:
            actions.take_out(line.app, by=by)
    actions.set_library(
        request.who.tenant,
        open="open" in post,
        roles=roles,
        grades=post.getlist("grades"),
        most=int(most),
        by=by,
    )


@require_http_methods(["GET", "POST"])
@signed_in("teacher")
def add(request: Any, slug: str) -> HttpResponse:
    """What an app of the library would get of a class of hers; then add it."""
    access, tenant, errors = request.access(), request.who.tenant.id, list[Invalid]()
    found, classes = queries.offer(tenant, slug), queries.classes_of_mine(access)
    if request.method == "POST":
        try:
            klass = row_id(request.POST.get("class", ""))
            actions.add(access, slug, klass)
            return HttpResponseRedirect(
                f"{reverse('my_apps')}?{urlencode({'done': 'added', 'app': slug, 'class': klass})}"
            )
        except Invalid as error:
            errors = [error]
    here = {a.klass for a in queries.added_here(access, classes) if a.slug == slug}
    free = [c for c in classes if c.id not in here]
    chosen = next(
        (c for c in free if str(c.id) == request.GET.get("class", "")), free[0] if len(free) == 1 else None
    )
    change = queries.would_share(tenant, found.app_id, chosen) if chosen else None
    context = {
        "app": found, "region": country(found.region), "free": free, "all": classes, "chosen": chosen, "errors": errors,
        "helpers": [{**h, "country": country(h.get("region", ""))} for h in found.sub_processors],
        "shared": queries.SHARED, "also": queries.ALSO, "limits": queries.limits_of(tenant),
        "adds": change.adds if change else 0, "withheld": change.withheld if change else "",
        "lines": [text for kind, text in change_lines(change, found.name) if kind == "gives"][:1] if change else [],
    }  # fmt: skip
    return render(request, "sharing/library_add.html", context, status=422 if errors else 200)


@require_POST
@signed_in("teacher")
def away(request: Any, slug: str) -> HttpResponse:
    """A teacher takes an app away from a class of hers."""
    actions.take_away(request.access(), slug, row_id(request.POST.get("class", "")))
    return HttpResponseRedirect(reverse("my_apps") + "?done=away")


@require_POST
@signed_in("administrator", "dpo")
def stop_one(request: Any, slug: str) -> HttpResponse:
    """An administrator takes an app away from one class."""
    access = request.access()
    app = app_named(access, slug)
    actions.take_away(access, app.slug, row_id(request.POST.get("class", "")))
    return to(slug, "taken_away")
