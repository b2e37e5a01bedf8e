"""Gated queries compiled once and run often, past the costs of the ORM and in as few round trips as there can be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection, models

from rollbook.kernel.errors import Refused
from rollbook.policy.gate.selection import Slot, select

if TYPE_CHECKING:
    from rollbook.policy.gate.access import Access


@dataclass(frozen=True, eq=False)
class Statement:
    """A gated query compiled once: SQL text, its slots, and what turns a database row into Python values.

    sql: as Django writes it, with %s; own: as the driver or the server wants it.
    """

    access: Access
    sql: str
    own: str
    params: tuple[Any, ...]
    converters: tuple[tuple[int, tuple[Any, ...], Any], ...]

    def rows(self, access: Access, **values: Any) -> list[tuple[Any, ...]]:
        """Run it for an access of the same shape. Raises KeyError for a value that is missing."""
        if access is not self.access and access.shape != self.access.shape:
            raise Refused(
                "This statement was prepared for another role, purpose or rule.",
                "Prepare it with this access.",
            )
        bound = {**access.context, **values}
        params = [bound[p.name] if type(p) is Slot else p for p in self.params]
        found = self._found(access, params)
        if not self.converters:
            return found
        lists = [list(row) for row in found]
        for index, functions, expression in self.converters:
            for row in lists:
                for function in functions:
                    row[index] = function(row[index], expression, connection)
        return [tuple(row) for row in lists]

    def _found(self, access: Access, params: list[Any]) -> list[tuple[Any, ...]]:
        watched = connection.queries_logged or connection.execute_wrappers
        if connection.vendor == "sqlite" and not watched:
            # Django would look for its placeholders in the text at each run.
            connection.ensure_connection()
            connection.validate_thread_sharing()
            connection.validate_no_broken_transaction()
            with connection.wrap_database_errors:
                return list(connection.connection.execute(self.own, params).fetchall())
        if connection.vendor == "postgresql" and not watched:
            from rollbook.policy.gate import messages

            found = messages.ask(access, self.own, params)
            if found is not None:
                return found
        with access.open(), connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            return list(cursor.fetchall())


_statements: dict[tuple[Any, ...], Statement] = {}


def prepared(
    access: Access, key: Any, build: Callable[[Callable[[type[models.Model]], models.QuerySet[Any]]], Any]
) -> Statement:
    """The statement that `build` makes, compiled once for each bundle, role, purpose, limit and relationship.

    build gets `select` (as `access.select`, with slots for the actor and tenant) and returns a `values_list` query;
    it may use `Param(name)` for values that come when it runs.
    """
    cache_key = (access.shape, connection.vendor, key)
    found = _statements.get(cache_key)
    if found is None:
        query = build(lambda model: select(access, model, Slot))
        compiler = query.query.get_compiler(connection.alias)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters(expression for expression, _, _ in compiler.select)
        found = Statement(
            access, sql, _own(sql), tuple(params),
            tuple((i, tuple(fs), e) for i, (fs, e) in sorted(converters.items())),
        )  # fmt: skip
        if len(_statements) > 2000:
            _statements.clear()
        _statements[cache_key] = found
    return found


def _own(sql: str) -> str:
    """The text with the placeholders of the driver (SQLite: ?) or of the server (PostgreSQL: $1, $2)."""
    numbers = iter(range(1, 10_000))
    mark = (lambda _: "?") if connection.vendor == "sqlite" else (lambda _: f"${next(numbers)}")
    return re.sub("(?<!%)%s", mark, sql).replace("%%", "%")
