"""OpenID Connect and OAuth 2: authorize, token, userinfo, revoke, introspect, log out; discovery and the key set.

What an app gets: `queries/sign_on.py`. Errors are the standard's own and are written to the audit; to an address that
is not the app's own nobody is ever sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import orjson
from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import AccessDeniedError, InvalidRequestError
from authlib.oauth2.rfc6749.util import extract_basic_authorization
from authlib.oidc.core.errors import LoginRequiredError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from rollbook.identity import sign_out
from rollbook.kernel import clock, limits
from rollbook.policy import disclose
from rollbook.sharing.actions import keys, sign_on
from rollbook.sharing.api.common import JSON, WRONG_TRIES, TokenError, address, body_of, origin
from rollbook.sharing.connectors.clever import person
from rollbook.sharing.connectors.oidc import Request, server
from rollbook.sharing.queries.grants import Withheld
from rollbook.sharing.queries.sign_on import CLAIMS, SCOPES, Relying, held, relying, relying_by_id, seen

FOR_A_PERSON = ("authorization_code", "refresh_token")


def discovery_document(site: str) -> dict[str, Any]:
    """What this provider can do; nothing that it cannot."""
    return {
        "issuer": site,
        "authorization_endpoint": f"{site}/oauth/authorize",
        "token_endpoint": f"{site}/oauth/token",
        "userinfo_endpoint": f"{site}/userinfo",
        "jwks_uri": f"{site}/oauth/jwks",
        "revocation_endpoint": f"{site}/oauth/revoke",
        "introspection_endpoint": f"{site}/oauth/introspect",
        "end_session_endpoint": f"{site}/oauth/logout",
        "scopes_supported": list(SCOPES),
        "claims_supported": ["sub", *CLAIMS],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(FOR_A_PERSON),
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login"],
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def read(request: HttpRequest) -> Request:
    """A request as Authlib reads it. Raises TokenError for a body that is none, OAuth2Error without https."""
    return Request(request, origin(request), body_of(request) if request.method == "POST" else {})


def _json(data: Any, status: int = 200, **headers: str) -> HttpResponse:
    response = HttpResponse(orjson.dumps(data), content_type=JSON, status=status)
    for name, value in headers.items():
        response[name.replace("_", "-")] = value
    return response


@require_GET
def discovery(request: HttpRequest) -> HttpResponse:
    """/.well-known/openid-configuration"""
    return _json(
        discovery_document(origin(request)), Access_Control_Allow_Origin="*", Cache_Control="max-age=3600"
    )


@require_GET
def jwks(request: HttpRequest) -> HttpResponse:
    """The keys that sign, that will sign tomorrow and that signed last week."""
    return _json({"keys": keys.public_keys()}, Access_Control_Allow_Origin="*", Cache_Control="max-age=3600")


# ---- The browser is here.


@csrf_exempt
@require_http_methods(["GET", "POST"])
def authorize(request: Any) -> HttpResponse:
    """Send somebody who is signed in back to the app with a code, or say why not."""
    if request.method == "POST":  # the standard allows it; a browser then brings no cookie from elsewhere
        return HttpResponseRedirect(f"/oauth/authorize?{request.POST.urlencode()}")
    asked: Any = None
    try:
        asked = read(request)
        try:
            grant = server.get_consent_grant(asked, request.who)
        except (
            ValueError
        ):  # Authlib quotes what was sent in its own message, which not every text may stand in
            raise InvalidRequestError("The request cannot be read.") from None
        if unsupported := [name for name in ("request", "request_uri") if name in request.GET]:
            raise OAuth2Error(
                f"{unsupported[0]} is not supported.", error=f"{unsupported[0]}_not_supported",
                redirect_uri=grant.redirect_uri, state=request.GET.get("state"),
            )  # fmt: skip
        return _decide(request, asked, grant)
    except OAuth2Error as error:
        return _refuse(request, asked, error)


def _decide(request: Any, asked: Any, grant: Any) -> HttpResponse:
    to, who = asked.client.to, request.who
    silent = request.GET.get("prompt") == "none"
    if who is None or _too_long_ago(request) or grant.prompt == "login":
        if silent:
            raise LoginRequiredError(redirect_uri=grant.redirect_uri, state=request.GET.get("state"))
        if who is not None:
            sign_out(request.session, who)
        query = request.GET.copy()
        query.pop("prompt", None)
        return HttpResponseRedirect(f"/sign-in?next={quote('/oauth/onward?' + query.urlencode())}")
    try:
        person = may_go(to, who)
    except Withheld as withheld:
        if silent:
            raise AccessDeniedError(
                "The school does not let this person open the app.",
                redirect_uri=grant.redirect_uri, state=request.GET.get("state"),
            ) from withheld  # fmt: skip
        return withheld_page(request, to, withheld)
    code = sign_on.begin(
        to, person, who, asked.scope or "", redirect_uri=grant.redirect_uri,
        challenge=request.GET.get("code_challenge", ""), nonce=request.GET.get("nonce", "")[:512],
    )  # fmt: skip
    return server.create_authorization_response(asked, code, grant)


def _too_long_ago(request: Any) -> bool:
    text = request.GET.get("max_age", "")
    if not text.isascii() or not text.isdigit() or request.who is None:
        return False
    return bool((clock.now() - request.who.since).total_seconds() > int(text[:9]))


def may_go(to: Relying, who: Any) -> int:
    """The person, in the roster, of whoever is signed in, if they may open this app. Raises Withheld."""
    if who.tenant.id != to.tenant_id:
        raise Withheld("elsewhere", f"{to.name} belongs to another school than the one you are signed in to.")
    person: int | None = who.actor.person
    if person is None:
        raise Withheld(
            "person", "Your account is not linked to a person of the roster, so no app can know you."
        )
    seen(to.app_id, person)
    return person


def withheld_page(request: Any, to: Relying, withheld: Withheld, door: str = "authorize") -> HttpResponse:
    """Why somebody cannot open an app."""
    sign_on.refused(to.tenant_id, door, withheld.code, withheld.reason, to, request.who.actor)
    return render(
        request, "sharing/sign_on_withheld.html", {"app": to, "reason": withheld.reason}, status=403
    )


def _refuse(request: Any, asked: Any, error: OAuth2Error) -> HttpResponse:
    """The standard's own error: to the app where its address is right, else as a page."""
    to = relying(request.GET.get("client_id", ""))
    tenant = to.tenant_id if to else request.who.tenant.id if request.who else 0
    if tenant:
        by = request.who.actor if request.who else None
        sign_on.refused(tenant, "authorize", str(error.error), str(error.description), to, by)
    if not error.redirect_uri:
        said = {"error": error.error, "description": error.description, "app": to}
        return render(request, "sharing/sign_on_error.html", said, status=400)
    if asked is not None and to and to.protocol == "oidc":
        error.redirect_uri = add_params_to_uri(error.redirect_uri, [("iss", asked.site)])
    return server.handle_response(*error())


@require_GET
def onward(request: Any) -> HttpResponse:
    """After signing in, on to the app. A page of its own: browsers hold a redirect that follows a form to the
    addresses that the form's page allows, and the app's is not among them."""
    to = relying(request.GET.get("client_id", ""))
    where = f"/oauth/authorize?{request.META.get('QUERY_STRING', '')}"
    return render(request, "sharing/sign_on_onward.html", {"where": where, "app": to})


@csrf_exempt
@require_http_methods(["GET", "POST"])
def logout(request: Any) -> HttpResponse:
    """The app says that somebody signs out (RP-Initiated Logout). Without a token of ours, the person is asked."""
    try:
        found = server.validate_endpoint_request("end_session", read(request))
    except OAuth2Error as error:
        return _refuse_page(request, error)
    who, claims = request.who, found.id_token_claims
    if claims is None:
        return render(request, "sharing/sign_on_logout.html", {"done": who is None})
    to = relying(str(claims.get("aud", "")))
    if to is None:
        return render(request, "sharing/sign_on_logout.html", {"done": who is None})
    person = sign_on.end_by_sub(to, str(claims.get("sub", "")), because="the person signed out of the app")
    if who is not None and who.tenant.id == to.tenant_id and who.actor.person == person:
        sign_out(request.session, who)
    if found.redirect_uri:
        return HttpResponseRedirect(found.redirect_uri)
    return render(request, "sharing/sign_on_logout.html", {"done": True})


def _refuse_page(request: Any, error: OAuth2Error) -> HttpResponse:
    if request.who:
        sign_on.refused(request.who.tenant.id, "logout", str(error.error), str(error.description))
    said = {"error": error.error, "description": error.description, "app": None}
    return render(request, "sharing/sign_on_error.html", said, status=400)


# ---- The app's own server asks.


def endpoint(
    door: str, answer: Callable[[HttpRequest], HttpResponse]
) -> Callable[[HttpRequest], HttpResponse]:
    """An endpoint that apps ask by POST: failures are counted, errors are the standard's own and in the audit."""

    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return _json({"error": "invalid_request", "error_description": "Use POST."}, 405, Allow="POST")
        key = f"token-address:{address(request)}"
        if (use := limits.count(key, add=0)).count >= WRONG_TRIES:
            said = {"error": "invalid_client", "error_description": "Too many wrong tries. Wait a little."}
            return _json(said, 429, Retry_After=str(use.seconds_left))
        try:
            response = answer(request)
        except OAuth2Error as error:  # before Authlib began: no https
            response = server.handle_response(*error())
        except TokenError as error:
            response = _json({"error": error.code, "error_description": error.description}, error.status)
        if response.status_code >= 400:
            _note(request, door, response, key)
        response["Cache-Control"], response["Pragma"] = "no-store", "no-cache"
        return response

    return view


def _note(request: HttpRequest, door: str, response: HttpResponse, key: str) -> None:
    body = orjson.loads(response.content)
    error = str(body.get("error", ""))
    if error in ("invalid_client", "invalid_grant"):
        limits.count(key)
    if error == "invalid_client" and response.status_code == 401:
        response["WWW-Authenticate"] = 'Basic realm="rollbook"'
    to = _client_of(request)
    if to is not None:
        sign_on.refused(to.tenant_id, door, error, str(body.get("error_description", "")), to)


def _client_of(request: HttpRequest) -> Relying | None:
    """The app that a request says it is from, believed or not."""
    try:
        client = extract_basic_authorization(request.headers)[0] or read(request).form.get("client_id")
    except (TokenError, OAuth2Error, ValueError):
        return None
    return relying(client) if client else None


token = endpoint("token", lambda request: server.create_token_response(read(request)))
revoke = endpoint("revoke", lambda request: server.create_endpoint_response("revocation", read(request)))
introspect = endpoint(
    "introspection", lambda request: server.create_endpoint_response("introspection", read(request))
)


def bearer(request: HttpRequest) -> str:
    """The access token of a request, from the header alone, or an empty text."""
    kind, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return given.strip() if kind.lower() == "bearer" else ""


@csrf_exempt
@require_http_methods(["GET", "POST"])
def userinfo(request: HttpRequest) -> HttpResponse:
    """What the school shares of the person whose token this is, of what the token's scopes ask for."""
    given = bearer(request)
    if not given:
        return _json({"error": "invalid_token"}, 401, WWW_Authenticate='Bearer realm="rollbook"')
    key = held(given, "access")
    if key is None or not key.alive:
        return _bad_token("The token is unknown or has ended.")
    try:
        found = seen(key.app_id, key.person)
    except Withheld as withheld:
        sign_on.refused(key.tenant_id, "userinfo", withheld.code, withheld.reason, relying_by_id(key.app_id))
        return _bad_token("The school shares nothing of this person with this app.")
    to = relying_by_id(key.app_id)
    if to and to.protocol == "clever":
        body, claims = person.userinfo(found), [*found.claims(person.CLAIMS), "roles"]
    else:
        wanted = [claim for scope in key.scopes.split() for claim in SCOPES.get(scope, ())]
        body, claims = {"sub": found.sub, **found.claims(wanted)}, list(found.claims(wanted))
    disclose(
        found.grant.access, "sign-in userinfo", found.columns(claims), [found.person],
        authorised_by=found.grant.rule_id, scope=key.scopes,
    )  # fmt: skip
    return _json(body, Cache_Control="no-store")


def _bad_token(because: str) -> HttpResponse:
    challenge = f'Bearer realm="rollbook", error="invalid_token", error_description="{because}"'
    return _json({"error": "invalid_token", "error_description": because}, 401, WWW_Authenticate=challenge)


urlpatterns = [
    path(".well-known/openid-configuration", discovery),
    path("oauth/jwks", jwks),
    path("oauth/authorize", authorize),
    path("oauth/onward", onward),
    path("oauth/logout", logout),
    path("oauth/revoke", revoke),
    path("oauth/introspect", introspect),
    path("userinfo", userinfo),
]
