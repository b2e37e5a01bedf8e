"""What is decided about an app beside its rule: that it exists, what its maker promised, requests, the end of sharing."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from rollbook.identity import signed_in
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.http import row_id
from rollbook.sharing.actions import agree, answer_field, create_app, stop
from rollbook.sharing.actions.developers import forget_maker, name_maker
from rollbook.sharing.actions.renewal import end_old_secrets, old_secrets_of, renew_secret
from rollbook.sharing.pages.deciders import DECIDES, SEES, may_decide, must_decide
from rollbook.sharing.pages.words import country, ending_lines
from rollbook.sharing.queries.choices import agreements_of, request_of
from rollbook.sharing.queries.facts import app_named, grant_or_why
from rollbook.sharing.queries.listings import listing_of
from rollbook.sharing.queries.preview import ending

HELPERS = 4  # rows for sub-processors beyond those there are
NEW = ("name", "vendor", "about", "privacy_url", "contact", "listing")


def to(slug: str, done: str = "") -> HttpResponse:
    """Back to the app's page."""
    return HttpResponseRedirect(reverse("app", args=[slug]) + (f"?done={done}" if done else ""))


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def new(request: Any) -> HttpResponse:
    """Make an app known; its secret is shown in the answer and never again."""
    if request.method == "GET":
        return render(request, "sharing/new.html", {"form": {}})
    form = {name: request.POST.get(name, "").strip()[:500] for name in NEW}
    errors = []
    if not form["vendor"]:
        errors.append(Invalid("Who makes it?", "The company or person whom the agreement is with.", "vendor"))
    if not form["about"]:
        errors.append(
            Invalid("Say what the app is for.", "It ends the sentence “so that they can …”.", "about")
        )
    if not form["privacy_url"]:
        errors.append(
            Invalid(
                "The app’s own privacy policy is missing.",
                "Staff and families must be able to read it.",
                "privacy_url",
            )
        )
    if not errors:
        try:
            made = create_app(request.who.tenant, by=request.who.actor, **form)
            return render(request, "sharing/made.html", {"app": made.app, "made": made})
        except Invalid as error:
            errors.append(error)
    return render(request, "sharing/new.html", {"form": form, "errors": errors}, status=422)


def _agreement_form(agreement: Any, app: Any) -> dict[str, Any]:
    if agreement is None:
        start = clock.today()
        return {
            "purpose": "",
            "region": "",
            "retention_days": "90",
            "contact": app.contact,
            "begins_on": start.isoformat(),
            "ends_on": (start + timedelta(days=365)).isoformat(),
            "helpers": [],
        }
    return {
        "purpose": agreement.purpose,
        "region": agreement.region,
        "retention_days": str(agreement.retention_days),
        "contact": agreement.contact,
        "begins_on": agreement.begins_on.isoformat(),
        "ends_on": agreement.ends_on.isoformat(),
        "helpers": [{"name": "", "does": "", "region": "", **h} for h in agreement.sub_processors],
    }


def _read_agreement(post: Any) -> tuple[dict[str, Any], dict[str, Any], list[Invalid]]:
    """The form as typed, what it says, and what cannot be used."""
    form: dict[str, Any] = {
        k: post.get(k, "").strip()[:500]
        for k in ("purpose", "region", "retention_days", "contact", "begins_on", "ends_on")
    }
    form["region"] = form["region"].upper()
    form["read_policy"] = bool(post.get("read_policy"))
    rows = zip(
        post.getlist("helper_name"), post.getlist("helper_does"), post.getlist("helper_region"), strict=False
    )
    form["helpers"] = [
        {"name": n.strip()[:200], "does": d.strip()[:200], "region": r.strip().upper()[:2]}
        for n, d, r in rows
        if n.strip() or d.strip() or r.strip()
    ]
    errors, said = (
        [],
        {
            "purpose": form["purpose"],
            "region": form["region"],
            "contact": form["contact"],
            "sub_processors": form["helpers"],
            "read_policy": form["read_policy"],
        },
    )
    if not form["purpose"]:
        errors.append(Invalid("Choose what the data is for.", "It gives the lawful basis.", "purpose"))
    if not re.fullmatch(r"[A-Z]{2}", form["region"]):
        errors.append(
            Invalid(
                "Say where the data is kept.",
                "A country code of two letters, such as GB, from the agreement.",
                "region",
            )
        )
    try:
        said["retention_days"] = int(form["retention_days"])
    except ValueError:
        errors.append(
            Invalid(
                "The time until deletion is not a number of days.",
                "Write 90 for three months.",
                "retention_days",
            )
        )
    for name, what in (("begins_on", "first"), ("ends_on", "last")):
        try:
            said[name] = date.fromisoformat(form[name])
        except ValueError:
            errors.append(Invalid(f"The {what} day is not a date.", "Write it as 2027-08-31.", name))
    if "@" not in form["contact"]:
        errors.append(
            Invalid("There is nobody to write to.", "An email address for questions about data.", "contact")
        )
    for number, helper in enumerate(form["helpers"]):
        if not helper["name"] or not re.fullmatch(r"[A-Z]{2}", helper["region"]):
            errors.append(
                Invalid(
                    f"Helper {number + 1} lacks its name or where it keeps data.",
                    "Both stand in the agreement.",
                    f"helper_name_{number}",
                )
            )
    if not form["read_policy"]:
        errors.append(
            Invalid(
                "Confirm that you have read the app’s privacy policy.",
                "This promise does not cover the app; its own policy does.",
                "read_policy",
            )
        )
    return form, said, errors


@require_http_methods(["GET", "POST"])
@signed_in(*SEES)
def agreement(request: Any, slug: str) -> HttpResponse:
    """What the app's maker promised; a new agreement takes the place of the one before, which stays as history."""
    access = request.access()
    app = app_named(access, slug)
    past = agreements_of(access, app)
    in_force = next((a for a in past if a.ended_at is None), None)
    errors: list[Invalid] = []
    form = _agreement_form(in_force, app)
    if request.method == "POST":
        must_decide(request)
        form, said, errors = _read_agreement(request.POST)
        if not errors:
            try:
                agree(app, by=request.who.actor, **said)
                leaves, why = grant_or_why(app)
                return (
                    to(slug, "agreed")
                    if leaves or (why and why.code != "no_rule")
                    else HttpResponseRedirect(reverse("app_rule", args=[slug]))
                )
            except Invalid as error:
                errors = [error]
    bundle = access.bundle
    context = {
        "app": app,
        "form": form,
        "errors": errors,
        "past": past,
        "in_force": in_force,
        "helper_rows": [*form["helpers"], *([{"name": "", "does": "", "region": ""}] * HELPERS)][
            : max(HELPERS, len(form["helpers"]) + 1)
        ],
        "purposes": [{"name": p, **bundle.purposes[p]} for r, p in sorted(bundle.rules) if r == "app"],
        "regions": [{"code": c, "name": country(c)} for c in bundle.regions_for(request.who.tenant.region)],
        "never": bundle.data["never"]["because"],
        "may_write": may_decide(request),
    }
    return render(request, "sharing/agreement.html", context, status=422 if errors else 200)


@require_http_methods(["GET", "POST"])
@signed_in(*SEES)
def stop_sharing(request: Any, slug: str) -> HttpResponse:
    """What happens when sharing stops, with counts; then stop."""
    app = app_named(request.access(), slug)
    if request.method == "POST":
        stop(app, by=request.who.actor, because=request.POST.get("because", "").strip()[:500])
        return to(slug, "stopped")
    change = ending(app)
    return render(
        request, "sharing/stop.html", {"app": app, "change": change, "lines": ending_lines(change, app.name)}
    )


KEEPS = {"0": "It ends now", "1": "For a day", "7": "For a week", "30": "For 30 days"}


@require_http_methods(["GET", "POST"])
@signed_in(*DECIDES)
def secret(request: Any, slug: str) -> HttpResponse:
    """A new secret for the app, shown in the answer and never again; how long the old one works is chosen."""
    app = app_named(request.access(), slug)
    errors: list[Invalid] = []
    if request.method == "POST" and request.POST.get("do") == "end":
        end_old_secrets(app, by=request.who.actor)
        return to(slug, "secret_ended")
    if request.method == "POST":
        days = request.POST.get("days", "")
        if days in KEEPS:
            until = clock.now() + timedelta(days=int(days)) if int(days) else None
            made = renew_secret(app, old_until=until, by=request.who.actor)
            return render(request, "sharing/renewed.html", {"app": app, "made": made})
        errors.append(Invalid("Say how long the old secret works.", "Choose one of the four.", "days"))
    context = {"app": app, "errors": errors, "keeps": KEEPS, "old": old_secrets_of(app)}
    return render(request, "sharing/secret.html", context, status=422 if errors else 200)


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def maker(request: Any, slug: str) -> HttpResponse:
    """Who makes the app, by the code of their listing: they may ask for details, and see how you answered."""
    app = app_named(request.access(), slug)
    errors: list[Invalid] = []
    if request.method == "POST":
        try:
            if request.POST.get("do") == "end":
                forget_maker(app, by=request.who.actor)
            else:
                name_maker(app, request.POST.get("listing", "")[:100], by=request.who.actor)
            return to(slug, "maker")
        except Invalid as error:
            errors.append(error)
    context = {
        "app": app,
        "errors": errors,
        "listing": listing_of(app),
        "code": request.POST.get("listing", "")[:100],
    }
    return render(request, "sharing/maker.html", context, status=422 if errors else 200)


@require_POST
@signed_in(*DECIDES)
def request_answer(request: Any, slug: str, number: str) -> HttpResponse:
    """Answer an app that asked for one more detail."""
    access = request.access()
    app = app_named(access, slug)
    asked = request_of(access, app, row_id(number))
    give = request.POST.get("answer") == "share"
    answer_field(asked, give=give, by=request.who.actor)
    return to(slug, "given" if give else "refused")
