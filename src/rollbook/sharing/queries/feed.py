"""Reading an app's log: from any place in it, forwards or backwards, without end; and what a row was before a step."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.apps import apps

from rollbook.kernel import idset
from rollbook.kernel.recent import Recent
from rollbook.policy import unguarded
from rollbook.roster import changes, images_before
from rollbook.sharing.models import Step
from rollbook.sharing.queries.collections import LINKS, Page, Plan
from rollbook.sharing.queries.grants import Grant


@dataclass(frozen=True)
class StepRow:
    """One step: its rows in rising order, and the part of the roster's log that it comes from."""

    id: int
    at: datetime
    kind: str
    action: str
    ids: array[int]
    after_event: int
    upto_event: int


_kept: Recent[StepRow | None] = Recent(3_000_000, weigh=lambda step: len(step.ids) if step else 0)


def steps(grant: Grant, after: int = 0, before: int = 0) -> Iterator[StepRow]:
    """The steps from one on, itself included; or, with `before`, those up to one, latest first. A step never changes."""
    with unguarded("an app reads its own log, and each row of it under its grant", tenant=grant.tenant_id):
        rows = Step.objects.filter(tenant_id=grant.tenant_id, app_id=grant.app_id)
        rows = (
            rows.filter(id__lte=before).order_by("-id")
            if before
            else rows.filter(id__gte=after).order_by("id")
        )
        found = list(rows.values_list("id", flat=True))
    for id in found:
        if (step := _step(grant, id)) is not None:
            yield step


def _step(grant: Grant, id: int) -> StepRow | None:
    return _kept.get((grant.app_id, id), lambda: _read_step(grant, id))


def _read_step(grant: Grant, id: int) -> StepRow | None:
    with unguarded("an app reads its own log, and each row of it under its grant", tenant=grant.tenant_id):
        row = Step.objects.filter(tenant_id=grant.tenant_id, app_id=grant.app_id, id=id).first()
    if row is None:
        return None
    ids = array("q", idset.unpack(bytes(row.ids)))
    return StepRow(row.id, row.at, row.kind, row.action, ids, row.after_event, row.upto_event)


# ---- What rows were before a step.

_ENTITY = {
    "users": "person",
    "classes": "class",
    "orgs": "org",
    "academicSessions": "session",
    "courses": "course",
}


def page_before(grant: Grant, made: Plan, now: Page, after: int, upto: int, links: Any) -> Page | None:
    """The page as it was before a part of the roster's log; None where that is not known any more, or nothing differs.

    Holds what the plan reads, no more. links: part -> rows now, with their ids (`links_of`).
    """
    told = changes(grant.tenant_id, after, upto)
    syncs = {c.sync for c in told if c.sync}
    if not syncs:
        return None
    own = images_before(grant.tenant_id, syncs, _ENTITY[made.collection])
    rows = {i: _as_before(row, own[i], made.own) if i in own else row for i, row in now.rows.items()}
    parts: dict[str, Any] = {}
    for part, held in now.parts.items():
        if part in LINKS:
            entity, owner, columns = LINKS[part]
            owner = {"klass_id": "class_id"}.get(owner, owner)  # an image has the table's own names
            fresh = {i for c in told if c.entity == entity and c.action == "created" for i in c.ids}
            old = images_before(grant.tenant_id, syncs, entity)
            parts[part] = _links_before(links[part], fresh, old, owner, columns, set(now.rows))
        elif part in made.beside:
            old = images_before(grant.tenant_id, syncs, part.lower())
            by_person = {image["person_id"]: image for image in old.values()}
            parts[part] = {
                i: [_values(by_person[i], made.beside[part])] if i in by_person else held[i]
                for i in now.rows
                if i in by_person or i in held
            }
        else:
            parts[part] = held
    return replace(now, rows=rows, parts=parts)


def _as_before(row: Any, image: dict[str, Any], columns: Sequence[Any]) -> Any:
    return (row[0], row[1], *_values(image, columns))


def _values(image: dict[str, Any], columns: Sequence[Any]) -> tuple[Any, ...]:
    """The columns of an image as a page holds them: flags and days as text."""
    found = (image.get(c.column) for c in columns)
    return tuple(
        str(value).lower() if c.kind == "flag" and value is not None else value
        for c, value in zip(columns, found, strict=True)
    )


def _links_before(
    rows: dict[int, list[Any]], fresh: set[int], old: dict[int, dict[str, Any]], owner: str, columns: tuple[str, ...],
    wanted: set[int],
) -> dict[int, list[Any]]:  # fmt: skip
    """Owner -> links: those of now that were there, and those that the images hold."""
    found = {
        i: [row[1:] for row in held if row[0] not in fresh and row[0] not in old] for i, held in rows.items()
    }
    for image in old.values():
        if image[owner] in wanted and image["status"] == "active":
            found.setdefault(image[owner], []).append(tuple(image.get(c) for c in columns))
    return found


def roles_when(grant: Grant, step: StepRow) -> dict[int, set[str]]:
    """What the people of a step were, as far as the app could know: no role that came or changed after it."""
    rows = grant.gone.select(apps.get_model("roster", "Role")).filter(
        person_id__any=step.ids, date_last_modified__lte=step.at
    )
    found: dict[int, set[str]] = {}
    for person, role in rows.values_list("person_id", "role"):
        found.setdefault(person, set()).add(role)
    return found
