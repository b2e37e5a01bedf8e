"""The school directs how its pupils and guardians sign in."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from rollbook.identity import actions, queries
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import signed_in


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def sign_in_rules(request: Any) -> HttpResponse:
    """Who of the roster may sign in and how, on what ground; all badges anew at year end."""
    tenant, by, form, error = request.who.tenant, request.who.actor, request.POST, None
    if request.method == "POST":
        try:
            match form.get("do", ""):
                case "direct":
                    on = {name: name in form for name in actions.SWITCHES}
                    actions.direct(tenant, by, form.get("ground", ""), form.get("parents_told", ""), **on)
                case "rotate":
                    actions.rotate(tenant, by)
                case _:
                    raise NotFound("There is no such form.")
            return HttpResponseRedirect(f"/sign-in-rules?done={form['do']}")
        except Invalid as found:
            error = found
    said = {
        "direct": "Saved. It holds from now on.",
        "rotate": "Every badge is stopped. Give and print new ones.",
    }
    now = queries.sign_in_rules(tenant.id)
    kept = form if error else {**{n: getattr(now, n) for n in actions.SWITCHES}, "ground": now.ground,
                               "parents_told": now.parents_told}  # fmt: skip
    context = {"rules": now, "kept": kept, "error": error, "said": said.get(request.GET.get("done", ""))}
    return render(request, "identity/sign_in_rules.html", context, status=422 if error else 200)
