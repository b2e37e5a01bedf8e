"""What the roster holds already: (sourced_id, id, row_hash, active) of each kind, in DuckDB.

The database is the authority. After a big sync the keys are kept as Parquet beside it, valid while the roster is as
that sync left it: reading them is many times quicker than asking the database for millions of rows.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from rollbook.kernel import db
from rollbook.roster.actions.sync import bulk
from rollbook.roster.actions.sync.specs import SPECS, Spec
from rollbook.roster.actions.sync.workspace import home
from rollbook.roster.models import Sync, Tenant

WORTH = 50_000  # rows; of fewer, the database tells as quickly
KEYS = "sid VARCHAR, id BIGINT, hash BIGINT, active BOOLEAN"


def made_by(tenant: Tenant) -> int:
    """The sync that made the roster as it is; 0 where that was a hand, an undo, or nobody."""
    found = Sync.objects.filter(
        tenant_id=tenant.id, state="applied", roster_version=tenant.roster_version
    ).first()
    return int(found.id) if found else 0


def read_keys(con: duckdb.DuckDBPyConnection, spec: Spec, tenant: Tenant, sync: int, folder: Path) -> None:
    """Make `k_<entity>` from the snapshot of the sync that made the roster (see `made_by`), or else from the database."""
    table, snapshot = f"k_{spec.entity}", _snapshot(tenant, spec.entity, sync)
    con.execute(f"DROP TABLE IF EXISTS {table}")
    if snapshot.exists():
        try:
            con.execute(
                f"CREATE TABLE {table} AS SELECT sid, id, hash, active FROM read_parquet('{snapshot}')"
            )
            return
        except duckdb.Error:  # a broken file is worth no more than none
            snapshot.unlink(missing_ok=True)
    # SQLite would walk the unique index and look up each row; in the table's own order it reads four times faster.
    hint = "" if db.is_postgres() else " NOT INDEXED"
    active = (
        "status = 'active'" if db.is_postgres() else "CASE status WHEN 'active' THEN 'true' ELSE 'false' END"
    )
    bulk.pull(
        con, f"SELECT sourced_id, id, row_hash, {active} FROM {spec.table}{hint} WHERE tenant_id = {int(tenant.id)}",
        table, KEYS, folder,
    )  # fmt: skip


def write_snapshots(con: duckdb.DuckDBPyConnection, tenant: Tenant, sync: int) -> None:
    """Keep the keys as they are after a sync; those of other syncs go. Needs the tables and views of the proposal."""
    for entity in SPECS:
        rows = con.execute(
            f"SELECT (SELECT count(*) FROM k_{entity}) + (SELECT count(*) FROM a_{entity})"
        ).fetchone()
        if not rows or rows[0] < WORTH:
            continue
        final = _snapshot(tenant, entity, sync)
        fresh = final.with_suffix(".new")
        con.execute(
            f"COPY (SELECT sid, id, hash, active AND id NOT IN (SELECT id FROM g_{entity}) AS active FROM k_{entity}"
            f" WHERE id NOT IN (SELECT id FROM a_{entity} WHERE act = 2)"
            f" UNION ALL SELECT sid, id, hash, true FROM a_{entity}) TO '{fresh}' (FORMAT parquet, COMPRESSION zstd)"
        )
        fresh.rename(final)
    forget_snapshots(tenant, keep=sync)


def forget_snapshots(tenant: Tenant, keep: int = -1) -> None:
    """Remove the snapshots of other syncs."""
    for path in home(tenant).glob("keys-*.parquet"):
        if not path.name.startswith(f"keys-{keep}-"):
            path.unlink(missing_ok=True)


def _snapshot(tenant: Tenant, entity: str, sync: int) -> Path:
    return home(tenant) / f"keys-{sync}-{entity}.parquet"
