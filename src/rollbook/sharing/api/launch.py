"""Opening an app from the portal, signed in: each protocol begins in its own way."""

from __future__ import annotations

from typing import Any

from authlib.common.urls import add_params_to_uri
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_GET

from rollbook.identity import signed_in
from rollbook.kernel.errors import NotFound
from rollbook.sharing.actions import sign_on
from rollbook.sharing.api import lti, saml
from rollbook.sharing.api.common import origin
from rollbook.sharing.api.oidc import may_go, withheld_page
from rollbook.sharing.connectors.clever.person import OF_A_PERSON
from rollbook.sharing.queries import Withheld
from rollbook.sharing.queries.sign_on import relying_app, seen


@require_GET
@signed_in(kinds=("staff", "student", "guardian"))
def launch(request: Any, slug: str) -> HttpResponse:
    """/launch/numberyard: on to the app. Whoever may not open it is told why, and nothing is sent."""
    to, who = relying_app(request.who.tenant.id, slug), request.who
    try:
        person = may_go(to, who)
        if to.protocol == "saml":
            return saml.launch(request, to, seen(to.app_id, person))
        if to.protocol == "lti":
            return lti.launch(request, to, seen(to.app_id, person))
    except Withheld as withheld:
        return withheld_page(request, to, withheld, "launch")
    if to.protocol == "clever":  # Clever's Instant Login: a code that nobody asked for, so without state
        code = sign_on.begin(to, person, who, "", redirect_uri=to.redirect_uris[0])
        said = [("code", code), ("scope", " ".join(OF_A_PERSON))]
        return HttpResponseRedirect(add_params_to_uri(to.redirect_uris[0], said))
    if to.protocol == "oidc" and to.launch_url:  # the app begins by itself, and may know from `iss` with whom
        return HttpResponseRedirect(add_params_to_uri(to.launch_url, [("iss", origin(request))]))
    raise NotFound("This app has no address to open.")


urlpatterns = [path("launch/<slug:slug>", launch, name="launch")]
