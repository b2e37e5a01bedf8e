"""The condition that a filter's terms make on the rows of one side: those in force, or those that left.

A term about a field that the rule does not share is refused before any row is looked at, so that neither an answer
nor its length tells what was not shared. Rows that left (tombstones) carry no personal value, so no term about a
personal field finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import orjson
from django.db.models import Model, Q

from rollbook.kernel.db import is_postgres
from rollbook.kernel.errors import Invalid
from rollbook.policy import Access
from rollbook.sharing.queries.collections.grammar import (
    COMPARE,
    Filter,
    Term,
    fold,
    holds,
    read_date,
    read_flag,
    read_moment,
)
from rollbook.sharing.queries.collections.moments import departures, stamp
from rollbook.sharing.queries.collections.objects import (
    OBJECTS,
    PARTS,
    Column,
    Object,
    model_of,
    part_shared,
    personal_columns,
    shared,
)
from rollbook.sharing.queries.grants import Grant
from rollbook.sharing.rules import seal, unseal

NOTHING = Q(pk__in=[])
MODIFIED = Column("dateLastModified", "moment", "date_last_modified")


def own_id(collection: str) -> str:
    """The column that an object's sourcedId is sealed from: OneRoster names demographics by their user."""
    return "person_id" if collection == "demographics" else "id"


def visible(grant: Grant, collection: str, head: str, rest: list[str], where: str) -> Column:
    """The column that a dotted path names. Raises Invalid if there is none or the rule does not share it."""
    found = OBJECTS[collection]
    own, also = shared(collection, grant.fields)
    # Of two columns under one name, the one that this rule shares: the whole is not looked for by its part.
    column = next((c for c in (*own, *also, *found.columns, *found.also) if c.name == head), None)
    wants = {"ref": ["sourcedId"], "meta": rest[:1], "codes": rest[:1]}.get(column.kind, []) if column else []
    if column is None or (rest != wants and not (column.kind == "ref" and not rest and where != "filter")):
        hint = (
            f"Write {head}.sourcedId."
            if column and column.kind == "ref"
            else "Fields are named as in the answer."
        )
        raise Invalid(f"{collection} has no field {'.'.join([head, *rest])!r} to {where} by.", hint, where)
    if column not in own and column not in also:
        raise unshared(collection, head, where)
    if where == "filter" and column.kind in ("meta", "codes"):
        if not rest or (column.kind == "codes" and rest[0] not in ("type", "identifier")):
            raise Invalid(
                f"{head} has parts.",
                f"Write {head}.{'identifier' if column.kind == 'codes' else 'name'}.",
                where,
            )
    return column


def unshared(collection: str, head: str, where: str) -> Invalid:
    """The refusal to look by a field that the school does not share: the same whatever the rows hold."""
    return Invalid(
        f"The school does not share {collection}.{head} with this app.", f"It cannot {where} by it.", where
    )


class Terms:
    """Reads the terms of a filter for one side. left: the rows that left, through the access that may read those."""

    def __init__(self, grant: Grant, access: Access, found: Object, left: bool) -> None:
        self.grant, self.access, self.object, self.left = grant, access, found, left

    def condition(self, asked: Filter) -> Q:
        found = self.term(asked.terms[0])
        for join, term in zip(asked.joins, asked.terms[1:], strict=True):
            found = found & self.term(term) if join == "AND" else found | self.term(term)
        return found

    def term(self, term: Term) -> Q:
        head, *rest = term.path
        if head == "status" and not rest:
            shown = "tobedeleted" if self.left else "active"
            return Q() if COMPARE[term.predicate](shown, term.value.lower()) else NOTHING
        if head == "sourcedId" and not rest:
            label = self.object.sealed_as or self.object.label
            return self.compare(
                self.object.model,
                self.object.label,
                Column("sourcedId", "ref", own_id(self.object.name), label),
                term,
            )
        if head == "dateLastModified" and not rest:
            return self.moment(term)
        if head in PARTS.get(self.object.name, {}):
            return self.part(head, rest, term)
        column = visible(self.grant, self.object.name, head, rest, "filter")
        if column in self.object.also:
            return self.beside(column, term)
        return self.compare(self.object.model, self.object.label, column, term)

    def moment(self, term: Term) -> Q:
        if not self.left:
            return self.compare(self.object.model, self.object.label, MODIFIED, term)
        when = departures(self.grant, self.object.label)
        if term.predicate == "~":
            return Q(id__any=[i for i, moment in when.items() if term.value.lower() in stamp(moment).lower()])
        asked = read_moment(term)
        return Q(id__any=[i for i, moment in when.items() if _ordered(term.predicate, moment, asked)])

    def compare(self, model: type[Model], label: str, column: Column, term: Term) -> Q:
        """The condition on one column of `model`."""
        if self.left and column.column in personal_columns(label):
            return NOTHING
        made = _DIRECT.get(column.kind)
        found = made(self, column, term) if made else None
        if found is None:
            found = self.by_hand(model, column, term)
        return found

    def by_hand(self, model: type[Model], column: Column, term: Term) -> Q:
        """What SQL does not say alike on both databases: read the column, compare here."""
        rows = list(self.access.select(model).values_list("id", column.column).iterator())
        if column.kind == "ref":
            distinct = sorted({value for _, value in rows if value is not None})
            names = dict(zip(distinct, seal(self.grant.id_key, column.to, distinct), strict=True))
            return Q(
                id__any=[
                    i
                    for i, value in rows
                    if COMPARE[term.predicate](names.get(value, ""), term.value.lower())
                ]
            )
        elements = ELEMENTS[column.kind](term)
        return Q(id__any=[i for i, value in rows if holds(elements(value), term, column.kind in SEVERAL)])

    def part(self, head: str, rest: list[str], term: Term) -> Q:
        """A field that another table holds: roles.role, agents.sourcedId, terms.sourcedId, children.sourcedId."""
        collection = self.object.name
        if not part_shared(collection, head, self.grant.fields):
            raise unshared(collection, head, "filter")
        label, owner, columns = PARTS[collection][head]
        known = {c.name if head == "roles" else "sourcedId": c for c in columns}
        column = known.get(rest[0]) if rest else None
        if (
            column is None
            or len(rest) > (2 if column.kind == "ref" and head == "roles" else 1)
            or (head == "roles" and column.kind == "ref" and rest[1:] != ["sourcedId"])
        ):
            raise Invalid(
                f"{collection} has no field {term.name!r}.", f"Write {head}.{next(iter(known))}.", "filter"
            )
        negated = term.predicate == "!="
        asked = Term(term.path, "=", term.value) if negated else term
        if head == "agents":
            found = self.agents(asked)
        else:
            if self.left and label in ("role", "guardianship"):
                return NOTHING
            where = self.compare(model_of(label), label, column, asked)
            found = Q(
                id__any=sorted(
                    set(self.access.select(model_of(label)).filter(where).values_list(owner, flat=True))
                    - {None}
                )
            )
        return ~found if negated else found

    def agents(self, term: Term) -> Q:
        if self.left:
            return NOTHING
        rows = list(self.access.select(model_of("guardianship")).values_list("guardian_id", "child_id"))
        pairs = [*rows, *((child, guardian) for guardian, child in rows)]
        people = sorted({agent for agent, _ in pairs})
        names = dict(zip(people, seal(self.grant.id_key, "person", people), strict=True))
        return Q(
            id__any=[
                owner for agent, owner in pairs if COMPARE[term.predicate](names[agent], term.value.lower())
            ]
        )

    def beside(self, column: Column, term: Term) -> Q:
        """A column of the second table, by person."""
        if self.left:
            return NOTHING
        where = _flag(self, column, term)
        return Q(
            person_id__any=list(
                self.access.select(model_of("Ethnicity")).filter(where).values_list("person_id", flat=True)
            )
        )


def plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    return fold(str(value))


def _ordered(predicate: str, left: Any, right: Any) -> bool:
    return {
        "=": left == right,
        "!=": left != right,
        ">": left > right,
        ">=": left >= right,
        "<": left < right,
        "<=": left <= right,
    }[predicate]


# ---- The condition that each kind of column makes in SQL; None where it is left to `by_hand`.

_LOOKUPS = {"=": "", ">": "__gt", ">=": "__gte", "<": "__lt", "<=": "__lte"}


def _text(side: Terms, column: Column, term: Term) -> Q | None:
    value = term.value
    if term.predicate not in ("=", "!=", "~") or not (value.isascii() or is_postgres()):
        return None  # order differs between databases; SQLite folds the case of plain letters only
    found = Q(**{f"{column.column}__{'icontains' if term.predicate == '~' else 'iexact'}": value})
    return ~found if term.predicate == "!=" else found


def _word(side: Terms, column: Column, term: Term) -> Q | None:
    found = _text(side, column, term)
    if found is None or not term.value.lower().startswith("ext:"):
        return found
    plain = _text(side, column, Term(term.path, term.predicate, term.value[4:])) or NOTHING
    return found & plain if term.predicate == "!=" else found | plain


def _flag(side: Terms, column: Column, term: Term) -> Q:
    found = Q(**{column.column: read_flag(term)})
    return ~found if term.predicate == "!=" else found


def _date(side: Terms, column: Column, term: Term) -> Q | None:
    if term.predicate == "~":
        return None
    value = read_date(term)
    if term.predicate == "!=":
        return ~Q(**{column.column: value})
    return Q(**{f"{column.column}{_LOOKUPS[term.predicate]}": value})


def _moment(side: Terms, column: Column, term: Term) -> Q | None:
    if term.predicate == "~":
        return None
    value = read_moment(term)
    if term.predicate == "!=":
        return ~Q(**{column.column: value})
    return Q(**{f"{column.column}{_LOOKUPS[term.predicate]}": value})


def _ref(side: Terms, column: Column, term: Term) -> Q | None:
    if term.predicate not in ("=", "!="):
        return None
    found = unseal(side.grant.id_key, column.to, term.value)
    asked = NOTHING if found is None else Q(**{column.column: found})
    return ~asked if term.predicate == "!=" else asked


_DIRECT: dict[str, Callable[[Terms, Column, Term], Q | None]] = {
    "text": _text, "word": _word, "flag": _flag, "date": _date, "moment": _moment, "ref": _ref,
}  # fmt: skip


def _codes(term: Term) -> Callable[[Any], list[str]]:
    part = 0 if term.path[1] == "type" else 1
    return lambda value: [pair[part] for pair in code_pairs(value)]


def _meta(term: Term) -> Callable[[Any], list[str]]:
    def elements(value: Any) -> list[str]:
        held = (orjson.loads(value) if value else {}).get(term.path[1])
        return [] if held is None else [str(h) for h in held] if isinstance(held, list) else [str(held)]

    return elements


# The texts in a value, for a comparison made here.
ELEMENTS: dict[str, Callable[[Term], Callable[[Any], list[str]]]] = {
    "list": lambda _: lambda value: value.split(",") if value else [],
    "codes": _codes,
    "meta": _meta,
    **dict.fromkeys(("text", "word", "date", "moment", "flag"), lambda _: lambda value: [plain(value)]),
}

SEVERAL = ("list", "codes", "meta")


def code_pairs(text: str) -> list[tuple[str, str]]:
    """`{type:id},{type:id}` as pairs."""
    pairs = []
    for item in text[1:-1].split("},{"):
        kind, _, code = item.partition(":")
        if kind and code:
            pairs.append((kind, code))
    return pairs
