"""Which person an id stands for after people were merged, and which ids stand for one person."""

from __future__ import annotations

from rollbook.policy import Access, unguarded
from rollbook.roster.models import Identity


def survivor(tenant: int, person: int) -> int:
    """The person who stands for `person` now: themselves, or whom they were merged into."""
    with unguarded("a merged person's id is followed to the one that stands for it", tenant=tenant):
        merged = Identity.objects.filter(tenant_id=tenant, person_id=person, kind="merged", undone_at=None)
        into = merged.order_by("-id").values_list("other_id", flat=True).first()
    return person if into is None else int(into)


def one_and_the_same(access: Access, person: int) -> frozenset[int]:
    """The ids under which the records know one human: their own, and those of the people they were merged with.

    For an access that may not see what happened to ids, the one that was asked for.
    """
    if not access.decide(Identity).allowed:
        return frozenset({person})
    merged = access.select(Identity).filter(kind="merged", undone_at=None)
    into = merged.filter(person_id=person).order_by("-id").values_list("other_id", flat=True).first()
    stands = into or person
    return frozenset({person, stands, *merged.filter(other_id=stands).values_list("person_id", flat=True)})
