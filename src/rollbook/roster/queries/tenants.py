"""The tenant that an address names."""

from __future__ import annotations

from rollbook.kernel.errors import NotFound
from rollbook.roster.models import Tenant


def school_named(slug: str) -> Tenant:
    """The tenant whose address this is. Raises NotFound."""
    found = Tenant.objects.filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no such school.")
    return found
