"""Relationships: SELECTs that say which rows an actor's role reaches, registered by the module that knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from django.apps import apps
from django.db import models


@dataclass(frozen=True)
class Reach:
    """`column` of the table must be in the ids that `select` gives; where `select` holds `{row}`, that is the column
    and the SELECT must find something. `names` are the %s of `select`, in order: any of tenant, person, app, org,
    purpose, or a key of the access's `values`.

    few: the ids are so few (hundreds) that a query may work them all out once, rather than ask row by row.
    view: on PostgreSQL, the view that gives the same ids for the access of the moment.
    via: what the SELECT was made from, where it was (`Via`).
    """

    column: str
    select: str
    names: tuple[str, ...] = ()
    few: bool = False
    view: str = ""
    via: Via | None = None

    @property
    def ids(self) -> str:
        """`select` as a set of ids. Raises ValueError if the one row that it asks about cannot be taken out."""
        row = ROW.search(self.select)
        sql = (
            self.select.replace("SELECT 1 FROM", f"SELECT {row[1]} FROM", 1).replace(row[0], "1 = 1")
            if row
            else self.select
        )
        if "{" in sql:
            raise ValueError(f"ask about the row once, as `column = {{row}}`: {self.select}")
        return sql

    @property
    def condition(self) -> str:
        """What must hold for a row, as SQL about `{row}`."""
        if self.view and self.few:
            return f"{{row}} = ANY (ARRAY(SELECT id FROM {self.view}))"
        if self.view:
            return f"EXISTS (SELECT 1 FROM {self.view} v WHERE v.id = {{row}})"
        if "{row}" in self.select and not self.few:
            return f"EXISTS ({self.select})"
        return f"{{row}} IN ({self.ids})"

    def through(self, view: str) -> Reach:
        """The same reach by its view, which both walls ask on PostgreSQL. It belongs to the owner, so that what a rule
        rests on (a teacher's own enrollment) needs no grant and is not itself behind the wall."""
        return replace(self, view=view, names=())


ROW = re.compile(r"([\w.]+) = \{row\}")


@dataclass(frozen=True)
class Via:
    """A reach by way of another table of the same relationship: `column` must be what `gives` holds in a row of
    `label` that is reached and has these values. The SELECT is made from that table's own reach, so a query that
    already asks for exactly such rows has asked for this reach too, and the gate need not ask twice."""

    column: str
    label: str
    gives: str
    having: tuple[tuple[str, str], ...] = ()

    def reach(self, start: Reach) -> Reach:
        """This as a Reach. start: the reach of the other table."""
        meta = apps.get_model(self.label)._meta
        column = {f.attname: f.column for f in meta.concrete_fields}
        holds = "".join(f" AND v.{column[name]} = '{value}'" for name, value in self.having)
        select = (
            f"SELECT v.{column[self.gives]} FROM {meta.db_table} v WHERE v.tenant_id = %s{holds}"
            f" AND v.{column[start.column]} IN ({start.ids})"
        )
        return Reach(self.column, select, ("tenant", *start.names), few=start.few, via=self)


@dataclass(frozen=True)
class Relationship:
    """Whose rows a role reaches: model label -> Reach, or Via another that is listed. None reaches every row of the
    tenant; a table that is not listed is out of reach."""

    name: str
    says: str
    listed: Mapping[str, Reach | Via | None]

    @cached_property
    def reaches(self) -> Mapping[str, Reach | None]:
        """Model label -> Reach, each Via worked out. Raises TypeError for one that leads to no Reach."""
        return {
            label: found.reach(self._start(found)) if isinstance(found, Via) else found
            for label, found in self.listed.items()
        }

    def _start(self, via: Via) -> Reach:
        found = self.listed.get(via.label)
        if not isinstance(found, Reach):
            raise TypeError(f"{self.name} goes by way of {via.label}, which it does not reach by a Reach")
        return found


_relationships: dict[str, Relationship] = {}


def relationship(found: Relationship) -> Relationship:
    """Register a relationship by its name."""
    _relationships[found.name] = found
    return found


def also_reaches(name: str, more: Mapping[str, Reach | Via | None]) -> None:
    """Let a registered relationship reach tables of a module above the one that registered it: that module says which
    of their rows. Raises KeyError when nobody registered it yet."""
    found = _relationships[name]
    _relationships[name] = replace(found, listed={**found.listed, **more})


def relationships() -> dict[str, Relationship]:
    """All registered relationships by name; `tenant` is always there."""
    return dict(_relationships)


def find_relationship(name: str) -> Relationship:
    """The relationship of that name. Raises KeyError when nobody registered it (the compiler checks)."""
    return _relationships[name]


EVERYTHING = Relationship("tenant", "everyone in the tenant", {})
relationship(EVERYTHING)


NOWHERE = Reach("id", "SELECT 0 WHERE 1 = 0")


def view_name(relationship: str, model: type[models.Model]) -> str:
    """The view of the ids that a relationship reaches in a table, for the access of the moment (`policy.walls`)."""
    return f"reach_{relationship}_{model._meta.db_table}"


RESTRICTED = Reach(
    "id",
    "SELECT r.person_id FROM policy_restriction r"
    " WHERE r.tenant_id = %s AND r.ended_at IS NULL AND (r.purpose = '' OR r.purpose = %s)",
    ("tenant", "purpose"),
    few=True,
)
RESTRICTED_VIEW = "reach_restricted"

# Restriction stops use, not keeping: those who keep the record and answer for it still see it (GDPR art. 18(2)).
UNRESTRICTED = frozenset({"administrator", "dpo"})
