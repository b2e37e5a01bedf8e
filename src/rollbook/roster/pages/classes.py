"""The list of classes, and the register of one."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from rollbook.kernel.http import StaffRequest, row_id, signed_in
from rollbook.policy import disclose
from rollbook.roster.queries import people as queries
from rollbook.roster.rules.people import numbered


@require_GET
@signed_in()
def classes(request: StaffRequest) -> HttpResponse:
    """The classes that the role may see, by title."""
    access = request.access()
    org, after = (row_id(request.GET[k]) if request.GET.get(k) else None for k in ("org", "after"))
    q = request.GET.get("q", "")[:100]
    with access.open():
        page = queries.find_classes(access, q, org, after)
        offered = queries.choices(access)
    disclose(access, "page:classes", page.columns, page.people)
    kept = {k: v for k, v in request.GET.items() if v and k in ("q", "org")}
    context = {
        "page": page, "q": q, "org": org, "offered": offered, "narrowed": bool(kept),
        "count": numbered(page.total, "class", "classes") if page.total is not None else f"more than {queries.COUNTED:,} classes",
        "first": f"/classes?{urlencode(kept)}" if after else "",
        "next": f"/classes?{urlencode({**kept, 'after': page.next})}" if page.next else "",
    }  # fmt: skip
    return render(request, "roster/classes.html", context)


@require_GET
@signed_in()
def klass(request: StaffRequest, klass: str) -> HttpResponse:
    """The register of one class."""
    access = request.access()
    with access.open():
        register = queries.register(access, row_id(klass))
    disclose(access, "page:class", register.columns, register.people)
    return render(request, "roster/class.html", {"register": register})
