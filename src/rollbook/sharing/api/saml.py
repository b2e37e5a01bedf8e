"""SAML 2.0: a school's metadata, sign-in asked for by an app (by redirect or POST), and begun from the portal.

pysaml2 takes two seconds to import, so it is loaded when the first app asks.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote, urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from rollbook.identity import sign_out
from rollbook.policy import disclose
from rollbook.roster import school_named
from rollbook.sharing.actions import sign_on
from rollbook.sharing.api.common import origin
from rollbook.sharing.api.oidc import may_go, withheld_page
from rollbook.sharing.api.posting import post_to_app
from rollbook.sharing.queries import Withheld
from rollbook.sharing.queries.sign_on import Relying, Seen, relying_entity, seen

SENT = ("SAMLRequest", "RelayState", "SigAlg", "Signature", "posted")


@require_GET
def metadata(request: HttpRequest, school: str) -> HttpResponse:
    """Our metadata for one school. Raises NotFound for no school of ours."""
    from rollbook.sharing.connectors import saml

    school_named(school)
    return HttpResponse(saml.metadata(origin(request), school), content_type="application/samlmetadata+xml")


@csrf_exempt
@require_http_methods(["GET", "POST"])
def sso(request: Any, school: str) -> HttpResponse:
    """An app asks who somebody is."""
    if (
        request.method == "POST"
    ):  # from elsewhere: a browser brings no cookie with it, but it does with what follows
        sent = {name: request.POST.get(name, "") for name in ("SAMLRequest", "RelayState")}
        return HttpResponseRedirect(f"/saml/{school}/sso?{urlencode({**sent, 'posted': '1'})}", status=303)
    from rollbook.sharing.connectors import saml

    tenant, to = school_named(school), None
    posted = request.GET.get("posted") == "1"
    try:
        xml = saml.unpacked(request.GET.get("SAMLRequest", ""), deflated=not posted)
        to = relying_entity(tenant.id, saml.sender(xml))
        if to is None:
            raise saml.Fault("Requester", "This school knows no app of that name.")
        sent = {name: request.GET[name] for name in SENT if name in request.GET}
        if posted:
            sent["SAMLRequest"] = base64.b64encode(xml).decode()
        asked = saml.read_request(origin(request), school, to, sent, posted)
        return _answer(request, school, to, asked)
    except saml.Fault as fault:
        by = request.who.actor if request.who else None
        sign_on.refused(tenant.id, "saml", fault.code, fault.says, to, by)
        if to is None or fault.asked is None:
            said = {"error": fault.code, "description": fault.says, "app": to}
            return render(request, "sharing/sign_on_error.html", said, status=400)
        fields = {"SAMLResponse": saml.refusal(origin(request), school, to, fault)}
        return _post(request, to, fault.asked.acs, fields, fault.asked.relay)


def _answer(request: Any, school: str, to: Relying, asked: Any) -> HttpResponse:
    from rollbook.sharing.connectors import saml

    who = request.who
    stale = who is not None and asked.force and who.since < asked.issued
    if who is None or stale:
        if asked.passive:
            raise saml.Fault("NoPassive", "Nobody is signed in, and the app wants nobody to be asked.", asked)
        if stale:
            sign_out(request.session, who)
        sent = urlencode({name: request.GET[name] for name in SENT if name in request.GET})
        return HttpResponseRedirect(f"/sign-in?next={quote(f'/saml/{school}/sso?{sent}')}")
    try:
        person = may_go(to, who)
        found = seen(to.app_id, person)
    except Withheld as withheld:
        return withheld_page(request, to, withheld, "saml")
    answer = saml.assertion(origin(request), school, to, found, who, asked, asked.acs)
    if not sign_on.begin_once(to, person, who, f"saml:{to.app_id}:{asked.id}"):
        raise saml.Fault("RequestDenied", "This request was answered before.", asked)
    _write_down(found)
    return _post(request, to, asked.acs, {"SAMLResponse": answer}, asked.relay)


def launch(request: Any, to: Relying, found: Seen) -> HttpResponse:
    """From the portal: an assertion that no app asked for."""
    from rollbook.sharing.connectors import saml

    who = request.who
    acs = to.redirect_uris[0]
    answer = saml.assertion(origin(request), who.tenant.slug, to, found, who, None, acs)
    sign_on.begin_once(to, found.person, who, "")
    _write_down(found)
    return _post(request, to, acs, {"SAMLResponse": answer}, to.launch_url)


def _write_down(found: Seen) -> None:
    from rollbook.sharing.connectors import saml

    disclose(
        found.grant.access, "sign-in saml", found.columns(saml.claims_of(found)), [found.person],
        authorised_by=found.grant.rule_id,
    )  # fmt: skip


def _post(request: Any, to: Relying, acs: str, fields: dict[str, str], relay: str) -> HttpResponse:
    return post_to_app(request, to, acs, {**fields, **({"RelayState": relay} if relay else {})})


urlpatterns = [
    path("saml/<slug:school>/metadata", metadata),
    path("saml/<slug:school>/sso", sso),
]
