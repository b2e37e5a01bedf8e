"""The results of a class, as its teachers and head see them; those of a child, as their guardian does."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from rollbook.identity import signed_in
from rollbook.kernel.http import row_id
from rollbook.learning.queries import CHILD_COLUMNS, childrens_results, class_results
from rollbook.policy import disclose


@require_GET
@signed_in()
def results(request: Any, klass: str) -> HttpResponse:
    """What apps sent about the work of a class, by app; the newest work first."""
    access = request.access()
    before = row_id(request.GET["before"]) if request.GET.get("before") else None
    with access.open():
        found = class_results(access, row_id(klass), before)
    if found.people:
        disclose(access, "page:results", found.columns, found.people)
    context = {
        "found": found, "register": found.register, "before": before,
        "first": request.path if before else "", "next": f"?before={found.next}" if found.next else "",
    }  # fmt: skip
    return render(request, "learning/results.html", context)


@require_GET
@signed_in(kinds=("guardian",))
def family(request: Any) -> HttpResponse:
    """What apps sent about the work of a guardian's children."""
    access = request.access()
    with access.open():
        children = childrens_results(access)
    if children:
        disclose(access, "page:family_results", CHILD_COLUMNS, [child.id for child in children])
    return render(request, "learning/family.html", {"children": children, "tenant": request.who.tenant})


urlpatterns = [
    path("classes/<str:klass>/results", results, name="class_results"),
    path("family/results", family, name="family_results"),
]
