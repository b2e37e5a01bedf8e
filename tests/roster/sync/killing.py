"""Syncs in processes of their own on a real database, to be killed. Used by the test, and by the benchmark that kills fifty.

A nursery has loaded all code and forks each of them: what is killed is a sync, not a second of imports.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

LOOK = "-"


class Nursery:
    """Runs syncs one after the other; the environment names the database and the data folder."""

    def __init__(self, env: dict[str, str]) -> None:
        root = Path(__file__).resolve().parents[3]
        path = os.pathsep.join([str(root / "src"), str(root)])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.roster.sync.killing"], env={**os.environ, **env, "PYTHONPATH": path}, cwd=root,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self._line()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]  # made with pipes
        self.process.stdout.close()  # type: ignore[union-attr]  # made with pipes
        self.process.wait()

    def _line(self) -> str:
        line: str = self.process.stdout.readline()  # type: ignore[union-attr]  # made with pipes
        assert line, "the nursery has died"
        return line

    def _start(self, bundle: Path | str) -> int:
        self.process.stdin.write(f"{bundle}\n")  # type: ignore[union-attr]  # made with pipes
        return int(self._line())

    def kill_after(self, bundle: Path, seconds: float) -> bool:
        """Start the sync of a bundle and kill -9 it after some seconds. Answers whether it was still at work."""
        pid = self._start(bundle)
        if not select.select([self.process.stdout.fileno()], [], [], seconds)[0]:  # type: ignore[union-attr]  # made with pipes
            os.kill(pid, signal.SIGKILL)
        return bool(json.loads(self._line())["killed"])

    def finish(self, bundle: Path) -> tuple[str, str]:
        """Sync the bundle to the end. Answers as `look`, or raises RuntimeError with the state."""
        self._start(bundle)
        found = json.loads(self._line())
        if found["state"] not in ("applied", "unchanged"):
            raise RuntimeError(f"the sync ended as {found}")
        return self.look()

    def seconds(self, bundle: Path) -> float:
        """How long the sync of the bundle works."""
        began = time.perf_counter()
        self._start(bundle)
        self._line()
        return time.perf_counter() - began

    def look(self) -> tuple[str, str]:
        """Two digests: of the roster as it stands, and of its version and events."""
        self._start(LOOK)
        found = json.loads(self._line())["state"].split()
        return found[0], found[1]


def main() -> None:
    """The nursery: for each line of its input fork a sync of that bundle, say its number, then how it ended."""
    import django

    django.setup()
    importlib.import_module("rollbook.roster.jobs")
    _fork("migrate")
    print("ready", flush=True)
    for line in sys.stdin:
        _fork(line.strip(), tell=True)


def _fork(what: str, tell: bool = False) -> None:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = 1
        try:
            os.write(write, _work(what).encode())
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    if tell:
        print(child, flush=True)
    with os.fdopen(read) as out:
        state = out.read()
    _, status = os.waitpid(child, 0)
    assert tell or not status
    if tell:
        print(json.dumps({"state": state, "killed": os.WIFSIGNALED(status)}), flush=True)


def _work(what: str) -> str:
    from django.core.management import call_command

    from rollbook.roster.jobs import sync_path
    from rollbook.roster.models import Tenant
    from tests.roster.sync.school import make_tenant

    if what == "migrate":
        call_command("migrate", verbosity=0)
        make_tenant("killed")
        return ""
    tenant = Tenant.objects.get(slug="killed")
    return " ".join(digests(tenant)) if what == LOOK else sync_path(tenant, Path(what), yes=True).state


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
