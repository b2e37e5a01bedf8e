"""A sync is a proposal: checked, compared, shown, held where it is suspicious, applied whole, undone whole.

    with begin(tenant, path) as run:
        staged = stage(path, run.con)  # or only what has changed: stage(path, run.con, kept=kept(run))
        propose(run, staged)
        if run.sync.state == "proposed":
            apply(run)

Killed at any moment it leaves the old roster or the new one; the next `begin` clears away what it left.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import Any

import duckdb

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster.actions.sync import lines, proposal, writing
from rollbook.roster.actions.sync import same as same_files
from rollbook.roster.actions.sync.check import Checker
from rollbook.roster.actions.sync.existing import forget_snapshots, kept, write_snapshots
from rollbook.roster.actions.sync.same import known
from rollbook.roster.actions.sync.select import select
from rollbook.roster.actions.sync.specs import SPECS
from rollbook.roster.actions.sync.workspace import (
    WAITING,
    Run,
    begin,
    close_waiting,
    find,
    one_at_a_time,
    resume,
    spool_of,
    supersede,
)
from rollbook.roster.models import Sync, Tenant
from rollbook.roster.rules import ReadWhole, Refused, Staged, plan
from rollbook.roster.rules.keep import Keep, KeepError, parse_keep

__all__ = [
    "Run",
    "Sync",
    "Tenant",
    "apply",
    "begin",
    "discard",
    "find",
    "judge",
    "kept",
    "known",
    "propose",
    "resume",
    "take_up",
    "undo",
    "wait",
]

NOTICES = 500
MANY = 5000  # rows created, and a tenth of those there were: then the database counts its rows again


def propose(run: Run, staged: Staged) -> Sync:
    """Check the staged bundle, compare it with the roster, and write the proposal into the sync's row.

    Afterwards the state is proposed, held (with `holds`), or unchanged. Raises Refused when the tenant's selection
    cannot be understood, and ReadWhole when only changed rows were staged and do not suffice: then nothing was decided.
    """
    tenant, con = run.tenant, run.con
    tenant.refresh_from_db()
    supersede(run)
    if staged.part and tenant.keep:
        raise ReadWhole
    try:
        keep = parse_keep(tenant.keep or {})
    except KeepError as error:
        raise Refused(
            f"What this tenant keeps cannot be understood: {error}", mend="Correct it in the settings."
        ) from error
    sha256 = _fingerprint(staged.sha256, tenant.keep)
    run.save(
        format=f"{staged.format} {staged.version}", sha256=sha256, source=run.sync.source or staged.source,
        roster_version=tenant.roster_version, notices=_notices(con),
    )  # fmt: skip
    with unguarded("a sync compares itself with the one before", tenant=tenant.id):
        same = Sync.objects.filter(
            tenant_id=tenant.id, state__in=("applied", "unchanged"), sha256=sha256, roster_version=tenant.roster_version
        ).order_by("-id").first()  # fmt: skip
    if same:
        same_files.close(run, same)
        same_files.remember(run)
        return run.sync
    with unguarded("a sync compares the bundle with the roster", tenant=tenant.id):
        checker, left_out = judge(run, staged, keep)
        run.step("planning", 90, 100)
        proposal.stand_alone(checker)
        proposal.follow(checker)
        proposal.make_views(con)
        tallies = proposal.tally(checker)
        found = plan.holds(tallies, tenant.hold_removed_percent, tenant.hold_changed_percent)
        changes = any(t.created or t.changed or t.removed for t in tallies.values())
        told = proposal.plan_lines(con, tenant, run.folder) if changes else []
        held = [{**hold.as_json(), "people": proposal.people_of(con, hold, tenant)} for hold in found]
        lines.count_dependents(con)
        lines.store(con, run.sync, run.folder)
        if not (tenant.keep or _has_exceptions(con)):
            run.regular, run.part = dict(staged.regular), staged.part
    counts = proposal.counts_json(con, tallies)
    if left_out:
        counts.setdefault("person", {})["left_out"] = left_out
    state = "held" if held else "proposed" if changes else "unchanged"
    run.save(
        state=state, counts=counts, plan=told, holds=held, message=plan.summary(tallies), done=100,
        step="" if state == "unchanged" else state, finished_at=clock.now() if state == "unchanged" else None,
    )  # fmt: skip
    if state == "unchanged":
        same_files.remember(run)
    return run.sync


def judge(run: Run, staged: Staged, keep: Keep | None = None) -> tuple[Checker, int]:
    """Check every staged row and every reference, and compare with the roster. Also answers how many people were left out."""
    con, tenant = run.con, run.tenant
    keep = keep or Keep()
    checker = Checker(con, tenant, run.folder, staged.kinds, keep.columns, staged.part)
    lines.make_tables(con)
    checker.prepare()
    checker.fill_schools()
    left_out = select(con, keep, tenant, run.folder)
    for number, spec in enumerate(SPECS.values()):
        run.step(f"checking {spec.many}", 10 + number * 7, 100)
        checker.check(spec)
    return checker, left_out


def wait(run: Run) -> Sync:
    """Keep the proposal until a person applies or discards it."""
    folder = spool_of(run.tenant, run.sync)
    proposal.spool(run.con, folder)
    run.save(spool=str(folder.name))
    return run.sync


def apply(run: Run) -> Sync:
    """Apply the proposal. Raises Invalid when it is not one, or when the roster has changed since."""
    sync = run.sync
    if sync.state not in WAITING:
        raise Invalid(f"This sync is {sync.state}: there is nothing to apply.")
    run.save(state="applying")
    writing.write(run, sync.counts)
    run.progress.step("keeping keys", 0, 1)
    try:
        if sync.counts and _has_keys(run.con):
            write_snapshots(run.con, run.tenant, sync.id, run.regular, run.part)
        else:
            forget_snapshots(run.tenant)
        same_files.remember(run)
    except (OSError, duckdb.Error):  # a full disk: the roster stands, and the next sync asks the database
        forget_snapshots(run.tenant)
    shutil.rmtree(spool_of(run.tenant, sync), ignore_errors=True)
    big = [spec for entity, spec in SPECS.items() if _grew(sync.counts.get(entity) or {})]
    if big:
        with unguarded("the database counts the rows of a big sync", tenant=run.tenant.id):
            writing.analyse([spec.table for spec in big])
    return sync


def take_up(run: Run) -> Sync:
    """Apply a proposal that waited (see `resume`). Raises Invalid when its files have gone."""
    try:
        proposal.unspool(run.con, spool_of(run.tenant, run.sync))
    except (FileNotFoundError, duckdb.Error):
        raise Invalid("What this sync would write is no longer kept.", "Run the sync again.") from None
    return apply(run)


def discard(tenant: Tenant, sync: Sync, *, by: Actor | None = None) -> Sync:
    """Throw a proposal away. Raises Invalid when it does not wait."""
    with one_at_a_time(tenant):
        sync = find(tenant, sync.id)
        if sync.state not in WAITING:
            raise Invalid(f"This sync is {sync.state}: there is nothing to discard.")
        close_waiting(tenant, sync, "It was discarded.")
        audit(tenant.id, by, "sync.discarded", "sync", sync.id, sync.source)
    return sync


def undo(tenant: Tenant, sync: Sync, *, by: Actor | None = None) -> Sync:
    """Put the roster back as it was before the sync: changed and removed rows as they were, created ones tombstoned.

    Only the latest applied sync can be undone, and only while nothing else has changed the roster: later changes may
    rest on its rows. Raises Invalid that says which of these it is.
    """
    with one_at_a_time(tenant):
        sync = find(tenant, sync.id)
        tenant.refresh_from_db()
        if sync.state != "applied":
            raise Invalid(f"This sync is {sync.state}: there is nothing to undo.")
        with unguarded("only the latest sync can be undone", tenant=tenant.id):
            later = Sync.objects.filter(tenant_id=tenant.id, state="applied", id__gt=sync.id).exists()
        if later:
            raise Invalid("A later sync has been applied since; only the latest can be undone.", "Undo that one first, "
                          "or mend the source and sync again.")  # fmt: skip
        if tenant.roster_version != sync.roster_version:
            raise Invalid("The roster has been changed since this sync (by hand, or by another undo).",
                          "Mend the source and sync again.")  # fmt: skip
        writing.take_back(tenant, sync, by)
        forget_snapshots(tenant)
    return sync


def _fingerprint(sha256: str, keep: dict[str, Any] | None) -> str:
    """Of the bundle and of what may be stored of it: the same files under another selection are another bundle."""
    if not keep:
        return sha256
    return hashlib.sha256(f"{sha256} {json.dumps(keep, sort_keys=True)}".encode()).hexdigest()


def _notices(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = ["code", "severity", "file", "row", "column_name", "value", "message", "mend", "n"]
    rows = con.execute(
        f"SELECT {', '.join(names)} FROM s_notice ORDER BY severity, n DESC LIMIT {NOTICES}"
    ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def _has_exceptions(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether some row is not in the roster as it stands in the files."""
    kept_out = " UNION ALL ".join(f"SELECT 1 FROM j_{entity} WHERE act = 5" for entity in SPECS)
    return bool(
        con.execute(
            f"SELECT 1 FROM problem UNION ALL SELECT 1 FROM alias UNION ALL {kept_out} LIMIT 1"
        ).fetchone()
    )


def _grew(counts: dict[str, int]) -> bool:
    return counts.get("created", 0) > max(MANY, counts.get("existing", 0) // 10)


def _has_keys(con: duckdb.DuckDBPyConnection) -> bool:
    return bool(con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'k_org'").fetchone())
