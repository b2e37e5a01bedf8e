"""The tenant as an app sees it: Clever calls it a district."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rollbook.kernel.errors import NotFound
from rollbook.roster import Tenant, last_applied
from rollbook.sharing.queries.grants import Grant


@dataclass(frozen=True)
class District:
    """Its name, since when it is here, and when its roster last came from the school's own system."""

    name: str
    since: datetime
    last_sync: datetime | None


def district(grant: Grant) -> District:
    """The district of a grant."""
    tenant = Tenant.objects.get(id=grant.tenant_id)
    try:
        last = last_applied(tenant).finished_at
    except NotFound:
        last = None
    return District(tenant.name, tenant.created_at, last)
