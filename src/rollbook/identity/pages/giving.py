"""What teachers and administrators do for pupils who sign in: badges of a class, one pupil's badge or picture code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import segno
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_http_methods, require_POST

from rollbook.identity import actions, queries
from rollbook.identity.connectors import labels
from rollbook.identity.rules import STOCKS, Stock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import row_id, signed_in
from rollbook.policy import audit, disclose
from rollbook.roster import FIRST_NAMES, class_register, first_names, names_of


@require_http_methods(["GET", "POST"])
@signed_in()
def class_badges(request: Any, klass: str) -> HttpResponse:
    """The badges of a class: who has one, when it was used; give, stop, give anew."""
    tenant, by, error = request.who.tenant, request.who.actor, None
    register = _register(request, klass, "page:badges")
    everyone = [s.id for s in register.students]
    if request.method == "POST":
        chosen = [row_id(p) for p in request.POST.getlist("person")]
        if set(chosen) - set(everyone):
            raise NotFound("There is no such pupil in this class.")
        people = chosen or everyone
        try:
            match request.POST.get("do", ""):
                case "give":
                    actions.issue(tenant, people, by)
                case "anew":
                    actions.issue(tenant, people, by, again=True)
                case "stop":
                    actions.stop(tenant, people, by)
                case _:
                    raise NotFound("There is no such form.")
            return HttpResponseRedirect(f"/classes/{register.id}/badges?done={request.POST['do']}")
        except Invalid as found:
            error = found
    have = queries.badges_of(tenant.id, everyone)
    said = {"give": "Every pupil of the class has a badge.", "stop": "Stopped. Whatever they opened is closed.",
            "anew": "New badges are ready to print. The old ones are stopped."}.get(request.GET.get("done", ""))  # fmt: skip
    context = {
        "register": register, "lines": [(s, have.get(s.id)) for s in register.students], "error": error, "said": said,
        "some": bool(have), "missing": len(everyone) - len(have), "rules": queries.sign_in_rules(tenant.id),
    }  # fmt: skip
    return render(request, "identity/class_badges.html", context, status=422 if error else 200)


def _register(request: Any, klass: str, door: str) -> Any:
    """The class as the access sees it, written down. Raises NotFound for one that is not there or not theirs."""
    access = request.access()
    with access.open():
        register = class_register(access, row_id(klass))
    disclose(access, door, register.columns, register.people)
    return register


@dataclass(frozen=True)
class Printed:
    """One badge on the sheet. code: what it says, to type where there is no camera."""

    name: str
    code: str
    drawing: SafeString


@require_POST
@signed_in()
def print_badges(request: Any, klass: str) -> HttpResponse:
    """The sheet: ten badges on each A4 page. First name, class and school; no surname, no number."""
    register = _register(request, klass, "page:badges_printed")
    access, people = request.access(), [s.id for s in register.students]
    chosen = [row_id(p) for p in request.POST.getlist("person")]
    if set(chosen) - set(people):
        raise NotFound("There is no such pupil in this class.")
    with access.open():
        names = first_names(access, chosen or people)
    disclose(access, "page:badges_printed", FIRST_NAMES, names)
    tokens = actions.print_run(request.who.tenant, names, request.who.actor, register.title)
    badges = [Printed(names[p], _spaced(t), _drawing(t)) for p, t in tokens.items()]
    pages = [badges[n : n + 10] for n in range(0, len(badges), 10)]
    return render(
        request, "identity/sheet.html", {"register": register, "pages": pages, "count": len(badges)}
    )


@require_http_methods(["GET", "POST"])
@signed_in()
def badge_labels(request: Any, klass: str) -> HttpResponse:
    """The same badges as a PDF for labels: which stock, and the first label to use of a sheet that was begun."""
    register = _register(request, klass, "page:badges")
    access, people, error = request.access(), [s.id for s in register.students], None
    with access.open():
        names = first_names(access, people)
    form = request.POST
    if request.method == "POST":
        try:
            stock, start = _stock(form.get("stock", ""), form.get("start", "1").strip() or "1")
            tokens = actions.print_run(request.who.tenant, names, request.who.actor, register.title)
            disclose(access, "page:badges_printed", FIRST_NAMES, tokens)
            badges = [
                labels.Label(names[p], (register.title, register.school), t, _spaced(t))
                for p, t in tokens.items()
            ]
            answer = HttpResponse(
                labels.labels(stock, badges, f"Badges of {register.title}", start),
                content_type="application/pdf",
            )
            answer["Content-Disposition"] = 'attachment; filename="badges.pdf"'
            return answer
        except Invalid as found:
            error = found
    have = queries.badges_of(request.who.tenant.id, people)
    disclose(access, "page:badges", FIRST_NAMES, names)
    context = {
        "register": register, "stocks": STOCKS.values(), "count": len(have), "error": error,
        "stock": form.get("stock", "cards"), "start": form.get("start", "1"),
        "by_hand": sorted(names[p] for p in have if p in names and not labels.drawn(names[p])),
    }  # fmt: skip
    return render(request, "identity/labels.html", context, status=422 if error else 200)


def _stock(name: str, start: str) -> tuple[Stock, int]:
    if name not in STOCKS:
        raise Invalid("Say which labels you have.", "Choose one of the four.", "stock")
    stock = STOCKS[name]
    if not start.isdecimal() or not 1 <= int(start) <= stock.count:
        raise Invalid(
            f"There is no label {start} on this sheet.",
            f"From 1 to {stock.count}." if stock.count > 1 else "A roll begins at 1.",
            "start",
        )
    return stock, int(start)


def _drawing(token: str) -> SafeString:
    """The token as a QR code: SVG without style, so it holds under the site's content policy."""
    code = segno.make(token, error="m", micro=False)
    return mark_safe(code.svg_inline(border=2, omitsize=True, svgclass="qr", lineclass=None))  # noqa: S308  # made here of 30 fixed characters


def _spaced(token: str) -> str:
    text = token.removeprefix("RB1:")
    return " ".join(text[n : n + 5] for n in range(0, len(text), 5))


@require_http_methods(["GET", "POST"])
@signed_in()
def person_sign_in(request: Any, person: str) -> HttpResponse:
    """One pupil cannot sign in: a picture code, or a new badge, or stop the one they lost."""
    access, tenant, by = request.access(), request.who.tenant, request.who.actor
    with access.open():
        names = names_of(access, [row_id(person)])
    if not names:
        raise NotFound("There is no such person.")
    (pupil, name), error, code, said = next(iter(names.items())), None, None, ""
    disclose(access, "page:person_sign_in", FIRST_NAMES, [pupil])
    if request.method == "POST":
        try:
            match request.POST.get("do", ""):
                case "code":
                    code = actions.give_code(tenant, pupil, by)
                case "anew":
                    actions.issue(tenant, [pupil], by, again=True)
                    said = "A new badge is ready to print. The old one is stopped."
                case "stop":
                    actions.stop(tenant, [pupil], by)
                    said = "The badge is stopped. Whatever it opened is closed."
                case _:
                    raise NotFound("There is no such form.")
        except Invalid as found:
            error = found
    context = {
        "pupil": pupil, "name": name, "badge": queries.badges_of(tenant.id, [pupil]).get(pupil), "code": code,
        "error": error, "said": said, "rules": queries.sign_in_rules(tenant.id),
    }  # fmt: skip
    return render(request, "identity/person_sign_in.html", context, status=422 if error else 200)


@require_http_methods(["GET"])
@signed_in("administrator")
def troubleshoot(request: Any, person: str) -> HttpResponse:
    """Why one person cannot sign in: each condition, and what happened lately. Every look is written down twice: in the
    disclosure log with its columns, and in the audit as an act."""
    access, tenant = request.access(), request.who.tenant
    with access.open():
        names = names_of(access, [row_id(person)])
        if not names:
            raise NotFound("There is no such person.")
        (found, name) = next(iter(names.items()))
        happened = queries.traces(access, found)
    disclose(access, "page:troubleshoot", FIRST_NAMES, [found])
    audit(tenant.id, request.who.actor, "identity.troubleshot", "person", found, name)
    context = {"pupil": found, "name": name, "checks": queries.checks(tenant.id, found), "happened": happened}
    return render(request, "identity/troubleshoot.html", context)
