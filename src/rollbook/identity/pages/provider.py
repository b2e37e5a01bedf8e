"""The administrator's page about the school's own sign-in: which provider it is, what it needs of us, try it, stop it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from rollbook.identity import actions
from rollbook.identity.pages.idp import back_to
from rollbook.identity.queries.idp import Idp, idp_set
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import metadata_text, signed_in

TYPED = ("protocol", "name", "issuer", "client_id", "match", "claim")
SAID = {
    "save": "Saved. Try it before you tell others.",
    "stop": "Nobody signs in by it any more.",
}


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def provider(request: Any) -> HttpResponse:
    """Say which provider the school signs in by, or stop it."""
    tenant, by, error = request.who.tenant, request.who.actor, None
    form = {name: request.POST.get(name, "").strip()[:1000] for name in TYPED}
    if request.method == "POST":
        try:
            match request.POST.get("do", ""):
                case "save":
                    _save(request, form)
                case "stop":
                    actions.stop_idp(tenant, by)
                case _:
                    raise NotFound("There is no such form.")
            return HttpResponseRedirect(f"/sign-in-rules/provider?done={request.POST['do']}")
        except Invalid as found:
            error = found
    idp = idp_set(tenant)
    at = back_to(request, tenant.slug)
    context = {
        "idp": idp, "error": error, "errors": [error] if error else [], "form": form if error else _shown(idp),
        "trusts_mfa": "trusts_mfa" in request.POST if error else bool(idp and idp.trusts_mfa),
        "back": at, "metadata": at.removesuffix("/back") + "/metadata", "sign_in": at.removesuffix("/back"),
        "finds": {"email": "Email", "username": "User name", "identifier": "The number that the school gives them"},
        "said": SAID.get(request.GET.get("done", "")),
    }  # fmt: skip
    return render(request, "identity/provider.html", context, status=422 if error else 200)


def _shown(idp: Idp | None) -> dict[str, str]:
    return {name: str(getattr(idp, name)) if idp else "" for name in TYPED}


def _save(request: Any, form: dict[str, str]) -> None:
    where = {"name": form["name"], "match": form["match"], "claim": form["claim"], "by": request.who.actor,
             "trusts_mfa": "trusts_mfa" in request.POST}  # fmt: skip
    if form["protocol"] == "saml":
        from rollbook.identity.connectors.saml import details_of

        text = metadata_text(request.FILES.get("metadata"))
        issuer, details = details_of(text) if text else ("", {})
        actions.set_idp(request.who.tenant, issuer=issuer, details=details, protocol="saml", **where)
    else:
        actions.set_idp(
            request.who.tenant, issuer=form["issuer"], client_id=form["client_id"], protocol=form["protocol"],
            client_secret=request.POST.get("client_secret", "").strip()[:1000], **where,
        )  # fmt: skip
