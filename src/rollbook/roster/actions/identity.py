"""Two records of one human become one person; a given id gets its person back; either is undone.

Each is one transaction. What every touched row was before, and became, is kept as the image of the change in
`Identity`: undo puts back exactly that, and refuses when a row has been changed since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, models, transaction
from django.db.models import Q

from rollbook.kernel import clock, idset
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Actor, Restriction, audit, unguarded
from rollbook.roster.models import (
    Demographics,
    Enrollment,
    Ethnicity,
    Event,
    Flag,
    Guardianship,
    Identity,
    Person,
    Role,
    Tenant,
)
from rollbook.roster.rules.told import roster_changed

Model = type[models.Model]
# Table, the column that names the person, and the columns in which two active rows of one person would clash.
MOVES: tuple[tuple[Any, str, tuple[str, ...]], ...] = (
    (Role, "person_id", ("org_id", "role")),
    (Enrollment, "person_id", ("klass_id", "role")),
    (Demographics, "person_id", ()),
    (Ethnicity, "person_id", ()),
    (Flag, "person_id", ("flag",)),
    (Guardianship, "guardian_id", ("child_id",)),
    (Guardianship, "child_id", ("guardian_id",)),
)
UNIQUE_PAIRS = (Demographics, Ethnicity, Guardianship)  # the database allows one row, whatever its status
TABLES: dict[str, Any] = {
    m._meta.label: m for m in (Person, *dict.fromkeys(m for m, _, _ in MOVES), Identity, Restriction)
}
MOVES_ON = frozenset({"date_last_modified"})  # an undo is a change too: readers of changes must see it


class Change:
    """The rows that one change by hand touches, with what they were before and became."""

    def __init__(self, tenant: Tenant, now: datetime) -> None:
        self.tenant, self.now = tenant, now
        self.rows: dict[tuple[str, int], dict[str, Any]] = {}
        self.events: dict[tuple[str, str], set[int]] = {}

    def alter(self, row: Any, **values: Any) -> None:
        """Set columns of a row and remember."""
        model, before = type(row), _image(row)
        fields = dict(values)
        if hasattr(row, "date_last_modified"):
            fields["date_last_modified"] = self.now
        for name, value in fields.items():
            setattr(row, name, value)
        model.objects.filter(id=row.id).update(**fields)
        touched = self.rows.setdefault((model._meta.label, row.id), {"before": before})
        touched["after"] = _image(row)
        status = values.get("status")
        action = {"tobedeleted": "removed", "active": "created"}.get(status or "", "changed")
        if model not in (Identity, Restriction):
            for kind in ("created", "changed", "removed"):
                self.events.get((model._meta.model_name or "", kind), set()).discard(row.id)
            self.events.setdefault((model._meta.model_name or "", action), set()).add(row.id)

    def add(self, row: Any) -> None:
        """Write a new row."""
        row.save(force_insert=True)
        self.events.setdefault((row._meta.model_name or "", "created"), set()).add(row.id)

    @property
    def image(self) -> str:
        rows = [{"table": table, "id": i, **touched} for (table, i), touched in self.rows.items()]
        return json.dumps({"rows": rows}, cls=DjangoJSONEncoder, sort_keys=True)

    def finish(self, by: Actor, verb: str, person: int, name: str, **details: Any) -> None:
        """Write the events, the new roster version and the audit."""
        for (entity, action), found in self.events.items():
            if found:
                Event.objects.create(
                    tenant_id=self.tenant.id,
                    at=self.now,
                    entity=entity,
                    action=action,
                    ids=idset.pack(found),
                    count=len(found),
                )
        Tenant.objects.filter(id=self.tenant.id).update(roster_version=models.F("roster_version") + 1)
        roster_changed.send(Tenant, tenant=self.tenant.id)
        audit(self.tenant.id, by, verb, "person", person, name, **details)


def _kept(field: Any) -> bool:
    return field.attname != "image" and not field.generated


def _image(row: Any) -> dict[str, Any]:
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields if _kept(f)}
    return dict(json.loads(json.dumps(values, cls=DjangoJSONEncoder)))


def merge(tenant: Tenant, keep: int, lose: int, by: Actor, reason: str) -> int:
    """Make two people one: `lose` becomes a tombstone, what hangs on it goes to `keep` where the two do not clash.

    The id that the school gave to `lose` stands for `keep` from now on, in every later sync. Returns the id of the
    change, for `undo`. Raises NotFound for people of another tenant, Invalid for a pair that cannot be one.
    """
    if keep == lose:
        raise Invalid("This is one record already.", "Choose another person.", "other")
    now = clock.now()
    with unguarded("two people of a tenant are made one", tenant=tenant.id), transaction.atomic():
        take_tenant(tenant)
        survivor, loser = _person(tenant, keep), _person(tenant, lose)
        for one in (survivor, loser):
            if _merged_into(tenant, one.id) is not None:
                raise Invalid(
                    "One of them has been merged into another person already.", "Undo that first.", "other"
                )
        if survivor.status != "active":
            raise Invalid("The record that stays must be of somebody on the roll.", "Swap the two.", "other")
        change = Change(tenant, now)
        for model, column, pair in MOVES:
            _move(change, model, column, pair, loser.id, survivor.id)
        for restriction in Restriction.objects.filter(tenant_id=tenant.id, person_id=loser.id, ended_at=None):
            change.alter(restriction, person_id=survivor.id)
        for older in Identity.objects.filter(tenant=tenant, other_id=loser.id, kind="merged", undone_at=None):
            change.alter(older, other_id=survivor.id)
        change.alter(loser, status="tobedeleted")
        change.alter(survivor)
        made = Identity.objects.create(
            tenant=tenant, person=loser, kind="merged", sourced_id=loser.sourced_id, other=survivor, at=now, by=by.name,
            reason=reason, image=change.image,
        )  # fmt: skip
        change.finish(by, "person.merged", survivor.id, full(survivor), lost=str(loser.id), reason=reason)
    return int(made.id)


def _move(change: Change, model: Any, column: str, pair: tuple[str, ...], from_id: int, to_id: int) -> None:
    theirs = model.objects.filter(tenant=change.tenant, **{column: to_id})
    if model not in UNIQUE_PAIRS:
        theirs = theirs.filter(status="active")
    held = {tuple(getattr(row, c) for c in pair) for row in theirs}
    has_primary = any(getattr(row, "role_type", "") == "primary" for row in theirs)
    for row in model.objects.filter(tenant=change.tenant, status="active", **{column: from_id}).order_by(
        "id"
    ):
        key = tuple(getattr(row, c) for c in pair)
        if key in held or (pair and key == (to_id,)):  # the survivor has it, or would look after themselves
            change.alter(row, status="tobedeleted")
            continue
        held.add(key)
        if model is Role and has_primary and row.role_type == "primary":
            change.alter(row, **{column: to_id}, role_type="secondary")
        else:
            change.alter(row, **{column: to_id})


def split(tenant: Tenant, person: int, sourced_id: str, by: Actor, reason: str) -> int:
    """Give an id that was merged into `person` back to a person of its own, with what came with it.

    What both have done since stays with `person`; the next sync puts right whose classes are whose. Returns the id
    of the change, for `undo`. Raises NotFound when no such id was merged into this person.
    """
    now = clock.now()
    with unguarded("an id is given back to a person of its own", tenant=tenant.id), transaction.atomic():
        take_tenant(tenant)
        merged = Identity.objects.filter(
            tenant=tenant, other_id=person, sourced_id=sourced_id, kind="merged", undone_at=None
        ).order_by("-id").first()  # fmt: skip
        if merged is None:
            raise NotFound("No such id was merged into this person.")
        survivor, loser = _person(tenant, person), _person(tenant, merged.person_id)
        change = Change(tenant, now)
        try:
            with transaction.atomic():
                for touched in json.loads(merged.image)["rows"]:
                    _give_back(change, touched, survivor.id)
        except IntegrityError as error:
            raise Invalid(
                "A later sync gave both the same family or birth details.", "Undo that sync first."
            ) from error
        # Which of the rows that came since are whose, only the source knows: the next sync writes them all again.
        for model, column, _ in MOVES:
            for row in model.objects.filter(
                tenant=tenant, status="active", **{f"{column}__in": (survivor.id, loser.id)}
            ):
                change.alter(row, row_hash=0)
        change.alter(loser, status="active")
        change.alter(survivor)
        change.alter(merged, undone_at=now)
        made = Identity.objects.create(
            tenant=tenant, person=loser, kind="split", sourced_id=sourced_id, other=survivor, at=now, by=by.name,
            reason=reason, image=change.image,
        )  # fmt: skip
        change.finish(by, "person.split", survivor.id, full(survivor), gave=str(loser.id), reason=reason)
    return int(made.id)


def _give_back(change: Change, touched: Mapping[str, Any], survivor: int) -> None:
    """A row that a merge moved or tombstoned goes back, if it stands as the merge left it."""
    model, before, after = TABLES[touched["table"]], touched["before"], touched["after"]
    if model in (Person, Identity):
        return
    row = model.objects.filter(tenant_id=change.tenant.id, id=touched["id"]).first()
    columns = [
        c
        for c in ("person_id", "guardian_id", "child_id", "status", "role_type")
        if before.get(c) != after.get(c)
    ]
    if row is not None and all(getattr(row, c) == after[c] for c in columns):
        change.alter(row, **{c: before[c] for c in columns})


def undo(tenant: Tenant, change_id: int, by: Actor) -> None:
    """Put back exactly what a merge or split changed. Raises NotFound for what is no open change of the tenant,
    Invalid when one of its rows has been changed since."""
    now = clock.now()
    with unguarded("a merge or split is undone", tenant=tenant.id), transaction.atomic():
        take_tenant(tenant)
        done = Identity.objects.filter(
            tenant=tenant, id=change_id, kind__in=("merged", "split"), undone_at=None
        ).first()
        if done is None:
            raise NotFound("There is nothing to undo.")
        change = Change(tenant, now)
        for touched in json.loads(done.image)["rows"]:
            _restore(change, touched)
        Identity.objects.filter(id=done.id).update(undone_at=now)
        person = _person(tenant, done.other_id)
        change.finish(by, f"person.{done.kind}_undone", person.id, full(person), other=str(done.person_id))


def _restore(change: Change, touched: Mapping[str, Any]) -> None:
    model: Any = TABLES[touched["table"]]
    row = model.objects.filter(tenant_id=change.tenant.id, id=touched["id"]).first()
    now, after = _image(row) if row is not None else {}, touched["after"]
    if any(now.get(c) != after[c] for c in after if c not in MOVES_ON):
        raise Invalid(
            "Something of these two has been changed since, by a sync or by hand.",
            "Split the id off instead: that keeps what came later.",
        )
    fields = {f.attname: f for f in model._meta.concrete_fields}
    changed = {
        c: fields[c].to_python(v) for c, v in touched["before"].items() if v != after[c] and c not in MOVES_ON
    }
    change.alter(row, **changed)


def take_tenant(tenant: Tenant) -> None:
    """Take the tenant's row: changes to its roster happen one after the other."""
    Tenant.objects.select_for_update().get(id=tenant.id)


def _person(tenant: Tenant, person_id: int) -> Any:
    found = Person.objects.filter(tenant=tenant, id=person_id).first()
    if found is None:
        raise NotFound("There is no such person.")
    return found


def _merged_into(tenant: Tenant, person_id: int) -> int | None:
    found = Identity.objects.filter(tenant=tenant, person_id=person_id, kind="merged", undone_at=None).filter(
        ~Q(other_id=None)
    )
    return found.values_list("other_id", flat=True).first()


def full(person: Any) -> str:
    """A person's name, for the audit."""
    return " ".join(filter(None, [person.given_name, person.family_name])) or person.sourced_id
