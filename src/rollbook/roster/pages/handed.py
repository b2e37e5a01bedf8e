"""The register of what was handed to somebody outside by hand: the list, one entry, a new one or a correction."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, Refused
from rollbook.kernel.http import StaffRequest, row_id, signed_in
from rollbook.policy import disclose
from rollbook.roster.actions.handed import MOST_PEOPLE, Entry, hand_over
from rollbook.roster.queries import handed as queries
from rollbook.roster.queries.people import names_of
from rollbook.roster.queries.person import name_columns
from rollbook.roster.rules.handed import GROUNDS

SHOWN = 200  # names on one entry's page
TEXTS = ("recipient", "ground", "approved_by", "why_not_told", "why_corrected")


@require_GET
@signed_in("administrator", "dpo")
def register(request: StaffRequest) -> HttpResponse:
    """What was handed over, newest first. It names nobody of the roster."""
    access = request.access()
    before = row_id(request.GET["before"]) if request.GET.get("before") else None
    with access.open():
        found, older = queries.entries(access, before)
    context = {
        "entries": found, "first": "/disclosures" if before else "", "next": f"/disclosures?before={older}" if older else "",
        "grounds": GROUNDS.values(), "said": "It is written down." if request.GET.get("done") else "",
    }  # fmt: skip
    return render(request, "roster/disclosures.html", context)


@require_GET
@signed_in("administrator", "dpo")
def one_entry(request: StaffRequest, number: str) -> HttpResponse:
    """One entry with the people it names."""
    access = request.access()
    with access.open():
        found = queries.entry(access, row_id(number))
        names = names_of(access, found.people[:SHOWN])
    disclose(access, "page:disclosures", name_columns(access), names)
    context = {
        "entry": found,
        "people": sorted(names.items(), key=lambda pair: pair[1]),
        "more": len(found.people) - len(names),
    }
    return render(request, "roster/disclosure.html", context)


def _read(post: Any) -> Entry:
    """The form as an entry; what cannot be read is left out, and the action says what is missing."""
    texts = {name: post.get(name, "")[:2000] for name in TEXTS}
    evidence = {name: post.get(name, "") for ground in GROUNDS.values() for name in ground.evidence}
    try:
        released_on = date.fromisoformat(post.get("released_on", ""))
    except ValueError:
        released_on = None
    return Entry(
        **texts, evidence=evidence, columns=post.getlist("columns"), people=_people(post), released_on=released_on,
        told={"yes": True, "no": False}.get(post.get("told", "")), corrects=row_id(post.get("corrects") or "0"),
    )  # fmt: skip


def _people(given: Any) -> list[int]:
    return list(dict.fromkeys(row_id(i) for i in given.getlist("person")))[: MOST_PEOPLE + 1]


def _before(access: Any, get: Any) -> Entry:
    """What the form begins with: nothing, one person, or the entry that is to be corrected."""
    if not get.get("corrects"):
        return Entry(released_on=clock.today(), people=_people(get))
    old = queries.entry(access, row_id(get["corrects"]))
    return Entry(
        old.recipient, old.ground, old.raw_evidence, old.columns, old.people, old.released_on, old.approved_by, old.told,
        old.why_not_told, corrects=old.id,
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
@signed_in("administrator", "dpo")
def enter(request: StaffRequest) -> HttpResponse:
    """Write down what is handed over. People are found and chosen in the same form, so that no script is needed."""
    access, error = request.access(), None
    finding = request.method == "POST" and request.POST.get("do") == "find"
    text = " ".join(request.POST.get("q", "").split())[:100]
    if request.method == "POST":
        entry = _read(request.POST)
        if not finding:
            try:
                hand_over(access, entry)
                return HttpResponseRedirect("/disclosures?done=1")
            except Invalid as found:
                error = found
            except Refused as refused:
                error = Invalid(refused.what, refused.because, "ground")
    with access.open():
        if request.method == "GET":
            entry = _before(access, request.GET)
        names = names_of(access, entry.people)
        matches = queries.people_called(access, text) if text and finding else []
        details = queries.details_of(access)
    shown = {*names, *(i for i, _ in matches)}
    if shown:
        disclose(access, "page:disclosures", name_columns(access), shown)
    context = {
        "form": asdict(entry), "error": error,
        "details": [(title, rows, any(c in entry.columns for c, _ in rows)) for title, rows in details],
        "q": text, "finding": finding,
        "grounds": [(code, g.title, [(n, asked, entry.evidence.get(n, "")) for n, asked in g.evidence.items()])
                    for code, g in GROUNDS.items()],
        "chosen": sorted(names.items(), key=lambda pair: pair[1]),
        "matches": [(i, name) for i, name in matches if i not in names],
    }  # fmt: skip
    return render(request, "roster/disclosure_new.html", context, status=422 if error else 200)
