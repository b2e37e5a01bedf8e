"""Who asks, why, and what they may see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import connection, models

from rollbook.policy.compiler import Bundle, Decision
from rollbook.policy.gate import selection
from rollbook.policy.gate.reach import NOWHERE, Reach, find_relationship, view_name
from rollbook.policy.gate.standing import role_name, stand
from rollbook.policy.gate.tables import Guarded, category_of, field_named, hide_exemption, opened


@dataclass(frozen=True)
class Actor:
    """Who asks. kind: staff | app. role: a role of the policy. id: of the account or the app.
    person: their row in the roster, if they have one. org: where a role is limited to one org."""

    kind: str
    role: str
    id: int
    name: str
    person: int | None = None
    org: int | None = None


@dataclass(frozen=True)
class Access:
    """Actor, purpose and tenant, with the bundle in force. Every read goes through one of these.

    limit: for an app, the columns its sharing rule grants (`roster.Person.given_name`); None sets no limit.
    live: reaches that its sharing rule makes, by model label; `values` are what their SELECTs ask for.
    bare: reads which rows there are, where no personal column is granted (to show that they left).
    """

    actor: Actor
    purpose: str
    tenant: int
    bundle: Bundle = field(repr=False, compare=False)
    reason: str = ""
    limit: frozenset[str] | None = field(default=None, repr=False)
    live: Mapping[str, Reach | None] | None = field(default=None, repr=False, compare=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    bare: bool = False

    def decide(self, model: type[models.Model], column: str | None = None) -> Decision:
        """May this access see `column` (an attribute name) of the model, or the model at all?"""
        meta = model._meta
        if not issubclass(model, Guarded):
            return Decision("allowed", "This table holds nothing about people.")
        base = self.bundle.decide(self.actor.role, self.purpose, None)
        if not base.allowed:
            return base
        if self.reach(model) is NOWHERE:
            return Decision(
                "gap", f"Nobody has decided whether a {self.actor.role} may see {meta.verbose_name_plural}."
            )
        if column is not None:
            return self.decide_column(model, column)
        if self.bare or (self.limit is not None and getattr(model, "data_subject", False)):
            return base  # that a person is there, and no more: their columns are decided one by one
        answers = [self.decide_column(model, f.attname) for f in meta.concrete_fields if category_of(f)]
        refused = [a for a in answers if not a.allowed]
        return refused[0] if answers and len(refused) == len(answers) else base

    def decide_column(self, model: type[models.Model], column: str) -> Decision:
        category = category_of(field_named(model, column))
        answer = self.bundle.decide(self.actor.role, self.purpose, category)
        if answer.allowed and category and self.limit is not None:
            if f"{model._meta.label}.{column}" not in self.limit:
                return Decision("refused", "The school's sharing rule for this app does not name it.")
        return answer

    def columns(self, model: type[models.Model]) -> tuple[str, ...]:
        """The columns (attribute names) of the model that this access may see, in the table's order."""
        key = (self.bundle.hash, self.actor.role, self.purpose, self.limit, model)
        if key not in _columns:
            _columns[key] = tuple(
                f.attname for f in model._meta.concrete_fields if self.decide_column(model, f.attname).allowed
            )
        return _columns[key]

    def select(self, model: type[models.Model]) -> models.QuerySet[Any]:
        """The rows and columns of `model` that this access may see. Raises Refused with the reason."""
        return selection.select(self, model, self.context.__getitem__)

    def same(self, other: Access) -> bool:
        """Whether the other access is of the same actor, for the same purpose, under the same policy."""
        return (self.actor, self.purpose, self.tenant, self.bundle.hash) == (
            other.actor, other.purpose, other.tenant, other.bundle.hash
        )  # fmt: skip

    @cached_property
    def shape(self) -> tuple[Any, ...]:
        """What two accesses must share to use one prepared statement: all that is written into its text."""
        live = tuple(
            sorted((label, reach.select if reach else "") for label, reach in (self.live or {}).items())
        )
        return (self.bundle.hash, self.actor.role, self.purpose, self.limit, live)

    @cached_property
    def context(self) -> Mapping[str, Any]:
        """What predicates and row policies may ask about."""
        return {
            **self.values,
            "tenant": self.tenant,
            "policy": self.bundle.profile,
            "purpose": self.purpose,
            "person": self.actor.person or 0,
            "app": self.actor.id if self.actor.kind == "app" else 0,
            "org": self.actor.org or 0,
        }

    @contextmanager
    def open(self) -> Iterator[Access]:
        """Hold the access open: one transaction, and on PostgreSQL the second wall around it. Reads only."""
        if opened.get() is self:
            yield self
            return
        token = opened.set(self)
        try:
            with hide_exemption():
                if connection.vendor == "postgresql":
                    with stand(role_name(self.actor.role), self.context):
                        yield self
                else:
                    yield self
        finally:
            opened.reset(token)

    def reach(self, model: type[models.Model]) -> Reach | None:
        rule = self.bundle.rules.get((self.actor.role, self.purpose))
        if rule is None:
            return NOWHERE
        if rule.reach == "tenant":
            return None
        if self.live is not None:
            return self.live.get(model._meta.label, NOWHERE)
        found = find_relationship(rule.reach)
        reach = found.reaches.get(model._meta.label, NOWHERE)
        if reach is not None and reach is not NOWHERE and connection.vendor == "postgresql":
            return reach.through(view_name(found.name, model))
        return reach


_columns: dict[tuple[Any, ...], tuple[str, ...]] = {}
