"""Directories that we keep accounts in: where they are, what they hold by our hand, and each plan with its steps."""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, ORGANISATION, Guarded, not_personal, personal
from rollbook.sharing.models.apps import App, tenant

PUSH_STATES = ("planned", "approved", "running", "done", "failed", "stopped", "undone", "discarded")


class Directory(Guarded):
    """A destination of a tenant. It is an app with an agreement and a rule: `app` says what may leave."""

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    app = not_personal(models.OneToOneField(App, on_delete=models.CASCADE, related_name="+"), LINK)
    kind = not_personal(models.CharField(max_length=8), ORGANISATION)  # scim | ldap
    url = not_personal(models.TextField(), ORGANISATION)
    base = not_personal(models.TextField(blank=True, default=""), ORGANISATION)  # ldap: below this name
    account = not_personal(models.TextField(blank=True, default=""), ORGANISATION)  # ldap: who we are there
    # What we show there. It must be readable to be sent, so it is sealed with this installation's key.
    secret = personal(models.TextField(blank=True, default=""), "account.secret", about="app_id")
    settings = not_personal(models.JSONField(default=dict), BOOKKEEPING)
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)


class Holding(Guarded):
    """What a directory holds by our hand: an account, a group or an org unit, as we last wrote it."""

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    directory = not_personal(models.ForeignKey(Directory, on_delete=models.CASCADE, related_name="+"), LINK)
    kind = not_personal(models.CharField(max_length=8), BOOKKEEPING)  # unit | user | group
    key = not_personal(models.TextField(), LINK)
    person_id = not_personal(models.BigIntegerField(null=True), LINK)
    remote_id = not_personal(models.TextField(blank=True, default=""), LINK)
    record = personal(models.JSONField(), "account.directory", about="person_id")
    changed_at = not_personal(models.DateTimeField(), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "directory", "kind", "key"], name="holding_once")
        ]
        indexes = [models.Index(fields=["tenant", "person_id"], name="holding_person")]


class Push(Guarded):
    """A plan for a directory, and what became of it. state: one of PUSH_STATES."""

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    directory = not_personal(models.ForeignKey(Directory, on_delete=models.CASCADE, related_name="+"), LINK)
    state = not_personal(models.CharField(max_length=10, default="planned"), BOOKKEEPING)
    counts = not_personal(models.JSONField(default=dict), BOOKKEEPING)  # {"user": {"create": n, ...}, ...}
    rule_id = not_personal(models.BigIntegerField(), LINK)  # the sharing rule that it was cut by
    agreement_id = not_personal(models.BigIntegerField(), LINK)
    undoes_id = not_personal(models.BigIntegerField(null=True), LINK)
    made_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    made_by = personal(models.TextField(), "staff.act", about="made_by_id")
    made_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    approved_by = personal(models.TextField(blank=True, default=""), "staff.act", about="approved_by_id")
    approved_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    started_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
    finished_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
    total = not_personal(models.IntegerField(default=0), BOOKKEEPING)
    done = not_personal(models.IntegerField(default=0), BOOKKEEPING)
    failed = not_personal(models.IntegerField(default=0), BOOKKEEPING)
    message = not_personal(models.TextField(blank=True, default=""), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "directory", "-id"], name="push_latest")]


class PushStep(Guarded):
    """One step of a plan: one account, group or unit. state: waiting | done | failed."""

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    push = not_personal(models.ForeignKey(Push, on_delete=models.CASCADE, related_name="+"), LINK)
    number = not_personal(models.IntegerField(), BOOKKEEPING)
    kind = not_personal(models.CharField(max_length=8), BOOKKEEPING)
    key = not_personal(models.TextField(), LINK)
    person_id = not_personal(models.BigIntegerField(null=True), LINK)
    action = not_personal(models.CharField(max_length=8), BOOKKEEPING)
    before = personal(models.JSONField(null=True), "account.directory", about="person_id")
    after = personal(models.JSONField(null=True), "account.directory", about="person_id")
    state = not_personal(models.CharField(max_length=8, default="waiting"), BOOKKEEPING)
    error = not_personal(models.TextField(blank=True, default=""), BOOKKEEPING)
    mend = not_personal(models.TextField(blank=True, default=""), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "push", "number"], name="push_step_once")]
