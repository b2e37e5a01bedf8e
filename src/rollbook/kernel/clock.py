"""The one clock. Tests set it with `at(...)`; nothing else in Rollbook asks the system for the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime

_fixed: ContextVar[datetime | None] = ContextVar("rollbook_clock", default=None)


def now() -> datetime:
    """The present moment in UTC, cut to milliseconds (what OneRoster and the databases both keep)."""
    moment = _fixed.get() or datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def today() -> date:
    """The present day in UTC."""
    return now().date()


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Hold the clock at `moment` (with a time zone) inside the block."""
    if moment.tzinfo is None:
        raise ValueError("the clock needs a moment with a time zone")
    token = _fixed.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _fixed.reset(token)
