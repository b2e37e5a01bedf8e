"""Which rows an app sees, as sorted ids: those in force, and those that left and are shown as deleted.

Worked out once for each version of the roster and of the rule, from the live rule; a page is a slice of it, so a
deep page costs what the first does. Nothing is frozen: any change to the roster makes a new version.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Q

from rollbook.kernel.recent import Recent
from rollbook.policy import Access
from rollbook.sharing.queries.grants import Grant
from rollbook.sharing.queries.reach import ANY, reaches, values
from rollbook.sharing.rules import People

LABELS = {
    "person": "Person", "role": "Role", "enrollment": "Enrollment", "guardianship": "Guardianship",
    "demographics": "Demographics", "org": "Org", "session": "AcademicSession", "course": "Course", "class": "Class",
}  # fmt: skip
_OF_PERSON = {"role", "enrollment", "guardianship", "demographics"}
KEPT_IDS = 20_000_000  # ids kept in this process, 8 bytes each


@dataclass(frozen=True)
class Audience:
    """Ids of one kind of row for one app. `all` is both, sorted: pages are slices of it."""

    active: array[int]
    gone: array[int]
    all: array[int]
    gone_set: frozenset[int]


_kept: Recent[Audience] = Recent(KEPT_IDS, weigh=lambda audience: len(audience.all))


def audience(grant: Grant, label: str) -> Audience:
    """The rows of this kind (person, class, ...) that the app sees under its grant."""
    return _kept.get((*grant.version, label), lambda: _work_out(grant, label))


def _work_out(grant: Grant, label: str) -> Audience:
    model = apps.get_model("roster", LABELS[label])
    active = array("q", grant.access.select(model).order_by("id").values_list("id", flat=True).iterator())
    left = set(_gone(grant, label)) - set(active)
    gone = array("q", sorted(left))
    both = array("q", sorted([*active, *gone])) if gone else active
    return Audience(active, gone, both, frozenset(gone))


def _gone(grant: Grant, label: str) -> Iterable[int]:
    """Rows that the app may have seen under this or an earlier rule and that it reaches no more."""
    model = apps.get_model("roster", LABELS[label])
    for people in {grant.people, *grant.earlier}:
        rows = _as_if(grant, people).select(model)
        if label == "person":
            recent = Q(date_last_modified__gte=grant.since)
            ids = rows.filter(recent | Q(id__any=_left_people(grant, people)))
        elif label in _OF_PERSON:
            column = "child_id" if label == "guardianship" else "person_id"
            lost = audience(grant, "person").gone
            ids = rows.filter(
                Q(date_last_modified__gte=grant.since, status="tobedeleted") | Q(**{f"{column}__any": lost})
            )
        elif people != grant.people and label in ("class", "course"):
            ids = rows
        else:
            ids = rows.filter(date_last_modified__gte=grant.since, status="tobedeleted")
        yield from ids.values_list("id", flat=True).iterator()


def _as_if(grant: Grant, people: People) -> Access:
    """The app's access as if `people` were its rule and every link still counted, without personal columns."""
    old = grant.gone
    return Access(
        old.actor, old.purpose, old.tenant, old.bundle, limit=old.limit, live=reaches(people, ANY, ANY),
        values=values(people), bare=True,
    )  # fmt: skip


def _left_people(grant: Grant, people: People) -> list[int]:
    """People still on the roll whose role or class place that the rule rests on ended lately, or whom an earlier rule named."""
    if people.everyone and people == grant.people:
        return []
    if people != grant.people:
        return list(
            _as_if(grant, people).select(apps.get_model("roster", "Person")).values_list("id", flat=True)
        )
    found: set[int] = set()
    for name in ("Role", "Enrollment"):
        rows = _as_if(grant, People()).select(apps.get_model("roster", name))
        ended = rows.filter(status="tobedeleted", date_last_modified__gte=grant.since)
        found |= set(ended.values_list("person_id", flat=True))
    return sorted(found)
