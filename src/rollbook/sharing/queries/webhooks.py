"""The webhooks of an app and what was sent to each, for those who look after it. No person stands in any of it."""

from __future__ import annotations

from rollbook.policy import Access
from rollbook.sharing.models import App, Delivery, Webhook

SHOWN = 50


def webhooks_of(access: Access, app: App) -> list[Webhook]:
    """The app's webhooks in force."""
    return list(access.select(Webhook).filter(app_id=app.id, ended_at=None).order_by("id"))


def deliveries_of(access: Access, app: App, before: int = 0) -> tuple[list[Delivery], bool]:
    """Messages to the app, newest first, and whether there are earlier ones. before: an id, for the next page."""
    rows = access.select(Delivery).filter(app_id=app.id).order_by("-id")
    rows = rows.filter(id__lt=before) if before else rows
    found = list(rows[: SHOWN + 1])
    return found[:SHOWN], len(found) > SHOWN


def addresses_of(access: Access, app: App) -> dict[int, str]:
    """Webhook -> its address, those that ended too."""
    return dict(access.select(Webhook).filter(app_id=app.id).values_list("id", "url"))
