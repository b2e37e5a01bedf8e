"""Guarded tables, which answer only through the gate, and `unguarded`, which says why it must be otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models
from django.db.models.sql import AggregateQuery, Query

from rollbook.kernel.errors import Refused
from rollbook.policy.gate.standing import base_role, is_standing, stand
from rollbook.policy.words import declared, word_of

_unguarded: ContextVar[Exemption | None] = ContextVar("rollbook_unguarded", default=None)
opened: ContextVar[object | None] = ContextVar("rollbook_open", default=None)  # the Access that is open


class UnneededExemption(AssertionError):
    """An `unguarded` block that read no guarded table: take it out."""


@dataclass
class Exemption:
    reason: str
    used: bool = False


@contextmanager
def unguarded(reason: str, tenant: int | None = None) -> Iterator[None]:
    """Let the plain managers of guarded models answer, because `reason`. For writes, and for reads that come
    before an actor is known (sign-in, tokens). `rollbook policy exemptions` lists every use.

    tenant: its id; on PostgreSQL the web role sees and writes rows of this tenant alone, and none without it.
    """
    mine = Exemption(reason)
    token, shut = _unguarded.set(mine), opened.set(None)
    try:
        if connection.vendor == "postgresql" and (
            is_standing() or (tenant is not None and settings.ROLLBOOK_WEB_ROLE)
        ):
            with stand(base_role(), {} if tenant is None else {"tenant": tenant}):
                yield
        else:
            yield
        if not mine.used and settings.ROLLBOOK_STRICT:
            raise UnneededExemption(
                f"unguarded({reason!r}) touched no guarded table; the exemption is no longer needed"
            )
    finally:
        opened.reset(shut)
        _unguarded.reset(token)


def raw(reason: str) -> Any:
    """A cursor for SQL that a person wrote and reviewed. Only inside `unguarded`."""
    exemption = _unguarded.get()
    if exemption is None:
        raise Refused("This SQL would pass the gate by.", f"Run it under unguarded(reason=...): {reason}")
    exemption.used = True
    return connection.cursor()


def past_the_gate(model: type[models.Model]) -> Refused:
    return Refused(
        f"{model._meta.label} is read through the gate.",
        "Use access.select(...), or unguarded(reason=...) where no actor exists.",
    )


class GuardedManager(models.Manager[Any]):
    """The manager of a guarded model: answers only inside `unguarded`."""

    def get_queryset(self) -> models.QuerySet[Any]:
        exemption = _unguarded.get()
        if exemption is None:
            raise past_the_gate(self.model)
        exemption.used = True
        return super().get_queryset()


class Guarded(models.Model):
    """A table of one tenant's data: read through `access.select`, written by actions."""

    # What the web process's own role may do on PostgreSQL (policy.walls), beyond the rows of one tenant:
    found_before_tenant = False  # it may look a row up before the tenant is known (a token, a sign-in)
    written_for_many = False  # one statement may add rows of several tenants
    only_grows = False  # it may add and read, never change or delete

    objects = GuardedManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
        default_manager_name = "objects"

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Loading a column late is refused: it was not granted when the row was read, or nobody asked for it."""
        if _unguarded.get() is None:
            columns = ", ".join(kwargs.get("fields") or (args[1] if len(args) > 1 else None) or ["a row"])
            raise Refused(
                f"{self._meta.label}.{columns} was not read here.",
                "It is not granted for this purpose, or the query did not ask for it.",
            )
        super().refresh_from_db(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Django deletes one row without its manager, so the row asks itself."""
        type(self).objects.get_queryset()
        return super().delete(*args, **kwargs)


_to_compiler = Query.get_compiler


def _get_compiler(query: Query, *args: Any, **kwargs: Any) -> Any:
    """A manager is not the only way to a table: `QuerySet(Person)` asks none. All that Django's ORM does becomes SQL
    here, and it has no place where a model could have its say, so the gate stands in this one for every model."""
    model = query.model
    if model and issubclass(model, Guarded) and _unguarded.get() is None:
        # A gated query has its own wall; a count of a query reads that query alone, which comes here in its turn.
        if not hasattr(query, "put_up_wall") and not isinstance(query, AggregateQuery):
            raise past_the_gate(model)
    return _to_compiler(query, *args, **kwargs)


Query.get_compiler = _get_compiler  # type: ignore[method-assign,assignment]  # Django has no hook here


class Open(models.Model):
    """A table of the platform itself that holds nothing personal (a start-up check proves it)."""

    class Meta:
        abstract = True


@contextmanager
def hide_exemption() -> Iterator[None]:
    """Inside an open access no exemption of the code around it counts."""
    token = _unguarded.set(None)
    try:
        yield
    finally:
        _unguarded.reset(token)


# ---- What the words beside a table's columns say.


def category_of(column: models.Field[Any, Any]) -> str | None:
    word = word_of(column)
    return word.category if word else "undeclared"


@lru_cache(maxsize=4096)
def field_named(model: type[models.Model], attname: str) -> Any:
    named = model._meta.pk.name if attname == "pk" else attname
    return next((f for f in model._meta.concrete_fields if named in (f.attname, f.name)), None)


@lru_cache(maxsize=256)
def about(model: type[models.Model]) -> tuple[str, ...]:
    """The columns that hold the ids of the data subjects whom a row is about ("id" where the row is the person)."""
    columns = set()
    for word in (word_of(f) for f in model._meta.concrete_fields):
        if word and word.about:
            named = field_named(model, word.about)
            subject = model if word.about == "id" else named.related_model
            if getattr(subject, "data_subject", False):
                columns.add(named.attname)
    return tuple(sorted(columns))


def check_tables() -> None:
    """Raise ImproperlyConfigured when a table that is not behind the gate holds a personal column."""
    for model, column, word in declared():
        if word.category and not issubclass(model, Guarded):
            raise ImproperlyConfigured(
                f"{model._meta.label}.{column.name} holds “{word.category}”, but its table is not behind the gate. "
                f"Let {model.__name__} inherit from rollbook.policy.Guarded in {model.__module__}."
            )
