"""What a connector to a directory does: say which names are taken there, and carry steps out."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

from rollbook.sharing.rules.accounts import Record


@dataclass
class Work:
    """One step for a connector. remote_id: the destination's id, where it has one. password: for a new account."""

    kind: str
    key: str
    before: Record | None
    after: Record | None
    remote_id: str = ""
    password: str = ""


@dataclass
class Outcome:
    """What became of it. after: what was really written, where it is less than was asked. error: for people, with
    `mend`; empty when it was done."""

    remote_id: str = ""
    after: Record | None = None
    error: str = ""
    mend: str = ""


class Unreachable(Exception):
    """The destination does not answer or does not let us in: nothing more can be done now. The text says what to do."""


class Destination(Protocol):
    """A connector. by_place: it has org units, and groups name members by where they stand."""

    by_place: bool
    at_once: int  # how many steps it wants in one call

    def taken(self, mine: Set[str]) -> set[str]:
        """User names there that are not ours. mine: external ids of ours. Raises Unreachable."""

    def carry_out(self, work: Sequence[Work], remote_id: Callable[[Any], str]) -> list[Outcome]:
        """Do it, in an order that may not matter: all are of one kind and phase. Safe to do twice.

        remote_id: the destination's id of a member, "" when it has none. Raises Unreachable.
        """

    def close(self) -> None:
        """Let go of connections."""


@dataclass
class Calls:
    """Counts what went to the destination, for tests and the benchmark."""

    reads: int = 0
    writes: int = 0
    log: list[str] = field(default_factory=list)
