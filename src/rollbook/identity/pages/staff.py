"""Sign-in with a password, one's own account, and the staff of a tenant."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from rollbook.identity import actions, queries, rules
from rollbook.identity.pages.developers import is_on
from rollbook.identity.pages.who import (
    address_of,
    agent_of,
    device_of,
    new_device_of,
    number_device,
    site_of,
    wait,
)
from rollbook.identity.queries.idp import schools_with_one
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import row_id, safe_next, signed_in
from rollbook.roster import Tenant, find_by_sourced_id, school_choices


@require_http_methods(["GET", "POST"])
def sign_in(request: Any) -> HttpResponse:
    """Email and password."""
    wanted = safe_next(request)
    if request.method == "GET":
        if request.half:
            return HttpResponseRedirect(f"/second-step?next={quote(wanted)}")
        if request.who and request.who.kind == "staff":
            return HttpResponseRedirect(wanted)
        return _sign_in(request, {"next": wanted})
    email = request.POST.get("email", "")[:300]
    try:
        who = actions.sign_in(
            request.session, email, request.POST.get("password", ""), address_of(request), agent_of(request)
        )
    except actions.TooMany as error:
        said = {"next": wanted, "email": email, "problem": wait(error.seconds)}
        answer = _sign_in(request, said, 429)
        answer["Retry-After"] = str(error.seconds)
        return answer
    if who is None:
        problem = "That email and password do not fit together. Check both."
        return _sign_in(request, {"next": wanted, "email": email, "problem": problem}, 422)
    actions.notice_device(who, new_device_of(request), request.session.browser)
    if len(who.memberships) > 1:
        wanted = f"/tenant?next={quote(wanted)}"
    wanted = f"/second-step?next={quote(wanted)}" if who.half else wanted
    return number_device(request, HttpResponseRedirect(wanted))


def _sign_in(request: Any, said: dict[str, Any], status: int = 200) -> HttpResponse:
    options, sealed = actions.offer_sign_in(site_of(request)[0])
    context = {
        **said,
        "options": options,
        "sealed": sealed,
        "schools": schools_with_one(),
        "developers": is_on(),
    }
    return number_device(request, render(request, "identity/sign_in.html", context, status=status))


@require_POST
def sign_in_passkey(request: Any) -> HttpResponse:
    """A passkey alone: it knows its holder, so it is both factors."""
    wanted = safe_next(request)
    try:
        who = actions.sign_in_passkey(
            request.session, request.POST.get("answer", ""), request.POST.get("challenge", ""), *site_of(request),
            address_of(request), device_of(request), agent_of(request),
        )  # fmt: skip
    except actions.TooMany as error:
        return _sign_in(request, {"next": wanted, "problem": wait(error.seconds)}, 429)
    except Invalid as error:
        return _sign_in(request, {"next": wanted, "problem": f"{error.what} {error.mend}"}, 422)
    if who is None:
        return _sign_in(
            request, {"next": wanted, "problem": "That passkey does not open anything here."}, 422
        )
    actions.notice_device(who, new_device_of(request), request.session.browser)
    wanted = f"/tenant?next={quote(wanted)}" if len(who.memberships) > 1 else wanted
    return number_device(request, HttpResponseRedirect(wanted))


@require_http_methods(["GET", "POST"])
def second_step(request: Any) -> HttpResponse:
    """Between the password and the desk: the passkey or a recovery code; or, where there is none, add a passkey."""
    who, wanted, error, form = request.half, safe_next(request), None, request.POST
    if who is None:
        return HttpResponseRedirect(wanted if request.who else f"/sign-in?next={quote(wanted)}")
    host, origin = site_of(request)
    if request.method == "POST":
        try:
            match form.get("do", ""):
                case "add":
                    name = rules.browser_name(agent_of(request))
                    codes = actions.add_passkey(
                        request.session,
                        who,
                        form.get("answer", ""),
                        form.get("challenge", ""),
                        host,
                        origin,
                        name,
                    )
                    return render(request, "identity/codes.html", {"codes": codes, "next": wanted})
                case "use":
                    found = actions.sign_in_passkey(
                        request.session, form.get("answer", ""), form.get("challenge", ""), host, origin,
                        address_of(request), device_of(request), agent_of(request),
                    )  # fmt: skip
                    if found is None:
                        raise Invalid("That passkey does not open anything here.", "Use the one you added.")
                case "code":
                    if not actions.use_code(request.session, who, form.get("code", "")[:40]):
                        raise Invalid(
                            "That code does not fit, or was used.", "Take the next one on your list.", "code"
                        )
                case "later":
                    actions.put_off(request.session, who)
                case _:
                    raise NotFound("There is no such form.")
            return HttpResponseRedirect(wanted)
        except Invalid as problem:
            error = problem
        except actions.TooMany as problem:
            error = Invalid(wait(problem.seconds))
    has = queries.passkeys_of(who.account_id)
    options, sealed = actions.offer_sign_in(host) if has else actions.offer_registration(who, host)
    context = {
        "half": who, "next": wanted, "error": error, "has": bool(has), "options": options, "sealed": sealed,
        "codes": queries.codes_left(who.account_id), "ends": None if has else actions.begin_grace(who), "now": clock.now(),
    }  # fmt: skip
    return render(request, "identity/second_step.html", context, status=422 if error else 200)


@require_POST
def sign_out(request: Any) -> HttpResponse:
    """End this sign-in."""
    who = request.who or request.half
    if who:
        actions.sign_out(request.session, who)
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
                case "everywhere":
                    actions.sign_out_everywhere(request.who)
                    return HttpResponseRedirect("/sign-in")
                case "passkey":
                    codes = actions.add_passkey(
                        request.session, request.who, request.POST.get("answer", ""), request.POST.get("challenge", ""),
                        *site_of(request), request.POST.get("label", "") or rules.browser_name(agent_of(request)),
                    )  # fmt: skip
                    if codes:
                        return render(request, "identity/codes.html", {"codes": codes, "next": "/me"})
                case "forget":
                    actions.remove_passkey(request.who, row_id(request.POST.get("passkey", "")))
                case "codes":
                    return render(
                        request,
                        "identity/codes.html",
                        {"codes": actions.renew_codes(request.who), "next": "/me"},
                    )
                case _:
                    raise NotFound("There is no such form.")
            return HttpResponseRedirect(f"/me?done={request.POST['do']}")
        except Invalid as found:
            error, status = found, 422
        except actions.TooMany as found:
            error, status = Invalid(wait(found.seconds), "", "current"), 429
    said = {"name": "Your name is changed.", "password": "Your password is changed. Other sign-ins have ended.",
            "end": "That sign-in has ended.", "passkey": "The passkey is added.",
            "forget": "The passkey is gone."}.get(request.GET.get("done", ""))  # fmt: skip
    here = queries.handle_of(actions.digest(request.session.session_key))
    options, sealed = actions.offer_registration(request.who, site_of(request)[0])
    context = {
        "options": options, "sealed": sealed, "passkeys": queries.passkeys_of(request.who.account_id),
        "codes": queries.codes_left(request.who.account_id), "devices": queries.devices_of(request.who.account_id),
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
                case "factors":
                    account, token = actions.link_for_colleague(tenant, row_id(form.get("role", "")), by)
                    actions.forget_factors(account, by)
                    link = {"name": account.name, "url": request.build_absolute_uri(f"/reset/{token}")}
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
