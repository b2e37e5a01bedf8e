"""Signing in by the school's own identity provider: there, and back."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from rollbook.identity import actions
from rollbook.identity.connectors import Refused
from rollbook.identity.pages.who import agent_of, new_device_of, number_device, site_of
from rollbook.identity.queries.idp import Idp, idp_of
from rollbook.kernel.errors import NotFound
from rollbook.kernel.http import safe_next
from rollbook.roster import school_named

COOKIE, LIVES = "rollbook-idp", 600  # seconds for signing in over there


def back_to(request: HttpRequest, slug: str) -> str:
    """Where a school's provider sends people back to."""
    return f"{site_of(request)[1]}/sign-in/with/{slug}/back"


def _connector(idp: Idp) -> Any:
    """The protocol that the provider speaks. pysaml2 takes two seconds to import, so it is loaded when it is asked."""
    if idp.protocol == "saml":
        from rollbook.identity.connectors import saml

        return saml
    from rollbook.identity.connectors import oidc

    return oidc


@require_GET
def metadata(request: Any, slug: str) -> HttpResponse:
    """Our SAML metadata for one school's provider; it may be asked for before the school has said which that is."""
    from rollbook.identity.connectors import saml

    made = saml.metadata(back_to(request, slug), actions.key_for(school_named(slug)))
    return HttpResponse(made, content_type="application/samlmetadata+xml")


@require_GET
def go(request: Any, slug: str) -> HttpResponse:
    """To the school's own sign-in."""
    idp = idp_of(slug)
    try:
        url, kept = _connector(idp).begin(idp, back_to(request, slug))
    except Refused as refused:
        return _refused(request, idp, refused)
    response = HttpResponseRedirect(url)
    response.set_signed_cookie(
        COOKIE, json.dumps({**kept, "next": safe_next(request), "try": _tries(request, idp)}), salt=slug,
        max_age=LIVES, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE, path=f"/sign-in/with/{slug}",
    )  # fmt: skip
    return response


@csrf_exempt  # it comes from the provider's page; what binds it to this browser is the cookie that `go` gave
@require_http_methods(["GET", "POST"])
def back(request: Any, slug: str) -> HttpResponse:
    """From the school's own sign-in."""
    idp = idp_of(slug)
    if (request.method == "POST") != (idp.protocol == "saml"):
        raise NotFound("The school's own sign-in does not answer in this way.")
    if request.method == "POST" and COOKIE not in request.COOKIES and "again" not in request.POST:
        # A post from elsewhere brings no cookie; the same form, sent from a page of ours, does.
        said = {"idp": idp, "answer": request.POST.get("SAMLResponse", "")}
        return render(request, "identity/idp_onward.html", said)
    try:
        kept = json.loads(request.get_signed_cookie(COOKIE, "{}", salt=slug, max_age=LIVES))
    except signing.BadSignature:
        kept = {}
    try:
        sent = request.POST if request.method == "POST" else request.GET
        claims = _connector(idp).finish(idp, back_to(request, slug), kept, sent.dict())
    except Refused as refused:
        return _refused(request, idp, refused)
    if kept.get("try"):
        return _tried(request, idp, claims)
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
        response = number_device(request, HttpResponseRedirect(kept["next"]), came_back=True)
    response.delete_cookie(COOKIE, path=f"/sign-in/with/{slug}", samesite="Lax")
    return response


def _tries(request: Any, idp: Idp) -> bool:
    """Whether this is the school's administrator who tries the provider, and is not to be signed in by it."""
    who = request.who
    mine = who is not None and who.role == "administrator" and who.tenant.id == idp.tenant.id
    return mine and "try" in request.GET


def _tried(request: Any, idp: Idp, claims: dict[str, Any]) -> HttpResponse:
    if not request.who or request.who.role != "administrator" or request.who.tenant.id != idp.tenant.id:
        raise NotFound("You are no longer signed in as the administrator.")
    found = actions.try_idp(idp, claims, request.who.actor)
    looked = dict.fromkeys(("email", idp.claim))
    said = {"idp": idp, "found": found, "said": [(name, str(claims.get(name) or "")[:200]) for name in looked],
            "two": "mfa" in (claims.get("amr") or [])}  # fmt: skip
    response = render(request, "identity/idp_tried.html", said)
    response.delete_cookie(COOKIE, path=f"/sign-in/with/{idp.tenant.slug}", samesite="Lax")
    return response


def _refused(request: Any, idp: Idp, refused: Refused) -> HttpResponse:
    actions.refused_idp(idp, refused.code, refused.says)
    response = render(request, "identity/idp_refused.html", {"idp": idp, "because": refused.says}, status=403)
    response.delete_cookie(COOKIE, path=f"/sign-in/with/{idp.tenant.slug}", samesite="Lax")
    return response
