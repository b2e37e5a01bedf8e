"""Where an app is told that there are events, and what was sent: state, tries, the code of the answer."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from rollbook.identity import signed_in
from rollbook.kernel.errors import Invalid
from rollbook.kernel.http import row_id
from rollbook.sharing.actions.webhooks import add_webhook, end_webhook, resend
from rollbook.sharing.pages.deciders import SEES, may_decide, must_decide
from rollbook.sharing.queries.facts import app_named
from rollbook.sharing.queries.webhooks import addresses_of, deliveries_of, webhooks_of

DONE = {
    "ended": "That address hears nothing more.",
    "resent": "The message goes out again, under the same number.",
}


@require_http_methods(["GET", "POST"])
@signed_in(*SEES)
def events(request: Any, slug: str) -> HttpResponse:
    """An app's webhooks and the messages to them. A new one's secret is shown in the answer and never again."""
    access = request.access()
    app = app_named(access, slug)
    errors: list[Invalid] = []
    url = ""
    if request.method == "POST":
        must_decide(request)
        by, do = request.who.actor, request.POST.get("do", "")
        number = row_id(request.POST.get("number", "0"))
        if do == "end":
            end_webhook(app, number, by)
            return HttpResponseRedirect(reverse("app_events", args=[slug]) + "?done=ended")
        if do == "resend":
            resend(app, number, by)
            return HttpResponseRedirect(reverse("app_events", args=[slug]) + "?done=resent")
        url = request.POST.get("url", "").strip()[:1000]
        try:
            made, secret = add_webhook(app, url, by)
            return render(request, "sharing/webhook_made.html", {"app": app, "made": made, "secret": secret})
        except Invalid as error:
            errors = [error]
    before = row_id(request.GET["before"]) if request.GET.get("before") else 0
    rows, more = deliveries_of(access, app, before)
    addresses = addresses_of(access, app)
    hooks = webhooks_of(access, app)
    context = {
        "app": app,
        "errors": errors,
        "url": url,
        "hooks": hooks,
        "rows": [
            {
                "row": row,
                "url": addresses.get(row.webhook_id, ""),
                "events": sum(row.counts.values()),
                "kinds": ", ".join(f"{count} {kind}" for kind, count in row.counts.items()),
                "live": any(hook.id == row.webhook_id for hook in hooks),
            }
            for row in rows
        ],
        "last": rows[-1].id if more else 0,
        "may_write": may_decide(request),
        "said": DONE.get(request.GET.get("done", "")),
    }
    return render(request, "sharing/events.html", context, status=422 if errors else 200)
