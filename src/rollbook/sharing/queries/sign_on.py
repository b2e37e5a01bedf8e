"""Sign-in at an app: how the app wants it, what a person's sign-in may tell it, and whose token this is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.db.models import Q

from rollbook.kernel import clock
from rollbook.kernel.errors import NotFound
from rollbook.policy import Access, unguarded
from rollbook.sharing.models import App, AppKey, AppSignIn, SignOn
from rollbook.sharing.queries.grants import Grant, Withheld, grant_for
from rollbook.sharing.rules import FIELDS, seal, sent_as, unseal

BEFORE = "an app is named before anybody is known"


@dataclass(frozen=True)
class Relying:
    """An app that people sign in to."""

    app_id: int
    tenant_id: int
    name: str
    slug: str
    privacy_url: str
    client_id: str
    secret_hash: str
    protocol: str
    redirect_uris: tuple[str, ...]
    logout_uris: tuple[str, ...]
    launch_url: str
    public: bool
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)


def relying(client_id: str) -> Relying | None:
    """The app with this client id, if people may sign in to it."""
    return _relying(Q(client_id=client_id))


def relying_app(tenant_id: int, slug: str) -> Relying:
    """The app of a tenant by its short name. Raises NotFound."""
    found = _relying(Q(tenant_id=tenant_id, slug=slug))
    if found is None:
        raise NotFound("There is no such app to sign in to.")
    return found


def relying_by_id(app_id: int) -> Relying | None:
    """The app with this id, if people may sign in to it."""
    return _relying(Q(id=app_id))


def relying_entity(tenant_id: int, entity_id: str) -> Relying | None:
    """The app that a tenant knows by this SAML entity id."""
    with unguarded(BEFORE):
        rows = SignOn.objects.filter(tenant_id=tenant_id, protocol="saml").values_list("app_id", "details")
        found = [app_id for app_id, details in rows if details.get("entity_id") == entity_id]
    return relying_by_id(found[0]) if found else None


def _relying(which: Q) -> Relying | None:
    with unguarded(BEFORE):
        app = App.objects.filter(which, stopped_at=None).first()
        on = app and SignOn.objects.filter(app_id=app.id).first()
    if app is None or on is None:
        return None
    return Relying(
        app.id, app.tenant_id, app.name, app.slug, app.privacy_url, app.client_id, app.secret_hash, on.protocol,
        tuple(on.redirect_uris), tuple(on.logout_uris), on.launch_url, on.public, on.details,
    )  # fmt: skip


def sign_on_of(access: Access, app: App) -> SignOn | None:
    """How people sign in to an app, for those who look after it; None where they do not."""
    found: SignOn | None = access.select(SignOn).filter(app_id=app.id).first()
    return found


def ours_for(app: App, protocol: str, site: str, school: str) -> dict[str, str]:
    """What the app's maker needs of us, by the name that its own documents have for it."""
    return {
        "oidc": {"issuer": site, "client_id": app.client_id},
        "clever": {"authorize": f"{site}/oauth/authorize", "tokens": f"{site}/oauth/tokens", "client_id": app.client_id},
        "saml": {"metadata": f"{site}/saml/{school}/metadata"},
        "lti": {
            "issuer": site, "client_id": app.client_id, "deployment_id": f"d{app.id}",
            "authorize": f"{site}/lti/authorize", "token": f"{site}/lti/token", "jwks": f"{site}/oauth/jwks",
        },
    }[protocol]  # fmt: skip


# ---- What a sign-in tells.

# claim -> the fields of a sharing rule that it is made of. All must be shared, or the claim is absent.
CLAIMS: dict[str, tuple[str, ...]] = {
    "name": ("users.givenName", "users.familyName"),
    "given_name": ("users.givenName",),
    "family_name": ("users.familyName",),
    "middle_name": ("users.middleName",),
    "preferred_username": ("users.username",),
    "email": ("users.email",),
    "phone_number": ("users.phone",),
    "roles": ("users.roles",),
    "grades": ("users.grades",),
    "identifier": ("users.identifier",),
}
SCOPES: dict[str, tuple[str, ...]] = {
    "openid": (),
    "profile": ("name", "given_name", "family_name", "middle_name", "preferred_username"),
    "email": ("email",),
    "phone": ("phone_number",),
    "school": ("roles", "grades", "identifier"),
    "offline_access": (),
}


@dataclass(frozen=True)
class Seen:
    """One person as one app sees them. `values` are the shared columns; roles are active ones, primary first."""

    grant: Grant
    person: int
    sub: str
    values: Mapping[str, Any] = field(hash=False)
    roles: tuple[str, ...]

    def fields(self, claim: str) -> tuple[str, ...]:
        """The fields of the rule that this claim is made of, for this app."""
        return tuple(sent_as(name, self.grant.fields) for name in CLAIMS[claim])

    def claims(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of the named claims that are shared and not empty."""
        made: dict[str, Any] = {}
        for name in names:
            fields = self.fields(name)
            if not set(fields) <= self.grant.fields:
                continue
            if name == "roles":
                value: Any = list(self.roles)
            else:
                parts = [self.values.get(FIELDS[f].columns[0].rsplit(".", 1)[1]) or "" for f in fields]
                value = " ".join(filter(None, parts))
                if name == "grades":
                    value = [g for g in value.split(",") if g]
            if value:
                made[name] = value
        return made

    def columns(self, claims: Iterable[str]) -> list[tuple[Any, str]]:
        """What the disclosure log says of these claims: the code that names the person, and each column."""
        found = [(apps.get_model("roster", "Person"), "id")]
        for claim in claims:
            for name in self.fields(claim):
                label, column = FIELDS[name].columns[0].rsplit(".", 1)
                found.append((apps.get_model(label), column))
        return found


def seen(app_id: int, person: int) -> Seen:
    """What the app may know of this person now. Raises Withheld when it gets nothing, or not this person."""
    grant = grant_for(app_id)
    model, access = apps.get_model("roster", "Person"), grant.access
    columns = [c for c in access.columns(model) if c not in ("metadata", "user_ids")]
    row = access.select(model).filter(id=person).values(*columns).first()
    if row is None:
        raise Withheld("person", f"The school’s rule for {grant.app_name} does not name this person.")
    roles: list[str] = []
    if "users.roles" in grant.fields:
        rows = access.select(apps.get_model("roster", "Role")).filter(person_id=person)
        found = sorted(rows.values_list("role_type", "id", "role"), key=lambda r: (r[0] != "primary", r[1]))
        roles = list(dict.fromkeys(role for _, _, role in found))
    [sub] = seal(grant.id_key, "person", [person])
    return Seen(grant, person, sub, row, tuple(roles))


def person_of(app_id: int, sub: str) -> int | None:
    """The person whom an app knows by this code, or None when it is no code of its."""
    with unguarded(BEFORE):
        key = App.objects.filter(id=app_id).values_list("id_key", flat=True).first()
    return unseal(bytes.fromhex(key), "person", sub) if key else None


# ---- Codes and tokens.


@dataclass(frozen=True)
class Held:
    """What a code or token stands for."""

    digest: str
    kind: str
    app_id: int
    tenant_id: int
    sign_in: int
    person: int
    scopes: str
    signed_in_at: datetime
    amr: str
    issued_at: datetime
    expires_at: datetime
    redirect_uri: str
    challenge: str
    nonce: str
    used: bool

    @property
    def alive(self) -> bool:
        return not self.used and self.expires_at > clock.now()


def digest(secret: str) -> str:
    """What is kept of a code or token: 256 random bits need no slow hash."""
    return sha256(secret.encode()).hexdigest()


def held(secret: str, *kinds: str) -> Held | None:
    """What a code or token of one of these kinds stands for, used or too old as it may be. None when it is unknown
    or its sign-in has ended."""
    with unguarded("an app shows a code or token before its tenant is known"):
        key = AppKey.objects.filter(digest=digest(secret), kind__in=kinds).first()
        found = key and AppSignIn.objects.filter(id=key.sign_in_id, ended_at=None).first()
    if key is None or found is None:
        return None
    return Held(
        key.digest, key.kind, found.app_id, found.tenant_id, found.id, found.person_id, found.scopes, found.signed_in_at,
        found.amr, key.issued_at, key.expires_at, key.redirect_uri, key.challenge, key.nonce, key.used_at is not None,
    )  # fmt: skip
