"""From checked rows to a proposal: what hangs on rows that go, what is counted, what is said, what is kept for later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from rollbook.roster.actions.sync import bulk
from rollbook.roster.actions.sync.check import BY_HAND, Checker
from rollbook.roster.actions.sync.specs import SPECS, TARGETS, Spec
from rollbook.roster.models import Tenant
from rollbook.roster.rules import ReadWhole
from rollbook.roster.rules import plan as words

LINES = 200  # of the plan, the biggest first
PEOPLE = 20  # named with a hold


def follow(checker: Checker) -> None:
    """Let go with a row what cannot stand without it, and with a person of a delta the roles it no longer names."""
    con, tenant = checker.con, int(checker.tenant.id)
    if "role" in checker.owned:
        bulk.pull_ids(
            con, "SELECT id FROM j_person WHERE act IN (0, 2)",
            f"SELECT sourced_id, id FROM roster_role WHERE tenant_id = {tenant} AND status = 'active' AND person_id IN ({{ids}})",
            "owned_role", "sid VARCHAR, id BIGINT", checker.folder,
        )  # fmt: skip
        con.execute(
            "INSERT INTO g_role SELECT id, 'absent' FROM owned_role WHERE sid NOT IN (SELECT sid FROM j_role WHERE sid"
            " IS NOT NULL)"
        )
    for spec in SPECS.values():
        if not _stands_apart(checker, spec):
            continue
        for ref in spec.refs:
            if not ref.required or not _any(con, f"g_{ref.kind}"):
                continue
            fallen = f"fallen_{spec.entity}_{ref.column}"
            bulk.pull_ids(
                con, f"SELECT id FROM g_{ref.kind}",
                f"SELECT sourced_id, id FROM {spec.table} WHERE tenant_id = {tenant} AND status = 'active'"
                f" AND {ref.column} IN ({{ids}})",
                fallen, "sid VARCHAR, id BIGINT", checker.folder,
            )  # fmt: skip
            con.execute(
                f"INSERT INTO g_{spec.entity} SELECT id, '{ref.kind}' FROM {fallen} WHERE id NOT IN (SELECT id FROM"
                f" g_{spec.entity})"
                f" AND sid NOT IN (SELECT sid FROM j_{spec.entity} WHERE act IN (0, 1, 2))"
            )


def _stands_apart(checker: Checker, spec: Spec) -> bool:
    """Whether the roster may hold active rows of the kind that the bundle neither gives nor takes away."""
    if checker.modes.get(spec.of) != "bulk":
        return True
    one = checker.con.execute(
        f"SELECT {-checker.unchanged(spec)}"
        f" + (SELECT count(*) FROM k_{spec.entity} WHERE active) - (SELECT count(*) FROM g_{spec.entity})"
        f" - (SELECT count(*) FROM j_{spec.entity} WHERE act = 0 OR (act = 2 AND NOT back))"
    ).fetchone()
    return bool(one and one[0])


def _any(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(con.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone())


def make_views(con: duckdb.DuckDBPyConnection) -> None:
    """a_<entity>: ids created and changed. d_<entity>: their rows as they will stand. d_term: terms of their classes."""
    for entity, spec in SPECS.items():
        con.execute(
            f"CREATE OR REPLACE VIEW a_{entity} AS SELECT id, act, sid, row_hash AS hash, back FROM j_{entity} WHERE"
            " act IN (1, 2)"
        )
        refs = "".join(f", j.{ref.column}" for ref in spec.refs)
        columns = "".join(f', {c.sql} AS "{c.name}"' for c in spec.columns)
        con.execute(
            f"CREATE OR REPLACE VIEW d_{entity} AS SELECT j.act, j.id, s.sourced_id, j.row_hash{refs}{columns}"
            f" FROM j_{entity} j JOIN {spec.staged} s ON s.rid = j.rid WHERE j.act IN (1, 2)"
        )
    con.execute("CREATE TABLE IF NOT EXISTS t_term (rid BIGINT, term VARCHAR, session_id BIGINT)")
    con.execute(
        "CREATE OR REPLACE VIEW d_term AS SELECT DISTINCT j.id AS class_id, t.session_id, j.act FROM t_term t"
        " JOIN j_class j ON j.rid = t.rid WHERE j.act IN (1, 2) AND t.session_id IS NOT NULL"
    )


def spool(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Keep the proposal until a person has decided: only what it would write, only what may be stored."""
    folder.mkdir(parents=True, exist_ok=True)
    for entity in SPECS:
        for letter in "adg":
            con.execute(
                f"COPY (SELECT * FROM {letter}_{entity}) TO '{folder}/{letter}_{entity}.parquet' (FORMAT parquet)"
            )
    con.execute(f"COPY (SELECT * FROM d_term) TO '{folder}/d_term.parquet' (FORMAT parquet)")


def unspool(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """The views and tables of a proposal that waited. Raises FileNotFoundError where its files have gone."""
    for entity in SPECS:
        for letter in "adg":
            file = folder / f"{letter}_{entity}.parquet"
            if not file.exists():
                raise FileNotFoundError(file.name)
            con.execute(f"CREATE OR REPLACE VIEW {letter}_{entity} AS SELECT * FROM read_parquet('{file}')")
    con.execute(f"CREATE OR REPLACE VIEW d_term AS SELECT * FROM read_parquet('{folder}/d_term.parquet')")


# ---- Counting and telling.


def stand_alone(checker: Checker) -> None:
    """Raise ReadWhole where changed rows cannot be judged without the unchanged ones: something is to be said of a row,
    or an unchanged row refers to one that goes."""
    con, tenant = checker.con, int(checker.tenant.id)
    if not checker.part:
        return
    # What was entered by hand can be referred to or not, as the files around it are whole or delta.
    by_hand = [f"k_{kind} WHERE sid LIKE '{BY_HAND}%'" for kind in TARGETS]
    if any(_any(con, table) for table in ("problem", "alias", "g_org", "g_session", "g_course", *by_hand)):
        raise ReadWhole
    for spec in SPECS.values():
        if spec.of not in checker.part:
            continue
        for ref in spec.refs:
            if not _any(con, f"g_{ref.kind}"):
                continue
            table = f"orphan_{spec.entity}_{ref.column}"
            bulk.pull_ids(
                con, f"SELECT id FROM g_{ref.kind}",
                f"SELECT sourced_id FROM {spec.table} WHERE tenant_id = {tenant} AND status = 'active'"
                f" AND {ref.column} IN ({{ids}})",
                table, "sid VARCHAR", checker.folder,
            )  # fmt: skip
            read = f"SELECT sid FROM x_{spec.of} UNION ALL SELECT sourced_id FROM s_{spec.of}"
            if _any(con, f"{table} WHERE sid NOT IN ({read})"):
                raise ReadWhole


def tally(checker: Checker) -> dict[str, words.Tally]:
    """What becomes of each kind that the bundle speaks about, or whose rows go with others."""
    con, kinds, found = checker.con, checker.kinds, {}
    for entity, spec in SPECS.items():
        acts = dict(con.execute(f"SELECT act, count(*) FROM j_{entity} GROUP BY act").fetchall())
        existing = _count(con, f"k_{entity} WHERE active")
        removed, same = _count(con, f"g_{entity}"), checker.unchanged(spec)
        if spec.of not in kinds and not removed:
            continue
        found[entity] = words.Tally(
            existing=existing if spec.of in kinds or existing else removed, rows=same + sum(acts.values()),
            created=acts.get(1, 0), changed=acts.get(2, 0), removed=removed, unchanged=same + acts.get(0, 0) + acts.get(5, 0),
            set_aside=acts.get(3, 0),
        )  # fmt: skip
    return found


def counts_json(con: duckdb.DuckDBPyConnection, tallies: dict[str, words.Tally]) -> dict[str, Any]:
    """The counts as the sync keeps them, each kind with the number of lines of each code."""
    found: dict[str, Any] = {entity: t.as_json() for entity, t in tallies.items()}
    for entity, code, n in con.execute(
        "SELECT kind, code, sum(n) FROM problem_count GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        found.setdefault(entity, {}).setdefault("codes", {})[code] = int(n)
    return found


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    one = con.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(one[0]) if one else 0


def plan_lines(con: duckdb.DuckDBPyConnection, tenant: Tenant, folder: Path) -> list[dict[str, Any]]:
    """What happens in each class and at each org, the biggest first."""
    for entity, column in (("enrollment", "class_id"), ("role", "org_id")):
        bulk.pull_ids(
            con, f"SELECT id FROM g_{entity}",
            f"SELECT id, person_id, {column}, role FROM roster_{entity} WHERE tenant_id = {int(tenant.id)} AND id IN ({{ids}})",
            f"left_{entity}", "id BIGINT, person_id BIGINT, place BIGINT, role VARCHAR", folder,
        )  # fmt: skip
    return [
        *_places(con, tenant, "org", "role", "org_id", "roster_org", "name"),
        *_places(con, tenant, "class", "enrollment", "class_id", "roster_class", "title"),
    ]


def _places(
    con: duckdb.DuckDBPyConnection, tenant: Tenant, kind: str, entity: str, column: str, table: str, name: str
) -> list[dict[str, Any]]:
    con.execute(
        f"CREATE OR REPLACE TABLE moves AS SELECT j.{column} AS place, CASE WHEN j.act = 1 OR j.back THEN 'joined'"
        " ELSE 'changed' END AS verb,"
        f" s.role AS role, '' AS reason, count(*) AS n FROM j_{entity} j JOIN s_{entity} s ON s.rowid = j.rid WHERE"
        " j.act IN (1, 2)"
        f" GROUP BY ALL UNION ALL SELECT l.place, 'left', l.role, g.reason, count(*) FROM left_{entity} l JOIN"
        f" g_{entity} g ON g.id = l.id"
        " GROUP BY ALL UNION ALL SELECT id, CASE WHEN act = 1 OR back THEN 'new' ELSE 'details' END, '', '', 1 FROM"
        f" j_{kind} WHERE act IN (1, 2)"
        f" UNION ALL SELECT id, 'goes', '', reason, 1 FROM g_{kind}"
    )
    top = con.execute(
        "SELECT place, list({'verb': verb, 'role': role, 'reason': reason, 'n': n} ORDER BY n DESC, role) AS moves,"
        " sum(n) AS size"
        f" FROM moves GROUP BY place ORDER BY size DESC, place LIMIT {LINES}"
    ).fetchall()
    names = dict(
        con.execute(
            f"SELECT j.id, s.{name} FROM j_{kind} j JOIN s_{kind} s ON s.rowid = j.rid WHERE j.act < 3 AND j.id IN"
            " (SELECT unnest($1::BIGINT[]))", [[place for place, _, _ in top]],
        ).fetchall()
    )  # fmt: skip
    unnamed = [place for place, _, _ in top if place not in names]
    if unnamed:
        listed = ", ".join(map(str, unnamed))
        names |= dict(
            bulk.fetch(
                f"SELECT id, {name} FROM {table} WHERE tenant_id = {int(tenant.id)} AND id IN ({listed})"
            )
        )
    return [_line(kind, place, names.get(place, "?"), moves) for place, moves, _ in top]


def _line(kind: str, place: int, name: str, moves: list[dict[str, Any]]) -> dict[str, Any]:
    def of(verb: str) -> list[tuple[str, int]]:
        sums: dict[str, int] = {}
        for move in moves:
            if move["verb"] == verb:
                sums[move["role"]] = sums.get(move["role"], 0) + int(move["n"])
        return list(sums.items())

    verbs = {move["verb"] for move in moves}
    state = (
        "new" if "new" in verbs else "goes" if "goes" in verbs else "changed" if "details" in verbs else ""
    )
    reasons: dict[str, int] = {}
    for move in moves:
        if move["reason"] and move["verb"] == "left":
            reasons[move["reason"]] = reasons.get(move["reason"], 0) + int(move["n"])
    changed = sum(n for _, n in of("changed"))
    return {
        "about": kind, "id": place, "name": name, "state": state,
        "joined": sum(n for _, n in of("joined")), "left": sum(n for _, n in of("left")), "changed": changed,
        "text": words.line(name, state, of("joined"), of("left"), changed),
        "reasons": [f"{n:,} left: {words.REASONS[reason]}" for reason, n in reasons.items()],
    }  # fmt: skip


def people_of(con: duckdb.DuckDBPyConnection, hold: words.Hold, tenant: Tenant) -> list[int]:
    """The first people whom a hold is about, by id."""
    entity = hold.kind
    if hold.action == "changed":
        source = (
            f"SELECT {_person_column(entity)} AS id FROM j_{entity} WHERE act = 2"
            if _person_column(entity)
            else ""
        )
        return _ids(con, source)
    if entity == "person":
        return _ids(con, "SELECT id FROM g_person")
    column = _person_column(entity)
    if not column:
        return []
    sample = [row[0] for row in con.execute(f"SELECT id FROM g_{entity} ORDER BY id LIMIT 500").fetchall()]
    listed = ", ".join(map(str, sample))
    rows = bulk.fetch(
        f"SELECT DISTINCT {column} FROM {SPECS[entity].table} WHERE tenant_id = {int(tenant.id)} AND id IN ({listed})"
        f" ORDER BY {column} LIMIT {PEOPLE}"
    )
    return [int(row[0]) for row in rows]


def _person_column(entity: str) -> str:
    columns = [ref.column for ref in SPECS[entity].refs if ref.kind == "person"]
    return "id" if entity == "person" else columns[-1] if columns else ""


def _ids(con: duckdb.DuckDBPyConnection, source: str) -> list[int]:
    if not source:
        return []
    return [
        int(r[0])
        for r in con.execute(f"SELECT DISTINCT id FROM ({source}) ORDER BY id LIMIT {PEOPLE}").fetchall()
    ]
