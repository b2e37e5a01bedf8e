"""The rows of one page, read by id through the gate: only the columns that are shared and asked for."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, partial, reduce
from operator import or_
from typing import Any

from django.db.models import F, Model, Q, TextField
from django.db.models.functions import Cast

from rollbook.kernel.db import ids as as_ids
from rollbook.kernel.db import is_postgres
from rollbook.policy import Access, Param, column_list, prepared
from rollbook.sharing.queries.audience import audience
from rollbook.sharing.queries.collections.moments import departures
from rollbook.sharing.queries.collections.objects import OBJECTS, PARTS, Column, model_of, part_shared, shared
from rollbook.sharing.queries.grants import Grant

Row = tuple[Any, ...]


@dataclass(frozen=True, eq=False)  # one for each key of `plan`, so it is known by itself
class Plan:
    """What is read for a collection under one set of fields: worked out once, used by every page.

    own, also: columns of the object and of its second table. parts: fields of other tables. logged: the columns as
    the disclosure log writes them, or "" where nothing about a person is read. owner: the column that holds a person.
    kept: references that a row which left still carries, because its shape needs them. beside: columns of tables with
    one row for each person, which are parts.
    """

    collection: str
    own: tuple[Column, ...]
    also: tuple[Column, ...]
    parts: tuple[str, ...]
    logged: str
    owner: str
    kept: tuple[Column, ...]
    beside: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)


@dataclass
class Page:
    """Rows by id: (date last modified, owner's id, own columns..., second table's columns...); those that left have their
    moment, owner and kept references. parts: name -> row id -> tuples. people: whose data it holds."""

    ids: Sequence[int]
    rows: dict[int, Row]
    left: dict[int, Row]
    parts: dict[str, dict[int, list[Row]]] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)


_OWNER = {"users": "id", "enrollments": "person_id", "demographics": "person_id"}
_KEPT = {
    "enrollments": ("user", "class", "school"),
    "classes": ("course", "school"),
}


@lru_cache(maxsize=2048)
def plan(collection: str, fields: frozenset[str], asked: frozenset[str] | None) -> Plan:
    """The plan for a grant's fields. asked: the names of the `fields` selection, or None for all."""
    own, also = shared(collection, fields)
    parts = [p for p in PARTS.get(collection, {}) if part_shared(collection, p, fields)]
    if asked is not None:
        own = tuple(c for c in own if c.name in asked)
        also = tuple(c for c in also if c.name in asked)
        parts = [p for p in parts if p in asked]
    own = tuple(sorted(own, key=lambda c: c.kind != "text"))  # texts first: a shaper takes them in one pass
    found = OBJECTS[collection]
    owner = _OWNER.get(collection, "")
    read: list[tuple[type[Model], str]] = [(found.model, c.column) for c in own]
    read += [(model_of("Ethnicity"), c.column) for c in also]
    if "roles" in parts:
        read += [(model_of("role"), c) for c in ("org_id", *ROLE_COLUMNS)]
    if "agents" in parts:
        read += [(model_of("guardianship"), c) for c in ("guardian_id", "child_id")]
    kept = tuple(c for c in found.columns if c.name in _KEPT.get(collection, ()))
    return Plan(
        collection,
        own,
        also,
        tuple(parts),
        column_list([*read, (found.model, "id")]) if owner else "",
        owner,
        kept,
    )


ROLE_COLUMNS = ("role_type", "role", "begin_date", "end_date")


def page(grant: Grant, made: Plan, ids: Sequence[int]) -> Page:
    """Read these rows (ids of the app's audience), in a few statements; a row that just left is not there."""
    found = OBJECTS[made.collection]
    gone = audience(grant, found.label).gone_set
    here = [i for i in ids if i not in gone] if gone else ids
    result = Page(ids, {}, {})
    if here:
        access = _by_id(grant)
        # Under a rule that names everyone each link of a person is shared; a narrower one may leave some out.
        named = {
            part: None if grant.people.everyone else audience(grant, label).active
            for part, label in _NARROWED.items()
            if part in made.parts
        }
        asked = as_ids(here)
        result.rows = {row[0]: row[1:] for row in _read(access, made).rows(access, ids=asked)}
        if made.also and result.rows:
            _add_second_table(access, made, result)
        for part in made.parts:
            result.parts[part] = _PARTS[part](access, made, asked, named.get(part))
        if agents := result.parts.get("agents"):  # of the two ends of a pair, those that are on the page
            result.parts["agents"] = {i: others for i, others in agents.items() if i in result.rows}
        if made.owner:
            result.people.update([row[1] for row in result.rows.values()])
        for part in ("agents", "children of", "members", "members and primary"):
            for others in result.parts.get(part, {}).values():
                result.people.update([other[0] for other in others])
    if gone and len(here) < len(ids):
        _add_left(grant, made, [i for i in ids if i in gone], result)
    return result


def _by_id(grant: Grant) -> Access:
    """The app's access to rows that are named by id. The live rule chose the ids, at this version of the roster; the
    tenant, the columns and the restrictions of people are asked again here."""
    found: Access | None = grant.__dict__.get("by_id")  # kept beside the grant's own fields
    if found is None:
        found = grant.__dict__["by_id"] = replace(grant.access, live=grant.gone.live)
    return found


def _value(column: Column) -> Any:
    """A column as JSON wants it: days and flags as text, which neither database then converts row by row."""
    return Cast(F(column.column), TextField()) if column.kind in ("date", "flag") else F(column.column)


def _moment() -> Any:
    return F("date_last_modified") if is_postgres() else Cast(F("date_last_modified"), TextField())


def _read(access: Access, made: Plan) -> Any:
    def build(select: Callable[[type[Model]], Any]) -> Any:
        rows = select(OBJECTS[made.collection].model).filter(id__any=Param("ids"), status="active")
        return rows.values_list("id", _moment(), F(made.owner or "id"), *(_value(c) for c in made.own))

    return prepared(access, ("oneroster", made), build)


def _add_second_table(access: Access, made: Plan, result: Page) -> None:
    def build(select: Callable[[type[Model]], Any]) -> Any:
        rows = select(model_of("Ethnicity")).filter(person_id__any=Param("ids"), status="active")
        return rows.values_list("person_id", *(_value(c) for c in made.also))

    people = as_ids(row[1] for row in result.rows.values())
    statement = prepared(access, ("oneroster", "Ethnicity", made), build)
    beside = {row[0]: row[1:] for row in statement.rows(access, ids=people)}
    nothing = (None,) * len(made.also)
    result.rows = {i: (*row, *beside.get(row[1], nothing)) for i, row in result.rows.items()}


def _grouped(rows: Sequence[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        if row[0] in found:
            found[row[0]].append(row[1:])
        else:
            found[row[0]] = [row[1:]]
    return found


def _holds(allowed: array[int], id: int) -> bool:
    place = bisect_left(allowed, id)
    return place < len(allowed) and allowed[place] == id


def _roles(access: Access, made: Plan, asked: Any, named: array[int] | None) -> dict[int, list[Row]]:
    def build(select: Callable[[type[Model]], Any]) -> Any:
        rows = select(model_of("role")).filter(person_id__any=Param("ids"), status="active")
        days = (Cast(F(name), TextField()) for name in ("begin_date", "end_date"))
        return rows.values_list("id", "person_id", "org_id", "role_type", "role", *days)

    rows = prepared(access, ("oneroster", "roles"), build).rows(access, ids=asked)
    return _grouped([row[1:] for row in rows if named is None or _holds(named, row[0])])


def _agents(access: Access, made: Plan, asked: Any, named: array[int] | None) -> dict[int, list[Row]]:
    def either(select: Callable[[type[Model]], Any], columns: tuple[str, ...]) -> Any:
        on_page = [Q(**{f"{column}__any": Param("ids")}) for column in columns]
        rows = select(model_of("guardianship")).filter(reduce(or_, on_page), status="active")
        return rows.values_list("child_id", "guardian_id")

    # PostgreSQL joins the two indexes in one statement; SQLite would read the whole table.
    pairs: set[tuple[int, int]] = set()
    for columns in _ONE_BY_ONE if not is_postgres() else (("child_id", "guardian_id"),):
        statement = prepared(access, ("oneroster", "agents", columns), partial(either, columns=columns))
        pairs.update(statement.rows(access, ids=asked))
    return _grouped(sorted({*pairs, *((guardian, child) for child, guardian in pairs)}))


_ONE_BY_ONE = (("child_id",), ("guardian_id",))


def _terms(access: Access, made: Plan, asked: Any, named: array[int] | None) -> dict[int, list[Row]]:
    def build(select: Callable[[type[Model]], Any]) -> Any:
        return (
            select(model_of("ClassTerm"))
            .filter(klass_id__any=Param("ids"))
            .values_list("klass_id", "session_id")
        )

    return _grouped(sorted(prepared(access, ("oneroster", "terms"), build).rows(access, ids=asked)))


def _children(access: Access, made: Plan, asked: Any, named: array[int] | None) -> dict[int, list[Row]]:
    def build(select: Callable[[type[Model]], Any]) -> Any:
        rows = select(OBJECTS[made.collection].model).filter(parent_id__any=Param("ids"), status="active")
        return rows.values_list("parent_id", "id")

    statement = prepared(access, ("oneroster", "children", made.collection), build)
    return _grouped(sorted(statement.rows(access, ids=asked)))


def _children_of(access: Access, made: Plan, asked: Any, named: array[int] | None) -> dict[int, list[Row]]:
    """Guardian -> (child, relationship)."""

    def build(select: Callable[[type[Model]], Any]) -> Any:
        rows = select(model_of("guardianship")).filter(guardian_id__any=Param("ids"), status="active")
        return rows.values_list("id", "guardian_id", "child_id", "relationship")

    rows = prepared(access, ("children of",), build).rows(access, ids=asked)
    return _grouped(sorted(row[1:] for row in rows if named is None or _holds(named, row[0])))


def _members(
    access: Access, made: Plan, asked: Any, named: array[int] | None, primary: bool = False
) -> dict[int, list[Row]]:
    """Class -> (person, role, and whether primary), in the order in which they were enrolled."""

    def build(select: Callable[[type[Model]], Any]) -> Any:
        # As text: thousands of rows, and a flag would be converted row by row.
        flags = [Cast(F("primary"), TextField())] if primary else []
        rows = select(model_of("enrollment")).filter(klass_id__any=Param("ids"), status="active")
        return rows.values_list("id", "klass_id", "person_id", "role", *flags)

    rows = sorted(prepared(access, ("members", primary), build).rows(access, ids=asked))
    return _grouped([row[1:] for row in rows if named is None or _holds(named, row[0])])


def _beside(
    access: Access, made: Plan, asked: Any, named: array[int] | None, label: str
) -> dict[int, list[Row]]:
    """Person -> the columns of a table that has one row for each person."""

    def build(select: Callable[[type[Model]], Any]) -> Any:
        rows = select(model_of(label)).filter(person_id__any=Param("ids"), status="active")
        return rows.values_list("person_id", *(_value(c) for c in made.beside[label]))

    return _grouped(prepared(access, ("beside", label, made.beside[label]), build).rows(access, ids=asked))


_PARTS: dict[str, Callable[[Access, Plan, Any, array[int] | None], dict[int, list[Row]]]] = {
    "roles": _roles, "agents": _agents, "terms": _terms, "children": _children, "children of": _children_of,
    "members": _members, "members and primary": partial(_members, primary=True),
    "demographics": partial(_beside, label="demographics"), "Ethnicity": partial(_beside, label="Ethnicity"),
}  # fmt: skip
# Parts whose rows a rule that does not name everyone may leave out, and the audience that says which.
_NARROWED = {
    "roles": "role", "children of": "guardianship", "members": "enrollment", "members and primary": "enrollment",
}  # fmt: skip


def _add_left(grant: Grant, made: Plan, left: list[int], result: Page) -> None:
    found = OBJECTS[made.collection]
    when = departures(grant, found.label)
    columns = [c.column for c in made.kept]
    rows = grant.gone.select(found.model).filter(id__any=left).values_list("id", made.owner or "id", *columns)
    moments: dict[int, datetime] = when
    for row in rows:
        result.left[row[0]] = (moments[row[0]], *row[1:])
        if made.owner:
            result.people.add(row[1])
    if made.collection == "classes":
        terms = (
            grant.gone.select(model_of("ClassTerm"))
            .filter(klass_id__any=left)
            .values_list("klass_id", "session_id")
        )
        result.parts.setdefault("terms", {}).update(_grouped(sorted(terms)))


def stand_in_session(grant: Grant) -> int | None:
    """The session that a class which names none is said to run in: the newest school year, else the newest session."""
    rows = grant.access.select(model_of("session")).values_list("type", "start_date", "id")
    best = max(((kind == "schoolYear", str(start or ""), id) for kind, start, id in rows), default=None)
    return None if best is None else best[2]
