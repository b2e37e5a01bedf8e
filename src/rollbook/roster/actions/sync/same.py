"""The same files again, known by their bytes before anything is read out of them.

Beside the tenant's sync files lies a note of the bytes of the last bundle that was applied, or found to change
nothing. It is only believed while the roster is as that sync left it, and what may be stored is the same.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.roster.actions.sync.workspace import Run, home, supersede
from rollbook.roster.models import Sync, Tenant

BLOCK = 1 << 20


def digest(path: Path, format: str) -> str:
    """Of the bytes of a file, or of all files of a folder with their names; "" where there is nothing to read."""
    try:
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        found = hashlib.sha256(f"{format}\0".encode())
        for file in files:
            name = "" if file == path else str(file.relative_to(path))
            found.update(f"{name}\0{file.stat().st_size}\0".encode())
            with file.open("rb", buffering=0) as source:
                while block := source.read(BLOCK):
                    found.update(block)
    except OSError:
        return ""
    return found.hexdigest() if files else ""


def known(run: Run, path: Path, format: str) -> bool:
    """Whether these are the files of the sync that the roster stands at; then this sync is closed as unchanged."""
    run.digest = digest(path, format)
    try:
        note: dict[str, Any] = json.loads(_note(run.tenant).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    if not run.digest or note.get("digest") != run.digest or note.get("keep") != _keep(run.tenant):
        return False
    with unguarded("a sync is compared with the one before", tenant=run.tenant.id):
        same = Sync.objects.filter(
            tenant_id=run.tenant.id, id=note.get("sync"), state__in=("applied", "unchanged"),
            roster_version=run.tenant.roster_version,
        ).first()  # fmt: skip
    if same is None:
        return False
    supersede(run)
    run.save(
        format=same.format, sha256=same.sha256, roster_version=run.tenant.roster_version, notices=same.notices
    )
    close(run, same)
    return True


def close(run: Run, same: Sync) -> None:
    """This sync has the files of `same`, which the roster stands at."""
    run.save(
        state="unchanged", finished_at=clock.now(), done=100, step="",
        message=f"These are the files of the sync of {same.started_at:%d %B %Y, %H:%M} UTC; there is nothing to do.",
    )  # fmt: skip


def remember(run: Run) -> None:
    """Note the bytes of the bundle that the roster now stands at."""
    if run.digest:
        fresh = _note(run.tenant).with_suffix(".new")
        fresh.write_text(
            json.dumps({"digest": run.digest, "keep": _keep(run.tenant), "sync": run.sync.id}),
            encoding="ascii",
        )
        fresh.rename(_note(run.tenant))


def _note(tenant: Tenant) -> Path:
    return home(tenant) / "last.json"


def _keep(tenant: Tenant) -> str:
    return hashlib.sha256(json.dumps(tenant.keep or {}, sort_keys=True).encode()).hexdigest()
