"""The results of a class, as its teachers and head see them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from rollbook.identity import signed_in
from rollbook.kernel.http import row_id
from rollbook.learning.queries import class_results
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


urlpatterns = [path("classes/<str:klass>/results", results, name="class_results")]
