"""The few places where SQLite and PostgreSQL differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models
from django.db.models import Lookup


def is_postgres() -> bool:
    """Whether the default database is PostgreSQL (else it is SQLite)."""
    return bool(connection.vendor == "postgresql")


@models.BigIntegerField.register_lookup
@models.ForeignKey.register_lookup
class AnyOf(Lookup):
    """`id__any=[...]`: membership with one parameter, so that a statement keeps its shape whatever the number."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        left, left_params = self.process_lhs(compiler, connection)
        if hasattr(self.rhs, "as_sql"):  # a place for a value that comes later (policy.Param)
            right, right_params = compiler.compile(self.rhs)
        else:
            right, right_params = "%s", [ids(self.rhs, connection.vendor)]
        if connection.vendor == "postgresql":
            return f"{left} = ANY({right}::bigint[])", [*left_params, *right_params]
        return f"{left} IN (SELECT value FROM json_each({right}))", [*left_params, *right_params]


def ids(values: Iterable[int], vendor: str | None = None) -> list[int] | str:
    """Ids as the one parameter that `AnyOf` wants on this database."""
    listed = list(values)
    if (vendor or connection.vendor) == "postgresql":
        return listed
    return "[" + ",".join(map(str, listed)) + "]"


def rows(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of one statement. Only for SQL that `policy` compiled or that runs under `unguarded`."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def texts(values: Iterable[str]) -> list[str] | str:
    """Texts as the one list parameter of this database: `= ANY(%s)`, or `IN (SELECT value FROM json_each(%s))`."""
    listed = list(values)
    return listed if is_postgres() else json.dumps(listed)
