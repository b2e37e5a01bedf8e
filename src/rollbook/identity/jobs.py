"""Work of identity outside a request."""

from __future__ import annotations

from rollbook.identity import actions
from rollbook.kernel.jobs import job


@job("identity.send_link")
def send_link(tenant_id: int, *, key_id: int) -> None:
    """Send a one-time link and code to a guardian."""
    actions.send_link(tenant_id, key_id)
