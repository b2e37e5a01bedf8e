"""Accounts of people of the roster, before anybody is known: whose a session is, and what a tenant lets them do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rollbook.identity.models import Badge, PersonAccount, SignInRules
from rollbook.identity.queries.who import Place, Who
from rollbook.identity.rules import ABSOLUTE
from rollbook.kernel import clock
from rollbook.policy import Access, Audit, unguarded
from rollbook.roster import standing


def sign_in_rules(tenant_id: int) -> SignInRules:
    """How people of the roster may sign in to a tenant; all off where nobody has said."""
    with unguarded("how people may sign in is asked before they have", tenant=tenant_id):
        found: SignInRules | None = SignInRules.objects.filter(tenant_id=tenant_id).first()
    return found or SignInRules(tenant_id=tenant_id)


def person_is(account_id: int, badge: int | None) -> Who | None:
    """The person of an account. None when the account is closed, the school does not let them sign in, they left the
    roster, or `badge` (the one they showed) is stopped or of an earlier generation."""
    with unguarded("whose account of the roster signs in comes before any access"):
        account = PersonAccount.objects.filter(id=account_id, closed_at=None).select_related("tenant").first()
        if account is None:
            return None
        rules = SignInRules.objects.filter(tenant_id=account.tenant_id).first()
        if rules is None or not (rules.students if account.kind == "student" else rules.guardians):
            return None
        if badge is not None and not (
            rules.badges
            and Badge.objects.filter(
                id=badge,
                account_id=account_id,
                stopped_at=None,
                generation=rules.badge_generation,
                ends_on__gte=clock.today(),
            ).exists()
        ):
            return None
    person = standing(account.tenant_id, account.person_id)
    if person is None or not person.here or account.kind not in person.kinds:
        return None
    place = Place(0, account.tenant, account.kind, person.id, None, clock.now() + ABSOLUTE)
    return Who(account.id, person.first_name, "", place, (place,), sort="person")


@dataclass(frozen=True)
class BadgeLine:
    """The badge of one pupil, for staff who may see the pupil. used: when it last opened anything."""

    issued: datetime
    printed: datetime | None
    used: datetime | None


def badges_of(tenant_id: int, people: Iterable[int]) -> dict[int, BadgeLine]:
    """The badges in force of these people (whom the asker's access has shown): person id -> badge."""
    with unguarded("staff look after the badges of pupils whom they see", tenant=tenant_id):
        rows = Badge.objects.filter(
            tenant_id=tenant_id, account__person_id__in=list(people), stopped_at=None, ends_on__gte=clock.today()
        ).values_list("account__person_id", "issued_at", "printed_at", "used_at")  # fmt: skip
        return {person: BadgeLine(issued, printed, used) for person, issued, printed, used in rows}


@dataclass(frozen=True)
class Check:
    """One thing that must hold for somebody to sign in, and whether it does now."""

    says: str
    holds: bool


@dataclass(frozen=True)
class Trace:
    """One thing that happened when somebody signed in or tried to."""

    at: datetime
    verb: str
    by: str


WORDS = {
    "identity.signed_in": "signed in", "identity.signed_out": "signed out", "identity.not_me": "said: not me",
    "badge.refused": "showed a badge that is stopped", "picture_code.refused": "tapped wrong pictures",
    "picture_code.given": "was given a picture code", "identity.link_sent": "was sent a one-time link",
    "identity.account_closed": "had their account closed",
}  # fmt: skip


def checks(tenant_id: int, person: int) -> list[Check]:
    """Why somebody of the roster can or cannot sign in now: each condition, as sign-in itself asks it."""
    rules, found = sign_in_rules(tenant_id), standing(tenant_id, person)
    kind = "guardian" if found and "student" not in found.kinds else "student"
    let_in = rules.students if kind == "student" else rules.guardians
    with unguarded("an administrator asks why somebody cannot sign in", tenant=tenant_id):
        mine = PersonAccount.objects.filter(tenant_id=tenant_id, person_id=person, kind=kind, closed_at=None)
        account = mine.exists()
    listed = [
        Check("They are on the roll, and the school has not switched them off.", bool(found and found.here)),
        Check(f"The roll says that they are a {kind}.", bool(found and kind in found.kinds)),
        Check(f"The school lets {kind}s sign in.", let_in),
        Check("They have an account (the first badge, code or link makes it).", account),
    ]
    if kind == "student":
        listed.append(Check("The school lets pupils sign in by badge.", rules.badges))
        listed.append(Check("They have a badge in force.", person in badges_of(tenant_id, [person])))
    return listed


def traces(access: Access, person: int) -> list[Trace]:
    """What happened when they signed in or tried to, the latest first; from the audit, through the gate."""
    found = access.select(Audit).filter(verb__in=list(WORDS), object_kind="person", object_id=person)
    rows = found.order_by("-id").values_list("at", "verb", "details")[:20]
    return [Trace(at, WORDS[verb], (details or {}).get("browser", "")) for at, verb, details in rows]
