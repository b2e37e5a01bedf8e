"""`make check`: all that reads the code without running it. Every step runs, so one run shows every fault."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SETTINGS = "rollbook.entrypoints.settings"
STEPS: dict[str, list[str]] = {
    "lint": [f"{BIN}/ruff", "check", "--output-format", "concise", "."],
    "format": [f"{BIN}/ruff", "format", "--check", "--output-format", "concise", "."],
    "types": [f"{BIN}/mypy"],
    "contracts": [f"{BIN}/lint-imports"],
    "migrations": [
        sys.executable,
        "-m",
        "django",
        "makemigrations",
        "--check",
        "--dry-run",
        "--settings",
        SETTINGS,
    ],
    "policy": [f"{BIN}/rollbook", "policy", "check"],
    "lock": [sys.executable, "tools/lock.py", "check"],
    "vendored": [sys.executable, "tools/vendor.py", "verify"],
}


def main(only: list[str]) -> int:
    """Run the steps named in `only`, or all; answers 1 when any failed."""
    unknown = set(only) - set(STEPS)
    if unknown:
        print(f"No such step: {', '.join(sorted(unknown))}. Steps: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    # A database in memory: a check reads the code, and must neither need nor make data.
    env = {**os.environ, "PYTHONPATH": "src", "ROLLBOOK_DATABASE_URL": "sqlite://"}
    failed = []
    for name, command in STEPS.items():
        if only and name not in only:
            continue
        print(f"== {name}", flush=True)
        start = time.monotonic()
        code = subprocess.run(command, cwd=ROOT, check=False, env=env).returncode
        print(f"   {'failed' if code else 'ok'} ({time.monotonic() - start:.1f} s)", flush=True)
        if code:
            failed.append(name)
    print(f"\nmake check: {'failed: ' + ', '.join(failed) if failed else 'all steps hold'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
