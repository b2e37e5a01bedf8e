"""Who somebody is on the roster now, asked when they sign in and at each page after: what the roster no longer holds
signs nobody in."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.policy import unguarded
from rollbook.roster.models import Guardianship, Person, Role
from rollbook.roster.queries.ids import survivor

GUARDIANS = frozenset({"guardian", "parent", "relative"})


@dataclass(frozen=True)
class Standing:
    """A person as sign-in needs them. here: on the roll and not switched off by the school. kinds: student, guardian.
    roles: what the roll says they are."""

    id: int
    first_name: str
    here: bool
    kinds: frozenset[str]
    roles: frozenset[str] = frozenset()


def standing(tenant: int, person: int) -> Standing | None:
    """The person, or whoever they were merged into. None when there is no such person in the tenant."""
    person = survivor(tenant, person)
    with unguarded("who signs in is looked up before they have an access", tenant=tenant):
        row = (
            Person.objects.filter(tenant_id=tenant, id=person)
            .values_list("given_name", "preferred_first_name", "status", "enabled_user")
            .first()
        )
        if row is None:
            return None
        roles = set(
            Role.objects.filter(tenant_id=tenant, person_id=person, status="active").values_list(
                "role", flat=True
            )
        )
        kinds = {"student"} & roles
        links = Guardianship.objects.filter(tenant_id=tenant, guardian_id=person, status="active")
        if roles & GUARDIANS or (not kinds and links.exists()):
            kinds.add("guardian")
    given, preferred, status, enabled = row
    return Standing(
        person, preferred or given, status == "active" and enabled, frozenset(kinds), frozenset(roles)
    )


BY = ("email", "username", "identifier")  # details by which a school's own sign-in can name somebody


def find_by_detail(tenant: int, detail: str, value: str) -> int | None:
    """The one active person of a tenant with this detail, in any case of letters; None for none or for several."""
    if detail not in BY or not value.strip():
        return None
    with unguarded("the school's own sign-in names somebody of the roster", tenant=tenant):
        rows = Person.objects.filter(
            tenant_id=tenant, status="active", **{f"{detail}__iexact": value.strip()}
        )
        found = list(rows.values_list("id", flat=True)[:2])
    return int(found[0]) if len(found) == 1 else None


def guardians_by(tenant: int, channel: str, contact: str) -> list[int]:
    """The guardians on the roll with this email (channel "mail") or number ("sms", compared by its last nine digits)."""
    with unguarded("a guardian is found by the contact that the school holds", tenant=tenant):
        mine = Guardianship.objects.filter(tenant_id=tenant, status="active").values("guardian_id")
        people = Person.objects.filter(tenant_id=tenant, status="active", enabled_user=True, id__in=mine)
        if channel == "mail":
            return list(people.filter(email__iexact=contact).order_by("id").values_list("id", flat=True)[:2])
        numbers = people.exclude(sms="", phone="").values_list("id", "sms", "phone")
        return [i for i, *held in numbers.iterator() if any(_tail(n) == contact[-9:] for n in held if n)][:2]


def contacts_of(tenant: int, person: int) -> tuple[str, str]:
    """Email and mobile number of a guardian, to send a one-time link to."""
    with unguarded("a one-time link is sent to the contact that the school holds", tenant=tenant):
        row = Person.objects.filter(tenant_id=tenant, id=person).values_list("email", "sms", "phone").first()
    return (row[0], row[1] or row[2]) if row else ("", "")


def _tail(number: str) -> str:
    return "".join(c for c in number if c.isdigit())[-9:]
