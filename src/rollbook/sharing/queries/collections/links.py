"""The links of rows to others, each with its own id: for those who compare what was with what is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import F, Model, TextField
from django.db.models.functions import Cast

from rollbook.kernel.db import ids as as_ids
from rollbook.policy import Param, prepared
from rollbook.sharing.queries.audience import audience
from rollbook.sharing.queries.collections.objects import model_of
from rollbook.sharing.queries.collections.rows import Plan
from rollbook.sharing.queries.grants import Grant

# Part of a page -> the table that holds it, the column that names its owner, and the columns that make its tuples.
LINKS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "roles": ("role", "person_id", ("org_id", "role_type", "role", "begin_date", "end_date")),
    "children of": ("guardianship", "guardian_id", ("child_id", "relationship")),
    "members": ("enrollment", "klass_id", ("person_id", "role")),
    "members and primary": ("enrollment", "klass_id", ("person_id", "role", "primary")),
}


def links_of(grant: Grant, made: Plan, rows: Sequence[int]) -> dict[str, dict[int, list[tuple[Any, ...]]]]:
    """Part -> row -> its links as a page of this plan holds them, each with its own id before it."""
    found: dict[str, dict[int, list[tuple[Any, ...]]]] = {}
    for part in set(made.parts) & LINKS.keys():
        label, owner, columns = LINKS[part]
        shared = set(audience(grant, label).active)

        def build(
            select: Callable[[type[Model]], Any],
            label: str = label,
            owner: str = owner,
            columns: tuple[str, ...] = columns,
        ) -> Any:
            values = (
                Cast(F(c), TextField()) if c.endswith("_date") or c == "primary" else F(c) for c in columns
            )
            held = select(model_of(label)).filter(**{f"{owner}__any": Param("ids")}, status="active")
            return held.values_list("id", owner, *values)

        read = prepared(grant.access, ("links", part), build).rows(grant.access, ids=as_ids(rows))
        found[part] = {}
        for link, row, *rest in sorted(read):
            if link in shared:
                found[part].setdefault(row, []).append((link, *rest))
    return found
