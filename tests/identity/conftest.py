"""Hashes that cost little: the tests make many of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher

from rollbook.identity import actions, rules
from rollbook.kernel import clock


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in (("time_cost", 1), ("memory_cost", 64), ("parallelism", 1)):
        monkeypatch.setattr(Argon2PasswordHasher, name, value)
    actions._nobody.cache_clear()
    yield
    actions._nobody.cache_clear()


@pytest.fixture
def one_window() -> Iterator[None]:
    """Hold the clock just after a window of failures begins: else one may end in the middle of a test."""
    seconds = int(clock.now().timestamp()) // rules.WINDOW * rules.WINDOW + 1
    with clock.at(datetime.fromtimestamp(seconds, UTC)):
        yield
