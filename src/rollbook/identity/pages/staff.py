"""Sign-in with a password, one's own account, and the staff of a tenant."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from rollbook.identity import actions, queries, rules
from rollbook.identity.pages.who import address_of, agent_of, wait
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import row_id, safe_next, signed_in
from rollbook.roster import Tenant, find_by_sourced_id, school_choices


@require_http_methods(["GET", "POST"])
def sign_in(request: Any) -> HttpResponse:
    """Email and password."""
    wanted = safe_next(request)
    if request.method == "GET":
        return (
            HttpResponseRedirect(wanted)
            if request.who and request.who.kind == "staff"
            else render(request, "identity/sign_in.html", {"next": wanted})
        )
    email = request.POST.get("email", "")[:300]
    try:
        who = actions.sign_in(
            request.session, email, request.POST.get("password", ""), address_of(request), agent_of(request)
        )
    except actions.TooMany as error:
        said = {"next": wanted, "email": email, "problem": wait(error.seconds)}
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
        actions.use_reset_link(request.session, token, request.POST.get("password", ""), agent_of(request))
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
            error, status = Invalid(wait(found.seconds), "", "current"), 429
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
