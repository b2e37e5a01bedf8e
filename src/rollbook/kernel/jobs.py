"""Work that runs outside a request: a table, a claim with a lease, one worker process.

    @job("roster.sync")
    def sync(tenant_id: int, *, sync_id: int) -> None: ...

    enqueue("roster.sync", tenant.id, dedupe=str(sync.id), sync_id=sync.id)

`enqueue` writes in the caller's transaction: a rolled-back change leaves no job. A job whose worker died is taken
again when its lease ends, so every job must be safe to run twice. A failed attempt waits longer each time. After
the last one whoever waits for it must hear: that is what `gave_up` is for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.models import Job

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 5
log = logging.getLogger(__name__)

_jobs: dict[str, Callable[..., None]] = {}
F = TypeVar("F", bound=Callable[..., None])


def job(name: str) -> Callable[[F], F]:
    """Register a function as the job `name`. It gets the tenant's id and its JSON arguments."""

    def register(function: F) -> F:
        _jobs[name] = function
        return function

    return register


_last_words: dict[str, Callable[..., None]] = {}


def gave_up(name: str) -> Callable[[F], F]:
    """Register what is done when the job `name` has failed for the last time. It gets the tenant's id, in words why
    (nothing personal), and the job's arguments."""

    def register(function: F) -> F:
        _last_words[name] = function
        return function

    return register


def enqueue(name: str, tenant: int, dedupe: str = "", wait: timedelta | None = None, **args: Any) -> int:
    """Put a job in the queue, in the caller's transaction. Returns its id.

    dedupe: while a job of this name, tenant and text waits or runs, no second is made and its id is returned.
    wait: not before so long. Raises KeyError for a name that nobody registered.
    """
    if name not in _jobs:
        raise KeyError(f"no job is called {name!r}; there are {', '.join(sorted(_jobs))}")
    moment = clock.now()
    try:
        with transaction.atomic():
            made = Job.objects.create(
                name=name,
                tenant_id=tenant,
                args=args,
                dedupe=dedupe,
                run_after=moment + wait if wait else moment,
                created_at=moment,
            )
            return int(made.id)
    except IntegrityError:
        open_states = ["queued", "running"]
        return int(Job.objects.get(name=name, tenant_id=tenant, dedupe=dedupe, state__in=open_states).id)


def run_one() -> bool:
    """Claim and run the next job that is due. False when there is none."""
    claimed = _claim()
    if claimed is None:
        return False
    if claimed.attempts > MAX_ATTEMPTS:  # its worker died each time, perhaps of it
        _failed(claimed, None)
        return True
    try:
        with _heartbeat(claimed.id):
            _jobs[claimed.name](claimed.tenant_id, **claimed.args)
    except Exception as error:
        _failed(claimed, error)
    else:
        Job.objects.filter(id=claimed.id).update(state="done", finished_at=clock.now(), lease_until=None)
    return True


def _claim() -> Job | None:
    moment = clock.now()
    due = Q(state="queued", run_after__lte=moment) | Q(state="running", lease_until__lt=moment)
    with transaction.atomic():
        waiting = Job.objects.filter(due).order_by("run_after", "id")
        if connection.features.has_select_for_update_skip_locked:
            waiting = waiting.select_for_update(skip_locked=True)
        found = waiting.first()
        if found is not None:
            found.state, found.lease_until, found.attempts = "running", moment + LEASE, found.attempts + 1
            found.save(update_fields=["state", "lease_until", "attempts"])
        return found


@contextmanager
def _heartbeat(job_id: int) -> Iterator[None]:
    """Extend the lease while the job runs, from a thread with a connection of its own."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(LEASE.total_seconds() / 3):
            try:
                Job.objects.filter(id=job_id).update(lease_until=clock.now() + LEASE)
            except Exception:  # a locked SQLite file: the next beat may pass; the lease bears one missed beat
                log.warning("the heartbeat of job %s failed", job_id)
        connection.close()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _failed(claimed: Job, error: Exception | None) -> None:
    """error: what the job raised, or None when its worker died."""
    kind = type(error).__name__ if error else "the worker died"
    log.error("job %s %s failed: %s", claimed.name, claimed.id, kind)
    last = claimed.attempts >= MAX_ATTEMPTS
    if last and claimed.name in _last_words:
        # What `Invalid` says is written for people; any other message may hold a person's data.
        because = str(error) if isinstance(error, Invalid) else kind
        try:
            _last_words[claimed.name](claimed.tenant_id, because, **claimed.args)
        except Exception as worse:
            log.error("nobody could be told that job %s failed: %s", claimed.id, type(worse).__name__)
    Job.objects.filter(id=claimed.id).update(
        state="failed" if last else "queued",
        run_after=clock.now() + timedelta(seconds=5 * 3 ** min(claimed.attempts, MAX_ATTEMPTS)),
        lease_until=None,
        finished_at=clock.now() if last else None,
        error=kind[:500],
    )


def work(stop: threading.Event, pause: float = 0.5) -> None:
    """Run jobs until `stop` is set; look every `pause` seconds when there are none."""
    while not stop.is_set():
        try:
            busy = run_one()
        except Exception:
            log.exception("the worker cannot reach the database; it tries again")
            connection.close()
            busy = False
            time.sleep(2)
        if not busy:
            stop.wait(pause)
