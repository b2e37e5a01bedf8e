"""Actors x purposes x tables x columns: the gate, the second wall alone, and an oracle that shares no code with them
give the same answer everywhere, over made-up worlds."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from rollbook.policy import Access, Actor, Guarded, bundle_for, walls
from rollbook.policy.gate.standing import role_name
from tests.policy.oracle import POLICY, REACHES, Oracle, Who, World, category, words

PURPOSES = [*tomllib.loads(POLICY.read_text(encoding="utf-8"))["purposes"], "advertising", "curiosity"]
ROLES = ["administrator", "dpo", "head", "teacher", "app", "student", "guardian", "cook"]


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(POLICY.read_text(encoding="utf-8"))


def guarded() -> list[Any]:
    return [m for m in apps.get_models() if issubclass(m, Guarded)]


def access_of(who: Who, purpose: str) -> Access:
    actor = Actor(
        "app" if who.role == "app" else "staff",
        who.role,
        who.app or 1,
        "x",
        who.person or None,
        who.org or None,
    )
    return Access(actor, purpose, who.tenant, bundle_for("default"))


def differences(oracle: Oracle, bundle: Any = None) -> list[str]:
    """Where the compiled decisions differ from the oracle's: every role, purpose, table and column."""
    found = []
    for role in ROLES:
        for purpose in PURPOSES:
            access = Access(Actor("staff", role, 1, "x"), purpose, 1, bundle or bundle_for("default"))
            for model in guarded():
                for column in model._meta.concrete_fields:
                    word = words().get(model._meta.db_table, {}).get(column.column, "missing")
                    right = oracle.decide(role, purpose, category(word))
                    got = access.decide_column(model, column.attname).answer
                    if got != right:
                        found.append(
                            f"{role}, {purpose}, {model._meta.db_table}.{column.column}: {got}, not {right}"
                        )
    return found


def test_every_decision_is_the_oracles(oracle: Oracle) -> None:
    assert differences(oracle) == []


@pytest.mark.commitment("CLEV-2.5")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_row_and_column_is_the_oracles(db: None, oracle: Oracle, seed: int) -> None:
    world = World(seed)
    models = {m._meta.label: m for m in guarded()}
    seen = {"rows": 0, "refusals": 0}
    for who in world.actors:
        for purpose in [
            *(p for r, p in bundle_for("default").rules if r == who.role),
            "administration",
            "curiosity",
        ]:
            access = access_of(who, purpose)
            every = oracle.rows(who, purpose, world)
            for label, right in every.items():
                model, table = models[label], models[label]._meta.db_table
                where = f"{who}, {purpose}, {label}"
                if not access.decide(model).allowed:
                    assert right == set(), where
                    seen["refusals"] += 1
                    continue
                gate = {row.id: row for row in access.select(model)}
                assert set(gate) == right, where
                shown = {f.column for f in model._meta.concrete_fields if f.attname in access.columns(model)}
                assert shown == oracle.columns(who.role, purpose, table), where
                for row in gate.values():  # what came is what was granted, and no more
                    assert {
                        f.column for f in model._meta.concrete_fields if f.attname in row.__dict__
                    } == shown, where
                seen["rows"] += len(right)
                if connection.vendor == "postgresql":
                    assert _behind_the_wall(access, table) == right, where
    assert seen["rows"] > 1000 and seen["refusals"] > 100


def _behind_the_wall(access: Access, table: str) -> set[int]:
    with access.open():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f'SELECT id FROM "{table}"')
                return {row[0] for row in cursor.fetchall()}
        except ProgrammingError as error:
            if "permission denied" not in str(error):
                raise
            return set()


def test_the_database_grants_the_oracles_columns(db: None, oracle: Oracle) -> None:
    """On PostgreSQL a role may select exactly the columns that it may use for some purpose. On SQLite the gate alone
    keeps columns back, and its union over purposes is compared."""
    roles = walls.roles(walls.all_bundles())
    for model in guarded():
        table = model._meta.db_table
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT r.rolname, a.attname FROM pg_roles r CROSS JOIN pg_attribute a WHERE r.rolname = ANY(%s)"
                    " AND a.attrelid = %s::regclass AND a.attnum > 0"
                    " AND has_column_privilege(r.oid, a.attrelid, a.attnum, 'SELECT')",
                    [[role_name(role) for role in roles], table],
                )
                held = set(cursor.fetchall())
        else:
            held = {
                (role_name(role), c)
                for role in roles
                for c in walls.grant(walls.all_bundles(), role, model).columns
            }
        for role in roles:
            right: set[str] = set()
            for purpose in PURPOSES:
                if _listed(role, purpose, model) and oracle.sees_table(role, purpose, table):
                    right |= oracle.columns(role, purpose, table)
            assert {column for name, column in held if name == role_name(role)} == right, (role, table)


@lru_cache(maxsize=1)
def _reach_of() -> dict[tuple[str, str], str]:
    return {
        (r["role"], r["purpose"]): r["reach"]
        for r in tomllib.loads(POLICY.read_text(encoding="utf-8"))["rule"]
    }


def _listed(role: str, purpose: str, model: Any) -> bool:
    """Whether the rule's relationship reaches the table at all, and the table is a tenant's."""
    reach = _reach_of().get((role, purpose), "")
    if not reach or "tenant_id" not in words()[model._meta.db_table]:
        return False
    tables = REACHES[reach]
    return tables is None or model._meta.object_name in tables[0] | tables[1]
