"""The reference of the APIs: for readers, and as OpenAPI. Both are made from the tables that the doors answer by."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from rollbook.kernel.errors import NotFound
from rollbook.kernel.http import origin
from rollbook.sharing.connectors.reference import APIS, read


@require_GET
def reference(request: Any) -> HttpResponse:
    """Which APIs there are."""
    apis = [{"name": name, "api": read(made(origin(request)))} for name, made in APIS.items()]
    return render(request, "sharing/reference.html", {"apis": apis})


@require_GET
def reference_api(request: Any, api: str) -> HttpResponse:
    """Every operation of one API: parameters, scopes, and an example answer."""
    return render(request, "sharing/reference_api.html", {"name": api, "api": read(_document(request, api))})


@require_GET
def reference_json(request: Any, api: str) -> HttpResponse:
    """The OpenAPI document of one API."""
    return HttpResponse(_document(request, api), content_type="application/json")


def _document(request: Any, api: str) -> bytes:
    if api not in APIS:
        raise NotFound("There is no such API.")
    return APIS[api](origin(request))
