"""Third-party apps, the agreements they stand on, and the school's rules for what each one sees."""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, ORGANISATION, Guarded, not_personal, personal


def tenant() -> models.ForeignKey[object, object]:
    return not_personal(models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK)


class App(Guarded):
    """A third-party application, as one tenant knows it. Its secret is kept as a hash."""

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    name = not_personal(models.TextField(), ORGANISATION)
    slug = not_personal(models.SlugField(max_length=80), ORGANISATION)
    vendor = not_personal(models.TextField(blank=True, default=""), ORGANISATION)
    kind = not_personal(models.CharField(max_length=16, default="oneroster"), ORGANISATION)
    about = not_personal(
        models.TextField(blank=True, default=""), ORGANISATION
    )  # "practise maths": ends "so that they can ..."
    privacy_url = not_personal(models.TextField(blank=True, default=""), ORGANISATION)
    contact = personal(models.TextField(blank=True, default=""), "app.contact")
    client_id = not_personal(models.CharField(max_length=64, unique=True), BOOKKEEPING)
    secret_hash = personal(models.CharField(max_length=256), "account.secret")
    # Hex; makes the pairwise ids that only this app knows.
    id_key = personal(models.CharField(max_length=64), "account.secret")
    # Teachers may add it to their classes; then its rule follows from what they added, and from nothing else.
    in_library = not_personal(models.BooleanField(default=False), BOOKKEEPING)
    # A developer's app in their sandbox: the school named it as this one's maker, who may then ask for details.
    listing_id = not_personal(models.BigIntegerField(null=True, db_index=True), LINK)
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    stopped_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="app_slug")]


class Agreement(Guarded):
    """What an app's maker promised the tenant. Without one in force nothing leaves."""

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    purpose = not_personal(models.TextField(), ORGANISATION)  # a purpose of the policy
    region = not_personal(models.CharField(max_length=2), ORGANISATION)  # where it keeps the data
    retention_days = not_personal(
        models.IntegerField(), ORGANISATION
    )  # deleted so long after a person leaves
    sub_processors = not_personal(
        models.JSONField(default=list), ORGANISATION
    )  # [{"name":, "does":, "region":}]
    contact = personal(models.TextField(), "app.contact", about="app_id")
    begins_on = not_personal(models.DateField(), ORGANISATION)
    ends_on = not_personal(models.DateField(), ORGANISATION)
    advertising = not_personal(models.BooleanField(default=False), ORGANISATION)
    sells_data = not_personal(models.BooleanField(default=False), ORGANISATION)
    read_policy = not_personal(
        models.BooleanField(default=False), BOOKKEEPING
    )  # the administrator confirmed reading the app's policy
    agreed_by = personal(models.TextField(), "staff.act", about="agreed_by_id")
    agreed_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    agreed_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    ended_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app", "-id"], name="agreement_latest")]


class SharingRule(Guarded):
    """Which people and which fields an app gets. A new rule replaces the last; the old one stays as history.

    people: "all", or {"orgs": [...], "roles": [...], "grades": [...], "courses": [...], "classes": [...]} (sourcedIds;
    each list narrows). fields: "all", or [{"field": "users.givenName", "reason": "To greet the child"}, ...].
    """

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    people = not_personal(models.JSONField(), BOOKKEEPING)
    fields = not_personal(models.JSONField(), BOOKKEEPING)
    made_by = personal(models.TextField(), "staff.act", about="made_by_id")
    made_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    made_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    ended_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app", "-id"], name="rule_latest")]


class FieldRequest(Guarded):
    """An app asks for one more field. No answer changes nothing."""

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    field = not_personal(models.TextField(), BOOKKEEPING)
    reason = not_personal(models.TextField(), BOOKKEEPING)
    asked_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    answer = not_personal(
        models.CharField(max_length=8, blank=True, default=""), BOOKKEEPING
    )  # shared | refused | ""
    answered_by = personal(models.TextField(blank=True, default=""), "staff.act", about="answered_by_id")
    answered_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    answered_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)


class Token(Guarded):
    """An access token of an app (OAuth 2 client credentials). Only its hash is kept."""

    found_before_tenant = True

    digest = personal(models.CharField(max_length=64, primary_key=True), "account.secret", about="app_id")
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    scopes = not_personal(models.TextField(), BOOKKEEPING)  # space-separated
    issued_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    expires_at = not_personal(models.DateTimeField(db_index=True), BOOKKEEPING)


class OldSecret(Guarded):
    """A secret that an app had before, and until when it still works. Only its hash is kept."""

    found_before_tenant = True

    digest = personal(models.CharField(max_length=64, primary_key=True), "account.secret", about="app_id")
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    works_until = not_personal(models.DateTimeField(), BOOKKEEPING)
