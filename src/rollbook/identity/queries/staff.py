"""What staff accounts there are, and where they work. Reads come before an access exists, so they are exempt from
the gate, each with its reason; nothing here is about pupils."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from rollbook.identity.models import Account, KnownDevice, Membership, Passkey, RecoveryCode, Session
from rollbook.identity.queries.who import Place, Who
from rollbook.identity.rules import DEVELOPER, ROLES, STAFF
from rollbook.kernel import clock
from rollbook.kernel.errors import NotFound
from rollbook.policy import unguarded


def places_of(account_id: int) -> tuple[Place, ...]:
    """The memberships in force of an account, in the order of the tenants' names."""
    with unguarded("what somebody is where is asked before they have an access"):
        found = Membership.objects.filter(account_id=account_id, expires_at__gt=clock.now()).select_related(
            "tenant"
        )
        places = [
            Place(m.id, m.tenant, m.role, m.person_id, m.org_id, m.expires_at)
            for m in found
            if (m.role == DEVELOPER.name if m.tenant.sandbox else m.role in ROLES)
        ]
    return tuple(sorted(places, key=lambda p: (p.tenant.name, list(STAFF).index(p.role))))


def who_is(account_id: int, membership_id: int, how: str = "") -> Who | None:
    """The account in the place it chose (or its first). None when it is closed or has no place in force.

    how: the way of the sign-in. A link that was mailed opens a developer's sandbox, and no school.
    """
    with unguarded("whose session this is comes before any access"):
        account = Account.objects.filter(id=account_id, closed_at=None).first()
    places = places_of(account_id) if account else ()
    if how == "link":
        places = tuple(place for place in places if place.tenant.sandbox)
    if account is None or not places:
        return None
    place = next((p for p in places if p.id == membership_id), places[0])
    return Who(account.id, account.name, account.email, place, places)


def account_by_email(email: str) -> Account | None:
    """The open account with this email, in any case of letters."""
    with unguarded("an account is found by its email before anybody is known"):
        found: Account | None = Account.objects.filter(email=email.strip().lower(), closed_at=None).first()
    return found


def find_account(email: str) -> Account:
    """The open account with this email. Raises NotFound."""
    found = account_by_email(email)
    if found is None:
        raise NotFound(f"There is no account with the email {email}.")
    return found


@dataclass(frozen=True)
class SignIn:
    """One signed-in browser. `handle` names it in a form; it is not its key."""

    handle: str
    browser: str
    began: datetime
    used: datetime
    ends: datetime


def handle_of(session_key: str) -> str:
    """A name for a session that opens nothing."""
    return sha256(b"handle:" + session_key.encode()).hexdigest()[:20]


def sessions_of(account_id: int) -> list[SignIn]:
    """The live sign-ins of an account, the last used first."""
    with unguarded("people see and end their own sign-ins"):
        rows = Session.objects.filter(account_id=account_id, expire_date__gt=clock.now()).order_by("-used_at")
        return [
            SignIn(handle_of(r.session_key), r.browser, r.created_at, r.used_at, r.expire_date) for r in rows
        ]


@dataclass(frozen=True)
class Colleague:
    """One membership of a tenant's staff, as the administrator sees it."""

    id: int
    account_id: int
    name: str
    email: str
    role: str
    reason: str
    expires_at: datetime
    closed: bool
    has_password: bool

    @property
    def title(self) -> str:
        return STAFF[self.role].title if self.role in STAFF else self.role

    @property
    def ended(self) -> bool:
        return self.closed or self.expires_at <= clock.now()


def staff_of(tenant_id: int) -> list[Colleague]:
    """Everybody who may sign in to a tenant, by name; those whose role has ended last."""
    with unguarded("the administrator looks after staff accounts", tenant=tenant_id):
        rows = Membership.objects.filter(tenant_id=tenant_id).select_related("account")
        found = [
            Colleague(
                m.id, m.account_id, m.account.name, m.account.email, m.role, m.reason, m.expires_at,
                m.account.closed_at is not None, bool(m.account.password),
            )
            for m in rows
        ]  # fmt: skip
    return sorted(found, key=lambda c: (c.ended, c.name, c.role))


@dataclass(frozen=True)
class PasskeyLine:
    """One passkey of an account. credential: its id, base64url."""

    id: int
    credential: str
    name: str
    created: datetime
    used: datetime | None


def passkeys_of(account_id: int) -> list[PasskeyLine]:
    """The passkeys of an account, the oldest first."""
    with unguarded("people see their own passkeys"):
        rows = Passkey.objects.filter(account_id=account_id).order_by("id")
        return [PasskeyLine(p.id, p.credential, p.name, p.created_at, p.used_at) for p in rows]


def codes_left(account_id: int) -> int:
    """How many recovery codes of an account are unused."""
    with unguarded("people see how many recovery codes they have left"):
        return int(RecoveryCode.objects.filter(account_id=account_id, used_at=None).count())


def devices_of(account_id: int) -> list[tuple[str, datetime]]:
    """The devices that an account was used on: browser and since when, the newest first."""
    with unguarded("people see the devices that they signed in on"):
        rows = KnownDevice.objects.filter(account_id=account_id).order_by("-first_at")
        return list(rows.values_list("browser", "first_at")[:20])
