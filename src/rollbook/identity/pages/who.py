"""The middleware that knows who asks, and what every page shows of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest, HttpResponse

from rollbook.identity import actions
from rollbook.identity.rules import ROLES
from rollbook.kernel.http import origin

# The main pages: title, address, and the roles that may open it.
NAVIGATION = (
    ("Sandbox", "/developers", ("developer",)),
    ("Reference", "/developers/reference", ("developer",)),
    ("Home", "/", tuple(ROLES)),
    ("People", "/people", ()),
    ("Classes", "/classes", ()),
    ("Sync", "/sync", ("administrator", "dpo")),
    ("Apps", "/apps", ("administrator", "dpo", "developer")),
    ("Audit", "/audit", ("administrator", "dpo", "developer")),
    ("My apps", "/my-apps", tuple(ROLES)),
    ("Staff", "/staff", ("administrator",)),
    ("Sign-in", "/sign-in-rules", ("administrator",)),
)


class SignedIn:
    """Puts `session`, `who` and `access` on each request, and the session's key into the browser."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        session = request.session = actions.SessionStore(key)
        who = actions.resume(session) if key else None
        # Until the second factor is given they are nobody to every page but those that ask for it.
        request.half = who if who is not None and who.half else None
        who = request.who = None if request.half else who
        request.access = who.access if who else _no_access
        response = self.get_response(request)
        if session.modified and not session.is_empty():
            try:
                session.save()
            except UpdateError:
                session.flush()  # it was ended elsewhere while this page was made
        if session.session_key and session.modified:
            response.set_cookie(
                settings.SESSION_COOKIE_NAME, session.session_key, secure=settings.SESSION_COOKIE_SECURE,
                httponly=True, samesite="Lax",
            )  # fmt: skip
        elif key and not session.session_key:
            response.delete_cookie(settings.SESSION_COOKIE_NAME, samesite="Lax")
        if key:
            response.headers["Cache-Control"] = "no-store"
            response.headers.setdefault("Vary", "Cookie")
        return response


def _no_access(*_: Any, **__: Any) -> Any:
    raise AssertionError("a page that reads people must ask for sign-in first")


def page_context(request: Any) -> dict[str, Any]:
    """What every page shows: who is signed in, and where they may go."""
    who = getattr(request, "who", None)
    if who is None or who.kind != "staff":
        return {"who": None}
    here = request.path
    under = [href for _, href, _ in NAVIGATION if here == href or (href != "/" and here.startswith(href))]
    current = max(under, key=len, default="")
    return {
        "who": who,
        "navigation": [
            {"title": title, "href": href, "here": href == current}
            for title, href, roles in NAVIGATION
            if not roles or who.role in roles
        ],
    }


def address_of(request: HttpRequest) -> str:
    """Where the request comes from."""
    return str(request.META.get("REMOTE_ADDR", ""))


def agent_of(request: HttpRequest) -> str:
    """What the browser calls itself."""
    return request.headers.get("User-Agent", "")[:300]


def wait(seconds: int) -> str:
    """When to try again after too many failures."""
    if seconds < 60:
        return (
            f"Too many tries did not fit. Wait {seconds} second{'s' if seconds > 1 else ''}, then try again."
        )
    minutes = max(1, round(seconds / 60))
    return f"Too many tries did not fit. Wait {minutes} minute{'s' if minutes > 1 else ''}, then try again."


def site_of(request: HttpRequest) -> tuple[str, str]:
    """The name of this site, as passkeys are bound to it, and its origin."""
    url = origin(request)
    return urlsplit(url).hostname or "", url


DEVICE = "rollbook-device"


def device_of(request: Any) -> str:
    """The number that this device was given, or "": failures are counted by it, and a new device is told of."""
    return str(request.COOKIES.get(DEVICE, ""))[:64]


def new_device_of(request: Any) -> str:
    """The number of a device on which somebody has signed in: its own, or one that `number_device` gives it."""
    request.device_number = (
        device_of(request) or getattr(request, "device_number", "") or secrets.token_urlsafe(16)
    )
    return str(request.device_number)


def number_device(request: Any, answer: HttpResponse, came_back: bool = False) -> HttpResponse:
    """Give the device a number when something was sent from it, or when it `came_back` from the school's own sign-in,
    unless it has one. Who only looks gets none."""
    if (came_back or request.method == "POST") and not device_of(request):
        answer.set_cookie(
            DEVICE, new_device_of(request), max_age=400 * 86400, secure=settings.SESSION_COOKIE_SECURE, httponly=True,
            samesite="Lax",
        )  # fmt: skip
    return answer
