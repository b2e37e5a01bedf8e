"""Accounts of staff and of people of the roster, what they may do where, and how they sign in."""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, ORGANISATION, Guarded, not_personal, personal


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
    # Until when a password alone opens what needs two factors; set when it is first asked for.
    grace_until = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

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
    kind = not_personal(models.CharField(max_length=8, default="staff"), BOOKKEEPING)  # staff | person: whose
    how = not_personal(models.CharField(max_length=32, default="password"), BOOKKEEPING)  # of `rules.WAYS`
    badge_id = not_personal(models.BigIntegerField(null=True, db_index=True), LINK)
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


class SignUpKey(Guarded):
    """A link that was sent to a developer: it makes their account, or signs them in. Derived; `digest` is its hash.

    The row goes when the link is used or too old: nobody's email is kept because somebody typed it."""

    id = not_personal(IdField(), LINK)
    email = personal(models.EmailField(), "account.login")
    digest = personal(models.CharField(max_length=64, unique=True), "account.secret")
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    expires_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    sent_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)


class Passkey(Guarded):
    """A passkey (WebAuthn) of a member of staff: the public half."""

    id = not_personal(IdField(), LINK)
    account = not_personal(models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+"), LINK)
    credential = personal(models.TextField(unique=True), "account.login", about="account_id")  # base64url
    public_key = personal(models.TextField(), "account.login", about="account_id")  # base64url
    sign_count = not_personal(models.BigIntegerField(default=0), BOOKKEEPING)
    name = personal(models.TextField(), "account.login", about="account_id")
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    used_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)


class RecoveryCode(Guarded):
    """A code that stands in for a lost passkey, once. Only its keyed hash is kept."""

    id = not_personal(IdField(), LINK)
    account = not_personal(models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+"), LINK)
    digest = personal(models.CharField(max_length=64, unique=True), "account.secret", about="account_id")
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    used_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)


class KnownDevice(Guarded):
    """A device that a member of staff has signed in on, so that a new one can be told of."""

    id = not_personal(IdField(), LINK)
    account = not_personal(models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+"), LINK)
    digest = personal(models.CharField(max_length=64), "account.session", about="account_id")
    browser = personal(models.TextField(), "account.session", about="account_id")
    first_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    told_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint(fields=["account", "digest"], name="known_device_once")]


def tenant() -> models.ForeignKey[object, object]:
    return not_personal(models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK)


class SignInRules(Guarded):
    """How people of the roster may sign in to one tenant. All is off until the school has directed it: who said so,
    on what ground, and how parents were told stands beside."""

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = not_personal(
        models.OneToOneField("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK
    )
    students = not_personal(models.BooleanField(default=False), BOOKKEEPING)
    badges = not_personal(models.BooleanField(default=False), BOOKKEEPING)
    picture_codes = not_personal(models.BooleanField(default=False), BOOKKEEPING)
    guardians = not_personal(models.BooleanField(default=False), BOOKKEEPING)
    badge_generation = not_personal(
        models.IntegerField(default=1), BOOKKEEPING
    )  # grows at year end: all badges stop
    ground = not_personal(
        models.TextField(blank=True, default=""), ORGANISATION
    )  # what the school rests it on
    parents_told = not_personal(models.TextField(blank=True, default=""), ORGANISATION)  # when and how
    authorised_by = personal(models.TextField(blank=True, default=""), "staff.act", about="authorised_by_id")
    authorised_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    authorised_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)


class PersonAccount(Guarded):
    """A pupil or guardian of the roster who may sign in, made by an act of the school and never by themselves. Their
    name and contacts stay in the roster: what it no longer holds signs nobody in."""

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    person_id = not_personal(models.BigIntegerField(), LINK)
    kind = not_personal(models.CharField(max_length=8), BOOKKEEPING)  # student | guardian
    made_by = personal(models.TextField(), "staff.act", about="made_by_id")
    made_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    made_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    closed_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "person_id", "kind"], name="person_account_once")
        ]


class Badge(Guarded):
    """A printed key of one pupil. What it says is derived, so it can be printed again; only its hash is kept."""

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    account = not_personal(models.ForeignKey(PersonAccount, on_delete=models.CASCADE, related_name="+"), LINK)
    generation = not_personal(models.IntegerField(), BOOKKEEPING)
    digest = personal(models.CharField(max_length=64, unique=True), "account.secret", about="account_id")
    issued_by = personal(models.TextField(), "staff.act", about="issued_by_id")
    issued_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    issued_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    ends_on = not_personal(models.DateField(), BOOKKEEPING)  # with the school year, by itself
    printed_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
    used_at = personal(models.DateTimeField(null=True), "account.session", about="account_id")
    stopped_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account"], condition=models.Q(stopped_at=None), name="badge_one_in_force"
            )
        ]


class PictureCode(Guarded):
    """Four pictures that a teacher gave one child: once, for some minutes. `number` says whose, the pictures open."""

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    account = not_personal(models.ForeignKey(PersonAccount, on_delete=models.CASCADE, related_name="+"), LINK)
    number = not_personal(models.CharField(max_length=6, db_index=True), BOOKKEEPING)
    digest = personal(models.CharField(max_length=64), "account.secret", about="account_id")
    made_by = personal(models.TextField(), "staff.act", about="made_by_id")
    made_by_id = not_personal(models.BigIntegerField(), LINK)
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    expires_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    tries = not_personal(models.IntegerField(default=0), BOOKKEEPING)
    used_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)


class SchoolIdp(Guarded):
    """The school's own identity provider, by which its people sign in here.

    issuer: how it names itself. OpenID Connect: client_id and sealed_secret are ours there. SAML: details holds where
    it is asked and its certificates ({"sso", "certificates"}). match: by which detail of the roster pupils and
    guardians are found (email, username, identifier), and claim: which of its claims says it. Staff are found by
    email. trusts_mfa: whether its word for two factors is believed.
    """

    found_before_tenant = True

    tenant = not_personal(
        models.OneToOneField("roster.Tenant", on_delete=models.CASCADE, primary_key=True, related_name="+"),
        LINK,
    )
    protocol = not_personal(models.CharField(max_length=8, default="oidc"), ORGANISATION)  # oidc | saml
    name = not_personal(models.TextField(), ORGANISATION)
    issuer = not_personal(models.TextField(), ORGANISATION)
    client_id = not_personal(models.TextField(blank=True, default=""), ORGANISATION)
    sealed_secret = personal(models.TextField(blank=True, default=""), "account.secret", about="tenant_id")
    details = not_personal(models.JSONField(default=dict), ORGANISATION)
    match = not_personal(models.CharField(max_length=16, default="email"), BOOKKEEPING)
    claim = not_personal(models.CharField(max_length=64, default="email"), BOOKKEEPING)
    trusts_mfa = not_personal(models.BooleanField(default=False), BOOKKEEPING)
    # The directory whose word lets teachers of the roll sign in by this provider; none until an administrator says so.
    staff_from = not_personal(models.BigIntegerField(null=True), LINK)
    changed_at = not_personal(models.DateTimeField(), BOOKKEEPING)


class DirectoryAccount(Guarded):
    """A staff account that was made because the school's directory names them: it is closed when the directory says so.

    source_id: the directory (an app of sharing). entry_id: its own account for them there.
    """

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    source_id = not_personal(models.BigIntegerField(), LINK)
    entry_id = not_personal(models.BigIntegerField(), LINK)
    account = not_personal(models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+"), LINK)
    made_at = not_personal(models.DateTimeField(), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "source_id", "entry_id"], name="directory_account_once")
        ]


class SchoolIdpKey(Guarded):
    """The key with which Rollbook signs what it asks of a school's SAML provider; the provider keeps the certificate."""

    found_before_tenant = True

    tenant = not_personal(
        models.OneToOneField("roster.Tenant", on_delete=models.CASCADE, primary_key=True, related_name="+"),
        LINK,
    )
    sealed = personal(models.TextField(), "account.secret", about="tenant_id")
    certificate = not_personal(models.TextField(), ORGANISATION)
    made_at = not_personal(models.DateTimeField(), BOOKKEEPING)


class SchoolIdpAnswer(Guarded):
    """An answer of a school's SAML provider that was used: it works once. Its hash, until it would have ended."""

    found_before_tenant = True

    digest = not_personal(models.CharField(max_length=64, primary_key=True), BOOKKEEPING)
    tenant = tenant()
    ends_at = not_personal(models.DateTimeField(db_index=True), BOOKKEEPING)


class OneTimeKey(Guarded):
    """A link and a code that were sent to a guardian: either works, once. Both are derived; `digest` is the link's hash."""

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    account = not_personal(models.ForeignKey(PersonAccount, on_delete=models.CASCADE, related_name="+"), LINK)
    digest = personal(models.CharField(max_length=64, unique=True), "account.secret", about="account_id")
    channel = not_personal(models.CharField(max_length=4), BOOKKEEPING)  # mail | sms
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    expires_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    sent_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
    tries = not_personal(models.IntegerField(default=0), BOOKKEEPING)
    used_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
