"""Rate limits: counts in fixed windows, shared by all processes of one host through one small file.

The file is a table of slots (hash of the key, window, count) in shared memory. A key has four places to stand; when
all are taken by keys of the present window, the emptiest is given up, so the table never grows and never blocks.
Limits of several hosts are separate: each lets its own share through.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from django.conf import settings

from rollbook.kernel import clock

SLOT = struct.Struct("<QII")  # hash of the key, number of the window, count
SLOTS, PLACES = 16_384, 4


@dataclass(frozen=True)
class Use:
    """How often a key was counted in this window, and in how many seconds the window ends."""

    count: int
    seconds_left: int


class Counter:
    """The table in one file. Safe for threads and for processes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with self._locked():
            if os.fstat(self._file).st_size < SLOTS * SLOT.size:
                os.ftruncate(self._file, SLOTS * SLOT.size)
        self._map = mmap.mmap(self._file, SLOTS * SLOT.size)

    _lock = threading.Lock()

    def _locked(self) -> _Held:
        return _Held(self._lock, self._file)

    def count(self, key: str, seconds: int = 60, add: int = 1) -> Use:
        """Add to the count of `key` in the window of so many seconds. add=0 only looks."""
        moment = int(clock.now().timestamp())
        window, left = moment // seconds, seconds - moment % seconds
        digest = int.from_bytes(blake2b(f"{seconds}:{key}".encode(), digest_size=8).digest(), "little") or 1
        start = digest % (SLOTS // PLACES) * PLACES * SLOT.size
        with self._locked():
            best, least = start, -1
            for place in range(start, start + PLACES * SLOT.size, SLOT.size):
                held, when, counted = SLOT.unpack_from(self._map, place)
                if held == digest and when == window & 0xFFFFFFFF:
                    best, least = place, counted
                    break
                live = counted if when * seconds + seconds > moment else 0
                if least < 0 or live < least:
                    best, least = place, live
            else:
                least = 0
            total = min(least + add, 0xFFFFFFFF)
            if add:
                SLOT.pack_into(self._map, best, digest, window & 0xFFFFFFFF, total)
        return Use(total, left)


class _Held:
    """The lock among threads, then the lock among processes (which belongs to the open file, not to a thread)."""

    __slots__ = ("_descriptor", "_lock")

    def __init__(self, lock: threading.Lock, descriptor: int) -> None:
        self._lock, self._descriptor = lock, descriptor

    def __enter__(self) -> None:
        self._lock.acquire()
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._lock.release()


_counter: Counter | None = None
_opening = threading.Lock()


def count(key: str, seconds: int = 60, add: int = 1) -> Use:
    """Count `key` in the host's table (ROLLBOOK_DATA_DIR/limits). add=0 only looks."""
    global _counter
    if _counter is None:
        with _opening:
            if _counter is None:
                _counter = Counter(settings.ROLLBOOK_DATA_DIR / "limits")
    return _counter.count(key, seconds, add)
