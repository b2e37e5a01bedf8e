"""People by hand: entered, changed, taken off the roll by an administrator.

The school's own system stays the source: what is changed here on a person it knows, its next sync writes again. A
person entered here has an id that no source gives, so no sync takes them away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import uuid4

from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Actor, unguarded
from rollbook.roster.actions.identity import MOVES, Change, full, take_tenant
from rollbook.roster.actions.sync.check import BY_HAND
from rollbook.roster.models import Class, Enrollment, Identity, Org, Person, Role, Tenant
from rollbook.roster.rules.keep import parse_keep
from rollbook.roster.rules.people import name_key

LONGEST = 200
EDITABLE = (
    "given_name", "middle_name", "family_name", "preferred_first_name", "preferred_last_name", "pronouns", "email", "phone",
    "grades",
)  # fmt: skip


def enter(tenant: Tenant, values: Mapping[str, str], org: int, classes: Iterable[int], by: Actor) -> int:
    """Enter a student by hand, with the adult who does it as the source. Returns the person's id.

    values: columns of `EDITABLE`. org: the school's id. classes: ids of classes at that school.
    Raises Invalid for a student without a name or a school, and for one whom the school does not let us store.
    """
    clean = _clean(values, fields_kept(tenant))
    if not clean.get("given_name") and not clean.get("family_name"):
        raise Invalid("Enter a name.", "A first or a last name is enough.", "given_name")
    now = clock.now()
    with unguarded("a student is entered by hand", tenant=tenant.id), transaction.atomic():
        take_tenant(tenant)
        school = Org.objects.filter(tenant=tenant, id=org, status="active").first()
        if school is None:
            raise Invalid("Choose a school.", "It is where the student is on the roll.", "org")
        _may_be_stored(tenant, school)
        chosen = list(
            Class.objects.filter(tenant=tenant, id__in=list(classes), school=school, status="active")
        )
        change = Change(tenant, now)
        code = f"{BY_HAND}{uuid4()}"
        person = Person(
            **clean, tenant=tenant, sourced_id=code, primary_org=school, date_last_modified=now,
            name_key=name_key(clean.get("family_name", ""), clean.get("given_name", "")),
        )  # fmt: skip
        change.add(person)
        common = {"tenant": tenant, "person": person, "date_last_modified": now}
        change.add(Role(**common, sourced_id=f"{code}:role", org=school, role="student"))
        for klass in chosen:
            change.add(
                Enrollment(
                    **common, sourced_id=f"{code}:{klass.id}", klass=klass, school=school, role="student"
                )
            )
        Identity.objects.create(
            tenant=tenant,
            person=person,
            kind="entered",
            sourced_id=code,
            at=now,
            by=by.name,
            reason="entered by hand",
        )
        change.finish(by, "person.entered", person.id, full(person), school=school.name)
    return int(person.id)


def change(tenant: Tenant, person_id: int, values: Mapping[str, str], by: Actor) -> list[str]:
    """Change details of a person by hand. Returns the columns that changed; the audit names them, not their values.

    Raises NotFound for another tenant's person, Invalid for one without a name or who left.
    """
    clean = _clean(values, fields_kept(tenant))
    with unguarded("a person is changed by hand", tenant=tenant.id), transaction.atomic():
        take_tenant(tenant)
        person = _active(tenant, person_id)
        changed = {c: v for c, v in clean.items() if getattr(person, c) != v}
        if not changed:
            return []
        given, family = (clean.get(c, getattr(person, c)) for c in ("given_name", "family_name"))
        if not given and not family:
            raise Invalid("Enter a name.", "A first or a last name is enough.", "given_name")
        work = Change(tenant, clock.now())
        # row_hash 0: the next sync that names this person writes what the source says.
        work.alter(person, **changed, name_key=name_key(family, given), row_hash=0)
        work.finish(by, "person.changed", person.id, full(person), columns=sorted(changed))
    return sorted(changed)


def remove(tenant: Tenant, person_id: int, by: Actor, reason: str) -> None:
    """Take a person off the roll with all that hangs on them: apps see them gone at their next look.

    Raises NotFound for another tenant's person, Invalid for one who left already.
    """
    with unguarded("a person is taken off the roll by hand", tenant=tenant.id), transaction.atomic():
        take_tenant(tenant)
        person = _active(tenant, person_id)
        work = Change(tenant, clock.now())
        for model, column, _ in MOVES:
            for row in model.objects.filter(tenant=tenant, status="active", **{column: person.id}):
                work.alter(row, status="tobedeleted")
        work.alter(person, status="tobedeleted")
        work.finish(by, "person.removed", person.id, full(person), reason=reason)


def _active(tenant: Tenant, person_id: int) -> Person:
    found: Person | None = Person.objects.filter(tenant=tenant, id=person_id).first()
    if found is None:
        raise NotFound("There is no such person.")
    if found.status != "active":
        raise Invalid(
            "This person is not on the roll any more.", "Only a sync, or an undo, brings them back."
        )
    return found


def fields_kept(tenant: Tenant) -> tuple[str, ...]:
    """The columns of `EDITABLE` that the school lets us store: what its syncs leave out, a hand cannot put in."""
    keep = parse_keep(tenant.keep or {})
    return tuple(c for c in EDITABLE if ("person", c) not in keep.columns)


def _may_be_stored(tenant: Tenant, school: Org) -> None:
    """Raises Invalid when the school's selection leaves out students, or everybody at this school."""
    keep = parse_keep(tenant.keep or {})
    above = {school.sourced_id}
    org: Org | None = school
    while keep.orgs is not None and org is not None and org.parent_id and len(above) < 10:
        org = Org.objects.filter(tenant=tenant, id=org.parent_id).first()
        above |= {org.sourced_id} if org else set()
    if (keep.roles is not None and "student" not in keep.roles) or (
        keep.orgs is not None and not above & keep.orgs
    ):
        raise Invalid(
            "Your settings say that such a person is not stored.",
            "Change what is stored under Sync, Settings, or enter nobody.",
            "org",
        )


def _clean(values: Mapping[str, str], columns: Iterable[str]) -> dict[str, str]:
    """The columns that may be changed, trimmed. Raises Invalid for one that is too long or an email that is none."""
    found = {c: " ".join(values[c].split()) for c in columns if c in values}
    for column, value in found.items():
        if len(value) > LONGEST:
            raise Invalid(f"That is longer than {LONGEST} characters.", "Shorten it.", column)
    if found.get("email") and ("@" not in found["email"] or " " in found["email"]):
        raise Invalid("That is not an email address.", "It looks like name@school.example.", "email")
    return found
