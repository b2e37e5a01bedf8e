"""The sharing rule: the form, what a change would do before it is saved, the rules that were, and using one again."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rollbook.identity import signed_in
from rollbook.kernel.errors import Invalid
from rollbook.sharing.actions import share
from rollbook.sharing.pages.deciders import DECIDES, SEES, may_decide
from rollbook.sharing.pages.deciding import to
from rollbook.sharing.pages.words import change_lines, many
from rollbook.sharing.queries.choices import choices, field_choices, rules_of
from rollbook.sharing.queries.facts import agreement_of, app_named, in_words, read_rule, rule_of
from rollbook.sharing.queries.preview import change
from rollbook.sharing.rules import FIELDS, LISTS, STRUCTURAL, People, parse_rule

REASON = 80  # characters of a reason that a parent reads


def _typed(post: Any) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """The rule that a form holds, the reasons typed beside details (ticked or not), and what is sought in long lists."""
    lists = {name: sorted({v for v in post.getlist(name) if v}) for name in LISTS}
    narrowed = {name: found for name, found in lists.items() if found}
    people: Any = narrowed if post.get("who") == "some" else "all"
    reasons = {key[7:]: value.strip()[:200] for key, value in post.items() if key.startswith("reason.")}
    ticked = [name for name in post.getlist("field") if name not in STRUCTURAL]
    fields = [{"field": name, "reason": reasons.get(name, "")} for name in ticked]
    sought = {name: post.get(f"find_{name}", "")[:100] for name in LISTS}
    return {"people": people, "fields": fields}, reasons, sought


def _checked(rule: Any) -> list[Invalid]:
    """What is wrong with a typed rule, each part by itself."""
    errors = []
    if isinstance(rule["people"], dict) and not rule["people"]:
        errors.append(
            Invalid(
                "Nobody is chosen.",
                "Tick at least one school, role, year, course or class, or choose everyone.",
                "who",
            )
        )
    for item in rule["fields"]:
        try:
            parse_rule({"people": "all", "fields": [item]})
        except Invalid as error:
            name = item["field"]  # a person reads the detail's title, a program its name
            title = FIELDS[name].title if name in FIELDS else name
            errors.append(Invalid(error.what.replace(name, title), error.mend, error.field))
    return errors


@require_http_methods(["GET", "POST"])
@signed_in(*DECIDES)
def rule(request: Any, slug: str) -> HttpResponse:
    """The form; "find" looks in long lists, "check" shows what the change does, "save" puts it in force."""
    access = request.access()
    app = app_named(access, slug)
    agreement, standing = agreement_of(access, app), rule_of(access, app)
    if agreement is None:
        return render(request, "sharing/no_agreement.html", {"app": app})
    do = request.POST.get("do", "")
    if request.method == "POST" and do in ("again", "save", "edit"):
        data = _stored(request.POST.get("rule", ""))
    elif request.method == "POST":
        data, reasons, sought = _typed(request.POST)
    errors: list[Invalid] = []
    if do == "save":
        if request.POST.get("on", "") != str(standing.id if standing else 0):
            errors.append(
                Invalid(
                    f"Somebody changed the rule for {app.name} meanwhile.",
                    "Look again at what yours would change, then save.",
                )
            )
        else:
            try:
                share(app, data, by=request.who.actor)
                return to(slug, "shared")
            except Invalid as error:
                errors.append(error)
    if do == "check":
        errors = _checked(data)
    if (do in ("check", "again") and not errors) or (do == "save" and errors):
        return _check_page(request, access, app, standing, data, errors)
    if request.method == "GET":
        data, reasons, sought = _of_rule(standing), {}, {}
    elif do == "edit":
        reasons, sought = {}, {}
    return _form(request, access, app, data, reasons, sought, errors)


def _stored(text: str) -> dict[str, Any]:
    """A rule that a page carried. Raises Invalid."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise Invalid("The rule did not arrive whole.", "Open the form again.") from error
    parse_rule(data, common_reason="-")
    return data


def _of_rule(standing: Any) -> dict[str, Any]:
    """What the form begins with: the rule in force, or nobody and nothing."""
    if standing is None:
        return {"people": {}, "fields": []}
    return {"people": standing.people, "fields": standing.fields}


def _check_page(
    request: Any, access: Any, app: Any, standing: Any, data: Any, errors: list[Invalid]
) -> HttpResponse:
    found = change(app, data["people"], data["fields"])
    parsed = parse_rule(data, common_reason="-")
    context = {
        "app": app,
        "change": found,
        "lines": change_lines(found, app.name),
        "rule": json.dumps(data),
        "errors": errors,
        "on": standing.id if standing else 0,
        "whom_named": in_words(access, parsed.people),
        "details": "every detail that the policy lets an app have"
        if parsed.all_fields
        else many(len(set(parsed.fields) | STRUCTURAL), "detail"),
    }
    return render(request, "sharing/check.html", context, status=422 if errors else 200)


def _people(data: Any) -> People:
    found = data["people"]
    return People(**{k: tuple(v) for k, v in found.items()}) if isinstance(found, dict) else People()


def _form(
    request: Any,
    access: Any,
    app: Any,
    data: Any,
    reasons: dict[str, str],
    sought: dict[str, str],
    errors: list[Invalid],
) -> HttpResponse:
    wrong = {e.field: e for e in errors}
    groups = [
        (title, [{"choice": c, "error": wrong.get(f"fields.{c.field.name}")} for c in found])
        for title, found in field_choices(access, app, data["fields"], reasons)
    ]
    context = {
        "app": app,
        "who_all": data["people"] == "all",
        "lists": choices(access, _people(data), sought),
        "errors": errors,
        "groups": groups,
        "reason_length": REASON,
        "everything": data["fields"] == "all",
    }
    return render(request, "sharing/rule.html", context, status=422 if errors else 200)


@require_POST
@signed_in(*DECIDES)
def rule_preview(request: Any, slug: str) -> HttpResponse:
    """What the form would change as it stands, for the part of the page that follows it."""
    app = app_named(request.access(), slug)
    data, _, _ = _typed(request.POST)
    context: dict[str, Any] = {"app": app}
    if data["people"] == {}:
        context["empty"] = True
    else:
        data["fields"] = [{**item, "reason": item["reason"] or "-"} for item in data["fields"]]
        try:
            parse_rule(data)
            found = change(app, data["people"], data["fields"])
            context |= {"change": found, "lines": change_lines(found, app.name)}
        except Invalid as error:
            context["error"] = error
    return render(request, "sharing/preview.html", context)


@require_GET
@signed_in(*SEES)
def history(request: Any, slug: str) -> HttpResponse:
    """Every rule the app stood under, and a way back to each."""
    access = request.access()
    app = app_named(access, slug)
    past = []
    for found in rules_of(access, app):
        parsed = read_rule(found)
        past.append(
            {
                "rule": found,
                "whom": in_words(access, parsed.people),
                "all": parsed.all_fields,
                "fields": [(FIELDS[name].title, reason) for name, reason in parsed.fields.items()],
                "data": json.dumps({"people": found.people, "fields": found.fields}),
            }
        )
    return render(
        request,
        "sharing/history.html",
        {"app": app, "past": past, "may_write": may_decide(request)},
    )
