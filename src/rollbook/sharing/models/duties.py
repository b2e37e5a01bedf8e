"""What each app has received, and what of it it must delete by when."""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, Guarded, not_personal, personal


class Received(Guarded):
    """Whose data one app holds, as far as the disclosure log knows: everybody it received, but those it said it deleted."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(
        models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK
    )
    app = not_personal(models.OneToOneField("sharing.App", on_delete=models.CASCADE, related_name="+"), LINK)
    ids = not_personal(models.BinaryField(), LINK)
    upto = not_personal(models.BigIntegerField(default=0), LINK)  # the last disclosure that is in it
    settled = not_personal(models.BigIntegerField(default=0), LINK)  # no disclosure up to here is read again

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app"], name="received_app")]


class Duty(Guarded):
    """People whose data an app received and must delete by a day, for one cause."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(
        models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK
    )
    app = not_personal(models.ForeignKey("sharing.App", on_delete=models.CASCADE, related_name="+"), LINK)
    cause = not_personal(models.CharField(max_length=9), BOOKKEEPING)  # left | rule | stopped | agreement
    began_on = not_personal(models.DateField(), BOOKKEEPING)
    due_on = not_personal(models.DateField(), BOOKKEEPING)
    state = not_personal(
        models.CharField(max_length=9, default="open"), BOOKKEEPING
    )  # open | confirmed | void
    ids = not_personal(models.BinaryField(), LINK)
    count = not_personal(models.IntegerField(), BOOKKEEPING)
    first_id = not_personal(models.BigIntegerField(), LINK)
    last_id = not_personal(models.BigIntegerField(), LINK)
    made_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    read_at = not_personal(
        models.DateTimeField(null=True), BOOKKEEPING
    )  # when the app first read whom it is about
    confirmed_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
    statement = personal(models.TextField(blank=True, default=""), "app.contact", about="app_id")
    chased_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
    chases = not_personal(models.IntegerField(default=0), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [
            models.Index(fields=["tenant", "app", "-id"], name="duty_app"),
            models.Index(fields=["tenant", "state", "due_on"], name="duty_due"),
        ]
