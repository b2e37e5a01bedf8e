"""Queries through the gate: the WHERE clause and the columns that an access adds, and what a query may not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from django.db import connection, models
from django.db.models import BooleanField, F, Func, Q
from django.db.models.expressions import Col
from django.db.models.fields.related_lookups import RelatedIn
from django.db.models.lookups import Exact, In
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode

from rollbook.kernel.errors import Refused
from rollbook.policy.gate.reach import RESTRICTED, RESTRICTED_VIEW, UNRESTRICTED, Reach
from rollbook.policy.gate.tables import Guarded, Open, about, field_named

if TYPE_CHECKING:
    from rollbook.policy.gate.access import Access


@dataclass(frozen=True)
class Slot:
    """A place for a value in a prepared statement."""

    name: str


class Param(models.Expression):
    """`filter(klass_id=Param("class_id"))`: a value that a prepared statement gets when it runs."""

    def __init__(self, name: str, output_field: models.Field[Any, Any] | None = None) -> None:
        super().__init__(output_field=output_field or models.BigIntegerField())
        self.slot = Slot(name)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self.slot]


class _Within(Func):
    """The column fulfils a condition of the wall."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, column: str, condition: str, params: tuple[Any, ...]) -> None:
        super().__init__(F(column))
        self.condition, self.params = condition, params

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]  # the stubs want a fixed parameter type
        left, params = compiler.compile(self.source_expressions[0])
        return self.condition.replace("{row}", left), [*params, *self.params]


class GatedQuery(Query):
    """A query that puts up the first wall when it becomes SQL, whatever was done to it before, and refuses to name
    a column that is not granted, wherever it is named."""

    model: type[models.Model]
    access: Access
    bind: Callable[[str], Any]  # gives the values of the wall, or slots for them

    def get_compiler(self, using: Any = None, connection: Any = None, elide_empty: bool = True) -> Any:
        walled: GatedQuery = self.clone()  # type: ignore[assignment]  # clone() keeps the class
        walled.audit()
        walled.put_up_wall()
        compiler = Query.get_compiler(walled, using, connection, elide_empty)
        if walled.default_cols:
            for column in compiler.get_default_columns(walled.get_select_mask()):
                walled.check(walled.model, column.target)
        return compiler

    def put_up_wall(self) -> None:
        """Tenant, reach and restriction, above whatever the query asks."""
        access, model, bind = self.access, self.model, self.bind
        conditions: list[Any] = [Q(tenant_id=bind_value(bind, "tenant"))]
        asked_already = list(self.gated_sets(self.where))
        reach = access.reach(model)
        if reach is not None and not any(found.gives(reach) for found in asked_already):
            conditions.append(_Within(reach.column, reach.condition, tuple(bind(n) for n in reach.names)))
        hidden = RESTRICTED.through(RESTRICTED_VIEW) if connection.vendor == "postgresql" else RESTRICTED
        for column in about(model) if access.actor.role not in UNRESTRICTED else ():
            if any(found.hides_restricted(column) for found in asked_already):
                continue
            conditions.append(
                _Within(column, f"NOT ({hidden.condition})", tuple(bind(n) for n in hidden.names))
            )
        asked, self.where = self.where, WhereNode()
        self.add_q(Q(*conditions))
        self.where.add(asked, AND)  # beside, so that no OR or NOT of the query can take the wall in

    def gated_sets(self, where: WhereNode) -> Iterator[_InGated]:
        """The columns that every row of this query must have in a gated selection of the same access: conditions that
        stand alone or beside others, never under an OR or a NOT."""
        if where.connector != AND or where.negated:
            return
        part: Any
        for part in where.children:
            if isinstance(part, WhereNode):
                yield from self.gated_sets(part)
            elif type(part) in (In, RelatedIn) and isinstance(part.lhs, Col) and _by_one_column(part.rhs):
                inner, (given,) = part.rhs, part.rhs.select
                same = inner.access.same(self.access) and (inner.bind is Slot) == (self.bind is Slot)
                if same and part.lhs.alias == self.base_table and given.alias == inner.base_table:
                    yield _InGated(part.lhs.target.attname, inner, given.target.attname)

    def audit(self) -> None:
        """Refuse what could show a row or a column past the wall: other tables, SQL as text, strange expressions."""
        joined = [
            alias for alias, table in self.alias_map.items() if self.alias_refcount[alias] and table.join_type
        ]
        if joined or self.extra or self.extra_tables or self.combinator or self.select_related:
            refuse_join(self.model, [*joined, "another table"])
        grouped = () if isinstance(self.group_by, bool) else self.group_by or ()
        for part in (self.where, *self.select, *self.annotations.values(), *self.order_by, *grouped):
            self._audit(part)

    def _audit(self, part: Any) -> None:
        if isinstance(part, Query):
            # A gated query inside is audited when it becomes SQL itself.
            if isinstance(part, GatedQuery) and not part.access.same(self.access):
                raise Refused(OTHER_ACCESS, SAME)
            if not isinstance(part, GatedQuery) and not issubclass(part.model or Guarded, Open):
                raise Refused(OTHER_ACCESS, SAME)
        elif isinstance(part, Col):
            if part.alias in self.alias_map:  # else it is the outer query's, which checks it
                self.check(self.model, part.target)
        elif hasattr(part, "as_sql") or hasattr(part, "resolve_expression"):
            kind = type(part)
            own_text = SQL_TEXT.intersection([*vars(part), *getattr(part, "extra", ())])
            if not kind.__module__.startswith(TRUSTED) or kind.__name__ in RAW or own_text:
                raise Refused(
                    f"{kind.__name__} could read past the gate.",
                    "Use the expressions of django.db.models, without SQL as text.",
                )
            for inner in _parts(part):
                self._audit(inner)

    def chain(self, klass: Any = None) -> Any:
        if klass is not None and not issubclass(klass, GatedQuery):
            raise Refused("A gated selection is for reading.", "Write with an action.")
        return super().chain(klass)

    def names_to_path(
        self, names: Any, opts: Any, allow_many: bool = True, fail_on_missing: bool = False
    ) -> Any:
        found = super().names_to_path(names, opts, allow_many, fail_on_missing)
        path, _, targets, _ = found
        if not path:
            for target in targets:
                self.check(opts.model, target)
        elif len(path) == 1 and path[0].direct and targets == path[0].target_fields and not path[0].m2m:
            self.check(opts.model, path[0].join_field)  # the foreign key's own column: no table is joined
        else:
            refuse_join(opts.model, names)
        return found

    def check(self, model: type[models.Model], target: models.Field[Any, Any]) -> None:
        """Raise Refused unless the column is granted."""
        decision = self.access.decide_column(model, target.attname)
        if not decision.allowed:
            raise Refused(
                f"{model._meta.label}.{target.name} is not granted here.", decision.because, decision.answer
            )


@dataclass(frozen=True)
class _InGated:
    """`column` is in the values that `inner` has in its `given`."""

    column: str
    inner: GatedQuery
    given: str

    def gives(self, reach: Reach) -> bool:
        """Whether it asks for what the reach would: the table that the reach goes by way of, with the same values.
        That the rows of it are reached, its own wall sees to."""
        via, inner = reach.via, self.inner
        return (
            via is not None
            and (self.column, inner.model._meta.label, self.given) == (via.column, via.label, via.gives)
            and inner.access.live is None
            and set(via.having) <= set(_texts_asked(inner, inner.where))
        )

    def hides_restricted(self, column: str) -> bool:
        """Whether the inner wall keeps back the same people that this column would name."""
        return column == self.column and self.given in about(self.inner.model)


def _by_one_column(query: Any) -> bool:
    """A gated query that gives one column of its own table, as it stands there."""
    return (
        isinstance(query, GatedQuery)
        and len(query.select) == 1
        and type(query.select[0]) is Col
        and not query.annotation_select
        and query.group_by is None
    )


def _texts_asked(query: GatedQuery, where: WhereNode) -> Iterator[tuple[str, str]]:
    """(column, text) of each condition that every row must meet, as `status = 'active'`."""
    if where.connector != AND or where.negated:
        return
    part: Any
    for part in where.children:
        if isinstance(part, WhereNode):
            yield from _texts_asked(query, part)
        elif type(part) is Exact and type(part.lhs) is Col and isinstance(part.rhs, str):
            if part.lhs.alias == query.base_table:
                yield part.lhs.target.attname, part.rhs


TRUSTED = ("django.db.models.", "rollbook.kernel.", "rollbook.policy.")
RAW = frozenset({"RawSQL", "ExtraWhere"})
SQL_TEXT = frozenset({"template", "function", "arg_joiner"})
OTHER_ACCESS = "This selection rests on rows that were not selected for the same actor and purpose."
SAME = "Select them with the same access."


def _parts(part: Any) -> list[Any]:
    """What a condition, a lookup or an expression is made of."""
    if hasattr(part, "children"):
        return list(part.children)
    if hasattr(part, "rhs"):
        return [part.lhs, *(part.rhs if isinstance(part.rhs, list | tuple) else [part.rhs])]
    return list(part.get_source_expressions()) if hasattr(part, "get_source_expressions") else []


def refuse_join(model: type[models.Model], names: Any) -> NoReturn:
    raise Refused(
        f"{model._meta.label}.{'__'.join(names)} would read another table past its own rule.",
        "Filter by the id in access.select(<that table>) instead.",
    )


class Gated(models.QuerySet[Any]):
    """What `access.select` gives: a QuerySet for reading, in its own access."""

    query: GatedQuery

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            with self.query.access.open():
                super()._fetch_all()
        else:
            super()._fetch_all()

    def count(self) -> int:
        with self.query.access.open():
            return super().count()

    def exists(self) -> bool:
        with self.query.access.open():
            return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        with self.query.access.open():
            return super().aggregate(*args, **kwargs)

    def iterator(self, chunk_size: int | None = None) -> Iterator[Any]:
        with self.query.access.open():
            yield from super().iterator(chunk_size or 2000)

    def only(self, *fields: str) -> Any:
        for name in fields:
            found = field_named(self.query.model, name)
            if found is None:
                refuse_join(self.model, [name])
            self.query.check(self.model, found)
        return super().only(*fields)

    def __and__(self, other: Any) -> Any:
        return super().__and__(self._like(other))

    def __or__(self, other: Any) -> Any:
        return super().__or__(self._like(other))

    def __xor__(self, other: Any) -> Any:
        return super().__xor__(self._like(other))

    def _like(self, other: Any) -> Any:
        if not isinstance(other, Gated) or not other.query.access.same(self.query.access):
            raise Refused(
                "This selection rests on rows that were not selected for the same actor and purpose.", SAME
            )
        return other

    def _no(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise Refused(
            "A gated selection is for reading, in its own database, now.",
            "Write with an action; join by filtering on ids.",
        )

    update = delete = create = bulk_create = bulk_update = extra = raw = defer = select_related = _no
    prefetch_related = update_or_create = get_or_create = select_for_update = union = _no
    intersection = difference = using = explain = aiterator = _update = _raw_delete = _insert = _no
    __reduce__ = __getstate__ = _no  # a cache would outlive the right to see it


def select(access: Access, model: type[models.Model], bind: Callable[[str], Any]) -> models.QuerySet[Any]:
    decision = access.decide(model)
    if not decision.allowed:
        raise Refused(
            f"{model._meta.verbose_name_plural} cannot be seen here.", decision.because, decision.answer
        )
    if not issubclass(model, Guarded):
        return model._default_manager.all()
    query = GatedQuery(model)
    query.access, query.bind = access, bind
    found: models.QuerySet[Any] = Gated(model, query=query)
    columns = access.columns(model)
    return found.only(*columns) if len(columns) < len(model._meta.concrete_fields) else found


def bind_value(bind: Callable[[str], Any], name: str) -> Any:
    value = bind(name)
    return Param(name) if isinstance(value, Slot) else value
