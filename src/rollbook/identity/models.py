"""Staff accounts, what they may do where, their sessions and one-time reset links."""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, Guarded, not_personal, personal


class Account(Guarded):
    """One member of staff who signs in. A person of the roster may be linked by a membership."""

    id = not_personal(IdField(), LINK)
    email = personal(models.EmailField(unique=True), "account.login")  # lower case
    name = personal(models.TextField(), "account.login")
    password = personal(
        models.CharField(max_length=256, blank=True, default=""), "account.secret"
    )  # argon2 hash
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    closed_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    is_anonymous = False
    is_authenticated = True

    def __str__(self) -> str:
        return self.name


class Membership(Guarded):
    """What an account is in one tenant, because and until. role: one of `rules.ROLES`."""

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = not_personal(
        models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK
    )
    account = not_personal(models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+"), LINK)
    role = personal(models.CharField(max_length=32), "account.login", about="account_id")
    person_id = not_personal(
        models.BigIntegerField(null=True), LINK
    )  # their row in the roster, for "teaches"
    org_id = not_personal(
        models.BigIntegerField(null=True), LINK
    )  # where a role is limited to one org and below
    reason = personal(models.TextField(blank=True, default=""), "account.login", about="account_id")
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    expires_at = not_personal(models.DateTimeField(), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "account", "role"], name="membership_once")]


class Session(Guarded):
    """A signed-in browser. The key in the database is a hash: a copy of the database signs nobody in."""

    session_key = personal(
        models.CharField(max_length=64, primary_key=True), "account.secret", about="account_id"
    )
    session_data = personal(models.TextField(), "account.session", about="account_id")
    expire_date = not_personal(models.DateTimeField(db_index=True), BOOKKEEPING)
    account_id = not_personal(models.BigIntegerField(null=True, db_index=True), LINK)
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    used_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    browser = personal(models.TextField(blank=True, default=""), "account.session", about="account_id")


class ResetLink(Guarded):
    """A link that sets a password once. Only its hash is kept."""

    id = not_personal(IdField(), LINK)
    account = not_personal(models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+"), LINK)
    digest = personal(models.CharField(max_length=64, unique=True), "account.secret", about="account_id")
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    expires_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    used_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
