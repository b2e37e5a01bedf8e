"""What a rule would change before it is saved: who would be added or taken away, and whose details would newly show.

Both rules are put as SELECTs by the same reaches that the doors read through, and compared in the database as sets:
one statement for each table, whatever the number of people. Only counts come back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps

from rollbook.policy import Reach, raw, unguarded
from rollbook.sharing.models import App
from rollbook.sharing.queries.facts import FAMILY_ROLES
from rollbook.sharing.queries.grants import Grant, Withheld, grant_as_if, grant_for
from rollbook.sharing.rules import FIELDS, Field

_SUBJECT = {"roster.Person": "id", "roster.Guardianship": "child_id"}


def _subject(label: str) -> str:
    """The column that holds whom a row is about."""
    return _SUBJECT.get(label, "person_id")


@dataclass(frozen=True)
class FieldChange:
    """Of how many people a field would newly show a value, and of how many it would show one no more."""

    field: Field
    given: int
    taken: int


@dataclass(frozen=True)
class Change:
    """What saving a rule would do. The counts by kind (pupils, families, staff) are of people added and taken away."""

    adds: int
    takes: int
    adds_kinds: Mapping[str, int]
    takes_kinds: Mapping[str, int]
    fields: tuple[FieldChange, ...]
    named: tuple[Field, ...]  # fields that the rule newly names
    dropped: tuple[Field, ...]  # fields that it names no more
    withheld: str = ""  # why nothing would leave all the same

    @property
    def given(self) -> list[FieldChange]:
        return [f for f in self.fields if f.given]

    @property
    def taken(self) -> list[FieldChange]:
        return [f for f in self.fields if f.taken]

    @property
    def nothing(self) -> bool:
        return not (self.adds or self.takes or self.named or self.dropped or self.given or self.taken)


def change(app: App, people: Any, fields: Any) -> Change:
    """What would change if the app got this rule (as `share` stores it) instead of the one in force."""
    try:
        old: Grant | None = grant_for(app.id)
    except Withheld:
        old = None
    try:
        new: Grant | None = grant_as_if(app.id, people, fields)
        withheld = ""
    except Withheld as error:
        new, withheld = None, error.reason
    return difference(old, new, app.tenant_id, withheld)


def ending(app: App) -> Change:
    """What would change if sharing were stopped."""
    try:
        return difference(grant_for(app.id), None, app.tenant_id, "")
    except Withheld as withheld:
        return Change(0, 0, {}, {}, (), (), (), withheld.reason)


def difference(old: Grant | None, new: Grant | None, tenant: int, withheld: str) -> Change:
    """Compare two grants of one app; None reaches nothing."""
    if old is None and new is None:
        return Change(0, 0, {}, {}, (), (), (), withheld)
    before, after = old.fields if old else frozenset(), new.fields if new else frozenset()
    by_model: dict[str, list[Field]] = {"roster.Person": []}
    for name, found in FIELDS.items():
        if name in before or name in after:
            by_model.setdefault(found.columns[0].rsplit(".", 1)[0], []).append(found)
    changes: list[FieldChange] = []
    adds = takes = 0
    with unguarded("counts of whom a proposed rule would add or take away", tenant=tenant):
        for label, fields in by_model.items():
            counts = _compare(label, fields, old, new)
            if label == "roster.Person":
                (adds, takes), counts = counts[0], counts[1:]
            changes += [
                FieldChange(f, given, taken) for f, (given, taken) in zip(fields, counts, strict=True)
            ]
        adds_kinds, takes_kinds = (
            _kinds(new, old, tenant) if adds else {},
            _kinds(old, new, tenant) if takes else {},
        )
    order = {name: n for n, name in enumerate(FIELDS)}
    changes.sort(key=lambda c: order[c.field.name])
    return Change(
        adds, takes, adds_kinds, takes_kinds, tuple(changes),
        tuple(f for n, f in FIELDS.items() if n in after and n not in before),
        tuple(f for n, f in FIELDS.items() if n in before and n not in after), withheld,
    )  # fmt: skip


# As the gate leaves people out whose data is restricted. Written out, because on PostgreSQL the gate asks a view that
# answers for the access of the moment, and two rules are compared here that are not both in force.
_RESTRICTED = (
    "SELECT 1 FROM policy_restriction q WHERE q.tenant_id = %s AND q.person_id = {row} AND q.ended_at IS NULL"
    " AND (q.purpose = '' OR q.purpose = %s)"
)


_ROW = re.compile(r"SELECT 1 FROM (\w+) (\w+) WHERE \w+\.id = \{row\}")


def _rows(grant: Grant | None, label: str, what: str, people: str = "") -> tuple[str, list[Any]] | None:
    """SELECT of `what` (with {a} for the table) of the rows that a grant reaches, or None when it reaches none at all.

    people: the name of the set of everybody whom the grant reaches, in the same statement (not needed for people).
    """
    live = grant.access.live if grant else None
    if grant is None or live is None:
        return None
    model, access = apps.get_model(label), grant.access
    if not access.decide(model).allowed:
        return None  # no column of this table is in the rule
    reach, asked = live[label], access.context
    select = (
        reach.select
        if reach
        else f"SELECT 1 FROM {model._meta.db_table} x WHERE x.id = {{row}} AND x.tenant_id = %s"
    )
    names = reach.names if reach else ("tenant",)
    if label != "roster.Person":
        select, names = _with_people(select, names, live["roster.Person"], people)
    found = _ROW.match(select)  # a question about one row becomes a walk over all of them
    if found is None:
        raise ValueError(f"a reach of a sharing rule asks about one row: {select}")
    table, a = found[1], found[2]
    hidden = _RESTRICTED.replace("{row}", f"{a}.{_subject(label)}")
    sql = f"SELECT {what.replace('{a}', a)} FROM {table} {a} WHERE 1 = 1{select[found.end() :]} AND NOT EXISTS ({hidden})"
    return sql, [*(asked[name] for name in names), grant.tenant_id, access.purpose]


def _with_people(
    select: str, names: tuple[str, ...], person: Reach | None, people: str
) -> tuple[str, tuple[str, ...]]:
    """The same SELECT, where "is this person in the rule" is looked up in `people`, worked out once, not row by row."""
    for column in ("person_id", "child_id", "guardian_id") if person else ():
        asks = f"EXISTS ({person.select.replace('{row}', f'x.{column}')})" if person else ""
        while asks in select:
            at = select.index(asks)
            before = select[:at].count("%s")
            names = (*names[:before], *names[before + asks.count("%s") :])
            select = f"{select[:at]}x.{column} IN (SELECT id FROM {people}){select[at + len(asks) :]}"
    return select, names


def _compare(label: str, fields: list[Field], old: Grant | None, new: Grant | None) -> list[tuple[int, int]]:
    """(given, taken) for each field of one table; for people, first for their being there at all."""
    model = apps.get_model(label)
    subject = _subject(label)
    there = [None] if label == "roster.Person" else []
    wanted: list[Field | None] = [*there, *fields]
    arms: list[str] = []
    sets: list[str] = []
    params: list[Any] = []
    set_params: list[Any] = []
    for grant, mine, other in ((new, "n", "o"), (old, "o", "n")):
        has = [_filled(model, f) if grant and (f is None or f.name in grant.fields) else "0" for f in wanted]
        sides = {mine: has, other: ["0"] * len(has)}
        flags = ", ".join(f"{sides[side][i]} AS {side}{i}" for i in range(len(wanted)) for side in "no")
        found = _rows(grant, label, f"{{a}}.{subject} AS who, {flags}", f"people_{mine}")
        if found:
            arms.append(found[0])
            params += found[1]
            if label != "roster.Person" and (everybody := _rows(grant, "roster.Person", "{a}.id")):
                sets.append(f"people_{mine} AS MATERIALIZED ({everybody[0]})")
                set_params += everybody[1]
    if not arms or not wanted:
        return [(0, 0)] * len(wanted)
    names = [f"{side}{i}" for i in range(len(wanted)) for side in "no"]
    peak = ", ".join(f"MAX({n}) AS {n}" for n in names)
    total = ", ".join(
        f"COALESCE(SUM(CASE WHEN {a}{i} > {b}{i} THEN 1 ELSE 0 END), 0)"
        for i in range(len(wanted))
        for a, b in ("no", "on")
    )
    sql = f"SELECT {total} FROM (SELECT who, {peak} FROM ({' UNION ALL '.join(arms)}) u GROUP BY who) d"
    if sets:
        sql = f"WITH {', '.join(sets)} {sql}"
    with raw("compare two rules") as cursor:
        cursor.execute(sql, [*set_params, *params])
        row = [int(n) for n in cursor.fetchone()]
    return list(zip(row[::2], row[1::2], strict=True))


def _filled(model: Any, found: Field | None) -> str:
    """SQL: 1 where the field's main column says something, else 0."""
    if found is None:
        return "1"
    column = model._meta.get_field(found.columns[0].rsplit(".", 1)[1])
    is_text = column.get_internal_type() in ("TextField", "CharField")
    return f'CASE WHEN {{a}}."{column.column}" {"<> " + repr("") if is_text else "IS NOT NULL"} THEN 1 ELSE 0 END'


def _kinds(these: Grant | None, but_not: Grant | None, tenant: int) -> dict[str, int]:
    """Pupils, families and staff among the people whom one grant reaches and the other does not."""
    found, other = _rows(these, "roster.Person", "{a}.id"), _rows(but_not, "roster.Person", "{a}.id")
    if found is None:
        return {}
    sql, params = f"SELECT id FROM ({found[0]}) a", found[1]
    if other:
        sql, params = f"{sql} EXCEPT SELECT id FROM ({other[0]}) b", [*params, *other[1]]
    family = ", ".join(f"'{role}'" for role in FAMILY_ROLES)
    kind = f"CASE WHEN r.role = 'student' THEN 'pupils' WHEN r.role IN ({family}) THEN 'families' ELSE 'staff' END"
    with raw("kinds of people whom a rule adds or takes away") as cursor:
        cursor.execute(
            f"SELECT {kind} AS kind, COUNT(DISTINCT d.id) FROM ({sql}) d"
            " JOIN roster_role r ON r.tenant_id = %s AND r.person_id = d.id AND r.status = 'active' GROUP BY 1",
            [*params, tenant],
        )
        return {str(name): int(count) for name, count in cursor.fetchall()}
