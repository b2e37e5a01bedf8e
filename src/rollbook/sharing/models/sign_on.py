"""Sign-in at apps: how each app wants it, who signed in where, codes and tokens, the keys that Rollbook signs with."""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, ORGANISATION, Guarded, not_personal, personal
from rollbook.sharing.models.apps import App, tenant


class SignOn(Guarded):
    """How people sign in to an app: by which protocol, where it may be sent answers, where it begins.

    details: what one protocol needs more. SAML: {"entity_id", "metadata"}; LTI: see `connectors/lti`.
    """

    found_before_tenant = True

    app = not_personal(
        models.OneToOneField(App, on_delete=models.CASCADE, primary_key=True, related_name="+"), LINK
    )
    tenant = tenant()
    protocol = not_personal(models.CharField(max_length=8), ORGANISATION)  # oidc | clever | saml | lti
    redirect_uris = not_personal(models.JSONField(default=list), ORGANISATION)
    logout_uris = not_personal(models.JSONField(default=list), ORGANISATION)
    launch_url = not_personal(models.TextField(blank=True, default=""), ORGANISATION)
    public = not_personal(models.BooleanField(default=False), ORGANISATION)  # it cannot keep a secret
    details = not_personal(models.JSONField(default=dict), ORGANISATION)
    changed_at = not_personal(models.DateTimeField(), BOOKKEEPING)


class AppSignIn(Guarded):
    """One person's sign-in at one app. To end it ends every token that came of it."""

    found_before_tenant = True

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    person_id = not_personal(models.BigIntegerField(), LINK)
    scopes = not_personal(models.TextField(), BOOKKEEPING)  # space-separated
    signed_in_at = not_personal(models.DateTimeField(), BOOKKEEPING)  # when they proved who they are, to us
    # Of which sign-in at Rollbook it came (`Who.handle`), and of whose account: when that ends, this does.
    session = not_personal(models.CharField(max_length=20, blank=True, default="", db_index=True), LINK)
    account_id = not_personal(models.BigIntegerField(default=0, db_index=True), LINK)
    amr = not_personal(models.TextField(blank=True, default=""), BOOKKEEPING)  # how, in the words of RFC 8176
    began_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    ended_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app", "person_id"], name="app_sign_in")]


class AppKey(Guarded):
    """What opens an AppSignIn: a code (one minute, once), an access token, a refresh token (once). Only its hash is kept.

    redirect_uri, challenge, nonce: what a code is bound to.
    """

    found_before_tenant = True

    digest = personal(models.CharField(max_length=64, primary_key=True), "account.secret", about="sign_in_id")
    tenant = tenant()
    sign_in = not_personal(
        models.ForeignKey(AppSignIn, on_delete=models.CASCADE, related_name="+", null=True), LINK
    )  # none for what an app itself sent, which is kept only to know it a second time
    kind = not_personal(models.CharField(max_length=8), BOOKKEEPING)  # code | access | refresh | request
    redirect_uri = not_personal(models.TextField(blank=True, default=""), BOOKKEEPING)
    challenge = not_personal(models.CharField(max_length=128, blank=True, default=""), BOOKKEEPING)
    nonce = not_personal(models.TextField(blank=True, default=""), BOOKKEEPING)
    issued_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    expires_at = not_personal(models.DateTimeField(db_index=True), BOOKKEEPING)
    used_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)


class ChosenLink(Guarded):
    """A piece of an app that a teacher chose for a class (LTI deep linking)."""

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    class_id = not_personal(models.BigIntegerField(), LINK)
    title = not_personal(models.TextField(), ORGANISATION)
    url = not_personal(models.TextField(), ORGANISATION)
    custom = not_personal(models.JSONField(default=dict), ORGANISATION)
    chosen_by_id = not_personal(models.BigIntegerField(), LINK)  # the teacher's row in the roster
    chosen_at = not_personal(models.DateTimeField(), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app", "class_id"], name="chosen_link")]


class SigningKey(Guarded):
    """A key that Rollbook signs with. The private half is sealed under the deployment's secret key."""

    kid = not_personal(models.CharField(max_length=64, primary_key=True), BOOKKEEPING)
    use = not_personal(models.CharField(max_length=8), BOOKKEEPING)  # jwt | saml
    sealed = personal(models.TextField(), "account.secret", about="kid")
    public = not_personal(models.TextField(), BOOKKEEPING)  # a JWK, or a certificate in PEM
    made_at = not_personal(models.DateTimeField(), BOOKKEEPING)
