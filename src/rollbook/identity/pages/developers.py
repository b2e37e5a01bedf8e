"""App developers sign up: an email, then the link that was sent to it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from rollbook.identity import actions, jobs  # noqa: F401  # registers the job that sends
from rollbook.identity.pages.who import address_of, agent_of, number_device
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.mail import can_mail


def is_on() -> bool:
    """Whether this site lets developers sign up."""
    return bool(settings.ROLLBOOK_DEVELOPERS)


@require_http_methods(["GET", "POST"])
def developer_sign_up(request: Any) -> HttpResponse:
    """An email. The page looks the same for every one."""
    mail = can_mail()
    context: dict[str, Any] = {"on": is_on(), "mail": mail, "email": request.POST.get("email", "")[:300]}
    status = 200
    if request.method == "POST":
        if not (is_on() and mail):
            raise NotFound("Nobody signs up here.")
        try:
            actions.ask_to_sign_up(context["email"], address_of(request))
            context["sent"] = True
        except Invalid as error:
            context["error"], status = error, 422
    return number_device(request, render(request, "identity/developer_sign_up.html", context, status=status))


@require_http_methods(["GET", "POST"])
def developer_link(request: Any, token: str) -> HttpResponse:
    """A link from a mail. Opening it shows a button: what reads mail by itself uses nothing up."""
    if not is_on():
        raise NotFound("Nobody signs up here.")
    key, new = actions.open_sign_up(token)
    context: dict[str, Any] = {"new": new, "email": key.email, "name": request.POST.get("name", "")[:300]}
    if request.method == "POST":
        try:
            actions.sign_up(request.session, token, context["name"], agent_of(request))
            return HttpResponseRedirect("/developers")
        except Invalid as error:
            context["error"] = error
    return render(request, "identity/developer_link.html", context, status=422 if "error" in context else 200)
