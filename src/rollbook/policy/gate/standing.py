"""On PostgreSQL: as which database role a transaction works, and in which context its row policies decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus

# What row policies may ask about, and as which type.
CONTEXT = {
    "tenant": "bigint",
    "person": "bigint",
    "app": "bigint",
    "org": "bigint",
    "policy": "text",
    "purpose": "text",
}

_standing: ContextVar[tuple[str, Mapping[str, Any]] | None] = ContextVar("rollbook_standing", default=None)


def role_name(role: str) -> str:
    """The database role of an actor's role."""
    return f"rollbook_{role}"


def base_role() -> str:
    """The role outside any access: the web process's own, or whoever connected (the owner)."""
    return settings.ROLLBOOK_WEB_ROLE or "none"


def is_standing() -> bool:
    """Whether this transaction works as a role and in a context that somebody took."""
    return _standing.get() is not None


@contextmanager
def stand(role: str, context: Mapping[str, Any]) -> Iterator[None]:
    """Work as a database role with a context until the block ends, then as before (PostgreSQL)."""
    outer = _standing.get()
    token = _standing.set((role, context))
    try:
        if not connection.in_atomic_block:
            with transaction.atomic():
                _take(role, context)
                yield
        else:
            _take(role, context)
            try:
                yield
            finally:
                # After an error in SQL the transaction is lost, and with it what was taken: leave that error alone.
                if _status() == TransactionStatus.INTRANS:
                    _take(*(outer or (base_role(), {})))
    finally:
        _standing.reset(token)


def _status() -> TransactionStatus:
    held = connection.connection
    return TransactionStatus.UNKNOWN if held is None else held.info.transaction_status


def _take(role: str, context: Mapping[str, Any]) -> None:
    """Take a role and a context for the rest of the transaction, in one round trip. What the context leaves out is
    emptied: to ask for it is an error, never an empty answer."""
    sql = to_stand(role, context)
    if _status() == TransactionStatus.IDLE:
        sql = f"BEGIN; {sql}"  # psycopg would send it by itself, before the first statement that it knows of
    with connection.wrap_database_errors:
        result = connection.connection.pgconn.exec_(sql.encode())
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)


def to_stand(role: str, context: Mapping[str, Any]) -> str:
    """The SQL that takes a role and a context for the rest of a transaction."""
    sql = [f"SET LOCAL ROLE {literal(role)}"]
    sql += [f"SET LOCAL rollbook.{name} = {literal(str(context.get(name, '')))}" for name in CONTEXT]
    return "; ".join(sql)


def literal(value: str) -> str:
    """A text as an SQL literal. Raises ValueError for what no name of a policy holds."""
    if "\\" in value or "\0" in value:
        raise ValueError("a role, purpose or policy has neither a backslash nor a null in its name")
    return "'" + value.replace("'", "''") + "'"
