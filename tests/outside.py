"""Clients that others wrote, from npm: installed once into a temporary folder, or the test is skipped by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest


def npm(*packages: str) -> Path:
    """A folder in which these packages are installed. Skips the test where npm or the registry does not answer."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip(f"npm is not here, so {', '.join(packages)} cannot be asked")
    name = sha256(" ".join(sorted(packages)).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"rollbook-npm-{os.getuid()}-{name}"
    if not (folder / "installed").exists():
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *packages],
            cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"npm could not install {', '.join(packages)}: {done.stderr[-200:]}")
        (folder / "installed").touch()
    return folder


def node(script: Path, folder: Path, **said: Any) -> dict[str, Any]:
    """Run a script with the packages of `folder`; it reads SAID and prints one JSON object as its last line."""
    copy = folder / script.name
    copy.write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run(
        ["node", copy.name], cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SAID": json.dumps(said)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))
