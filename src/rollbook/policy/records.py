"""Records that only grow: the disclosure log, the audit, the list of gaps.

No answer leaves before its disclosure is durable: `disclose` returns when the row is committed. Requests that wait
at the same time share one commit: the first to find the log free writes for all that have queued behind it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F, Q

from rollbook.kernel import clock, idset
from rollbook.kernel.ids import new_id
from rollbook.policy.gate import Access, unguarded
from rollbook.policy.models import Audit, Disclosure, Gap


class _Waiting:
    __slots__ = ("done", "error", "row")

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.row, self.done = row, False
        self.error: Exception | None = None


_queue: list[_Waiting] = []
_queue_lock = threading.Lock()
_flush_lock = threading.Lock()


def disclose(
    access: Access,
    door: str,
    columns: Iterable[tuple[type[models.Model], str]] | str,
    people: Iterable[int],
    authorised_by: int = 0,
    scope: str = "",
) -> int:
    """Write down one answer before it leaves. Returns the row's id once it is durable.

    door: the page or operation. columns: (model, attribute name) pairs shown, or the text that `column_list` made.
    people: ids of the people whose data it holds. authorised_by: the sharing rule, for an app.
    scope: what of its token opened the door.
    Raises whatever the database raises: then nothing may be answered.
    """
    if connection.in_atomic_block and settings.ROLLBOOK_DURABLE_LOG:
        raise RuntimeError("disclose() inside a transaction would answer before its row is durable")
    row: dict[str, Any] = {
        "id": new_id(), "tenant_id": access.tenant, "at": _AT(clock.now(), connection),
        "recipient_kind": access.actor.kind, "recipient_id": access.actor.id, "recipient": access.actor.name,
        "authorised_by": authorised_by, "purpose": access.purpose, "door": door, "scope": scope,
        "columns": columns if isinstance(columns, str) else column_list(columns),
        "bundle": access.bundle.hash, "reason": access.reason, **_set(people),
    }  # fmt: skip
    row["people"] = _PEOPLE(row["people"], connection)
    waiting = _Waiting(tuple(row[name] for name in _COLUMNS))
    with _queue_lock:
        _queue.append(waiting)
    with _flush_lock:
        if not waiting.done:
            _flush()
    if waiting.error:
        raise waiting.error
    return int(row["id"])


def _set(people: Iterable[int]) -> dict[str, Any]:
    """The columns of a disclosure that say about whom it is."""
    ids = sorted(set(people))
    return {
        "people": idset.pack(ids), "people_count": len(ids), "first_id": ids[0] if ids else 0, "last_id": ids[-1] if ids else 0,
    }  # fmt: skip


def disclose_by_hand(
    access: Access, recipient: str, recipient_id: int, ground: str, columns: str, people: Iterable[int], reason: str
) -> int:  # fmt: skip
    """Write down, in the caller's transaction, what people hand to somebody outside. Returns the row's id.

    No byte leaves Rollbook by it, so nothing waits for the row. recipient_id: of the entry that holds the evidence.
    """
    with unguarded("what was handed over outside stands beside what apps read", tenant=access.tenant):
        made = Disclosure.objects.create(
            tenant_id=access.tenant, at=clock.now(), recipient_kind="outside", recipient_id=recipient_id, recipient=recipient,
            purpose=ground, door="handed over", columns=columns, bundle=access.bundle.hash, reason=reason, **_set(people),
        )  # fmt: skip
    return int(made.id)


def column_list(columns: Iterable[tuple[type[models.Model], str]]) -> str:
    """(model, attribute name) pairs as the log writes them: table.column, sorted, comma-separated."""
    return ",".join(sorted({f"{m._meta.db_table}.{_column(m, c)}" for m, c in columns}))


def _column(model: type[models.Model], attname: str) -> str:
    return str(next(f.column for f in model._meta.concrete_fields if attname in (f.attname, f.name)))


_COLUMNS = [str(f.column) for f in Disclosure._meta.concrete_fields]
_INSERT = "INSERT INTO policy_disclosure ({}) VALUES ".format(", ".join(f'"{c}"' for c in _COLUMNS))
_ROW = "(" + ", ".join(["%s"] * len(_COLUMNS)) + ")"
# The only values that a database wants in a form of its own.
_FIELDS = {f.name: f for f in Disclosure._meta.concrete_fields}
_AT, _PEOPLE = (_FIELDS[name].get_db_prep_save for name in ("at", "people"))


def _flush() -> None:
    with _queue_lock:
        batch = _queue[:]
        _queue.clear()
    try:
        values = [value for waiting in batch for value in waiting.row]
        # Outside a transaction one statement is one, and is durable when it returns.
        with (
            transaction.atomic() if connection.in_atomic_block else nullcontext(),
            connection.cursor() as cursor,
        ):
            cursor.execute(_INSERT + ", ".join([_ROW] * len(batch)), values)
    except Exception as error:
        for waiting in batch:
            waiting.error = error
    for waiting in batch:
        waiting.done = True


def audit(
    tenant: int, actor: Any, verb: str, kind: str = "", object_id: int = 0, name: str = "", **details: Any
) -> None:
    """Write down what somebody did, in the transaction that does it.

    actor: an `Actor`, or None for the system itself. verb: "module.past_tense". name: what it was done to, in words.
    """
    with unguarded("the audit is written by whoever acts", tenant=tenant):
        Audit.objects.create(
            tenant_id=tenant, at=clock.now(), verb=verb, object_kind=kind, object_id=object_id, object=name,
            actor_kind=actor.kind if actor else "system", actor_id=actor.id if actor else 0,
            actor=actor.name if actor else "Rollbook", details=details,
        )  # fmt: skip


def note_gap(tenant: int, what: str, because: str) -> None:
    """Put an undecided question on the desk's list, once, with a count."""
    with unguarded("a gap is noted by the system", tenant=tenant), transaction.atomic():
        found = Gap.objects.filter(tenant_id=tenant, what=what, because=because)
        if not found.update(times=F("times") + 1, last_at=clock.now()):
            moment = clock.now()
            Gap.objects.create(tenant_id=tenant, what=what, because=because, first_at=moment, last_at=moment)


def disclosures_about(
    access: Access, people: Collection[int], before: int | None = None, limit: int = 50
) -> list[Disclosure]:
    """The disclosures that held one human, newest first. people: the ids that stand for that human.

    before: only those with a smaller id (for the next page). Reads through the gate: the access needs the record.
    """
    found: list[Disclosure] = []
    rows = access.select(Disclosure).filter(held(people)).order_by("-id")
    if before:
        rows = rows.filter(id__lt=before)
    for row in rows.iterator(chunk_size=500):
        if not set(people).isdisjoint(idset.unpack(bytes(row.people))):
            found.append(row)
            if len(found) == limit:
                break
    return found


def held(people: Collection[int]) -> Q:
    """A condition on disclosures that those about these people fulfil, and some others too: the set has the last word."""
    return reduce(or_, (Q(first_id__lte=p, last_id__gte=p) for p in people), Q(id=None))
