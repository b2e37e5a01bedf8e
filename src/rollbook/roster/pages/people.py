"""The list of people, and the page of one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rollbook.kernel.errors import Invalid
from rollbook.kernel.http import StaffRequest, row_id, signed_in
from rollbook.policy import disclose
from rollbook.roster.actions import identity
from rollbook.roster.actions import people as by_hand
from rollbook.roster.queries import people as queries
from rollbook.roster.queries import person as one
from rollbook.roster.rules.details import LABELS
from rollbook.roster.rules.people import numbered, role_name


@require_GET
@signed_in()
def people(request: StaffRequest) -> HttpResponse:
    """Everybody whom the role may see, by name, with filters in the address."""
    get = request.GET
    access = request.access()
    org, klass, after = (row_id(get[k]) if get.get(k) else None for k in ("org", "klass", "after"))
    narrow = queries.PeopleFilter(
        get.get("q", "")[:100],
        get.get("role", "")[:40],
        org,
        get.get("grade", "")[:20],
        klass,
        get.get("left") == "1",
    )
    with access.open():
        page = queries.find_people(access, narrow, after)
        offered = queries.choices(access)
        title = queries.class_title(access, klass) if klass else ""
    disclose(access, "page:people", page.columns, page.people)
    kept = {k: v for k, v in get.items() if v and k in ("q", "role", "org", "grade", "klass", "left")}
    narrowed = bool(kept)
    context = {
        "page": page, "narrow": narrow, "offered": offered, "narrowed": narrowed, "class_title": title,
        "count": numbered(page.total, "person", "people") if page.total is not None else f"more than {queries.COUNTED:,} people",
        "role_word": role_name(narrow.role) if narrow.role else "",
        "first": f"/people?{urlencode(kept)}" if after else "",
        "next": f"/people?{urlencode({**kept, 'after': page.next})}" if page.next else "",
        "codes": queries.shows_codes(access),
    }  # fmt: skip
    return render(request, "roster/people.html", context)


SAID = {
    "merged": "The two records are one now.",
    "split": "The id has a person of its own again.",
    "undone": "It is as it was before.",
    "entered": "The student is entered.",
    "changed": "The details are changed.",
    "removed": "This person is off the roll.",
}


def _person_page(request: StaffRequest, person_id: int, error: Invalid | None = None) -> HttpResponse:
    access = request.access()
    before = row_id(request.GET["before"]) if request.GET.get("before") else None
    with access.open():
        found = one.person(access, person_id)
    disclose(access, "page:person", found.columns, found.people)
    with access.open():
        told, older = one.told_about(access, person_id, before)
    said = SAID.get(request.GET.get("done", ""))
    here = f"/people/{person_id}"
    context = {
        "person": found, "told": told, "sees_record": one.sees_record(access),
        "deletions": one.deletions_of(access, person_id),
        "said": said, "error": error,
        "merging": request.who.role == "administrator", "purposes": one.purposes(access),
        "why": access.bundle.rules[access.actor.role, access.purpose].because,
        "first": here if before else "", "next": f"{here}?before={older}" if older else "",
    }  # fmt: skip
    return render(request, "roster/person.html", context, status=422 if error else 200)


@require_GET
@signed_in()
def person(request: StaffRequest, person: str) -> HttpResponse:
    """One person: what is kept and what for, classes, family, ids, and who has seen it."""
    return _person_page(request, row_id(person))


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def merge(request: StaffRequest, person: str) -> HttpResponse:
    """Find the second record of a person, look at both side by side, make them one."""
    access, keep = request.access(), row_id(person)
    wanted = request.POST.get("other") or request.GET.get("other") or ""
    reason = " ".join(request.POST.get("reason", "").split())[:300]
    error = None
    if request.method == "POST":
        try:
            if not reason:
                raise Invalid("Say how you know.", "A few words are enough.", "reason")
            identity.merge(request.who.tenant, keep, row_id(wanted), request.who.actor, reason)
            return HttpResponseRedirect(f"/people/{keep}?done=merged")
        except Invalid as found:
            error = found
    context: dict[str, Any] = {"error": error, "reason": reason}
    with access.open():
        mine = one.person(access, keep)
        context["person"] = mine
        shown, columns = [mine.id], mine.columns
        if wanted:
            other = one.person(access, row_id(wanted))
            context |= {"other": other, "rows": _side_by_side(mine, other)}
            shown.append(other.id)
        elif request.GET.get("q"):
            context["q"] = request.GET["q"][:100]
            page = queries.find_people(access, queries.PeopleFilter(context["q"]), limit=10)
            context["found"] = [p for p in page.rows if p.id != keep]
            shown += page.people
    disclose(access, "page:merge", columns, shown)
    return render(request, "roster/merge.html", context, status=422 if error else 200)


def _side_by_side(left: one.OnePerson, right: one.OnePerson) -> list[tuple[str, str, str]]:
    """What is known of two people, a row for each detail that either has."""
    a, b = ({row.label: row.value for group in p.groups for row in group.rows} for p in (left, right))
    rows = [(label, a.get(label, ""), b.get(label, "")) for label in dict.fromkeys([*a, *b])]
    lists = {
        "Roles": [[f"{r.role}, {r.org}" for r in p.roles] for p in (left, right)],
        "Classes": [[c.title for c in p.classes] for p in (left, right)],
        "Guardians": [[g.name for g in p.guardians] for p in (left, right)],
        "Children": [[c.name for c in p.children] for p in (left, right)],
    }
    rows += [(label, "; ".join(one), "; ".join(two)) for label, (one, two) in lists.items()]
    return [row for row in rows if row[1] or row[2]]


@require_POST
@signed_in("administrator")
def split(request: StaffRequest, person: str) -> HttpResponse:
    """Give an id that was merged into a person back to a person of its own."""
    of = row_id(person)
    try:
        identity.split(
            request.who.tenant,
            of,
            request.POST.get("sourced_id", ""),
            request.who.actor,
            "not the same person",
        )
    except Invalid as error:
        return _person_page(request, of, error)
    return HttpResponseRedirect(f"/people/{of}?done=split")


@require_POST
@signed_in("administrator")
def undo(request: StaffRequest, person: str) -> HttpResponse:
    """Undo a merge or a split."""
    of = row_id(person)
    try:
        identity.undo(request.who.tenant, row_id(request.POST.get("change", "")), request.who.actor)
    except Invalid as error:
        return _person_page(request, of, error)
    return HttpResponseRedirect(f"/people/{of}?done=undone")


# ---- By hand.

HINTS = {
    "grades": "As in the school’s system, for example 02.",
    "preferred_first_name": "If they go by another name.",
}
TYPES = {"email": "email", "phone": "tel"}


def _fields(tenant: Any, values: Any, error: Invalid | None) -> list[dict[str, Any]]:
    """The fields of the form for one person, as far as the school lets them be stored."""
    return [
        {
            "name": name, "label": LABELS["roster_person"][name], "value": values.get(name, ""), "hint": HINTS.get(name, ""),
            "type": TYPES.get(name, "text"), "wrong": error is not None and error.field == name,
        }
        for name in by_hand.fields_kept(tenant)
    ]  # fmt: skip


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def enter(request: StaffRequest) -> HttpResponse:
    """Enter a student whom the school's own system does not know."""
    access, error = request.access(), None
    given = request.POST
    org, klass = given.get("org", ""), given.get("klass", "")
    if request.method == "POST":
        try:
            where, classes = row_id(org) if org else 0, [row_id(klass)] if klass else []
            made = by_hand.enter(request.who.tenant, given.dict(), where, classes, request.who.actor)
            return HttpResponseRedirect(f"/people/{made}?done=entered")
        except Invalid as found:
            error = found
    with access.open():
        orgs, classes_ = queries.school_choices(access), queries.class_choices(access)
    context = {
        "fields": _fields(request.who.tenant, given, error), "error": error, "orgs": orgs, "classes": classes_,
        "org": org, "klass": klass,
    }  # fmt: skip
    return render(request, "roster/person_form.html", context, status=422 if error else 200)


@require_http_methods(["GET", "POST"])
@signed_in("administrator")
def edit(request: StaffRequest, person: str) -> HttpResponse:
    """Change a person's details, or take them off the roll."""
    access, person_id, error = request.access(), row_id(person), None
    if request.method == "POST":
        try:
            if request.POST.get("do") == "remove":
                reason = " ".join(request.POST.get("reason", "").split())[:300]
                if not reason:
                    raise Invalid("Say why.", "A few words are enough.", "reason")
                by_hand.remove(request.who.tenant, person_id, request.who.actor, reason)
                return HttpResponseRedirect(f"/people/{person_id}?done=removed")
            by_hand.change(request.who.tenant, person_id, request.POST.dict(), request.who.actor)
            return HttpResponseRedirect(f"/people/{person_id}?done=changed")
        except Invalid as found:
            error = found
    with access.open():
        values = one.editable(access, person_id, by_hand.EDITABLE)
        name = queries.names_of(access, [person_id])[person_id]
    disclose(access, "page:edit", one.columns_of(values), [person_id])
    shown = {**values, **request.POST.dict()} if error and request.POST.get("do") != "remove" else values
    context = {
        "fields": _fields(request.who.tenant, shown, error),
        "error": error,
        "person": person_id,
        "name": name,
    }
    return render(request, "roster/person_form.html", context, status=422 if error else 200)
