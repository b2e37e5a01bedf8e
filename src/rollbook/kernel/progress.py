"""How long work tells its caller where it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives steps: a name, the units done, and the units in all (None when that is unknown)."""

    def step(self, name: str, done: int, total: int | None) -> None: ...


class Silent:
    """A Progress that says nothing."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Ignore the step."""
