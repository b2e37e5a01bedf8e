"""The boundary of the site: security headers on every answer, and errors turned into pages that say what to do."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from prometheus_client import Counter, Histogram

from rollbook.kernel.errors import Invalid, NotFound, Refused
from rollbook.kernel.proxies import came_by_https, client_address
from rollbook.policy import note_gap

log = logging.getLogger(__name__)
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
REQUESTS = Counter("rollbook_requests_total", "Answers, by kind of door and status", ["door", "status"])
SECONDS = Histogram("rollbook_request_seconds", "Time to answer, by kind of door", ["door"])
DOORS = {
    "ims": "oneroster",
    "oauth": "oauth",
    "scim": "scim",
    "static": "static",
    "healthz": "health",
    "readyz": "health",
    "metrics": "health",
}


class Boundary:
    """Outermost of all middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # From here on every limit and record sees the one who asks, not the proxy in between.
        peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
        trusted = settings.ROLLBOOK_TRUSTED_PROXIES
        said = request.META.pop("HTTP_X_FORWARDED_PROTO", "")
        if came_by_https(peer, forwarded, said, trusted):
            request.META["HTTP_X_FORWARDED_PROTO"] = "https"  # what SECURE_PROXY_SSL_HEADER looks for
        request.META["REMOTE_ADDR"] = client_address(peer, forwarded, trusted)
        door = DOORS.get(request.path.split("/", 2)[1], "page")
        began = time.perf_counter()
        response = self.get_response(request)
        SECONDS.labels(door).observe(time.perf_counter() - began)
        REQUESTS.labels(door, response.status_code).inc()
        if door == "page" or response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", CSP)
            response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=(), browsing-topics=()"
        )
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, NotFound | Http404):
            return render(request, "404.html", status=404)
        if isinstance(error, Refused):
            who = getattr(request, "who", None)
            if error.answer == "gap" and who is not None:
                note_gap(who.tenant.id, error.what, error.because)
            return render(request, "403.html", {"error": error}, status=403)
        if isinstance(error, PermissionDenied):
            return render(request, "403.html", {"error": Refused("You cannot open this.")}, status=403)
        if isinstance(error, Invalid):
            return render(request, "400.html", {"error": error}, status=400)
        code = secrets.token_hex(4)
        # The type and the place, not the message: a message may hold a person's data.
        log.error(
            "error %s: %s at %s",
            code,
            type(error).__name__,
            request.resolver_match and request.resolver_match.view_name,
        )
        log.debug("error %s", code, exc_info=error)
        return render(request, "500.html", {"code": code}, status=500)
