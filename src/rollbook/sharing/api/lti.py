"""LTI 1.3: Rollbook as the platform. Launch, choosing (deep linking), the token for services, names and roles."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rollbook.identity import signed_in
from rollbook.kernel.errors import NotFound
from rollbook.kernel.http import row_id
from rollbook.policy import disclose
from rollbook.sharing.actions import lti as acts
from rollbook.sharing.actions import sign_on
from rollbook.sharing.api.common import OVER, NoBearer, TokenError, bearer, body_of, in_short, origin, spend
from rollbook.sharing.api.oidc import may_go, withheld_page
from rollbook.sharing.api.posting import post_to_app
from rollbook.sharing.queries import Grant, Withheld, grant_for
from rollbook.sharing.queries.grades import only_item
from rollbook.sharing.queries.lti import (
    Context,
    Link,
    context,
    context_named,
    link_of,
    links_of,
    members,
    only_class,
    role_in,
)
from rollbook.sharing.queries.sign_on import Relying, Seen, relying, relying_app, seen

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MEMBERSHIP = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
PAGE = 500


def answer(data: Any, status: int = 200, *, kind: str = "application/json", **headers: Any) -> HttpResponse:
    """JSON that nobody keeps."""
    response = HttpResponse(orjson.dumps(data), content_type=kind, status=status)
    response["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response[name.replace("_", "-")] = str(value)
    return response


# ---- The browser is here.


def launch(request: Any, to: Relying, found: Seen, choosing: bool = False) -> HttpResponse:
    """Begin at the tool. ?class= and ?link= say from where and what; without, one's only class."""
    from rollbook.sharing.connectors import lti

    link = link_of(found.grant, row_id(request.GET["link"])) if request.GET.get("link") else None
    asked = link.class_id if link else row_id(request.GET["class"]) if request.GET.get("class") else None
    klass = asked or only_class(found.grant, found.person)
    if klass is not None:
        role_in(found.grant, found.person, klass)  # or it is not there
    about = lti.hint(
        app=to.app_id, who=request.who.handle, klass=klass or 0, link=link.id if link else 0, choose=choosing
    )
    return HttpResponseRedirect(
        lti.way_to(origin(request), to, found.sub, about, lti.opening(to, link, choosing))
    )


@require_GET
@signed_in()
def choose(request: Any, slug: str) -> HttpResponse:
    """/lti/numberyard/choose?class=: a teacher chooses something in a tool for a class of theirs."""
    to = relying_app(request.who.tenant.id, slug)
    try:
        found = seen(to.app_id, may_go(to, request.who))
    except Withheld as withheld:
        return withheld_page(request, to, withheld, "lti")
    klass = row_id(request.GET.get("class", ""))
    if to.protocol != "lti" or role_in(found.grant, found.person, klass) != "teacher":
        raise NotFound("There is no such class that you teach.")
    return launch(request, to, found, choosing=True)


@csrf_exempt
@require_http_methods(["GET", "POST"])
def authorize(request: Any) -> HttpResponse:
    """The tool asks for the message of a launch that was begun here."""
    from rollbook.sharing.connectors import lti

    if (
        request.method == "POST"
    ):  # from elsewhere: a browser brings no cookie with it, but it does with what follows
        return HttpResponseRedirect(f"/lti/authorize?{urlencode(request.POST.dict())}", status=303)
    asked = request.GET.dict()
    to = relying(asked.get("client_id", ""))
    where = asked.get("redirect_uri", "")
    if to is None or to.protocol != "lti" or where not in to.redirect_uris:
        tenant = to.tenant_id if to else request.who.tenant.id if request.who else 0
        if tenant:
            sign_on.refused(tenant, "lti", "invalid_request", "unknown app, or not its address", to)
        said = {
            "error": "invalid_request",
            "description": "The app or its address is not known here.",
            "app": to,
        }
        return render(request, "sharing/sign_on_error.html", said, status=400)
    try:
        return _send(request, to, where, asked)
    except lti.Fault as fault:
        sign_on.refused(
            to.tenant_id, "lti", fault.code, fault.says, to, request.who.actor if request.who else None
        )
        said = {"error": fault.code, "error_description": fault.says, "state": asked.get("state", "")}
        return post_to_app(request, to, where, said)


def _send(request: Any, to: Relying, where: str, asked: dict[str, str]) -> HttpResponse:
    from rollbook.sharing.connectors import lti

    fixed = {"scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none"}
    wrong = [name for name, value in fixed.items() if asked.get(name) != value]
    if wrong or not asked.get("nonce") or not asked.get("state"):
        missing = wrong[0] if wrong else "nonce or state"
        raise lti.Fault("invalid_request", f"{missing} is not as LTI wants it.")
    about = lti.read_hint(asked.get("lti_message_hint", ""))
    who = request.who
    if who is None or about["who"] != who.handle or about["app"] != to.app_id:
        raise lti.Fault("login_required", "The launch was not begun in this browser. Open the app again.")
    try:
        found = seen(to.app_id, may_go(to, who))
    except Withheld as withheld:
        return withheld_page(request, to, withheld, "lti")
    if asked.get("login_hint") != found.sub:
        raise lti.Fault("login_required", "Somebody else is signed in than the launch was begun for.")
    grant, role, here = found.grant, "", None
    if about["klass"]:
        here, role = context(grant, about["klass"]), role_in(grant, found.person, about["klass"])
    link = link_of(grant, about["link"]) if about["link"] else None
    back = lti.hint(app=to.app_id, person=found.person, klass=about["klass"]) if about["choose"] else ""
    marks = _gradebook(grant, here, link) if here and not back else None
    fields = lti.message(origin(request), to, found, role, here, link, back, asked, marks)
    sign_on.begin_once(to, found.person, who, "")
    columns = found.columns([*found.claims(lti.CLAIMS), "roles"])
    disclose(grant.access, "sign-in lti", columns, [found.person], authorised_by=grant.rule_id)
    return post_to_app(request, to, where, fields)


def _gradebook(grant: Grant, here: Context, link: Link | None) -> str | None:
    """Where the school lets the app send results: the code of the link's one line item, or "". Else None."""
    from rollbook.sharing.connectors import lti

    return only_item(grant, here, lti.resource_link(link, here)) if grant.takes_results else None


@csrf_exempt
@require_POST
def chosen(request: Any) -> HttpResponse:
    """What a teacher chose comes back, signed by the tool; the page about it is asked for with the teacher's cookie."""
    from rollbook.sharing.connectors import lti

    to: Relying | None = None
    try:
        text = request.POST.get("JWT", "")
        to = relying(lti.speaker(text))
        if to is None or to.protocol != "lti":
            raise lti.Fault("invalid_request", "The app is not known here.")
        claims = lti.signed_by(to, text, (origin(request),))
        about = lti.read_hint(str(claims.get(f"{lti.DEEP}data", "")))
        if about["app"] != to.app_id:
            raise lti.Fault("invalid_request", "This was begun with another app.")
        items, marked = lti.chosen(claims, to), _takes_results(to, about["klass"])
        acts.keep_links(to, about["klass"], about["person"], items, with_line_items=marked)
    except lti.Fault as fault:
        if to:
            sign_on.refused(to.tenant_id, "lti choosing", fault.code, fault.says, to)
        said = {"error": fault.code, "description": fault.says, "app": to}
        return render(request, "sharing/sign_on_error.html", said, status=400)
    return HttpResponseRedirect(f"/lti/{to.slug}/links?class={about['klass']}", status=303)


def _takes_results(to: Relying, klass: int) -> bool:
    """Whether the school lets the app send results, and its rule reaches the class."""
    try:
        grant = grant_for(to.app_id)
        return grant.takes_results and context(grant, klass) is not None
    except (Withheld, NotFound):
        return False


@require_GET
@signed_in(kinds=("staff", "student"))
def links(request: Any, slug: str) -> HttpResponse:
    """What was chosen in an app for one of one's classes."""
    to = relying_app(request.who.tenant.id, slug)
    try:
        found = seen(to.app_id, may_go(to, request.who))
    except Withheld as withheld:
        return withheld_page(request, to, withheld, "lti")
    klass = row_id(request.GET.get("class", ""))
    role = role_in(found.grant, found.person, klass)
    said = {
        "app": to, "links": links_of(found.grant, klass), "here": context(found.grant, klass), "klass": klass,
        "may_choose": role == "teacher",
    }  # fmt: skip
    return render(request, "sharing/lti_links.html", said)


# ---- The tool's own server asks.


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """A token for LTI's services, for an assertion that the tool signed (RFC 7523)."""
    from rollbook.sharing.connectors import lti

    to: Relying | None = None
    try:
        if request.method != "POST":
            raise TokenError("invalid_request", "Use POST.", 405, Allow="POST")
        given = body_of(request)
        if given.get("grant_type") != "client_credentials":
            raise TokenError("unsupported_grant_type", "grant_type must be client_credentials.")
        if given.get("client_assertion_type") != ASSERTION:
            raise TokenError("invalid_client", "The app signs an assertion with its own key.", 401)
        text = given.get("client_assertion", "")
        to = relying(lti.speaker(text))
        if to is None or to.protocol != "lti":
            raise TokenError("invalid_client", "There is no such app.", 401)
        site = origin(request)
        claims = lti.signed_by(to, text, (f"{site}/lti/token", site))
        if claims.get("sub") != to.client_id:
            raise TokenError("invalid_client", "The assertion is about somebody else.", 401)
        offered = _scopes(to)
        scopes = [s for s in given.get("scope", "").split() if s in offered]
        if not scopes:
            raise TokenError("invalid_scope", f"Scopes that there are: {' '.join(offered)}")
        made, seconds = acts.service_token(to, scopes)
    except lti.Fault as fault:
        error = TokenError(fault.code, fault.says, 401)
    except TokenError as found:
        error = found
    else:
        return answer(
            {"access_token": made, "token_type": "Bearer", "expires_in": seconds, "scope": " ".join(scopes)}
        )
    if to:
        sign_on.refused(to.tenant_id, "lti token", error.code, error.description, to)
    said = {"error": error.code, "error_description": error.description}
    return answer(said, error.status, **error.headers)


def _scopes(to: Relying) -> tuple[str, ...]:
    """What a token may open for the app: the gradebook too, where the school lets it send results."""
    from rollbook.sharing.connectors import grades, lti

    try:
        results = grant_for(to.app_id).takes_results
    except Withheld:
        results = False
    return (lti.MEMBERS, *(grades.SCOPES if results else ()))


@require_GET
def names_and_roles(request: HttpRequest, code: str) -> HttpResponse:
    """Who is in a class, of those whom the rule names, with what it shares."""
    from rollbook.sharing.connectors import lti

    try:
        grant = bearer(request)
        over, budget = spend(grant)
        if over:
            return answer({"error": "server_busy", "error_description": OVER}, 429, **budget)
        if lti.MEMBERS not in grant.scopes:
            challenge = f'Bearer realm="rollbook", error="insufficient_scope", scope="{lti.MEMBERS}"'
            return answer({"error": "insufficient_scope"}, 403, WWW_Authenticate=challenge)
        return _members(request, grant, context_named(grant, code))
    except NoBearer as error:
        return answer({"error": "invalid_token", "error_description": error.says}, 401, **error.headers)
    except Withheld:
        return answer(
            {"error": "access_denied", "error_description": "The school shares nothing with this app."}, 403
        )
    except NotFound:
        return answer({"error": "not_found", "error_description": "There is no such class."}, 404)


def _members(request: HttpRequest, grant: Grant, here: Context) -> HttpResponse:
    from rollbook.sharing.connectors import lti

    asked = request.GET
    everyone = members(grant, here)
    if wanted := asked.get("role"):
        everyone = [
            m
            for m in everyone
            if wanted in (lti.ROLES.get(m.role), lti.ROLES.get(m.role, "").rsplit("#")[-1])
        ]
    start = int(asked["from"]) if asked.get("from", "").isdecimal() and len(asked["from"]) < 7 else 0
    most = (
        int(asked["limit"])
        if asked.get("limit", "").isdecimal() and 0 < int(asked["limit"][:6]) < PAGE
        else PAGE
    )
    shown = everyone[start : start + most]
    where = f"{origin(request)}/lti/contexts/{here.id}/members"
    body = {
        "id": where, "context": {"id": here.id, "label": here.label, "title": here.title},
        "members": [lti.member(m) for m in shown],
    }  # fmt: skip
    headers: dict[str, Any] = {}
    if start + most < len(everyone):
        more = urlencode({**({"role": wanted} if wanted else {}), "limit": most, "from": start + most})
        headers["Link"] = f'<{where}?{more}>; rel="next"'
    if shown:
        columns = shown[0].seen.columns([*dict.fromkeys(c for m in shown for c in m.seen.claims(lti.CLAIMS))])
        said = lti.enrolled_columns(columns)
        disclose(
            grant.access, "lti names and roles", said, [m.seen.person for m in shown], authorised_by=grant.rule_id,
            scope=in_short(grant.scopes),
        )  # fmt: skip
    return answer(body, kind=MEMBERSHIP, **headers)


urlpatterns = [
    path("lti/authorize", authorize),
    path("lti/token", token),
    path("lti/chosen", chosen),
    path("lti/contexts/<str:code>/members", names_and_roles),
    path("lti/<slug:slug>/choose", choose, name="lti_choose"),
    path("lti/<slug:slug>/links", links, name="lti_links"),
]
