"""The school's own identity provider, and whom its word names here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollbook.identity.models import PersonAccount, SchoolIdp, SchoolIdpKey
from rollbook.identity.queries.people import person_is
from rollbook.identity.queries.staff import account_by_email, places_of, who_is
from rollbook.identity.queries.who import Who
from rollbook.kernel.errors import NotFound
from rollbook.kernel.sealed import unseal
from rollbook.policy import unguarded
from rollbook.roster import Tenant, find_by_detail

PURPOSE = "a school's identity provider"


@dataclass(frozen=True)
class Idp:
    """A school's identity provider. protocol: oidc (with our secret there) or saml (with our key and its certificate)."""

    tenant: Tenant
    protocol: str
    name: str
    issuer: str
    client_id: str
    secret: str
    match: str
    claim: str
    trusts_mfa: bool
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    key: tuple[str, str] | None = None


def idp_of(slug: str) -> Idp:
    """The identity provider of the tenant of this address. Raises NotFound."""
    with unguarded("a school's own sign-in is asked for before anybody is known"):
        row = SchoolIdp.objects.filter(tenant__slug=slug).select_related("tenant").first()
        key = SchoolIdpKey.objects.filter(tenant__slug=slug).first() if row else None
    if row is None:
        raise NotFound("This school has no sign-in of its own here.")
    secret = unseal(PURPOSE, row.sealed_secret).decode() if row.sealed_secret else ""
    return Idp(
        row.tenant, row.protocol, row.name, row.issuer, row.client_id, secret, row.match, row.claim, row.trusts_mfa,
        row.details, (unseal(PURPOSE, key.sealed).decode(), key.certificate) if key else None,
    )  # fmt: skip


def idp_set(tenant: Tenant) -> Idp | None:
    """The tenant's own identity provider, if it has one."""
    try:
        return idp_of(tenant.slug)
    except NotFound:
        return None


FEW = 8  # more would be a list of customers: then a school links to its own address


def schools_with_one() -> list[tuple[str, str]]:
    """(address, name) of the schools that have a sign-in of their own, for the sign-in page; none where they are many."""
    with unguarded("the sign-in page offers the schools' own sign-ins"):
        rows = SchoolIdp.objects.order_by("name").values_list("tenant__slug", "name")[: FEW + 1]
        found = [(str(slug), str(name)) for slug, name in rows]
    return found if len(found) <= FEW else []


def named_by(idp: Idp, claims: Mapping[str, Any]) -> Who | None:
    """Who these claims of the school's provider name here: staff of this school by email, else a pupil or guardian
    whom the school lets sign in. None for anybody else: no account is made of what a provider says.

    An account that works for another tenant too is not opened: this school's provider answers for one.
    """
    email = str(claims.get("email") or "")
    account = account_by_email(email) if email and claims.get("email_verified") is not False else None
    if account is not None:
        places = places_of(account.id)
        if places and all(place.tenant.id == idp.tenant.id for place in places):
            return who_is(account.id, 0)
    person = find_by_detail(idp.tenant.id, idp.match, str(claims.get(idp.claim) or ""))
    if person is None or (idp.claim == "email" and claims.get("email_verified") is False):
        return None
    with unguarded("the account of whom a school's own sign-in names", tenant=idp.tenant.id):
        mine = PersonAccount.objects.filter(tenant=idp.tenant, person_id=person, closed_at=None)
        found = mine.values_list("id", flat=True).first()
    return person_is(found, None) if found is not None else None
