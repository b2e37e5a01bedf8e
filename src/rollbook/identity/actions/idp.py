"""A school's own identity provider: say which it is, sign somebody in by its word, write down what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from rollbook.identity.actions.sessions import SessionStore, begin
from rollbook.identity.models import SchoolIdp
from rollbook.identity.queries.idp import PURPOSE, Idp, named_by
from rollbook.identity.queries.who import Who
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.sealed import seal
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant

MATCHES = {
    "email": "email",
    "username": "preferred_username",
    "identifier": "sub",
}  # detail -> its usual claim


def set_idp(
    tenant: Tenant, *, name: str, issuer: str, client_id: str, client_secret: str, match: str = "email", claim: str = "",
    trusts_mfa: bool = False, by: Actor | None = None,
) -> None:  # fmt: skip
    """Let a school's people sign in by its own identity provider. Raises Invalid that names the part."""
    parts = urlsplit(issuer)
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if (
        not parts.hostname
        or not (parts.scheme == "https" or (parts.scheme == "http" and here))
        or parts.query
    ):
        raise Invalid(f"{issuer} is not the address of a provider.", "It begins with https://", "issuer")
    if match not in MATCHES:
        raise Invalid(
            f"People cannot be found by {match!r}.", f"Choose one of {', '.join(MATCHES)}.", "match"
        )
    if not name.strip() or not client_id or not client_secret:
        raise Invalid(
            "A name, the client id or the secret is missing.", "The provider gives the last two.", "name"
        )
    with transaction.atomic(), unguarded("it is said which provider a school signs in by", tenant=tenant.id):
        SchoolIdp.objects.update_or_create(
            tenant=tenant,
            defaults={
                "name": name.strip()[:80], "issuer": issuer.rstrip("/"), "client_id": client_id, "match": match,
                "sealed_secret": seal(PURPOSE, client_secret.encode()), "claim": claim or MATCHES[match],
                "trusts_mfa": trusts_mfa, "changed_at": clock.now(),
            },
        )  # fmt: skip
        audit(tenant.id, by, "identity.idp_set", "tenant", tenant.id, tenant.name, issuer=issuer, match=match)


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


def refused_idp(idp: Idp, error: str, because: str) -> None:
    """Write down a sign-in by a provider that was refused; what it said of a person is not among it."""
    with transaction.atomic():
        audit(
            idp.tenant.id, None, "identity.idp_refused", "tenant", idp.tenant.id, idp.tenant.name, error=error[:60],
            because=because[:200],
        )  # fmt: skip
