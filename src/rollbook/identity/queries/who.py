"""Somebody signed in, in one of their places: staff by a membership, a pupil or guardian by their row in the roster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rollbook.identity.rules import DEVELOPER, NEEDS_TWO, PORTAL, STAFF, WAYS, titles
from rollbook.kernel.errors import Refused
from rollbook.policy import Access, Actor, bundle_for
from rollbook.roster import Tenant, survivor


@dataclass(frozen=True)
class Place:
    """What an account is in one tenant (a membership in force)."""

    id: int
    tenant: Tenant
    role: str
    person: int | None
    org: int | None
    expires_at: datetime

    @property
    def title(self) -> str:
        return (STAFF.get(self.role) or PORTAL[self.role]).title


@dataclass(frozen=True)
class Who:
    """Somebody signed in, in one of their places."""

    account_id: int
    name: str
    email: str
    place: Place
    memberships: tuple[Place, ...]
    sort: str = "staff"  # staff | person: which kind of account
    how: str = "password"  # of `rules.WAYS`
    since: datetime | None = None  # when this sign-in began
    handle: str = ""  # names the sign-in; opens nothing
    grace: bool = False  # a second factor is due, and was put off within its time

    @property
    def tenant(self) -> Tenant:
        return self.place.tenant

    @property
    def role(self) -> str:
        return self.place.role

    @property
    def title(self) -> str:
        return self.place.title

    @property
    def kind(self) -> str:
        """staff | student | guardian."""
        return "staff" if self.sort == "staff" else self.place.role

    @property
    def person(self) -> int | None:
        """Their row in the roster, if they have one."""
        return self.place.person

    @property
    def trust(self) -> str:
        """low | one | two: how sure it is that it is they (`rules.Way`)."""
        return WAYS[self.how].trust

    @property
    def half(self) -> bool:
        """Whether a second factor is wanted before anything opens."""
        return self.role in NEEDS_TWO and self.trust != "two" and not self.grace

    @property
    def amr(self) -> tuple[str, ...]:
        """How they signed in, for other systems (RFC 8176)."""
        return WAYS[self.how].amr

    @property
    def actor(self) -> Actor:
        """Who asks, for the gate and the audit. A merged roster row is followed to the one that stands for it."""
        person = self.place.person
        if person is not None:
            person = survivor(self.tenant.id, person)
        role = "administrator" if self.role == DEVELOPER.name else self.role
        return Actor(self.kind, role, self.account_id, self.name, person=person, org=self.place.org)

    def access(self, purpose: str | None = None, reason: str = "") -> Access:
        """The access of this role, for its own purpose unless another is named."""
        why = purpose or (STAFF.get(self.role) or PORTAL[self.role]).purpose
        return Access(self.actor, why, self.tenant.id, bundle_for(self.tenant.policy), reason=reason)

    def not_for(self, roles: tuple[str, ...]) -> Refused:
        """Why a page for other roles is refused."""
        return Refused(
            f"This page is for the {titles(roles)}.",
            f"You are signed in as {self.title}. Ask your administrator if you need it for your work.",
        )
