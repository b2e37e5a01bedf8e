"""Which rows stand in a list, in which order: the audience, cut by subset, parent and filter, sorted, and kept."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Q

from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Access
from rollbook.sharing.queries.audience import Audience, audience
from rollbook.sharing.queries.collections.grammar import Filter
from rollbook.sharing.queries.collections.moments import departures, stamp
from rollbook.sharing.queries.collections.objects import OBJECTS, PARTS, Column, model_of, personal_columns
from rollbook.sharing.queries.collections.terms import MODIFIED, Terms, own_id, plain, visible
from rollbook.sharing.queries.grants import Grant
from rollbook.sharing.rules import seal, unseal, unseal_short

KEPT_IDS = 5_000_000  # ids of lists kept in this process, 8 bytes each


@dataclass(frozen=True)
class Via:
    """Rows found through another table: where its `given` columns name the parents, `gives` names the rows."""

    label: str
    given: tuple[str, ...]
    gives: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ways:
    """Rows found by any of several ways, each through one table after another. A way through a table of which the
    rule shares nothing leads nowhere."""

    ways: tuple[tuple[Via, ...], ...]


GROWN_UPS = ("guardian", "parent", "relative")
STAFF = ("aide", "counselor", "principal", "proctor", "siteAdministrator")
DISTRICT_ADMINS = ("districtAdministrator", "systemAdministrator")
_TAUGHT = (
    Via("enrollment", ("person_id",), "klass_id", ("teacher",)),
    Via("enrollment", ("klass_id",), "person_id", ("student",)),
)
_TEACHING = (
    Via("enrollment", ("person_id",), "klass_id", ("student",)),
    Via("enrollment", ("klass_id",), "person_id", ("teacher",)),
)
_LOOKED_AFTER = (Via("guardianship", ("guardian_id",), "child_id"),)
# What a list under a parent holds: columns of the row itself that name the parents, or a way through other tables.
RELATIONS: dict[str, tuple[str, ...] | Via | Ways] = {
    "classes of course": ("course_id",),
    "classes of school": ("school_id",),
    "courses of school": ("org_id",),
    "enrollments of school": ("school_id",),
    "enrollments of class": ("school_id", "klass_id"),
    "gradingPeriods of term": ("parent_id",),
    "classes of term": Via("ClassTerm", ("session_id",), "klass_id"),
    "terms of school": Via("ClassTerm", ("klass_id",), "session_id"),
    "classes of user": Via("enrollment", ("person_id",), "klass_id"),
    "classes of student": Via("enrollment", ("person_id",), "klass_id", ("student",)),
    "classes of teacher": Via("enrollment", ("person_id",), "klass_id", ("teacher",)),
    "students of class": Via("enrollment", ("klass_id",), "person_id", ("student",)),
    "teachers of class": Via("enrollment", ("klass_id",), "person_id", ("teacher",)),
    "students of school": Via("role", ("org_id",), "person_id", ("student",)),
    "teachers of school": Via("role", ("org_id",), "person_id", ("teacher",)),
    # Clever's.
    "users of class": Via("enrollment", ("klass_id",), "person_id"),
    "users of school": Via("role", ("org_id",), "person_id"),
    "staff of school": Via("role", ("org_id",), "person_id", STAFF),
    "primary users of school": ("primary_org_id",),
    "schools of user": Via("role", ("person_id",), "org_id"),
    "schools of student": Via("role", ("person_id",), "org_id", ("student",)),
    "schools of teacher": Via("role", ("person_id",), "org_id", ("teacher",)),
    "schools of staff": Via("role", ("person_id",), "org_id", STAFF),
    "primary school of user": Via("person", ("id",), "primary_org_id"),
    "schools of course": Via("class", ("course_id",), "school_id"),
    "courses taught at school": Via("class", ("school_id",), "course_id"),
    "schools of term": Ways(
        ((Via("ClassTerm", ("session_id",), "klass_id"), Via("class", ("id",), "school_id")),)
    ),
    "students of user": Ways((_TAUGHT, _LOOKED_AFTER)),
    "students of teacher": Ways((_TAUGHT,)),
    "children of user": Ways((_LOOKED_AFTER,)),
    "teachers of user": Ways((_TEACHING,)),
    "guardians of user": Ways(((Via("guardianship", ("child_id",), "guardian_id"),),)),
}
SUBSETS: dict[str, Via | Q] = {
    "schools": Q(type="school"),
    "terms": Q(type="term"),
    "gradingPeriods": Q(type="gradingPeriod"),
    "students": Via("role", (), "person_id", ("student",)),
    "teachers": Via("role", (), "person_id", ("teacher",)),
    "contacts": Via("role", (), "person_id", GROWN_UPS),
    "staff": Via("role", (), "person_id", STAFF),
    "district_admins": Via("role", (), "person_id", DISTRICT_ADMINS),
}


@dataclass(frozen=True)
class Ask:
    """Which list. subset: a key of SUBSETS. relation: a key of RELATIONS."""

    collection: str
    subset: str = ""
    relation: str = ""
    parents: tuple[int, ...] = ()
    filter: Filter | None = None
    sort: tuple[str, ...] = ()
    descending: bool = False


@dataclass(frozen=True)
class Listing:
    """Ids in the order of the list. `keys` are (sort key, id) in rising order where the list is sorted by a field."""

    audience: Audience
    ids: array[int]
    keys: list[tuple[str, int]] | None = None
    descending: bool = False

    @cached_property
    def here(self) -> array[int]:
        """The list without rows that left, for doors that do not show those."""
        gone = self.audience.gone_set
        return array("q", [i for i in self.ids if i not in gone]) if gone else self.ids

    def after(self, key: str, id: int) -> int:
        """The place after a row, whether or not it is still there."""
        if self.keys is None:
            return bisect_right(self.ids, id)
        if self.descending:
            return len(self.keys) - bisect_left(self.keys, (key, id))
        return bisect_right(self.keys, (key, id))

    def key_at(self, place: int) -> str:
        """The sort key of the row at a place."""
        if self.keys is None:
            return ""
        return self.keys[len(self.keys) - 1 - place if self.descending else place][0]


_kept: OrderedDict[tuple[Any, ...], Listing] = OrderedDict()
_lock = threading.Lock()


def listing(grant: Grant, ask: Ask) -> Listing:
    """The list that is asked for. Raises Invalid for a filter or sort that cannot be used, Refused if none is shared."""
    whole = audience(grant, OBJECTS[ask.collection].label)
    if not (ask.subset or ask.relation or ask.filter or ask.sort):
        return Listing(whole, whole.all)
    key = (grant.app_id, grant.rule_id, grant.access.bundle.hash, ask)
    with _lock:
        found = _kept.get(key)
        if found is not None and found.audience is whole:
            _kept.move_to_end(key)
            return found
    found = _work_out(grant, ask, whole)
    with _lock:
        _kept[key] = found
        total = sum(_weight(kept) for kept in _kept.values())
        while total > KEPT_IDS and len(_kept) > 1:
            total -= _weight(_kept.popitem(last=False)[1])
    return found


def _weight(kept: Listing) -> int:
    return 100 + len(kept.ids) + 12 * len(kept.keys or ())


def _work_out(grant: Grant, ask: Ask, whole: Audience) -> Listing:
    sides = [Side(grant, ask, grant.access, whole.active, False)]
    if whole.gone:
        sides.append(Side(grant, ask, grant.gone, whole.gone, True))
    if not ask.sort:
        ids = [i for side in sides for i in side.ids()]
        return Listing(whole, array("q", sorted(ids)))
    keys = sorted(pair for side in sides for pair in side.keyed())
    ordered = array("q", [i for _, i in (reversed(keys) if ask.descending else keys)])
    return Listing(whole, ordered, keys, ask.descending)


class Side:
    """The rows in force, or those that left, seen through the access that may read them."""

    def __init__(self, grant: Grant, ask: Ask, access: Access, within: array[int], left: bool) -> None:
        self.grant, self.ask, self.access, self.within, self.left = grant, ask, access, within, left
        self.object = OBJECTS[ask.collection]
        self.terms = Terms(grant, access, self.object, left)

    def ids(self) -> Iterable[int]:
        """The ids of this side's rows in the list, in no order."""
        where, members = self.conditions()
        if where is None:
            return members & set(self.within) if members is not None else self.within
        found = self.rows(where).values_list("id", flat=True).iterator()
        # Rows in force were chosen by the live rule itself; rows that left are those of the audience.
        keep = set(self.within) if self.left else None
        return [i for i in found if (keep is None or i in keep) and (members is None or i in members)]

    def rows(self, where: Q | None) -> Any:
        rows = self.access.select(self.object.model)
        if self.left:
            rows = rows.filter(id__any=self.within)
        return rows if where is None else rows.filter(where)

    def conditions(self) -> tuple[Q | None, set[int] | None]:
        """What the row's own columns must satisfy, and the ids that other tables name (None: no such condition)."""
        where: Q | None = None
        members: set[int] | None = None
        ways: list[tuple[Via | Ways, tuple[Any, ...]]] = []
        if self.ask.subset:
            subset = SUBSETS[self.ask.subset]
            if isinstance(subset, Via):
                ways.append((subset, ()))
            else:
                where = subset
        if self.ask.relation:
            relation = RELATIONS[self.ask.relation]
            if isinstance(relation, Via | Ways):
                ways.append((relation, self.ask.parents))
            else:
                named = Q(**dict(zip(relation[-len(self.ask.parents) :], self.ask.parents, strict=True)))
                where = named if where is None else where & named
        for via, parents in ways:
            found = self.through(via, parents) if isinstance(via, Via) else self.along(via, parents)
            members = found if members is None else members & found
        if self.ask.filter:
            asked = self.terms.condition(self.ask.filter)
            where = asked if where is None else where & asked
        return where, members

    def through(self, via: Via, parents: tuple[Any, ...]) -> set[int]:
        rows = self.access.select(model_of(via.label))
        if self.ask.relation == "terms of school":  # the classes of the school lie between
            classes = self.grant.access.select(model_of("class")).filter(school_id=parents[0])
            rows = rows.filter(klass_id__any=list(classes.values_list("id", flat=True)))
        elif parents:
            rows = rows.filter(**dict(zip(via.given, parents, strict=True)))
        if via.roles:
            rows = rows.filter(role__in=via.roles)
        if self.left and via.label in ("role", "enrollment"):
            rows = rows.filter(**{f"{via.gives}__any": self.within})
        return set(rows.values_list(via.gives, flat=True).iterator())

    def along(self, found: Ways, parents: tuple[Any, ...]) -> set[int]:
        """The rows that any of these ways leads to from the parents."""
        ends: set[int] = set()
        for way in found.ways if not self.left else ():
            here: set[int] = set(parents)
            for via in way:
                if not self.access.decide(model_of(via.label)).allowed:
                    here = set()
                rows = self.access.select(model_of(via.label)) if here else None
                if rows is not None:
                    rows = rows.filter(**{f"{via.given[0]}__any": sorted(here)})
                    rows = rows.filter(role__in=via.roles) if via.roles else rows
                    here = set(rows.values_list(via.gives, flat=True).iterator()) - {None}
            ends |= here
        return ends

    def keyed(self) -> list[tuple[str, int]]:
        """(sort key, id) of this side's rows."""
        head, *rest = self.ask.sort
        ids = set(self.ids())
        if head == "status" and not rest:
            return [("tobedeleted" if self.left else "active", i) for i in ids]
        if head == "sourcedId" and not rest:
            column = Column(
                "sourcedId", "ref", own_id(self.object.name), self.object.sealed_as or self.object.label
            )
        elif head == "dateLastModified" and not rest:
            if self.left:
                when = departures(self.grant, self.object.label)
                return [(stamp(when[i]), i) for i in ids if i in when]
            column = MODIFIED
        elif head in PARTS.get(self.object.name, {}):
            raise Invalid(
                f"A list cannot be sorted by {head}.", "Sort by a field that each object has once.", "sort"
            )
        else:
            column = visible(self.grant, self.object.name, head, rest, "sort")
        if column in self.object.also or column.kind in ("meta", "codes"):
            raise Invalid(
                f"A list cannot be sorted by {head}.", "Sort by a field that each object has once.", "sort"
            )
        if self.left and column.column in personal_columns(self.object.label):
            return [("", i) for i in ids]
        rows = list(self.rows(None).values_list("id", column.column).iterator())
        if column.kind == "ref":
            distinct = sorted({value for _, value in rows if value is not None})
            names = dict(zip(distinct, seal(self.grant.id_key, column.to, distinct), strict=True))
            return [(names.get(value, ""), i) for i, value in rows if i in ids]
        return [(plain(value), i) for i, value in rows if i in ids]


def find(grant: Grant, ask: Ask, text: str) -> int:
    """The row behind an id that the app was given, if it stands in the list. Raises NotFound alike for all others."""
    found = OBJECTS[ask.collection]
    row = unseal(grant.id_key, found.sealed_as or found.label, text)
    if row is not None and found.sealed_as:
        whole = audience(grant, found.label)
        named = grant.access.select(found.model).filter(person_id=row).values_list("id", flat=True).first()
        if named is None and whole.gone:
            named = (
                grant.gone.select(found.model)
                .filter(person_id=row, id__any=whole.gone)
                .values_list("id", flat=True)
                .first()
            )
        row = named
    if row is None or not within(listing(grant, ask).ids, row):
        raise NotFound(f"There is no such object in {ask.subset or ask.collection}.")
    return row


def find_short(grant: Grant, ask: Ask, text: str) -> int:
    """The row behind an id of 24 digits, if it stands in the list and did not leave. Raises NotFound alike for all others."""
    row = unseal_short(grant.id_key, OBJECTS[ask.collection].label, text)
    if row is None or not within(listing(grant, ask).here, row):
        raise NotFound(f"There is no such object in {ask.subset or ask.collection}.")
    return row


def within(ids: array[int], id: int) -> bool:
    """Whether a sorted array holds the id."""
    place = bisect_left(ids, id)
    return place < len(ids) and ids[place] == id
