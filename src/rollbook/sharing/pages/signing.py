"""How people sign in to an app: by which protocol, where it may be sent, what its maker needs of us."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from rollbook.identity import names_staff, signed_in
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import metadata_text
from rollbook.sharing.actions.scim import let_staff_in
from rollbook.sharing.actions.sign_on import clear_sign_on, set_sign_on
from rollbook.sharing.api.common import origin
from rollbook.sharing.queries.facts import app_named
from rollbook.sharing.queries.sign_on import ours_for, sign_on_of

KINDS = {
    "oidc": ("OpenID Connect", "Most apps"),
    "clever": ("Clever’s way", "An app that has “Log in with Clever”"),
    "saml": ("SAML 2.0", "Needs the app’s metadata, or its entity id and addresses"),
    "lti": ("LTI 1.3", "Tools that open inside a class"),
}  # fmt: skip
NAMES = {
    "issuer": "Issuer", "client_id": "Client id", "authorize": "Authorization address", "tokens": "Token address",
    "metadata": "Metadata", "deployment_id": "Deployment id", "token": "Token address", "jwks": "Key set",
}  # fmt: skip
LISTS = ("redirect_uris", "logout_uris")
TYPED = ("protocol", "launch_url", "entity_id", "login_url", "jwks_url", "jwks", "deep_link_url")
MOST = 20  # addresses of one kind
SAID = {
    "staff": "Saved. It holds from now on.",
    "save": "Saved. It holds from the next sign-in on.",
    "clear": "People no longer sign in to it.",
}


@require_http_methods(["GET", "POST"])
@signed_in("administrator", "dpo")
def sign_on(request: Any, slug: str) -> HttpResponse:
    """Say how people sign in to an app, or that they do not."""
    access = request.access()
    app = app_named(access, slug)
    errors: list[Invalid] = []
    form = {name: request.POST.get(name, "").strip()[:20_000] for name in (*TYPED, *LISTS)}
    if request.method == "POST":
        if request.who.role != "administrator":
            raise request.who.not_for(("administrator",))
        try:
            match request.POST.get("do", ""):
                case "save":
                    _save(request, app, form, sign_on_of(access, app))
                case "staff":
                    let_staff_in(app, "staff" in request.POST, request.who.actor)
                case "clear":
                    clear_sign_on(app, request.who.actor)
                case _:
                    raise NotFound("There is no such form.")
            return HttpResponseRedirect(f"{reverse('app_sign_on', args=[slug])}?done={request.POST['do']}")
        except Invalid as error:
            errors = [error]
    now = sign_on_of(access, app)
    ours = ours_for(app, now.protocol, origin(request), request.who.tenant.slug) if now else {}
    context = {
        "app": app, "now": now, "errors": errors, "form": form if errors else _shown(now), "kinds": KINDS,
        "public": "public" in request.POST if errors else bool(now and now.public),
        "title": KINDS[now.protocol][0] if now else "", "ours": [(NAMES[n], value) for n, value in ours.items()],
        "may_write": request.who.role == "administrator", "said": SAID.get(request.GET.get("done", "")),
        "names_staff": app.kind == "scim" and names_staff(request.who.tenant.id) == app.id,
        "field": errors[0].field if errors else "",
    }  # fmt: skip
    return render(request, "sharing/sign_on.html", context, status=422 if errors else 200)


def _shown(now: Any) -> dict[str, str]:
    if now is None:
        return dict.fromkeys((*TYPED, *LISTS), "")
    held = {name: str(now.details.get(name) or "") for name in TYPED}
    if now.details.get("jwks"):
        held["jwks"] = json.dumps(now.details["jwks"])
    return {**held, "protocol": now.protocol, "launch_url": now.launch_url,
            **{name: "\n".join(getattr(now, name)) for name in LISTS}}  # fmt: skip


def _save(request: Any, app: Any, form: dict[str, str], now: Any) -> None:
    protocol = form["protocol"]
    details: dict[str, Any] = {}
    lists = {name: _lines(form[name], name) for name in LISTS}
    if protocol == "saml":
        text = metadata_text(request.FILES.get("metadata"))
        if text:
            from rollbook.sharing.connectors.saml import details_of

            redirects, details = details_of(text)
            lists["redirect_uris"] = list(redirects)
        else:
            # What only the metadata says of this entity stays.
            kept = dict(now.details) if now and now.details.get("entity_id") == form["entity_id"] else {}
            details = {**kept, "entity_id": form["entity_id"]}
    elif protocol == "lti":
        details = {name: form[name] for name in ("login_url", "jwks_url", "deep_link_url")}
        if form["jwks"]:
            details["jwks"] = _key_set(form["jwks"])
    set_sign_on(
        app, protocol=protocol, **lists, launch_url=form["launch_url"], public="public" in request.POST, details=details,
        by=request.who.actor,
    )  # fmt: skip


def _lines(text: str, field: str) -> list[str]:
    found = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if len(found) > MOST:
        raise Invalid(f"These are more than {MOST} addresses.", "Give those that the app uses.", field)
    return found


def _key_set(text: str) -> dict[str, Any]:
    """A tool's public keys, as JSON. Raises Invalid, for a private key too."""
    try:
        found = json.loads(text)
        keys = found["keys"]
        if not keys or any(not key.get("kty") for key in keys):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Invalid(
            "This is no key set.", 'It looks like {"keys": [{"kty": "RSA", ...}]}.', "jwks"
        ) from None
    if any("d" in key or key["kty"] == "oct" for key in keys):
        raise Invalid("This holds a private key.", "Ask for the public half, and for a new key.", "jwks")
    return {"keys": keys}
