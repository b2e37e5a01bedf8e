"""What apps do by LTI: show a signed assertion for a token, and bring back what a teacher chose."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction

from rollbook.kernel import clock
from rollbook.learning import add_line_item
from rollbook.policy import audit, unguarded
from rollbook.sharing.actions.sign_on import app_actor
from rollbook.sharing.models import AppKey, ChosenLink, Token
from rollbook.sharing.queries.sign_on import Relying, digest

SERVICE = timedelta(hours=1)
KEPT = timedelta(hours=2)  # longer than any message of an app is good for


def first_time(to: Relying, message: str) -> bool:
    """Whether this message of an app, named by its own id, comes for the first time."""
    moment = clock.now()
    try:
        with transaction.atomic(), unguarded("a message of an app counts once", tenant=to.tenant_id):
            AppKey.objects.create(
                digest=digest(f"{to.app_id}:{message}"), tenant_id=to.tenant_id, kind="request", issued_at=moment,
                expires_at=moment + KEPT,
            )  # fmt: skip
    except IntegrityError:
        return False
    return True


def service_token(to: Relying, scopes: Iterable[str]) -> tuple[str, int]:
    """An access token for LTI's services, for an app whose assertion was checked: (token, seconds it lives)."""
    moment, token, asked = clock.now(), secrets.token_urlsafe(32), sorted(scopes)
    with transaction.atomic(), unguarded("an app gets a token for LTI's services", tenant=to.tenant_id):
        Token.objects.filter(app_id=to.app_id, expires_at__lt=moment).delete()
        Token.objects.create(
            digest=digest(token), tenant_id=to.tenant_id, app_id=to.app_id, scopes=" ".join(asked), issued_at=moment,
            expires_at=moment + SERVICE,
        )  # fmt: skip
        audit(to.tenant_id, app_actor(to), "app.signed_in", "app", to.app_id, to.name, scopes=asked)
    return token, int(SERVICE.total_seconds())


def keep_links(
    to: Relying, klass: int, person: int, items: Iterable[Mapping[str, Any]], *, with_line_items: bool = False
) -> int:
    """Keep what a teacher chose in an app for a class. Returns how many.

    with_line_items: whether the app may send results, so that a line item is made where one was chosen with a link.
    """
    moment, items = clock.now(), list(items)
    made = [
        ChosenLink(
            tenant_id=to.tenant_id, app_id=to.app_id, class_id=klass, title=i["title"], url=i["url"], custom=i["custom"],
            chosen_by_id=person, chosen_at=moment,
        )
        for i in items
    ]  # fmt: skip
    with transaction.atomic(), unguarded("a teacher chose something in an app", tenant=to.tenant_id):
        ChosenLink.objects.bulk_create(made)
        titles = [m.title for m in made]
        audit(to.tenant_id, app_actor(to), "sign_on.links_chosen", "app", to.app_id, to.name, titles=titles)
        for link, said in zip(made, items, strict=True) if with_line_items else ():
            if said.get("line_item"):
                item = replace(said["line_item"], resource_link=f"l{link.id}")
                add_line_item(app_actor(to), to.tenant_id, klass, item)
    return len(made)
