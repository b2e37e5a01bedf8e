"""The roster's own log of what changed, for those who tell others: which rows, and what they were before a sync."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rollbook.kernel import idset
from rollbook.policy import unguarded
from rollbook.roster.models import Before, Event


@dataclass(frozen=True)
class Change:
    """Rows of one kind that one sync or one hand created, changed or removed."""

    id: int
    entity: str
    action: str
    sync: int | None
    ids: list[int]


def changes(tenant: int, after: int, upto: int = 0, entities: Iterable[str] = ()) -> list[Change]:
    """The changes since one, in order. upto: the last that counts, or 0 for all."""
    with unguarded(
        "what changed in the roster is told on, each reader cuts it by its own grant", tenant=tenant
    ):
        rows = Event.objects.filter(tenant_id=tenant, id__gt=after).order_by("id")
        rows = rows.filter(id__lte=upto) if upto else rows
        rows = rows.filter(entity__in=list(entities)) if entities else rows
        return [
            Change(r.id, r.entity, r.action, r.sync_id, idset.unpack(bytes(r.ids)))
            for r in rows.iterator(chunk_size=50)
        ]


def last_change(tenant: int) -> int:
    """The latest change of the roster; 0 before the first."""
    with unguarded("how far the roster's log has come", tenant=tenant):
        found = Event.objects.filter(tenant_id=tenant).order_by("-id").values_list("id", flat=True).first()
    return int(found or 0)


def images(tenant: int, syncs: Iterable[int], entity: str) -> dict[int, dict[str, Any]]:
    """Rows of one kind as they were before the first of these syncs touched them, by id: column -> value.

    The caller shows of them only what its grant shares.
    """
    found: dict[int, dict[str, Any]] = {}
    with unguarded("what a row was before is told on, cut by the reader's grant", tenant=tenant):
        rows = Before.objects.filter(tenant_id=tenant, sync_id__in=sorted(syncs), entity=entity).order_by(
            "sync_id", "id"
        )
        for row, image in rows.values_list("row_id", "image").iterator():
            if row not in found:
                found[row] = json.loads(image)
    if entity == "person":  # what the database makes of a row is not kept in its image
        for was in found.values():
            was.setdefault("family_initial", str(was.get("family_name") or "")[:1])
    return found
