"""Syncs from the command line, a page or the worker: one function reads, checks, plans and applies."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.jobs import job
from rollbook.kernel.progress import Progress
from rollbook.policy import Actor
from rollbook.roster.actions import orders, sandbox
from rollbook.roster.actions import sync as syncing
from rollbook.roster.actions.sync import Sync, Tenant
from rollbook.roster.connectors import stage
from rollbook.roster.connectors.generate import generate_oneroster
from rollbook.roster.rules import ReadWhole


def sync_path(
    tenant: Tenant,
    path: Path,
    *,
    format: str = "auto",
    dry_run: bool = False,
    yes: bool = False,
    invented: bool = False,
    by: Actor | None = None,
    progress: Progress | None = None,
) -> Sync:
    """Sync the tenant's roster with the bundle (a folder or zip) at path.

    dry_run: make the proposal and apply nothing. yes: apply even what would be held. invented: these are
    people of our own making, which alone a sandbox takes. by: whoever asked, for the audit.
    Answers the sync; its state says what became of it: applied, unchanged, proposed (dry run), held, or refused with
    a message. Raises Invalid when another sync of the tenant runs, and for a sandbox, whose people are invented.
    """
    if tenant.sandbox and not invented:
        raise Invalid(
            f"{tenant.name} is a developer’s sandbox: it holds invented people only.",
            "Set up a tenant for the school, and bring its files in there.",
        )
    with syncing.begin(tenant, Path(path), by=by, progress=progress) as run:
        run.step("reading", 0, 100)
        if syncing.known(run, Path(path), format):
            return run.sync
        try:  # changed rows alone, where they suffice
            kept = syncing.kept(run)
            propose = syncing.propose(run, stage(Path(path), run.con, format=format, progress=run, kept=kept))
        except ReadWhole:
            run.anew()
            propose = syncing.propose(run, stage(Path(path), run.con, format=format, progress=run))
        if propose.state in ("proposed", "held"):
            if not dry_run and (propose.state == "proposed" or yes):
                syncing.apply(run)
            else:
                syncing.wait(run)
    return run.sync


def apply_held(
    tenant: Tenant, sync_id: int, *, by: Actor | None = None, progress: Progress | None = None
) -> Sync:
    """Apply a proposal that waits, exactly as it was shown.

    Raises Invalid when it does not wait, when the roster has changed since, or when another sync runs.
    """
    with syncing.resume(tenant, sync_id, by=by, progress=progress) as run:
        syncing.take_up(run)
    return run.sync


def fill_sandbox(tenant: Tenant, *, a_day_on: bool = False) -> Sync:
    """Bring the invented people of a sandbox in, through the real sync: as on its first day, or as a day later.

    The same people for every developer, but for the day on which a leaver left: that was yesterday. Raises NotFound
    for a tenant that is no sandbox.
    """
    sandbox.must_be(tenant)
    year, left_on = sandbox.school_year(clock.today())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "invented-people"
        generate_oneroster(
            path, students=sandbox.PUPILS, schools=sandbox.SCHOOLS, seed=sandbox.SEED, school_year=year,
            left_on=left_on, every_case=True, **(sandbox.A_DAY_ON if a_day_on else {}),
        )  # fmt: skip
        made = sync_path(tenant, path, yes=True, invented=True)
    sandbox.restrict_one(tenant)
    return made


@job(sandbox.FILL)
def fill_asked(tenant_id: int, *, a_day_on: bool) -> None:
    """Fill a sandbox, for a page."""
    fill_sandbox(Tenant.objects.get(id=tenant_id), a_day_on=a_day_on)


# ---- What a page asked for (`actions.orders`). Each is safe to run again when its worker died.


@job(orders.READ)
def read_upload(tenant_id: int, *, upload: str) -> None:
    """Make a proposal of an uploaded zip; a person looks at it before it is applied."""
    found = orders.uploaded(tenant_id, int(upload))
    if found is not None:
        tenant, path, by = found
        sync_path(tenant, path, dry_run=True, by=by)
        orders.forget_upload(tenant_id, int(upload))


@job(orders.APPLY)
def apply_asked(tenant_id: int, *, sync_id: str) -> None:
    """Apply a proposal."""
    tenant = Tenant.objects.get(id=tenant_id)
    if syncing.find(tenant, int(sync_id)).state in ("proposed", "held"):
        apply_held(tenant, int(sync_id), by=orders.asked_by(tenant_id, "sync.apply_asked", int(sync_id)))


@job(orders.UNDO)
def undo_asked(tenant_id: int, *, sync_id: str) -> None:
    """Undo the latest applied sync."""
    tenant = Tenant.objects.get(id=tenant_id)
    sync = syncing.find(tenant, int(sync_id))
    if sync.state == "applied":
        syncing.undo(tenant, sync, by=orders.asked_by(tenant_id, "sync.undo_asked", int(sync_id)))
