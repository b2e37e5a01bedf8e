"""Sign-in, one's own account, and the staff of a tenant; the middleware that knows who asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from rollbook.identity import actions, queries, rules
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import row_id, safe_next, signed_in
from rollbook.roster import Tenant, find_by_sourced_id, school_choices

# The main pages: title, address, and the roles that may open it.
NAVIGATION = (
    ("Home", "/", ()),
    ("People", "/people", ()),
    ("Classes", "/classes", ()),
    ("Sync", "/sync", ("administrator", "dpo")),
    ("Apps", "/apps", ("administrator", "dpo")),
    ("Audit", "/audit", ("administrator", "dpo")),
    ("Staff", "/staff", ("administrator",)),
)


class SignedIn:
    """Puts `session`, `who` and `access` on each request, and the session's key into the browser."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        session = request.session = actions.SessionStore(key)
        who = request.who = actions.resume(session) if key else None
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
    return {
        "who": who,
        "navigation": [
            {"title": title, "href": href, "here": here == href or (href != "/" and here.startswith(href))}
            for title, href, roles in NAVIGATION
            if not roles or who.role in roles
        ],
    }


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")[:300]


def _wait(seconds: int) -> str:
    minutes = max(1, round(seconds / 60))
    return f"Too many tries did not fit. Wait {minutes} minute{'s' if minutes > 1 else ''}, then try again."


@require_http_methods(["GET", "POST"])
def sign_in(request: Any) -> HttpResponse:
    """Email and password."""
    wanted = safe_next(request)
    if request.method == "GET":
        return (
            HttpResponseRedirect(wanted)
            if request.who
            else render(request, "identity/sign_in.html", {"next": wanted})
        )
    email = request.POST.get("email", "")[:300]
    try:
        who = actions.sign_in(
            request.session, email, request.POST.get("password", ""), _address(request), _agent(request)
        )
    except actions.TooMany as error:
        said = {"next": wanted, "email": email, "problem": _wait(error.seconds)}
        answer = render(request, "identity/sign_in.html", said, status=429)
        answer["Retry-After"] = str(error.seconds)
        return answer
    if who is None:
        problem = "That email and password do not fit together. Check both."
        return render(
            request, "identity/sign_in.html", {"next": wanted, "email": email, "problem": problem}, status=422
        )
    if len(who.memberships) > 1:
        request.who = who
        return HttpResponseRedirect(f"/tenant?next={quote(wanted)}")
    return HttpResponseRedirect(wanted)


@require_POST
def sign_out(request: Any) -> HttpResponse:
    """End this sign-in."""
    if request.who:
        actions.sign_out(request.session, request.who)
    return HttpResponseRedirect("/sign-in")


@require_http_methods(["GET", "POST"])
def reset(request: Any, token: str) -> HttpResponse:
    """Set a password by a one-time link, then be signed in."""
    account = actions.find_reset(token)
    if request.method == "GET":
        return render(request, "identity/reset.html", {"account": account, "least": rules.PASSWORD_LEAST})
    try:
        actions.use_reset_link(request.session, token, request.POST.get("password", ""), _agent(request))
    except Invalid as error:
        said = {"account": account, "least": rules.PASSWORD_LEAST, "error": error}
        return render(request, "identity/reset.html", said, status=422)
    return HttpResponseRedirect("/")


@require_http_methods(["GET", "POST"])
@signed_in()
def tenant(request: Any) -> HttpResponse:
    """Choose in which of one's places to go on."""
    wanted = safe_next(request)
    if request.method == "POST":
        actions.choose(request.session, request.who, row_id(request.POST.get("place", "")))
        return HttpResponseRedirect(wanted)
    return render(request, "identity/tenant.html", {"next": wanted})


@require_http_methods(["GET", "POST"])
@signed_in()
def me(request: Any) -> HttpResponse:
    """One's own name, password and sign-ins."""
    error, status = None, 200
    if request.method == "POST":
        try:
            match request.POST.get("do", ""):
                case "name":
                    actions.rename(request.who, request.POST.get("name", ""))
                case "password":
                    current, new = request.POST.get("current", ""), request.POST.get("password", "")
                    actions.change_password(request.who, current, new, request.session)
                case "end":
                    actions.end_session(request.who, request.POST.get("session", ""))
                case _:
                    raise NotFound("There is no such form.")
            return HttpResponseRedirect(f"/me?done={request.POST['do']}")
        except Invalid as found:
            error, status = found, 422
        except actions.TooMany as found:
            error, status = Invalid(_wait(found.seconds), "", "current"), 429
    said = {"name": "Your name is changed.", "password": "Your password is changed. Other sign-ins have ended.",
            "end": "That sign-in has ended."}.get(request.GET.get("done", ""))  # fmt: skip
    here = queries.handle_of(actions.digest(request.session.session_key))
    context = {
        "error": error, "said": said, "here": here, "name": request.POST.get("name", request.who.name),
        "sessions": queries.sessions_of(request.who.account_id), "least": rules.PASSWORD_LEAST,
    }  # fmt: skip
    return render(request, "identity/me.html", context, status=status)


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def staff(request: Any) -> HttpResponse:
    """Who may sign in, as what, why and until when; give a role, take one, make a link that sets a password."""
    error, link, status = None, None, 200
    tenant, by, form = request.who.tenant, request.who.actor, request.POST
    if request.method == "POST":
        try:
            match form.get("do", ""):
                case "give":
                    _give(tenant, form, by)
                    return HttpResponseRedirect("/staff?done=give")
                case "end":
                    actions.end_membership(tenant, row_id(form.get("role", "")), by)
                    return HttpResponseRedirect("/staff?done=end")
                case "link":
                    account, token = actions.link_for_colleague(tenant, row_id(form.get("role", "")), by)
                    link = {"name": account.name, "url": request.build_absolute_uri(f"/reset/{token}")}
                case _:
                    raise NotFound("There is no such form.")
        except Invalid as found:
            error, status = found, 422
    said = {
        "give": "The role is given. Make a link, so that they can set a password.",
        "end": "The role has ended.",
    }
    context = {
        "error": error, "link": link, "said": said.get(request.GET.get("done", "")), "colleagues": queries.staff_of(tenant.id),
        "roles": rules.ROLES.values(), "orgs": school_choices(request.access()), "form": form if error else {},
    }  # fmt: skip
    return render(request, "identity/staff.html", context, status=status)


def _give(tenant: Tenant, form: Any, by: Any) -> None:
    role, code, org = form.get("as", ""), form.get("code", "").strip(), form.get("org", "")
    person_id, org_id = None, None
    if role == "teacher" and code:
        try:
            person_id = find_by_sourced_id(tenant, "person", code)
        except NotFound:
            raise Invalid(
                "Nobody on the roll has that code.", "Look it up on the People page.", "code"
            ) from None
    if role == "head" and org:
        org_id = row_id(org)
    actions.invite(
        tenant,
        form.get("email", ""),
        form.get("name", ""),
        role,
        by,
        form.get("reason", ""),
        person_id,
        org_id,
    )


urlpatterns = [
    path("sign-in", sign_in, name="sign_in"),
    path("sign-out", sign_out, name="sign_out"),
    path("reset/<str:token>", reset, name="reset"),
    path("tenant", tenant, name="tenant"),
    path("me", me, name="me"),
    path("staff", staff, name="staff"),
]
