"""Check every staged row against the rules and the rows it refers to, and compare it with the roster. SQL throughout.

For each kind, in the order of their references, this makes in DuckDB:

    j_<entity>(rid, sid, mask, row_hash, id, act, <reference ids>)  one row for each staged row
    live_<kind>(sid, id)                                          what later kinds may refer to
    aside_<kind>(sid, file, row)                                  what was set aside
    g_<entity>(id, reason)                                        rows of the roster that go

act: 0 as it was, 1 created, 2 changed, 3 set aside, 4 marked to be deleted, 5 not touched (merged into another
person by hand, or under a restriction).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from rollbook.kernel import clock, ids
from rollbook.roster.actions.sync import bulk
from rollbook.roster.actions.sync.existing import KEYS, made_by, read_keys
from rollbook.roster.actions.sync.lines import set_aside
from rollbook.roster.actions.sync.specs import TARGETS, Check, Spec, checks_of
from rollbook.roster.models import Tenant

HASH = "rollbook-1"  # goes into each hash: another way to hash needs another name, and costs one full update
DUPLICATE = 1 << 62
BY_HAND = "hand:"  # begins the id of a row that was entered here: no file of the source knows it
PEOPLE = ("person_id", "guardian_id", "child_id")


@dataclass
class Checker:
    """The check of one bundle against one tenant's roster.

    kinds: what the bundle speaks about. dropped: (kind, column) that the school does not let us store.
    part: kinds of which only the changed rows are staged; `x_<kind>` has the sourcedIds that changed or went.
    """

    con: duckdb.DuckDBPyConnection
    tenant: Tenant
    folder: Path
    kinds: frozenset[str]
    dropped: frozenset[tuple[str, str]] = frozenset()
    part: frozenset[str] = frozenset()
    modes: dict[str, str] = field(default_factory=dict)
    owned: frozenset[str] = (
        frozenset()
    )  # delta kinds that come with their person: who is named, is named wholly
    restricted: bool = False
    made_by: int = 0

    def prepare(self) -> None:
        """Read the modes of the files, and the hand-made facts about people."""
        con = self.con
        self.made_by = made_by(self.tenant)
        con.execute(
            "CREATE OR REPLACE MACRO iso(x) AS CASE WHEN x LIKE '____-__-__' AND try_cast(x AS DATE)"
            " BETWEEN DATE '1900-01-01' AND DATE '2200-12-31' THEN x END"
        )
        con.execute(f"CREATE OR REPLACE MACRO day_now() AS '{clock.today().isoformat()}'")
        files = con.execute("SELECT kind, name, mode FROM s_file").fetchall()
        people = {name for kind, name, _ in files if kind == "person"}
        for kind in self.kinds:
            own = [mode for k, _, mode in files if k == kind]
            self.modes[kind] = "delta" if "delta" in own else "bulk"
        self.owned = frozenset(
            kind for kind in ("role", "guardianship", "flag")
            if self.modes.get(kind) == "delta" and {name for k, name, _ in files if k == kind} <= people
        )  # fmt: skip
        bulk.pull(
            con,
            "SELECT i.sourced_id, i.other_id FROM roster_identity i WHERE i.kind = 'merged' AND i.undone_at IS NULL"
            f" AND i.other_id IS NOT NULL AND i.sourced_id <> '' AND i.tenant_id = {int(self.tenant.id)}",
            "alias", "sid VARCHAR, id BIGINT", self.folder,
        )  # fmt: skip
        bulk.pull(
            con,
            "SELECT person_id FROM policy_restriction WHERE ended_at IS NULL AND purpose = ''"
            f" AND tenant_id = {int(self.tenant.id)}",
            "restricted", "id BIGINT", self.folder,
        )  # fmt: skip
        self.restricted = bool(con.execute("SELECT 1 FROM restricted LIMIT 1").fetchone())

    def fill_schools(self) -> None:
        """An enrollment that names no school is at the school of its class."""
        con = self.con
        if not con.execute("SELECT 1 FROM s_enrollment WHERE school_sourced_id IS NULL LIMIT 1").fetchone():
            return
        con.execute(
            "UPDATE s_enrollment SET school_sourced_id = c.school_sourced_id FROM s_class c"
            " WHERE c.sourced_id = class_sourced_id AND s_enrollment.school_sourced_id IS NULL"
        )
        bulk.pull(
            con,
            "SELECT c.sourced_id, o.sourced_id FROM roster_class c JOIN roster_org o ON o.id = c.school_id"
            f" WHERE c.tenant_id = {int(self.tenant.id)}",
            "class_school", "sid VARCHAR, school VARCHAR", self.folder,
        )  # fmt: skip
        con.execute(
            "UPDATE s_enrollment SET school_sourced_id = c.school FROM class_school c"
            " WHERE c.sid = class_sourced_id AND s_enrollment.school_sourced_id IS NULL"
        )

    def check(self, spec: Spec) -> None:
        """Check, compare and number the rows of one kind."""
        con, entity = self.con, spec.entity
        if spec.of in self.kinds or entity in TARGETS:
            read_keys(con, spec, self.tenant, self.made_by, self.folder, entity in self.part)
        else:
            con.execute(f"CREATE OR REPLACE TABLE k_{entity} ({KEYS})")
        if spec.of not in self.kinds or not (self._rows(f"s_{spec.of}") or self._rows(f"k_{entity}")):
            con.execute(f"CREATE OR REPLACE TABLE g_{entity} (id BIGINT, reason VARCHAR)")
            self._empty(spec)
            self._live(spec)
            return
        if entity in self.part:
            con.execute(
                f"CREATE OR REPLACE TABLE went_{entity} AS SELECT sid FROM x_{entity} WHERE sid NOT IN"
                f" (SELECT sourced_id FROM s_{entity})"
            )
        checks = self._checks(spec)
        self._cycles(spec)
        if entity == "class":
            self._terms()
        own = any(ref.kind == entity for ref in spec.refs)
        if own:  # first without the reference to its own kind, to know which rows are good
            con.execute(f"CREATE OR REPLACE TABLE live_{entity} (sid VARCHAR, id BIGINT)")
        self._judge(spec, checks)
        self._live(spec)
        if own:
            self._judge(spec, checks, again=True)
        if entity != "ethnicity":
            set_aside(con, spec, checks, DUPLICATE)
        else:
            con.execute("CREATE OR REPLACE TABLE aside_ethnicity AS SELECT * FROM aside_demographics")
        self._gone(spec)

    def _rows(self, table: str) -> bool:
        return bool(self.con.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone())

    def _checks(self, spec: Spec) -> list[Check]:
        if spec.entity == "ethnicity":
            return []
        dropped = {column for kind, column in self.dropped if kind == spec.of}
        names = {"given_name", "family_name", "username"} & dropped
        return [
            c for c in checks_of(spec) if not (c.source in names or (names and c.source == "family_name"))
        ]

    def _judge(self, spec: Spec, checks: list[Check], again: bool = False) -> None:
        """h_<entity>: the mask of failed checks, the resolved references and the hash of what would be stored; from it
        j_<entity>."""
        refs, entity = spec.refs, spec.entity
        joins = "".join(
            f" LEFT JOIN live_{r.kind} r_{r.column} ON r_{r.column}.sid = s.{r.source}"
            + (
                f" AND NOT EXISTS (SELECT 1 FROM cycle_{entity} y WHERE y.sid = s.sourced_id)"
                if r.kind == entity
                else ""
            )
            for r in refs
        )
        mask = " | ".join(f"CASE WHEN {c.when} THEN {1 << i} ELSE 0 END" for i, c in enumerate(checks)) or "0"
        values = [c.sql for c in spec.columns if c.source] + [
            f"CASE WHEN r_{r.column}.id IS NOT NULL THEN s.{r.source} END" for r in refs
        ]
        if entity == "class":
            joins += " LEFT JOIN t_class t ON t.rid = s.rid"
            values.append("t.terms")
        joined = ", ".join(f"coalesce(CAST({v} AS VARCHAR), chr(30))" for v in values)
        digest = f"('0x' || substr(sha256(concat_ws(chr(31), '{HASH}', {joined})), 1, 16))::UBIGINT::HUGEINT"
        named = "".join(f", r_{r.column}.id AS {r.column}" for r in refs)
        # Looked at once, a view will do; where rows have one id between them, they are marked in a table.
        shape = "TABLE" if self._duplicated(spec) else "VIEW"
        self.con.execute(
            f"CREATE OR REPLACE {shape} h_{entity} AS SELECT s.rid, s.sourced_id AS sid,"
            f" coalesce(s.status = 'tobedeleted', false) AS marked,"
            f" CASE WHEN s.status = 'tobedeleted' AND s.sourced_id IS NOT NULL THEN 0 ELSE CAST({mask} AS BIGINT) END AS mask,"
            f" ({digest} - 9223372036854775808)::BIGINT AS row_hash{named}"
            f" FROM {spec.staged} s{joins}"
        )
        if shape == "TABLE":
            self._duplicates(spec, checks)
        self._number(spec, checks, again)
        self.con.execute(f"DROP {shape} h_{entity}")

    def _duplicated(self, spec: Spec) -> bool:
        """Whether some rows have the same sourcedId; their ids are then in `dup`."""
        self.con.execute(
            f"CREATE OR REPLACE TABLE dup AS SELECT sourced_id AS sid FROM {spec.staged} s WHERE sourced_id IS NOT NULL"
            " GROUP BY sourced_id HAVING count(*) > 1"
        )
        return self._rows("dup")

    def _duplicates(self, spec: Spec, checks: list[Check]) -> None:
        """Of several rows with one sourcedId the first good one is taken; the others are marked in the mask."""
        con, entity = self.con, spec.entity
        con.execute(
            f"UPDATE h_{entity} SET mask = mask | {DUPLICATE} WHERE mask & {fatal(checks)} = 0 AND rid IN (SELECT rid FROM"
            f" (SELECT h.rid, row_number() OVER (PARTITION BY h.sid ORDER BY (h.mask & {fatal(checks)}) <> 0, s._file,"
            " s._row, h.rid) AS n"
            f" FROM h_{entity} h JOIN {spec.staged} s ON s.rid = h.rid WHERE h.sid IN (SELECT sid FROM dup)) WHERE n > 1)"
        )

    def _number(self, spec: Spec, checks: list[Check], again: bool) -> None:
        """j_<entity>: what becomes of each row, and its id in the roster, old or new."""
        con, entity = self.con, spec.entity
        kept = f"(h.mask & {fatal(checks) | DUPLICATE}) = 0"
        untouched = ["false"]
        if entity == "person":
            untouched.append("h.sid IN (SELECT sid FROM alias)")
            if self.restricted:
                untouched.append("k.id IN (SELECT id FROM restricted)")
        elif self.restricted:
            untouched += [
                f"h.{r.column} IN (SELECT id FROM restricted)" for r in spec.refs if r.column in PEOPLE
            ]
        if entity in ("demographics", "ethnicity"):
            untouched.append(
                "h.sid IN (SELECT sid FROM alias)"
            )  # the person they were merged into has their own
        if again:
            new, before = "b.id", f" JOIN before_{entity} b ON b.rid = h.rid"
            con.execute(f"ALTER TABLE j_{entity} RENAME TO before_{entity}")
        else:
            last = con.execute(f"SELECT max(rid) FROM {spec.staged} s").fetchone()
            new = ids.block(int(last[0]) + 1 if last and last[0] is not None else 1).sql("h.rid")
            before = ""
        con.execute(
            f"CREATE OR REPLACE TABLE j_{entity} AS SELECT h.*, coalesce(k.id, {new}) AS id,"
            f" CASE WHEN h.marked AND {kept} THEN 4 WHEN NOT {kept} THEN 3 WHEN {' OR '.join(untouched)} THEN 5"
            f" WHEN k.id IS NULL THEN 1 WHEN k.hash <> h.row_hash OR NOT k.active THEN 2 ELSE 0 END::TINYINT AS act,"
            f" k.id IS NOT NULL AND NOT k.active AS back"
            f" FROM h_{entity} h LEFT JOIN k_{entity} k ON k.sid = h.sid{before}"
        )
        if again:
            con.execute(f"DROP TABLE before_{entity}")
        if entity == "guardianship":
            self._one_pair()
        con.execute(
            f"CREATE OR REPLACE TABLE aside_{entity} AS SELECT j.sid, min(s._file) AS file, min(s._row) AS row"
            f" FROM j_{entity} j JOIN {spec.staged} s ON s.rid = j.rid WHERE j.act = 3 AND j.sid IS NOT NULL"
            f" AND j.sid NOT IN (SELECT sid FROM j_{entity} WHERE act <> 3) GROUP BY j.sid"
            if con.execute(f"SELECT 1 FROM j_{entity} WHERE act = 3 LIMIT 1").fetchone() and not spec.kind
            else f"CREATE OR REPLACE TABLE aside_{entity} (sid VARCHAR, file VARCHAR, row BIGINT)"
        )

    def _one_pair(self) -> None:
        """Two people merged by hand may give the same guardian and child twice: the pair stands once."""
        if self.con.execute("SELECT 1 FROM alias LIMIT 1").fetchone():
            self.con.execute(
                "UPDATE j_guardianship SET act = 5 WHERE act IN (1, 2) AND (guardian_id = child_id OR rid NOT IN"
                " (SELECT arg_min(rid, (act = 1, rid)) FROM j_guardianship WHERE act < 3 GROUP BY guardian_id, child_id))"
            )

    def _empty(self, spec: Spec) -> None:
        refs = "".join(f", {r.column} BIGINT" for r in spec.refs)
        self.con.execute(
            f"CREATE OR REPLACE TABLE j_{spec.entity} (rid BIGINT, sid VARCHAR, marked BOOLEAN, mask BIGINT, row_hash"
            f" BIGINT{refs},"
            f" id BIGINT, act TINYINT, back BOOLEAN)"
        )
        self.con.execute(
            f"CREATE OR REPLACE TABLE aside_{spec.entity} (sid VARCHAR, file VARCHAR, row BIGINT)"
        )

    def _live(self, spec: Spec) -> None:
        """live_<kind>: what others may refer to: the good rows, and rows of the roster that stay."""
        entity, con = spec.entity, self.con
        if entity not in TARGETS:
            return
        if entity in self.part:
            stays = f"k.sid NOT IN (SELECT sid FROM j_{entity} WHERE act <> 3) AND k.sid NOT IN (SELECT sid FROM went_{entity})"
        elif self.modes.get(entity) == "bulk":
            stays = f"k.sid IN (SELECT sid FROM aside_{entity})"
        else:
            stays = f"k.sid NOT IN (SELECT sid FROM j_{entity} WHERE act <> 3 AND sid IS NOT NULL)"
        merged = ""
        if entity == "person":
            merged = (
                " UNION ALL SELECT j.sid, j.id FROM j_person j WHERE j.act = 5 AND j.sid NOT IN (SELECT sid FROM alias)"
                " UNION ALL SELECT sid, any_value(id) FROM alias GROUP BY sid"
            )
            stays += " AND k.sid NOT IN (SELECT sid FROM alias)"
        con.execute(
            f"CREATE OR REPLACE TABLE live_{entity} AS SELECT sid, id FROM j_{entity} WHERE act IN (0, 1, 2)"
            f" UNION ALL SELECT k.sid, k.id FROM k_{entity} k WHERE k.active AND {stays}{merged}"
        )

    def _gone(self, spec: Spec) -> None:
        """g_<entity>: rows of the roster that a bulk file no longer holds, or that are marked to be deleted."""
        entity, con = spec.entity, self.con
        named = f"SELECT sid FROM j_{entity} WHERE sid IS NOT NULL"
        marked = f"SELECT k.id, 'marked' FROM k_{entity} k JOIN j_{entity} j ON j.sid = k.sid AND j.act = 4 WHERE k.active"
        if entity == "ethnicity":  # comes and goes with the demographics row
            named += " UNION SELECT sid FROM aside_demographics"
            marked = (
                "SELECT k.id, 'marked' FROM k_ethnicity k JOIN j_demographics j ON j.sid = k.sid AND j.act IN (0, 1, 2, 4)"
                " WHERE k.active AND k.sid NOT IN (SELECT sid FROM j_ethnicity)"
            )
        con.execute(f"CREATE OR REPLACE TABLE g_{entity} (id BIGINT, reason VARCHAR)")
        if spec.of in self.part:
            went = f"k.sid IN (SELECT sid FROM went_{spec.of})"
            if entity == "ethnicity":
                went = f"({went} OR k.sid IN (SELECT sid FROM j_{spec.of})) AND k.sid NOT IN ({named})"
            con.execute(
                f"INSERT INTO g_{entity} SELECT k.id, 'absent' FROM k_{entity} k WHERE k.active AND {went}"
            )
            if entity != "ethnicity":
                con.execute(f"INSERT INTO g_{entity} {marked}")
            return
        if self.modes[spec.of] == "bulk":
            con.execute(
                f"INSERT INTO g_{entity} SELECT k.id, 'absent' FROM k_{entity} k WHERE k.active AND k.sid NOT IN ({named})"
                f" AND k.sid NOT LIKE '{BY_HAND}%'"
                + (
                    " AND k.sid NOT IN (SELECT sid FROM alias) AND k.id NOT IN"
                    " (SELECT a.id FROM alias a JOIN s_person s ON s.sourced_id = a.sid)"  # one of their ids is enough
                    if entity == "person"
                    else ""
                )
            )
            if entity != "ethnicity":
                con.execute(f"INSERT INTO g_{entity} {marked}")
            return
        con.execute(f"INSERT INTO g_{entity} {marked}")

    def unchanged(self, spec: Spec) -> int:
        """How many rows of the bundle are not staged, because the roster has them as they are."""
        if spec.of not in self.part:
            return 0
        if spec.kind:
            touched = f"SELECT sid FROM x_{spec.of} UNION ALL SELECT sourced_id FROM s_{spec.of}"
            query = f"SELECT count(*) FROM k_{spec.entity} WHERE active AND sid NOT IN ({touched})"
        else:
            query = f"SELECT (SELECT count(*) FROM k_{spec.entity} WHERE active) - (SELECT count(*) FROM x_{spec.entity})"
        found = self.con.execute(query).fetchone()
        return int(found[0]) if found else 0

    def _terms(self) -> None:
        """t_class: the terms of each staged class that stand, in order, and whether one was not found."""
        self.con.execute(
            "CREATE OR REPLACE TABLE t_term AS SELECT DISTINCT u.rid, u.term, l.id AS session_id FROM"
            " (SELECT rowid AS rid, unnest(string_split(term_sourced_ids, ',')) AS term FROM s_class"
            "  WHERE term_sourced_ids IS NOT NULL) u LEFT JOIN live_session l ON l.sid = u.term WHERE u.term <> ''"
        )
        self.con.execute(
            "CREATE OR REPLACE TABLE t_class AS SELECT rid, string_agg(CASE WHEN session_id IS NOT NULL THEN term END, ','"
            " ORDER BY term) AS terms, string_agg(CASE WHEN session_id IS NULL THEN term END, ',' ORDER BY term) AS lost"
            " FROM t_term GROUP BY rid"
        )

    def _cycles(self, spec: Spec) -> None:
        """cycle_<entity>: rows whose parents lead back to themselves."""
        if not any(ref.kind == spec.entity for ref in spec.refs):
            return
        entity, table = spec.entity, spec.table
        bulk.pull(
            self.con,
            f"SELECT o.sourced_id, p.sourced_id FROM {table} o JOIN {table} p ON p.id = o.parent_id"
            f" WHERE o.tenant_id = {int(self.tenant.id)} AND o.status = 'active'",
            f"above_{entity}", "sid VARCHAR, parent VARCHAR", self.folder,
        )  # fmt: skip
        self.con.execute(
            f"CREATE OR REPLACE TABLE cycle_{entity} AS WITH RECURSIVE tree AS ("
            f"SELECT sourced_id AS sid, parent_sourced_id AS parent FROM s_{entity} WHERE parent_sourced_id IS NOT NULL"
            f" AND coalesce(status, 'active') <> 'tobedeleted'"
            f" UNION ALL SELECT sid, parent FROM above_{entity} WHERE sid NOT IN (SELECT sourced_id FROM s_{entity}"
            " WHERE sourced_id IS NOT NULL)),"
            " up AS (SELECT sid AS start, parent AS above FROM tree UNION SELECT up.start, tree.parent FROM up JOIN"
            " tree ON tree.sid = up.above)"
            f" SELECT DISTINCT start AS sid FROM up WHERE start = above"
        )


def fatal(checks: list[Check]) -> int:
    """The bits of the checks that set a row aside."""
    return sum(1 << i for i, check in enumerate(checks) if check.fatal)
