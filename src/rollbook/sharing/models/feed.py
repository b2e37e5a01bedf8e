"""What each app has been able to read, step by step: the log that its events come from."""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, Guarded, not_personal


class Feed(Guarded):
    """How far one app's log has come: the roster's version, the rule and the policy that its last step saw."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(
        models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK
    )
    app = not_personal(models.OneToOneField("sharing.App", on_delete=models.CASCADE, related_name="+"), LINK)
    roster_version = not_personal(models.BigIntegerField(default=-1), BOOKKEEPING)
    rule_id = not_personal(models.BigIntegerField(default=0), LINK)
    bundle = not_personal(models.CharField(max_length=64, blank=True, default=""), BOOKKEEPING)
    roster_event_id = not_personal(
        models.BigIntegerField(default=0), LINK
    )  # the last of the roster's log seen

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app"], name="feed_app")]


class Seen(Guarded):
    """The rows of one kind that an app could read at its log's last step."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(
        models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK
    )
    app = not_personal(models.ForeignKey("sharing.App", on_delete=models.CASCADE, related_name="+"), LINK)
    kind = not_personal(models.CharField(max_length=12), BOOKKEEPING)
    ids = not_personal(models.BinaryField(), LINK)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "app", "kind"], name="seen_once")]


class Step(Guarded):
    """Rows of one kind that came into an app's reach, changed there, or left it, at one moment."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(
        models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK
    )
    app = not_personal(models.ForeignKey("sharing.App", on_delete=models.CASCADE, related_name="+"), LINK)
    at = not_personal(models.DateTimeField(), BOOKKEEPING)
    kind = not_personal(models.CharField(max_length=12), BOOKKEEPING)  # person, class, org, course, session
    action = not_personal(models.CharField(max_length=7), BOOKKEEPING)  # created | updated | deleted
    ids = not_personal(models.BinaryField(), LINK)
    count = not_personal(models.IntegerField(), BOOKKEEPING)
    after_event = not_personal(
        models.BigIntegerField(default=0), LINK
    )  # of the roster's log: what it comes from
    upto_event = not_personal(models.BigIntegerField(default=0), LINK)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app", "id"], name="step_feed")]


class Webhook(Guarded):
    """Where an app wants to hear that there are new events. Its secret is made of `nonce` and this site's key, and so
    is nowhere kept."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(
        models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK
    )
    app = not_personal(models.ForeignKey("sharing.App", on_delete=models.CASCADE, related_name="+"), LINK)
    url = not_personal(models.TextField(), BOOKKEEPING)
    nonce = not_personal(models.CharField(max_length=32), BOOKKEEPING)
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    ended_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app"], name="webhook_app")]


class Delivery(Guarded):
    """One message to a webhook, and what became of it. The message names no person."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(
        models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK
    )
    app = not_personal(models.ForeignKey("sharing.App", on_delete=models.CASCADE, related_name="+"), LINK)
    webhook = not_personal(models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="+"), LINK)
    after_step = not_personal(models.BigIntegerField(), LINK)
    upto_step = not_personal(models.BigIntegerField(), LINK)
    counts = not_personal(models.JSONField(default=dict), BOOKKEEPING)  # {"users.created": 3}
    state = not_personal(
        models.CharField(max_length=9, default="waiting"), BOOKKEEPING
    )  # waiting | delivered | given up
    attempts = not_personal(models.IntegerField(default=0), BOOKKEEPING)
    status = not_personal(models.IntegerField(default=0), BOOKKEEPING)  # the last answer's; 0 = none came
    error = not_personal(models.TextField(blank=True, default=""), BOOKKEEPING)
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    tried_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
    next_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app", "-id"], name="delivery_latest")]
