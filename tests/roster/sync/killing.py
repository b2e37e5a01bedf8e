"""A sync in its own process on a real database, to be killed: `python -m tests.roster.sync.killing BUNDLE SLUG`.

Used by the test and by the benchmark that kills fifty times. The environment names the database and the data folder.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def start(bundle: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """The sync of a bundle in a new process."""
    root = Path(__file__).resolve().parents[3]
    path = os.pathsep.join([str(root / "src"), str(root)])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.roster.sync.killing", str(bundle)], env={**os.environ, **env, "PYTHONPATH": path},
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Kill -9 once it has worked for some seconds (from its first word on). Answers whether it was still at work."""
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds)
    alive = process.poll() is None
    if alive:
        process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return alive


def finish(bundle: Path, env: dict[str, str]) -> tuple[str, str]:
    """Sync the bundle to the end. Answers as `look`, or raises RuntimeError with the state."""
    process = start(bundle, env)
    out = process.communicate()[0].decode().split()
    if process.returncode or out[1] not in ("applied", "unchanged"):
        raise RuntimeError(f"the sync ended as {out} ({process.returncode})")
    return out[2], out[3]


def seconds(bundle: Path, env: dict[str, str]) -> float:
    """How long the sync of the bundle works, from its first word to its last."""
    process = start(bundle, env)
    assert process.stdout is not None
    process.stdout.readline()
    began = time.perf_counter()
    process.stdout.readline()
    spent = time.perf_counter() - began
    process.communicate()
    return spent


def look(env: dict[str, str]) -> tuple[str, str]:
    """Two digests: of the roster as it stands, and of its version and events."""
    out = start(Path("-"), env).communicate()[0].decode().split()
    return out[2], out[3]


def main() -> None:
    """Say that work begins, sync, say how it ended and what the roster is like."""
    import django

    django.setup()
    from django.core.management import call_command

    from rollbook.roster.jobs import sync_path
    from rollbook.roster.models import Tenant
    from tests.roster.sync.school import make_tenant

    call_command("migrate", verbosity=0)
    tenant = Tenant.objects.filter(slug="killed").first() or make_tenant("killed")
    print("working", flush=True)
    state = "looked" if sys.argv[1] == "-" else sync_path(tenant, Path(sys.argv[1]), yes=True).state
    print(state, flush=True)
    print(*digests(tenant), flush=True)


def digests(tenant: Any) -> tuple[str, str]:
    """The active roster, and its version and events, as short texts that differ where they do."""
    from rollbook.policy import unguarded
    from rollbook.roster.models import Event
    from tests.roster.sync.school import roster

    with unguarded("a test compares rosters"):
        events = Event.objects.filter(tenant=tenant).values_list("entity", "action", "count")
        told = repr(sorted((entity, action, count) for entity, action, count in events))
    tenant.refresh_from_db()
    rows = {
        table: sorted((code, sorted(row.items(), key=str)) for code, row in found.items())
        for table, found in roster(tenant).items()
    }
    record = f"{tenant.roster_version}{told}"
    return _short(repr(rows)), _short(record)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
