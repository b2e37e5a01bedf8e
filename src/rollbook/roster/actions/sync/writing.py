"""A proposal becomes the roster, and an undo takes it back: each in one transaction, with what it was before, events,
identities, the new roster version and the audit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from rollbook.kernel import clock, db, ids, idset
from rollbook.kernel.errors import Invalid
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster.actions.sync import bulk
from rollbook.roster.actions.sync.specs import SPECS, Spec
from rollbook.roster.actions.sync.workspace import Run
from rollbook.roster.models import Event, Identity, Sync, Tenant
from rollbook.roster.rules.told import roster_changed

BASE = ["id", "tenant_id", "status", "date_last_modified", "row_hash", "sync_id", "sourced_id"]
TERM = ["id", "tenant_id", "class_id", "session_id"]
SAMPLE = 1000  # index entries that SQLite looks at, as its manual advises; all would take seconds for a million people
EVENT_IDS = 100_000  # in one event row: a first load of millions makes several


def write(run: Run, details: dict[str, Any]) -> int:
    """Apply the proposal in the views of `run.con`. Answers the new roster version.

    Raises Invalid when the roster has changed since the proposal was made; then nothing is written.
    """
    tenant, sync = run.tenant, run.sync
    now = clock.now()
    run.step("applying", 0, 100)
    run.quiet = True
    with unguarded("a sync is applied", tenant=tenant.id), bulk.wide_cache(), transaction.atomic():
        bulk.few_of_many()
        version = next_version(tenant, sync.roster_version)
        for number, (entity, spec) in enumerate(SPECS.items()):
            run.step(f"writing {spec.many}", number, len(SPECS))
            _write_kind(run, entity, spec, now)
        _identities(run, now)
        run.step("committing", 1, 1)
        changes = {
            "state": "applied",
            "roster_version": version,
            "finished_at": now,
            "step": "",
            "done": 100,
            "spool": "",
        }
        Sync.objects.filter(id=sync.id).update(**changes)
        audit(tenant.id, run.by, "sync.applied", "sync", sync.id, sync.source, counts=details)
    for name, value in changes.items():
        setattr(sync, name, value)
    tenant.roster_version = version
    return version


def next_version(tenant: Tenant, expected: int) -> int:
    """Take the tenant's row and count its roster version up. Raises Invalid when it is not the expected one."""
    found = Tenant.objects.select_for_update().get(id=tenant.id)
    if found.roster_version != expected:
        raise Invalid(
            "The roster has changed since this sync was proposed.",
            "Run the sync again, to see what it would do now.",
        )
    Tenant.objects.filter(id=tenant.id).update(roster_version=expected + 1)
    roster_changed.send(Tenant, tenant=tenant.id)
    return expected + 1


def _write_kind(run: Run, entity: str, spec: Spec, now: datetime) -> None:
    con, sync, moment = run.con, run.sync, sql_time(now)
    columns = [*BASE, *spec.written]
    same = {
        "tenant_id": str(sync.tenant_id),
        "status": "'active'",
        "date_last_modified": moment,
        "sync_id": str(sync.id),
    }
    own = [c for c in columns if c not in same]
    values = f"SELECT {bulk.quoted(own)} FROM d_{entity}"
    counts = dict(con.execute(f"SELECT act, count(*) FROM a_{entity} GROUP BY act").fetchall())
    if counts.get(1):
        with bulk.indexes_after(spec.table, counts[1]) as alone:
            bulk.load(con, f"{values} WHERE act = 1", spec.table, own, run.folder, same, alone)
    if counts.get(2):
        _temporary(spec.table, columns)
        changed = bulk.load(con, f"{values} WHERE act = 2", "sync_rows", own, run.folder, same)
        _keep_images(sync, entity, spec.table, columns, changed)
        given = ", ".join(f'"{c}" = t."{c}"' for c in columns if c not in ("id", "tenant_id", "sourced_id"))
        bulk.execute(f"UPDATE {spec.table} SET {given} FROM sync_rows t WHERE {spec.table}.id = t.id")
        if entity == "class":
            bulk.execute("DELETE FROM roster_classterm WHERE class_id IN (SELECT id FROM sync_rows)")
    gone = con.execute(f"SELECT count(*) FROM g_{entity}").fetchone()
    if gone and gone[0]:
        _temporary(spec.table, ["id"])
        bulk.load(con, f"SELECT id FROM g_{entity}", "sync_rows", ["id"], run.folder)
        _keep_images(sync, entity, spec.table, columns, int(gone[0]))
        bulk.execute(
            f"UPDATE {spec.table} SET status = 'tobedeleted', date_last_modified = {moment}, sync_id = {sync.id}"
            " WHERE id IN (SELECT id FROM sync_rows)"
        )
    if entity == "class" and counts:
        _write_terms(run)
    for action, query in {
        "created": f"SELECT id FROM a_{entity} WHERE act = 1 OR back ORDER BY id",
        "changed": f"SELECT id FROM a_{entity} WHERE act = 2 AND NOT back ORDER BY id",
        "removed": f"SELECT id FROM g_{entity} ORDER BY id",
    }.items():
        answer = con.execute(query)
        while rows := answer.fetchmany(EVENT_IDS):
            listed = [row[0] for row in rows]
            Event.objects.create(
                tenant_id=sync.tenant_id, sync=sync, at=now, entity=entity, action=action, ids=idset.pack(listed),
                count=len(listed),
            )  # fmt: skip


def _write_terms(run: Run) -> None:
    count = run.con.execute("SELECT count(*) FROM d_term").fetchone()
    if count and count[0]:
        number = ids.block(int(count[0])).sql("row_number() OVER (ORDER BY class_id, session_id) - 1")
        bulk.load(
            run.con, f"SELECT {number}, {run.sync.tenant_id}, class_id, session_id FROM d_term", "roster_classterm", TERM,
            run.folder,
        )  # fmt: skip


def _identities(run: Run, now: datetime) -> None:
    """A person who returns is given their id again. A new person's own row says which id came with which sync."""
    answer = run.con.execute("SELECT id, sid FROM a_person WHERE back ORDER BY id")
    while rows := answer.fetchmany(5000):
        Identity.objects.bulk_create(
            Identity(
                tenant_id=run.tenant.id,
                person_id=person,
                kind="given",
                sourced_id=sid,
                at=now,
                by=run.sync.by,
                reason=f"came back with sync {run.sync.id}",
            )
            for person, sid in rows
        )


def _temporary(table: str, columns: list[str]) -> None:
    bulk.execute("DROP TABLE IF EXISTS sync_rows")
    bulk.execute(f"CREATE TEMP TABLE sync_rows AS SELECT {bulk.quoted(columns)} FROM {table} WHERE 1 = 0")


def _keep_images(sync: Sync, entity: str, table: str, columns: list[str], count: int) -> None:
    """Keep the rows named in `sync_rows` as they are, for undo; of classes, their terms too."""
    if db.is_postgres():
        bulk.execute("ANALYZE sync_rows")
    _keep(sync, entity, table, columns, "p.id", "p.id", count)
    if entity == "class":
        found = bulk.fetch(
            "SELECT count(*) FROM roster_classterm WHERE class_id IN (SELECT id FROM sync_rows)"
        )
        _keep(sync, "term", "roster_classterm", TERM, "p.class_id", "p.class_id", int(found[0][0]))


def _keep(sync: Sync, entity: str, table: str, columns: list[str], key: str, row_id: str, count: int) -> None:
    number = ids.block(max(count, 1)).sql("row_number() OVER () - 1")
    if db.is_postgres():
        image = "row_to_json(p)::text"
    else:
        image = "json_object({})".format(", ".join(f"'{c}', p.\"{c}\"" for c in columns))
    bulk.execute(
        f"INSERT INTO roster_before (id, tenant_id, sync_id, entity, row_id, image) SELECT {number}, {sync.tenant_id}, {sync.id},"
        f" '{entity}', {row_id}, {image} FROM sync_rows t JOIN {table} p ON {key} = t.id"
    )


def sql_time(moment: datetime) -> str:
    """A moment as SQL text in the form in which Django keeps it."""
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return f"'{plain}+00'" if db.is_postgres() else f"'{plain}'"


# ---- Undo.


def take_back(tenant: Tenant, sync: Sync, by: Actor | None) -> int:
    """Restore what the sync changed and removed, and tombstone what it created. Answers the new roster version."""
    now = clock.now()
    with unguarded("a sync is undone", tenant=tenant.id), bulk.wide_cache(), transaction.atomic():
        bulk.few_of_many()
        version = next_version(tenant, sync.roster_version)
        for entity, spec in SPECS.items():
            _restore(sync, entity, spec, sql_time(now))
        opposite = {"created": "removed", "removed": "created", "changed": "changed"}
        for event in (
            Event.objects.filter(tenant_id=tenant.id, sync=sync).order_by("id").iterator(chunk_size=20)
        ):
            Event.objects.create(
                tenant_id=tenant.id, sync=sync, at=now, entity=event.entity, action=opposite[event.action],
                ids=bytes(event.ids), count=event.count,
            )  # fmt: skip
        Identity.objects.filter(
            tenant_id=tenant.id, kind="given", reason=f"came back with sync {sync.id}", undone_at=None
        ).update(undone_at=now)
        Sync.objects.filter(id=sync.id).update(state="undone", roster_version=version, finished_at=now)
        audit(tenant.id, by, "sync.undone", "sync", sync.id, sync.source)
    sync.state, sync.roster_version, sync.finished_at = "undone", version, now
    tenant.roster_version = version
    return version


def _restore(sync: Sync, entity: str, spec: Spec, moment: str) -> None:
    mine = f"tenant_id = {sync.tenant_id} AND sync_id = {sync.id}"
    before = f"SELECT row_id FROM roster_before WHERE {mine} AND entity = '{entity}'"
    bulk.execute(
        f"UPDATE {spec.table} SET status = 'tobedeleted', date_last_modified = {moment} WHERE {mine} AND id NOT IN ({before})"
    )
    columns = [c for c in (*BASE, *spec.written) if c not in ("id", "tenant_id", "date_last_modified")]
    where = f"b.tenant_id = {sync.tenant_id} AND b.sync_id = {sync.id} AND b.entity = '{entity}' AND b.row_id = {spec.table}.id"
    if db.is_postgres():
        given = ", ".join(f'"{c}" = o."{c}"' for c in columns)
        source = (
            f"roster_before b CROSS JOIN LATERAL json_populate_record(NULL::{spec.table}, b.image::json) o"
        )
    else:
        given = ", ".join(f"\"{c}\" = json_extract(b.image, '$.{c}')" for c in columns)
        source = "roster_before b"
    bulk.execute(
        f"UPDATE {spec.table} SET {given}, date_last_modified = {moment} FROM {source} WHERE {where}"
    )
    if entity == "class":
        bulk.execute(f"DELETE FROM roster_classterm WHERE class_id IN ({before})")
        values = ", ".join(
            f"CAST(CAST(b.image AS json)->>'{c}' AS bigint)"
            if db.is_postgres()
            else f"json_extract(b.image, '$.{c}')"
            for c in TERM
        )
        bulk.execute(
            f"INSERT INTO roster_classterm ({bulk.quoted(TERM)}) SELECT {values} FROM roster_before b"
            f" WHERE b.tenant_id = {sync.tenant_id} AND b.sync_id = {sync.id} AND b.entity = 'term'"
        )


def analyse(tables: list[str]) -> None:
    """Let the database count its rows again, after many were written: its plans rest on it. Both look at a sample."""
    if not db.is_postgres():
        bulk.execute(f"PRAGMA analysis_limit = {SAMPLE}")
    for table in tables:
        bulk.execute(f"ANALYZE {table}")
