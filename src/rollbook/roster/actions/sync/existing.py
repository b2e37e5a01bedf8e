"""What the roster holds already: (sourced_id, id, row_hash, active) of each kind, in DuckDB.

The database is the authority. After a big sync the keys are kept as Parquet beside it, valid while the roster is as
that sync left it: reading them is many times quicker than asking the database for millions of rows.

With the keys stands the digest of the row of the file that each came from. Where nothing in the bundle asked for
judgement (no row set aside, no leniency), a row with the same digest is the row of the roster as it stands, and the
next sync reads, checks and compares changed rows only (`rules.Kept`). A note beside the keys says for which kinds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from rollbook.kernel import db
from rollbook.policy import unguarded
from rollbook.roster.actions.sync import bulk
from rollbook.roster.actions.sync.specs import SPECS, Spec
from rollbook.roster.actions.sync.workspace import Run, home
from rollbook.roster.models import Sync, Tenant
from rollbook.roster.rules import Kept, ReadWhole

WORTH = 50_000  # rows; of fewer, the database tells as quickly
KEYS = "sid VARCHAR, id BIGINT, hash BIGINT, active BOOLEAN"


def made_by(tenant: Tenant) -> int:
    """The sync that made the roster as it is; 0 where that was a hand, an undo, or nobody."""
    found = Sync.objects.filter(
        tenant_id=tenant.id, state="applied", roster_version=tenant.roster_version
    ).first()
    return int(found.id) if found else 0


def read_keys(
    con: duckdb.DuckDBPyConnection, spec: Spec, tenant: Tenant, sync: int, folder: Path, part: bool = False
) -> None:
    """Make `k_<entity>` from the snapshot of the sync that made the roster (see `made_by`), or else from the database.

    part: few of the keys will be asked for, and they stay in their file.
    """
    table, snapshot = f"k_{spec.entity}", _snapshot(tenant, spec.entity, sync)
    if part:
        if not snapshot.exists():  # the roster has changed meanwhile
            raise ReadWhole
        con.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM read_parquet('{snapshot}')")
        return
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


def write_snapshots(
    con: duckdb.DuckDBPyConnection,
    tenant: Tenant,
    sync: int,
    regular: Mapping[str, str],
    part: frozenset[str],
) -> None:
    """Keep the keys as they are after a sync; those of other syncs go. Needs the tables and views of the proposal.

    regular: the kinds whose digests are kept too (`Staged.regular`). part: those whose unchanged rows are not staged.
    """
    digests = {}
    for entity in SPECS:
        rows = con.execute(
            f"SELECT (SELECT count(*) FROM k_{entity}) + (SELECT count(*) FROM a_{entity})"
        ).fetchone()
        if not rows or rows[0] < WORTH:
            continue
        final = _snapshot(tenant, entity, sync)
        fresh = final.with_suffix(".new")
        new, old, staged = "CAST(NULL AS UBIGINT)", "CAST(NULL AS UBIGINT)", ""
        if entity in regular:
            new, staged = "s._raw", f" JOIN s_{entity} s ON s.rowid = j.rid"
            old = "k.raw" if entity in part else old
        con.execute(
            f"COPY (SELECT k.sid, k.id, k.hash, k.active AND k.id NOT IN (SELECT id FROM g_{entity}) AS active, {old} AS raw"
            f" FROM k_{entity} k WHERE k.sid NOT IN (SELECT sid FROM j_{entity} WHERE act IN (0, 1, 2))"
            f" UNION ALL SELECT j.sid, j.id, j.row_hash, true, {new} FROM j_{entity} j{staged} WHERE j.act IN (0, 1, 2))"
            f" TO '{fresh}' (FORMAT parquet, COMPRESSION zstd)"
        )
        fresh.rename(final)
        # A row that no file gave (entered by hand, or by a delta) has no digest: then only the whole file tells.
        apart = con.execute(
            f"SELECT 1 FROM read_parquet('{final}') WHERE active AND raw IS NULL LIMIT 1"
        ).fetchone()
        if entity in regular and not apart:
            digests[entity] = regular[entity]
    forget_snapshots(tenant, keep=sync)
    if digests:
        fresh = _note(tenant, sync).with_suffix(".new")
        fresh.write_text(json.dumps({"code": _code(), "regular": digests}), encoding="ascii")
        fresh.rename(_note(tenant, sync))


def kept(run: Run) -> Kept | None:
    """What the next bundle's rows can be compared with before they are read; None where they are to be read whole."""
    tenant = run.tenant
    if tenant.keep:
        return None
    with unguarded("what the last sync kept of its files is found", tenant=tenant.id):
        sync = made_by(tenant)
    try:
        note: dict[str, Any] = json.loads(_note(tenant, sync).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    if note.get("code") != _code():
        return None
    regular = {
        entity: digest
        for entity, digest in note["regular"].items()
        if _readable(run.con, tenant, entity, sync)
    }
    return Kept(
        regular,
        {
            entity: f"(SELECT raw, sid FROM read_parquet('{_snapshot(tenant, entity, sync)}') WHERE active)"
            for entity in regular
        },
    )


def forget_snapshots(tenant: Tenant, keep: int = -1) -> None:
    """Remove the snapshots of other syncs."""
    for path in home(tenant).glob("keys-*"):
        if not path.name.startswith(f"keys-{keep}-"):
            path.unlink(missing_ok=True)


def _snapshot(tenant: Tenant, entity: str, sync: int) -> Path:
    return home(tenant) / f"keys-{sync}-{entity}.parquet"


def _note(tenant: Tenant, sync: int) -> Path:
    return home(tenant) / f"keys-{sync}-regular.json"


def _readable(con: duckdb.DuckDBPyConnection, tenant: Tenant, entity: str, sync: int) -> bool:
    try:
        con.execute(
            f"SELECT raw, sid, id, hash, active FROM read_parquet('{_snapshot(tenant, entity, sync)}') LIMIT 0"
        )
    except duckdb.Error:
        return False
    return True


@cache
def _code() -> str:
    """Of the code that reads and judges rows: another version may judge the same row otherwise."""
    roster = Path(__file__).resolve().parents[2]
    found = hashlib.sha256(duckdb.__version__.encode())
    for path in sorted(roster.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()
