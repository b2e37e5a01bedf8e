"""What staff ask of a sync on a page: take these files, apply, discard, undo, hold at these limits, store only this.

Long work goes to the worker. Who asked stands in the audit, and the worker reads it there: a job's arguments are ids.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.ids import new_id
from rollbook.kernel.jobs import MAX_ATTEMPTS, enqueue, gave_up
from rollbook.policy import Actor, Audit, audit, unguarded
from rollbook.roster.models import Sync, Tenant
from rollbook.roster.rules.keep import KeepError, parse_keep

READ, APPLY, UNDO = "roster.read", "roster.apply", "roster.undo"


def receive(tenant: Tenant, name: str, chunks: Iterable[bytes], by: Actor) -> int:
    """Put an uploaded zip where the worker finds it, and ask for a proposal. Returns the upload's id.

    Raises Invalid for what is no zip: its first bytes say so.
    """
    upload = new_id()
    folder = _folder(tenant.id, upload)
    folder.mkdir(parents=True)
    path = folder / (re.sub(r"[^\w.\- ]", "_", Path(name).name)[-80:] or "upload.zip")
    try:
        with path.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
        with path.open("rb") as file:
            if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
                raise Invalid(
                    "That is not a zip file.", "Choose the zip that your school’s system exported.", "file"
                )
        with transaction.atomic():
            audit(tenant.id, by, "sync.uploaded", "upload", upload, path.name)
            enqueue(READ, tenant.id, dedupe=str(upload), upload=str(upload))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return upload


def uploaded(tenant_id: int, upload: int) -> tuple[Tenant, Path, Actor] | None:
    """An upload that waits: whose, where, who asked. None when it has been read."""
    files = sorted(_folder(tenant_id, upload).glob("*"))
    if not files:
        return None
    return Tenant.objects.get(id=tenant_id), files[0], asked_by(tenant_id, "sync.uploaded", upload)


def forget_upload(tenant_id: int, upload: int) -> None:
    """Remove an upload's file."""
    shutil.rmtree(_folder(tenant_id, upload), ignore_errors=True)


@gave_up(READ)
def upload_failed(tenant_id: int, because: str, *, upload: str) -> None:
    """An upload could not be read, for the last time: a failed sync says so on the page, and the file goes."""
    found = uploaded(tenant_id, int(upload))
    if found is not None:
        tenant, path, by = found
        message = (
            f"The file could not be read in {MAX_ATTEMPTS} tries, the last time because: {because.rstrip('.')}. "
            "Nothing has changed, and the file is deleted. Bring it in again; if that fails too, tell whoever runs Rollbook."
        )
        with transaction.atomic(), unguarded("an upload that cannot be read", tenant=tenant.id):
            sync = Sync.objects.create(
                tenant=tenant, state="failed", source=path.name, started_at=clock.now(), finished_at=clock.now(),
                by=by.name, by_account_id=by.id, message=message, roster_version=tenant.roster_version,
            )  # fmt: skip
            audit(tenant.id, None, "sync.failed", "sync", sync.id, sync.source, because=because)
    forget_upload(tenant_id, int(upload))


@gave_up(APPLY)
def apply_failed(tenant_id: int, because: str, *, sync_id: str) -> None:
    """A proposal could not be applied, for the last time: its page says so."""
    _order_failed(tenant_id, int(sync_id), "applied", because)


@gave_up(UNDO)
def undo_failed(tenant_id: int, because: str, *, sync_id: str) -> None:
    """A sync could not be undone, for the last time: its page says so."""
    _order_failed(tenant_id, int(sync_id), "undone", because)


def _order_failed(tenant_id: int, sync_id: int, did: str, because: str) -> None:
    tries = f"It could not be {did} in {MAX_ATTEMPTS} tries"
    message = f"{tries}, the last time because: {because.rstrip('.')}. The roster is as it was."
    with transaction.atomic(), unguarded("a sync that could not be applied or undone", tenant=tenant_id):
        for sync in Sync.objects.filter(tenant_id=tenant_id, id=sync_id):
            Sync.objects.filter(id=sync.id).update(message=message)
            audit(tenant_id, None, "sync.failed", "sync", sync.id, sync.source, because=because)


def _folder(tenant_id: int, upload: int) -> Path:
    return Path(settings.ROLLBOOK_DATA_DIR) / "uploads" / str(tenant_id) / str(upload)


def ask(tenant: Tenant, sync_id: int, what: str, by: Actor) -> None:
    """Ask the worker to apply or undo a sync (APPLY, UNDO). Raises NotFound or Invalid when that cannot be."""
    with unguarded("a sync is asked for on a page", tenant=tenant.id):
        sync = Sync.objects.filter(tenant=tenant, id=sync_id).first()
    if sync is None:
        raise NotFound("There is no such sync.")
    if sync.state not in (("proposed", "held") if what == APPLY else ("applied",)):
        raise Invalid(
            f"This sync is {sync.state} now.", "Somebody may have been quicker. Look at the list again."
        )
    verb = "sync.apply_asked" if what == APPLY else "sync.undo_asked"
    with transaction.atomic():
        audit(tenant.id, by, verb, "sync", sync.id, sync.source)
        with unguarded("what an earlier try left to say is over", tenant=tenant.id):
            Sync.objects.filter(id=sync.id).update(message="")
        enqueue(what, tenant.id, dedupe=str(sync.id), sync_id=str(sync.id))


def asked_by(tenant_id: int, verb: str, object_id: int) -> Actor:
    """Who asked for what the worker is about to do, from the audit."""
    with unguarded("the worker acts for whoever asked", tenant=tenant_id):
        said = (
            Audit.objects.filter(tenant_id=tenant_id, verb=verb, object_id=object_id)
            .order_by("-id")[:1]
            .get()
        )
    return Actor(said.actor_kind, "administrator", said.actor_id, said.actor)


def change_settings(
    tenant: Tenant, removed_percent: float, changed_percent: float, keep: Mapping[str, Any], by: Actor
) -> None:
    """Set when a sync waits for a person, and what it may store at all.

    Raises Invalid for a limit outside 0 to 100, or a selection that cannot be understood.
    """
    for name, percent in (("removed", removed_percent), ("changed", changed_percent)):
        if not 0 <= percent <= 100:
            raise Invalid(
                "A limit is a number from 0 to 100.",
                "10 means: ask me when more than a tenth would go.",
                name,
            )
    try:
        parse_keep(keep)
    except KeepError as error:
        raise Invalid("That selection cannot be understood.", str(error), "keep") from error
    with transaction.atomic():
        before = Tenant.objects.select_for_update().get(id=tenant.id)
        Tenant.objects.filter(id=tenant.id).update(
            hold_removed_percent=removed_percent, hold_changed_percent=changed_percent, keep=dict(keep)
        )
        audit(
            tenant.id, by, "sync.settings_changed", "tenant", tenant.id, tenant.name, at=clock.now().isoformat(),
            before={"removed": before.hold_removed_percent, "changed": before.hold_changed_percent, "keep": before.keep},
            after={"removed": removed_percent, "changed": changed_percent, "keep": dict(keep)},
        )  # fmt: skip
