"""A school district of 5,000 pupils to a real SCIM destination (scim2-server, a process of its own, over HTTP): the
first run, and a second one, which has nothing to write. Bars: 30 seconds; 0 writes.

    python -m bench.directories

Makes its own SQLite database in a temporary folder. The writes are counted by the destination's own log.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BAR_SECONDS, PUPILS = 30.0, 5000
SECRET = "bench-only"  # of a server that lives for this run
WRITE = re.compile(r'"(POST|PUT|PATCH|DELETE) ')


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Run it, print and return a row for each run."""
    with tempfile.TemporaryDirectory() as folder:
        env = {
            **os.environ,
            "ROLLBOOK_DATA_DIR": folder,
            "ROLLBOOK_DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = Path(folder, "scim.log")
        command = ["scim2-server", "--port", str(port), "--bearer-token", SECRET]
        with log.open("w") as out:
            server = subprocess.Popen(
                [str(Path(sys.executable).parent / command[0]), *command[1:]], stdout=out, stderr=out
            )
        try:
            _answering(port)
            _rollbook(
                env,
                "generate",
                "oneroster",
                "--out",
                f"{folder}/bundle",
                "--students",
                str(PUPILS),
                "--schools",
                "8",
            )
            tenant = ("--tenant", "bench")
            _rollbook(
                env, "tenant", "create", "bench", "--name", "Bench", "--kind", "district", "--region", "GB"
            )
            _rollbook(env, "sync", f"{folder}/bundle", *tenant, "--yes")
            env["ROLLBOOK_DIRECTORY_SECRET"] = SECRET
            url = f"http://127.0.0.1:{port}/v2"
            _rollbook(env, "directory", "create", "Hallkeys", *tenant, "--kind", "scim", "--url", url)
            rule = {"people": {"roles": ["student"]}, "fields": "all"}
            _rollbook(env, "app", "share", "hallkeys", *tenant, "--rule", json.dumps(rule))
            rows = [_run(env, name, log) for name in ("first", "second")]
        finally:
            server.terminate()
            server.wait()
    for row in rows:
        print(
            f"{row['run']:<7} {row['seconds']:6.1f} s   {row['users']:,} accounts, {row['groups']:,} groups in the plan, "
            f"{row['writes']:,} writes, {row['left']} steps left"
        )
    first, second = rows
    held = first["seconds"] <= BAR_SECONDS and not first["left"] and second["writes"] == 0
    print(f"Bars ({BAR_SECONDS:.0f} s, 0 writes): {'held' if held else 'NOT held'}")
    return rows


def _run(env: dict[str, str], name: str, log: Path) -> dict[str, Any]:
    before = len(WRITE.findall(log.read_text()))
    start = time.monotonic()
    done = json.loads(_rollbook(env, "directory", "run", "hallkeys", "--tenant", "bench", "--json"))
    seconds = time.monotonic() - start
    made = {kind: sum(actions.values()) for kind, actions in done["counts"].items()}
    return {
        "run": name, "seconds": seconds, "users": made.get("user", 0), "groups": made.get("group", 0),
        "writes": len(WRITE.findall(log.read_text())) - before, "left": done["total"] - done["done"],
    }  # fmt: skip


def _rollbook(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rollbook", *arguments], env=env, check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"rollbook {' '.join(arguments[:3])} failed:\n{done.stderr}")
    return done.stdout


def _answering(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("scim2-server does not answer.")


if __name__ == "__main__":
    main()
