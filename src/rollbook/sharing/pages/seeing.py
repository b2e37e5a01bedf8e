"""What apps see: the list, one app's page, one pupil as an app sees them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from rollbook.identity import signed_in
from rollbook.kernel.http import origin, row_id
from rollbook.policy import disclose
from rollbook.sharing.actions.renewal import has_secret
from rollbook.sharing.pages.deciders import SEES, may_decide
from rollbook.sharing.pages.payload import made_up, true_payload
from rollbook.sharing.pages.words import country, listed, many, whom
from rollbook.sharing.queries import audience
from rollbook.sharing.queries.choices import people_matching, person_named, rules_of, why_not
from rollbook.sharing.queries.duties import duties_of
from rollbook.sharing.queries.facts import (
    NEVER_FIELDS,
    app_lines,
    app_named,
    facts_of,
    grant_or_why,
    in_words,
    read_rule,
)
from rollbook.sharing.queries.library import additions_of

SHOWN_COLUMNS = "roster_person.family_name,roster_person.given_name,roster_person.grades"
DONE = {
    "shared": "The rule is in force. The app’s next request follows it.",
    "stopped": "Sharing is stopped. The app’s next request gets nothing.",
    "agreed": "The agreement is recorded.",
    "given": "The detail is shared. The app’s next request gets it.",
    "secret_ended": "The old secret has ended. The app signs in again with the new one.",
    "taken_away": "Taken away. The app’s next request gets nothing of that class.",
    "maker": "Done. Its maker may ask only while you name them here.",
    "refused": "Refused. Nothing has changed, and the app sees that you said no.",
}


@require_GET
@signed_in(*SEES)
def apps_list(request: Any) -> HttpResponse:
    """Every app: what it gets, when it last read, until when, and why nothing leaves if nothing does."""
    lines = app_lines(request.access())
    context = {
        "lines": [{"line": line, "whom": whom(line.reached)} for line in lines],
        "getting": sum(line.leaves for line in lines),
        "may_write": may_decide(request),
        "new": "developer_app_new" if request.who.role == "developer" else "app_new",
        "directories": request.who.role != "developer",
    }
    return render(request, "sharing/apps.html", context)


def _asked(app: Any, facts: Any, request: Any) -> dict[str, Any]:
    """A request for one more detail, and the letter that asks its maker why, for the reader's own mail program."""
    title = next(d.field.title for d in facts.details if d.field.name == request.field)
    contact = facts.agreement.contact if facts.agreement else app.contact
    letter = {
        "subject": f"{app.name}: why do you ask for {title.lower()}?",
        "body": f"On {request.asked_at:%d %B %Y} {app.name} asked for {title.lower()}: “{request.reason}”\n\n"
        "Why is what you get now not enough? Until we have decided, nothing changes.\n",
    }
    mail = f"mailto:{quote(contact)}?{urlencode(letter, quote_via=quote)}" if "@" in contact else ""
    return {"request": request, "title": title, "mail": mail}


@require_GET
@signed_in(*SEES)
def app_page(request: Any, slug: str) -> HttpResponse:
    """What one app sees: each detail with its reason and last use, what was measured and what was promised."""
    access = request.access()
    app = app_named(access, slug)
    facts = facts_of(access, request.who.tenant, app)
    agreement = facts.agreement
    rules = rules_of(access, app)
    context = {
        "app": app,
        "facts": facts,
        "rules": rules,
        "never": NEVER_FIELDS,
        "never_because": access.bundle.data["never"]["because"],
        "whom": whom(facts.reached),
        "schools": many(facts.reached.schools, "school"),
        "details": many(len(facts.shared), "detail"),
        "unseen": len(facts.unseen),
        "whom_named": in_words(access, read_rule(facts.rule).people) if facts.rule else "",
        "asked": [_asked(app, facts, r) for r in facts.requests],
        "payload": made_up(facts.grant, origin(request)) if facts.grant else "",
        "unused": listed(d.field.title.lower() for d in facts.unused),
        "region": country(agreement.region) if agreement else "",
        "helpers": [{**h, "country": country(h.get("region", ""))} for h in agreement.sub_processors]
        if agreement
        else [],
        "may_write": may_decide(request),
        "has_secret": has_secret(app),
        "duties": duties_of(access, app),
        "additions": additions_of(access, app) if app.in_library else [],
        "said": DONE.get(request.GET.get("done", "")),
    }
    return render(request, "sharing/app.html", context)


@require_GET
@signed_in(*SEES)
def try_it(request: Any, slug: str) -> HttpResponse:
    """The true payload for one pupil, or why this app does not see them. Looking is written down as looking."""
    access = request.access()
    app = app_named(access, slug)
    grant, withheld = grant_or_why(app)
    text = request.GET.get("q", "").strip()[:100]
    context: dict[str, Any] = {"app": app, "q": text, "withheld": withheld}
    if request.GET.get("person"):
        person = person_named(access, row_id(request.GET["person"]))
        columns, people = SHOWN_COLUMNS, {person.id}
        context["person"] = person
        if grant is None:
            context["because"] = withheld.reason if withheld else ""
        elif person.id in audience(grant, "person").active:
            payload, columns, people, hidden = true_payload(access, grant, person.id, origin(request))
            context |= {"payload": payload, "hidden": listed(title.lower() for title in hidden)}
        else:
            context["because"] = why_not(access, grant, person)
        disclose(access, "page:app_try", columns, people)
    elif text:
        matches = people_matching(access, text)
        context["matches"] = matches
        if matches:
            disclose(access, "page:app_try", SHOWN_COLUMNS, [m.id for m in matches])
    elif "q" in request.GET:
        context["matches"] = []
    return render(request, "sharing/try.html", context)
