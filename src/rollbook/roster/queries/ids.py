"""Which person an id stands for, after people were merged."""

from __future__ import annotations

from rollbook.policy import unguarded
from rollbook.roster.models import Identity


def survivor(tenant: int, person: int) -> int:
    """The person who stands for `person` now: themselves, or whom they were merged into."""
    with unguarded("a merged person's id is followed to the one that stands for it", tenant=tenant):
        merged = Identity.objects.filter(tenant_id=tenant, person_id=person, kind="merged", undone_at=None)
        into = merged.order_by("-id").values_list("other_id", flat=True).first()
    return person if into is None else int(into)
