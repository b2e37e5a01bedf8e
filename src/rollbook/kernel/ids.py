"""Ids that grow with time: 41 bits of milliseconds since 2020, then 22 bits.

One id at a time takes the upper half of the 22 bits (random, then counting within a millisecond); a block of
many ids takes the lower half of as many milliseconds as it needs. So a bulk load can number millions of rows
in SQL without asking for each id, and never meets a single id. All fit a signed 64-bit column. Two processes
that draw the same id in the same table fail on its primary key: the transaction is undone and can run again.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass

EPOCH_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
LOW_BITS = 22
HALF = 1 << (LOW_BITS - 1)

_lock = threading.Lock()
_last = 0


def new_id() -> int:
    """One id, larger than every id this process drew before."""
    global _last
    with _lock:
        moment = (int(time.time() * 1000) - EPOCH_MS) << LOW_BITS
        fresh = moment | HALF | secrets.randbelow(HALF)
        if fresh <= _last:
            fresh = _last + 1
            if not fresh & HALF:
                fresh |= HALF
        _last = fresh
        return fresh


def moment_of(id_: int) -> float:
    """When an id was drawn, in seconds since 1970."""
    return ((id_ >> LOW_BITS) + EPOCH_MS) / 1000


@dataclass(frozen=True)
class Block:
    """`count` ids numbered from 0. `sql(n)` gives the id of a zero-based SQL number expression."""

    start_ms: int
    count: int

    def at(self, index: int) -> int:
        """The id with this zero-based index. Raises IndexError outside the block."""
        if not 0 <= index < self.count:
            raise IndexError(f"index {index} is outside a block of {self.count} ids")
        return ((self.start_ms + (index >> (LOW_BITS - 1))) << LOW_BITS) | (index & (HALF - 1))

    def sql(self, index: str) -> str:
        """SQL (DuckDB, PostgreSQL, SQLite) that computes `at(index)` for a bigint expression."""
        return (
            f"((({self.start_ms} + (({index}) >> {LOW_BITS - 1})) << {LOW_BITS}) | (({index}) & {HALF - 1}))"
        )


def block(count: int) -> Block:
    """Reserve `count` consecutive ids, starting now. Blocks of one process never overlap."""
    global _block_ms
    with _lock:
        start = max(int(time.time() * 1000) - EPOCH_MS, _block_ms)
        _block_ms = start + (count >> (LOW_BITS - 1)) + 1
        return Block(start, count)


_block_ms = 0
