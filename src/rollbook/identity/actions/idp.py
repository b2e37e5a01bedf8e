"""A school's own identity provider: say which it is, sign somebody in by its word, write down what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from rollbook.identity.actions.directory import set_directory
from rollbook.identity.actions.sessions import SessionStore, begin, digest, end_sign_ins
from rollbook.identity.models import (
    Membership,
    PersonAccount,
    SchoolIdp,
    SchoolIdpAnswer,
    SchoolIdpKey,
    Session,
)
from rollbook.identity.queries.idp import PURPOSE, Idp, named_by
from rollbook.identity.queries.who import Who
from rollbook.kernel import clock
from rollbook.kernel.addresses import check_address
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.saml import self_signed
from rollbook.kernel.sealed import seal, unseal
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant

PROTOCOLS = ("oidc", "saml")
MATCHES = {
    "email": "email",
    "username": "preferred_username",
    "identifier": "sub",
}  # detail -> its usual claim


def set_idp(
    tenant: Tenant, *, name: str, issuer: str, client_id: str = "", client_secret: str = "", match: str = "email",
    claim: str = "", trusts_mfa: bool = False, protocol: str = "oidc", details: Mapping[str, Any] | None = None,
    by: Actor | None = None,
) -> None:  # fmt: skip
    """Let a school's people sign in by its own identity provider. Raises Invalid that names the part.

    details: for SAML, of the provider's metadata (`connectors.saml.details_of`). Without a secret or metadata, those
    that are there stay.
    """
    with unguarded("it is looked up which provider a school signs in by", tenant=tenant.id):
        before = SchoolIdp.objects.filter(tenant=tenant).first()
    if protocol == "saml" and not details and before is not None and before.protocol == "saml":
        issuer, details = before.issuer, before.details
    details = dict(details or {})
    if protocol not in PROTOCOLS:
        raise Invalid(
            f"No provider speaks {protocol!r}.", f"Choose one of {', '.join(PROTOCOLS)}.", "protocol"
        )
    if protocol == "oidc":
        check_address(issuer, "issuer")
        if "?" in issuer:
            raise Invalid(f"{issuer} is not the address of a provider.", "It has no part after ?", "issuer")
    else:
        if not issuer or not details.get("certificates"):
            raise Invalid("The provider’s metadata is missing.", "It is an XML file.", "metadata")
        check_address(str(details.get("sso", "")), "metadata")
    if match not in MATCHES:
        raise Invalid(
            f"People cannot be found by {match!r}.", f"Choose one of {', '.join(MATCHES)}.", "match"
        )
    if not name.strip():
        raise Invalid("The name is missing.", "It is what people know the sign-in as.", "name")
    with transaction.atomic(), unguarded("it is said which provider a school signs in by", tenant=tenant.id):
        sealed = seal(PURPOSE, client_secret.encode()) if client_secret else ""
        if protocol == "oidc":
            if not sealed and before and (before.issuer, before.client_id) == (issuer.rstrip("/"), client_id):
                sealed = before.sealed_secret
            for field, held in (("client_id", client_id), ("client_secret", sealed)):
                if not held:
                    raise Invalid(
                        "The client id or the secret is missing.", "The provider gives them.", field
                    )
        SchoolIdp.objects.update_or_create(
            tenant=tenant,
            defaults={
                "name": name.strip()[:80], "issuer": issuer.rstrip("/") if protocol == "oidc" else issuer,
                "protocol": protocol, "client_id": client_id, "match": match, "sealed_secret": sealed,
                "details": details, "claim": claim.strip()[:64] or MATCHES[match], "trusts_mfa": trusts_mfa,
                "changed_at": clock.now(),
            },
        )  # fmt: skip
        if protocol == "saml":
            key_for(tenant)
        audit(tenant.id, by, "identity.idp_set", "tenant", tenant.id, tenant.name, issuer=issuer, match=match,
              protocol=protocol)  # fmt: skip


def stop_idp(tenant: Tenant, by: Actor | None) -> None:
    """Nobody signs in by the school's own provider any more, and whoever did is signed out. Raises NotFound."""
    with transaction.atomic(), unguarded("a school's own sign-in is stopped", tenant=tenant.id):
        set_directory(tenant, None, by)
        gone, _ = SchoolIdp.objects.filter(tenant=tenant).delete()
        if not gone:
            raise NotFound("There is no sign-in to stop.")
        staff = Membership.objects.filter(tenant=tenant).values("account_id")
        people = PersonAccount.objects.filter(tenant=tenant).values("id")
        by_it = Session.objects.filter(how__startswith="idp")
        end_sign_ins(by_it.filter(kind="staff", account_id__in=staff))
        end_sign_ins(by_it.filter(kind="person", account_id__in=people))
        audit(tenant.id, by, "identity.idp_stopped", "tenant", tenant.id, tenant.name)


def key_for(tenant: Tenant) -> tuple[str, str]:
    """(private key, certificate) that we sign with to this school's SAML provider. The first use makes them: the
    provider wants our metadata before it gives its own."""
    with (
        unguarded("Rollbook reads its own key for a school's provider", tenant=tenant.id),
        transaction.atomic(),
    ):
        found = SchoolIdpKey.objects.filter(tenant=tenant).first()
        if found is None:
            private, certificate = self_signed()
            found, _ = SchoolIdpKey.objects.get_or_create(
                tenant=tenant,
                defaults={"sealed": seal(PURPOSE, private.encode()), "certificate": certificate, "made_at": clock.now()},
            )  # fmt: skip
    return unseal(PURPOSE, found.sealed).decode(), str(found.certificate)


def take_answer(idp: Idp, name: str, ends_at: datetime) -> bool:
    """Take a SAML answer as used; False when it was before. ends_at: from when it opens nothing anyway."""
    key = digest(f"saml:{idp.tenant.id}:{idp.issuer}:{name}")
    with unguarded("an answer of a school's provider works once", tenant=idp.tenant.id), transaction.atomic():
        SchoolIdpAnswer.objects.filter(tenant=idp.tenant, ends_at__lt=clock.now()).delete()
        _, new = SchoolIdpAnswer.objects.get_or_create(
            digest=key, defaults={"tenant": idp.tenant, "ends_at": ends_at}
        )
    return new


def sign_in_by_idp(session: SessionStore, idp: Idp, claims: Mapping[str, Any], agent: str) -> Who | None:
    """Sign in whoever the checked claims name; None, written down, when that is nobody here."""
    who = named_by(idp, claims)
    if who is None:
        refused_idp(idp, "unknown_person", "The provider named somebody who has no account here.")
        return None
    amr = claims.get("amr")
    strong = idp.trusts_mfa and isinstance(amr, list) and "mfa" in amr
    begin(session, who, agent, "idp+mfa" if strong else "idp")
    audit(
        who.tenant.id, who.actor, "identity.signed_in", "account", who.account_id, who.name,
        browser=session.browser, by="idp",
    )  # fmt: skip
    return who


def try_idp(idp: Idp, claims: Mapping[str, Any], by: Actor) -> Who | None:
    """Whom the checked claims name, for an administrator who tries the provider: nobody is signed in by it."""
    who = named_by(idp, claims)
    audit(
        idp.tenant.id,
        by,
        "identity.idp_tried",
        "tenant",
        idp.tenant.id,
        idp.tenant.name,
        known=who is not None,
    )
    return who


def refused_idp(idp: Idp, error: str, because: str) -> None:
    """Write down a sign-in by a provider that was refused; what it said of a person is not among it."""
    with transaction.atomic():
        audit(
            idp.tenant.id, None, "identity.idp_refused", "tenant", idp.tenant.id, idp.tenant.name, error=error[:60],
            because=because[:200],
        )  # fmt: skip
