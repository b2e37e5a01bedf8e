"""Doors for machines that watch the service, and the policy in force. They hold nothing personal."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from rollbook.policy import all_bundles, bundle_for


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers and every policy compiles."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return JsonResponse(
            {"ready": False, "because": f"the database does not answer ({type(error).__name__})"}, status=503
        )
    return JsonResponse({"ready": True, "policies": {b.profile: b.hash for b in all_bundles()}})


def metrics(request: HttpRequest) -> HttpResponse:
    """Counts for Prometheus, of this worker."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def policy(request: HttpRequest) -> HttpResponse:
    """The policy in force, as its canonical JSON: its SHA-256 is the hash that every record cites."""
    bundle = bundle_for(settings.ROLLBOOK_POLICY)
    return HttpResponse(bundle.text, content_type="application/json", headers={"ETag": f'"{bundle.hash}"'})


urlpatterns = [
    path(".well-known/rollbook-policy.json", policy),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
]
