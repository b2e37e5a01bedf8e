"""Leave out what the school does not let a sync store, before anything is checked, hashed or written (CLEV-0.4)."""

from __future__ import annotations

from pathlib import Path

import duckdb

from rollbook.roster.actions.sync import bulk
from rollbook.roster.models import Tenant
from rollbook.roster.rules.keep import ROLES, Keep


def select(con: duckdb.DuckDBPyConnection, keep: Keep, tenant: Tenant, folder: Path) -> int:
    """Empty the columns and delete the rows of the staging tables that are not to be stored.

    Answers how many people were left out.
    """
    for kind in sorted(keep.kinds):
        con.execute(f"DELETE FROM s_{kind}")
    for kind, column in sorted(keep.columns):
        con.execute(f"UPDATE s_{kind} SET {column} = NULL WHERE {column} IS NOT NULL")
    return _people(con, keep, tenant, folder) if keep.people else 0


def _people(con: duckdb.DuckDBPyConnection, keep: Keep, tenant: Tenant, folder: Path) -> int:
    con.execute("CREATE TABLE kept_org (sid VARCHAR)")
    if keep.orgs is not None:
        _orgs(con, keep.orgs, tenant, folder)
        con.execute(
            "CREATE TABLE left_class AS SELECT sourced_id AS sid FROM s_class"
            " WHERE school_sourced_id NOT IN (SELECT sid FROM kept_org)"
        )
        con.execute("DELETE FROM s_class WHERE school_sourced_id NOT IN (SELECT sid FROM kept_org)")
        con.execute("DELETE FROM s_enrollment WHERE class_sourced_id IN (SELECT sid FROM left_class)")
        con.execute("DELETE FROM s_role WHERE org_sourced_id NOT IN (SELECT sid FROM kept_org)")
        con.execute("DELETE FROM s_enrollment WHERE school_sourced_id NOT IN (SELECT sid FROM kept_org)")
    if keep.roles is not None:
        listed = ", ".join(f"'{role}'" for role in sorted(keep.roles))
        known = ", ".join(f"'{role}'" for role in sorted(ROLES))
        # A role that means nothing stays, to be set aside by name.
        con.execute(f"DELETE FROM s_role WHERE role IN ({known}) AND role NOT IN ({listed})")
    # A delta may change a person without naming their roles: who is in the roster was let in before.
    bulk.pull(
        con,
        f"SELECT sourced_id FROM roster_person p WHERE tenant_id = {int(tenant.id)} AND status = 'active'"
        " AND EXISTS (SELECT 1 FROM roster_role r WHERE r.tenant_id = p.tenant_id AND r.person_id = p.id AND r.status"
        " = 'active')",
        "old_person", "sid VARCHAR", folder,
    )  # fmt: skip
    con.execute(
        "CREATE TABLE kept_person AS SELECT user_sourced_id AS sid FROM s_role UNION"
        " SELECT sid FROM old_person WHERE EXISTS (SELECT 1 FROM s_file WHERE kind = 'role' AND mode = 'delta')"
        " OR NOT EXISTS (SELECT 1 FROM s_file WHERE kind = 'role')"
    )
    gone = con.execute(
        "DELETE FROM s_person WHERE sourced_id NOT IN (SELECT sid FROM kept_person WHERE sid IS NOT NULL)"
    ).fetchone()
    for kind, columns in {
        "enrollment": ["user_sourced_id"], "demographics": ["sourced_id"], "flag": ["user_sourced_id"],
        "guardianship": ["guardian_sourced_id", "child_sourced_id"],
    }.items():  # fmt: skip
        for column in columns:
            con.execute(
                f"DELETE FROM s_{kind} WHERE {column} NOT IN (SELECT sid FROM kept_person WHERE sid IS NOT NULL)"
            )
    return int(gone[0]) if gone else 0


def _orgs(con: duckdb.DuckDBPyConnection, orgs: frozenset[str], tenant: Tenant, folder: Path) -> None:
    """The chosen orgs and what lies below them, in the bundle or in the roster."""
    bulk.pull(
        con,
        f"SELECT o.sourced_id, p.sourced_id FROM roster_org o JOIN roster_org p ON p.id = o.parent_id"
        f" WHERE o.tenant_id = {int(tenant.id)}",
        "old_parent", "sid VARCHAR, parent VARCHAR", folder,
    )  # fmt: skip
    con.executemany("INSERT INTO kept_org VALUES (?)", [[sid] for sid in sorted(orgs)])
    con.execute(
        "CREATE TABLE kept_below AS WITH RECURSIVE tree AS (SELECT sourced_id AS sid, parent_sourced_id AS parent FROM s_org"
        " UNION ALL SELECT sid, parent FROM old_parent WHERE sid NOT IN (SELECT sourced_id FROM s_org WHERE sourced_id"
        " IS NOT NULL)),"
        " below AS (SELECT sid FROM kept_org UNION SELECT tree.sid FROM tree JOIN below ON tree.parent = below.sid)"
        " SELECT sid FROM below"
    )
    con.execute("DROP TABLE kept_org")
    con.execute("ALTER TABLE kept_below RENAME TO kept_org")
