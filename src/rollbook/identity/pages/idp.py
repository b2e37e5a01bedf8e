"""Signing in by the school's own identity provider: there, and back."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET

from rollbook.identity import actions
from rollbook.identity.connectors import oidc
from rollbook.identity.pages.who import agent_of, new_device_of, number_device
from rollbook.identity.queries.idp import idp_of
from rollbook.kernel.http import safe_next

COOKIE, LIVES = "rollbook-idp", 600  # seconds for signing in over there


def _back(request: Any, slug: str) -> str:
    site = settings.ROLLBOOK_BASE_URL or f"{request.scheme}://{request.get_host()}"
    return f"{site}/sign-in/with/{slug}/back"


@require_GET
def go(request: Any, slug: str) -> HttpResponse:
    """To the school's own sign-in."""
    idp = idp_of(slug)
    try:
        url, kept = oidc.begin(idp, _back(request, slug))
    except oidc.Refused as refused:
        return _refused(request, idp, refused)
    response = HttpResponseRedirect(url)
    response.set_signed_cookie(
        COOKIE, json.dumps({**kept, "next": safe_next(request)}), salt=slug, max_age=LIVES, httponly=True,
        samesite="Lax", secure=settings.SESSION_COOKIE_SECURE, path=f"/sign-in/with/{slug}",
    )  # fmt: skip
    return response


@require_GET
def back(request: Any, slug: str) -> HttpResponse:
    """From the school's own sign-in."""
    idp = idp_of(slug)
    try:
        kept = json.loads(request.get_signed_cookie(COOKIE, "{}", salt=slug, max_age=LIVES))
    except signing.BadSignature:
        kept = {}
    try:
        claims = oidc.finish(idp, _back(request, slug), kept, request.GET.dict())
    except oidc.Refused as refused:
        return _refused(request, idp, refused)
    who = actions.sign_in_by_idp(request.session, idp, claims, agent_of(request))
    response: HttpResponse
    if who is None:
        said = {
            "idp": idp,
            "because": "Your school’s sign-in knows you, but nobody has made an account for you here.",
        }
        response = render(request, "identity/idp_refused.html", said, status=403)
    else:
        if who.kind == "staff":
            actions.notice_device(who, new_device_of(request), request.session.browser)
        response = number_device(request, HttpResponseRedirect(kept["next"]))
    response.delete_cookie(COOKIE, path=f"/sign-in/with/{slug}", samesite="Lax")
    return response


def _refused(request: Any, idp: Any, refused: oidc.Refused) -> HttpResponse:
    actions.refused_idp(idp, refused.code, refused.says)
    response = render(request, "identity/idp_refused.html", {"idp": idp, "because": refused.says}, status=403)
    response.delete_cookie(COOKIE, path=f"/sign-in/with/{idp.tenant.slug}", samesite="Lax")
    return response
