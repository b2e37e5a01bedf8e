"""Kill -9 during a sync at fifty random moments: each leaves the old roster or the new one, and the next run goes on.

python -m bench.kill [POSTGRESQL_URL]
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.roster.sync import killing
from tests.roster.sync.databases import scratch

TIMES = 50


def main() -> None:
    """Kill, look, count; raises AssertionError at the first roster that is neither old nor new."""
    from rollbook.roster.connectors.generate import generate_oneroster

    url = next(
        (a for a in sys.argv[1:] if a.startswith("postgres")), os.environ.get("ROLLBOOK_TEST_POSTGRES", "")
    )
    with tempfile.TemporaryDirectory(prefix="rollbook-kill-") as made:
        folder = Path(made)
        size: dict[str, Any] = {"students": 600, "schools": 3, "seed": 11}
        old, new = folder / "old", folder / "new"
        generate_oneroster(old, **size)
        generate_oneroster(new, **size, changed=0.2, removed=0.05, added=0.05)
        for vendor in ["sqlite", *(["postgresql"] if url else [])]:
            os.environ["ROLLBOOK_DATABASE_URL"] = url if vendor == "postgresql" else ""
            with scratch(vendor, folder / vendor) as env, killing.Nursery(env) as nursery:
                run(vendor, old, new, nursery)


def run(vendor: str, old: Path, new: Path, nursery: killing.Nursery) -> None:
    """Fifty kills on one database, from old to new and, when new has arrived, from new to old."""
    began = time.perf_counter()
    rosters = [nursery.finish(old)[0]]
    whole = nursery.seconds(new)
    rosters.append(nursery.look()[0])
    assert rosters[0] != rosters[1]
    counts = {"before its end": 0, "after its end": 0, "left as it was": 0, "wholly changed": 0}
    dice, now = random.Random(5), rosters[1]
    for _ in range(TIMES):
        target = old if now == rosters[1] else new
        killed = nursery.kill_after(target, dice.uniform(0, whole))
        found = nursery.look()[0]
        assert found in rosters, f"{vendor}: a roster that is neither old nor new"
        counts["before its end" if killed else "after its end"] += 1
        counts["left as it was" if found == now else "wholly changed"] += 1
        now = found
    assert nursery.finish(old)[0] == rosters[0]
    print(f"{vendor}: {TIMES} runs in {time.perf_counter() - began:.0f} s; killed {counts['before its end']}, already ended"
          f" {counts['after its end']}; roster left as it was {counts['left as it was']}, wholly changed"
          f" {counts['wholly changed']}, anything else 0", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
