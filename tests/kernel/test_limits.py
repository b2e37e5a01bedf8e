"""Rate limits: one count for all processes and threads of a host, in windows that end."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollbook.kernel import clock, limits
from rollbook.kernel.limits import PLACES, SLOTS, Counter

NOON = datetime(2026, 11, 2, 12, 0, 40, tzinfo=UTC)


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    return Counter(tmp_path / "limits")


def test_it_counts_each_key_and_begins_again_with_the_next_window(counter: Counter) -> None:
    with clock.at(NOON):
        assert [counter.count("a").count for _ in range(3)] == [1, 2, 3]
        assert counter.count("b").count == 1
        assert counter.count("a", add=0) == limits.Use(3, 20)
        assert counter.count("a", seconds=3600).count == 1
    with clock.at(NOON + timedelta(seconds=20)):
        assert counter.count("a", add=0) == limits.Use(0, 60)
        assert counter.count("a").count == 1


def test_many_keys_never_fill_it_and_the_busiest_of_a_place_stay(counter: Counter) -> None:
    with clock.at(NOON):
        for _ in range(50):
            counter.count("busy")
        for n in range(SLOTS // PLACES * 8):
            counter.count(f"key {n}")
        assert counter.count("busy").count == 51


def test_threads_share_it(counter: Counter) -> None:
    def work() -> None:
        for _ in range(300):
            counter.count("shared", seconds=10**6)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.count("shared", seconds=10**6, add=0).count == 1200


def test_processes_share_it(tmp_path: Path) -> None:
    program = (
        "import sys, django\nfrom django.conf import settings\nsettings.configure()\nfrom pathlib import Path\n"
        "from rollbook.kernel.limits import Counter\nc = Counter(Path(sys.argv[1]))\n"
        "for _ in range(500):\n    c.count('shared', seconds=10**6)\n"
    )
    ran = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "limits")]) for _ in range(3)]
    assert [one.wait() for one in ran] == [0, 0, 0]
    assert Counter(tmp_path / "limits").count("shared", seconds=10**6, add=0).count == 1500
