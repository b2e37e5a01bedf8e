"""The portal: a pupil's books, who sees them; a guardian's children; the apps of staff."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from rollbook.identity import face, signed_in
from rollbook.policy import disclose
from rollbook.roster import children_of
from rollbook.sharing.queries import library
from rollbook.sharing.queries import portal as queries
from rollbook.sharing.queries.duties import deletions


@require_GET
@signed_in(kinds=("student",))
def books(request: Any) -> HttpResponse:
    """A pupil's launcher: one tap opens an app, signed in."""
    return render(request, "sharing/books.html", _pupil(request, "page:books"))


@require_GET
@signed_in(kinds=("student",))
def seen(request: Any) -> HttpResponse:
    """Who can see me: their teachers, the apps and what each gets, from the rules in force now."""
    return render(request, "sharing/books_seen.html", _pupil(request, "page:seen"))


def _pupil(request: Any, door: str) -> dict[str, Any]:
    access, who = request.access(), request.who
    found, columns, people = queries.pupils(access, [who.actor.person])
    disclose(access, door, columns, people)
    every = queries.books(who.tenant.id, who.actor.person)
    opened = {book.slug for book in every}
    return {
        "resting": queries.resting(who.tenant.id, who.actor.person, access.purpose),
        "others": [a for a in queries.watchers(who.tenant.id, who.actor.person) if a.slug not in opened],
        "child": found[0] if found else None, "name": who.name, "face": f"{face(who.account_id)}-duotone",
        "books": every[: queries.FIRST], "more": every[queries.FIRST :], "school": who.tenant.name,
    }  # fmt: skip


@require_GET
@signed_in(kinds=("guardian",))
def family(request: Any) -> HttpResponse:
    """A guardian's children: the apps of each, what each app gets, and who teaches them."""
    access, tenant = request.access(), request.who.tenant
    with access.open():
        ids = children_of(access)
    found, columns, people = queries.pupils(access, ids)
    disclose(access, "page:family", columns, people)
    children = [
        (child, queries.watchers(tenant.id, child.id), deletions(tenant.id, [child.id])) for child in found
    ]
    return render(
        request, "sharing/family.html", {"children": children, "guardian": request.who, "tenant": tenant}
    )


@require_GET
@signed_in()
def mine(request: Any) -> HttpResponse:
    """The apps of a member of staff who is in the roster."""
    person, tenant, access = request.who.actor.person, request.who.tenant.id, request.access()
    classes = library.classes_of_mine(access)
    added, offers = library.added_here(access, classes), library.offers(tenant) if classes else []
    just = (request.GET.get("app", ""), request.GET.get("class", ""))
    context = {
        "books": queries.books(tenant, person) if person else [], "linked": person is not None,
        "added": added, "offers": offers, "done": request.GET.get("done", ""),
        "just": next((a for a in added if (a.slug, str(a.klass)) == just), None),
    }  # fmt: skip
    return render(request, "sharing/my_apps.html", context)
