"""Guardians sign in: a contact that the school holds, then the link or the code that was sent to it."""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from rollbook.identity import actions, jobs  # noqa: F401  # registers the job that sends
from rollbook.identity.pages.who import address_of, agent_of, device_of, number_device, wait
from rollbook.kernel.errors import NotFound
from rollbook.roster import school_named

SALT = "rollbook.one-time"
SENT = "If the school holds it, a code is on its way to you."


@require_http_methods(["GET", "POST"])
def family_sign_in(request: Any, slug: str) -> HttpResponse:
    """/family/at/sevenhills: one page for asking and for the code. It looks the same for every contact."""
    tenant = school_named(slug)
    context = {"tenant": tenant, "channels": actions.channels(), "sealed": "", "problem": "", "said": ""}
    status = 200
    if request.method == "POST" and request.POST.get("key"):
        try:
            key = signing.loads(request.POST["key"], salt=SALT, max_age=1800)
            code, agent = request.POST.get("code", "")[:12], agent_of(request)
            who = actions.sign_in_code(
                request.session, key, code, address_of(request), device_of(request), agent
            )
            if who is not None:
                return HttpResponseRedirect("/family")
            context["sealed"], context["problem"], status = (
                request.POST["key"],
                "That code does not fit.",
                422,
            )
        except signing.BadSignature:
            context["problem"], status = "That took too long. Ask for a new code.", 422
        except actions.TooMany as error:
            context["problem"], status = wait(error.seconds), 429
    elif request.method == "POST":
        key = actions.ask_for_link(tenant, request.POST.get("contact", ""), address_of(request))
        context["sealed"], context["said"] = signing.dumps(key, salt=SALT), SENT
    return number_device(request, render(request, "identity/family.html", context, status=status))


@require_http_methods(["GET", "POST"])
def family_link(request: Any, token: str) -> HttpResponse:
    """A link from a message. Opening it shows a button: what reads mail by itself uses nothing up."""
    key = actions.link_of(token)
    if request.method == "GET":
        return render(request, "identity/family_link.html", {"tenant": key.tenant})
    if actions.sign_in_link(request.session, token, agent_of(request)) is None:
        raise NotFound("This link opens nothing now.")
    return HttpResponseRedirect("/family")
