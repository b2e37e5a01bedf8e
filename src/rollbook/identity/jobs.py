"""Work of identity outside a request."""

from __future__ import annotations

from rollbook.identity import actions
from rollbook.kernel.jobs import job


@job("identity.send_link")
def send_link(tenant_id: int, *, key_id: int) -> None:
    """Send a one-time link and code to a guardian."""
    actions.send_link(tenant_id, key_id)


@job("identity.tell_device")
def tell_device(tenant_id: int, *, device_id: int) -> None:
    """Mail the holder of a staff account that a new device signed in to it."""
    actions.tell_device(device_id)


@job("identity.tell_password")
def tell_password(tenant_id: int, *, account_id: int, at: str) -> None:
    """Mail the holder of a staff account that its password was changed."""
    actions.tell_password(account_id, at)


@job("identity.send_sign_up")
def send_sign_up(tenant_id: int, *, key_id: int) -> None:
    """Send a developer their link. It belongs to no tenant yet."""
    actions.send_sign_up(key_id)


@job("identity.forget_sign_up")
def forget_sign_up(tenant_id: int, *, key_id: int) -> None:
    """Forget a developer's link that nobody used in time."""
    actions.forget_sign_up(key_id)
