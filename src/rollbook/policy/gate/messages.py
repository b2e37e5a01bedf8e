"""On PostgreSQL: role, context and statement in one message, which is one transaction of its own and one round trip.

The statement is prepared in the session under a name; what runs is `SET LOCAL ...; EXECUTE name (values)`. PostgreSQL
runs a message of several statements in one transaction, so the role and the context end with it, also after an error.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.adapt import AdaptersMap, Transformer
from psycopg.errors import (
    FeatureNotSupported,
    IndeterminateDatatype,
    InvalidSqlStatementName,
    error_from_result,
)
from psycopg.pq import Escaping, ExecStatus, TransactionStatus
from psycopg.types.datetime import TimestamptzLoader

from rollbook.policy.gate import access as gate
from rollbook.policy.gate.standing import is_standing, to_stand

if TYPE_CHECKING:
    from rollbook.policy.gate.access import Access

MOST = 300  # statements kept prepared in one session

# Session -> statement -> its name there, or None where the server cannot tell the types of its values.
_names: WeakKeyDictionary[Any, dict[str, bytes | None]] = WeakKeyDictionary()
_adapters: WeakKeyDictionary[Any, AdaptersMap] = WeakKeyDictionary()


def ask(access: Access, sql: str, params: list[Any]) -> list[tuple[Any, ...]] | None:
    """The rows of a statement for an access, or None where it cannot be asked so and must be run by Django's cursor:
    inside a transaction, in a session that must not prepare (behind a pooler), with a value that is no number, text
    or list of numbers."""
    connection: Any = connections[DEFAULT_DB_ALIAS]  # itself, once: the proxy looks it up for each attribute
    if connection.in_atomic_block or is_standing():
        return None
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.validate_thread_sharing()
    session = connection.connection
    if session.prepare_threshold is None or session.info.transaction_status != TransactionStatus.IDLE:
        return None
    with connection.wrap_database_errors:
        values, name = _literals(session, params), _name(session, sql)
        if name is None or values is None:
            return None
        stand = to_stand(gate.role_name(access.actor.role), access.context).encode()
        run = b"%s; EXECUTE %s" % (stand, name) + (b"(%s)" % b",".join(values) if values else b"")
        result = session.pgconn.exec_(run)
        if result.status != ExecStatus.TUPLES_OK:
            error = error_from_result(result)
            if isinstance(error, InvalidSqlStatementName | FeatureNotSupported):
                # psycopg emptied the session, as it does after a rollback, or a table changed: begin again.
                del _names[session]
                return None
            raise error
        reader = Transformer(SimpleNamespace(adapters=_adapters_of(session), connection=session))
        reader.set_pgresult(result)
        return list(reader.load_rows(0, result.ntuples, tuple))


def _adapters_of(session: Any) -> AdaptersMap:
    """The session's own, but moments are made by psycopg's loader in C. Django's, in Python, costs more than all else
    of a row; it gives the same moment, for the session's time zone is UTC."""
    found = _adapters.get(session)
    if found is None:
        found = _adapters[session] = AdaptersMap(session.adapters)
        found.register_loader("timestamptz", TimestamptzLoader)
    return found


def _name(session: Any, sql: str) -> bytes | None:
    names = _names.setdefault(session, {})
    if sql not in names:
        if len(names) >= MOST:
            oldest = names.pop(next(iter(names)))
            if oldest is not None:
                with suppress(InvalidSqlStatementName):
                    _do(session, b"DEALLOCATE %s" % oldest)
        name = b"rollbook_%d" % next(_count)
        try:
            _do(session, b"PREPARE %s AS %s" % (name, sql.encode()))
            names[sql] = name
        except IndeterminateDatatype:
            names[sql] = None
    return names[sql]


_count = count(1)


def _do(session: Any, statement: bytes) -> None:
    result = session.pgconn.exec_(statement)
    if result.status != ExecStatus.COMMAND_OK:
        raise error_from_result(result)


def _literals(session: Any, params: list[Any]) -> list[bytes] | None:
    made = []
    for value in params:
        if type(value) is int:
            made.append(b"%d" % value)
        elif type(value) is str:
            made.append(Escaping(session.pgconn).escape_literal(value.encode()))
        elif type(value) is list and {*map(type, value)} <= {int}:
            made.append(b"'{%s}'" % str(value)[1:-1].encode())
        else:
            return None
    return made
