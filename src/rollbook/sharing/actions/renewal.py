"""A new client secret for an app. The old one ends at once, or works on until a moment that the school chooses."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.policy import Actor, audit, unguarded
from rollbook.sharing.models import App, AppSignIn, OldSecret, Token

LONGEST = timedelta(days=30)


@dataclass(frozen=True)
class NewSecret:
    """The new secret, which is shown this once. old_until: how long the one before works, or None: not any more."""

    app: App
    client_id: str
    client_secret: str
    old_until: datetime | None


def digest(secret: str) -> str:
    """What is kept of a secret or token: 256 random bits cannot be guessed, so a plain hash is enough and costs no
    request a slow one."""
    return sha256(secret.encode()).hexdigest()


def has_secret(app: App) -> bool:
    """Whether the app signs in with a client secret at all: SCIM apps and directories do not."""
    return app.kind not in ("scim", "directory")


def renew_secret(app: App, *, old_until: datetime | None = None, by: Actor | None = None) -> NewSecret:
    """Give the app a new secret. Raises Invalid for a moment that has passed or is more than 30 days away.

    old_until None: the old one ends now, and with it every token: whoever has found it has nothing. Otherwise its
    maker has until then to change over; tokens stay, and none of them longer.
    """
    if not has_secret(app):
        raise Invalid(
            f"{app.name} signs in with a token, not with a secret.", "Renew its token instead.", "kind"
        )
    moment = clock.now()
    if old_until is not None and not moment < old_until <= moment + LONGEST:
        raise Invalid(
            "The old secret cannot work until then.",
            f"Choose a moment from now on, and at most {LONGEST.days} days away.",
            "until",
        )
    secret = secrets.token_urlsafe(32)
    with transaction.atomic(), unguarded("an administrator renews an app's secret", tenant=app.tenant_id):
        before = App.objects.select_for_update().get(id=app.id)
        if old_until is None:
            OldSecret.objects.filter(app=app).delete()
            Token.objects.filter(app=app).delete()
            AppSignIn.objects.filter(app=app, ended_at=None).update(ended_at=moment)
        else:
            OldSecret.objects.filter(app=app, works_until__lte=moment).delete()
            OldSecret.objects.create(
                digest=before.secret_hash, tenant_id=app.tenant_id, app=app, works_until=old_until
            )
            # What the old secret has opened closes with it: the token of a district lives for years.
            Token.objects.filter(app=app, expires_at__gt=old_until).update(expires_at=old_until)
        App.objects.filter(id=app.id).update(secret_hash=digest(secret))
        until = old_until.isoformat() if old_until else "now"
        audit(app.tenant_id, by, "app.secret_renewed", "app", app.id, app.name, old_until=until)
    return NewSecret(app, app.client_id, secret, old_until)


def end_old_secrets(app: App, *, by: Actor | None = None) -> None:
    """End the secrets before the present one now, and every token: which secret brought a token is not kept."""
    with transaction.atomic(), unguarded("an administrator ends an app's old secret", tenant=app.tenant_id):
        if OldSecret.objects.filter(app=app).delete()[0]:
            Token.objects.filter(app=app).delete()
            audit(app.tenant_id, by, "app.old_secret_ended", "app", app.id, app.name)


def old_secret_until(app: App, secret: str) -> datetime | None:
    """Until when this secret, which is not the present one, works for the app; None when it does not."""
    with unguarded("an app shows the secret that it had before", tenant=app.tenant_id):
        found = OldSecret.objects.filter(app=app, digest=digest(secret), works_until__gt=clock.now()).first()
    return found.works_until if found else None


def old_secrets_of(app: App) -> datetime | None:
    """Until when a secret before the present one works at the latest; None when none does."""
    with unguarded("an administrator looks at an app's secrets", tenant=app.tenant_id):
        rows = OldSecret.objects.filter(app=app, works_until__gt=clock.now()).order_by("-works_until")
        found: datetime | None = rows.values_list("works_until", flat=True).first()
    return found
