"""Reads of the gradebook, and which of its rows each relationship reaches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollbook.learning.models import LineItem, Result
from rollbook.learning.rules import scaled
from rollbook.policy import Access, Reach, Via, also_reaches, find_relationship
from rollbook.roster import FIRST_NAMES, children_of, class_register, first_names

# A line item is reached with its class.
_WITH_CLASS = Via("klass_id", "roster.Class", "id")
# A teacher reaches the results of a class they teach, of the pupils who are in that class now.
_TAUGHT = find_relationship("teaches").reaches["roster.Class"]
assert _TAUGHT is not None
_IN_CLASSES_TAUGHT = Reach(
    "id",
    "SELECT 1 FROM learning_result x WHERE x.id = {row} AND x.tenant_id = %s"
    f" AND x.class_id IN ({_TAUGHT.ids}) AND EXISTS (SELECT 1 FROM roster_enrollment e WHERE e.tenant_id = x.tenant_id"
    " AND e.class_id = x.class_id AND e.person_id = x.person_id AND e.status = 'active')",
    ("tenant", *_TAUGHT.names),
)
_CHILDREN = Via("person_id", "roster.Guardianship", "child_id", (("status", "active"),))
_RESULTS: dict[str, Reach | Via] = {
    "teaches": _IN_CLASSES_TAUGHT,
    "org": _WITH_CLASS,
    "own": Reach("person_id", "SELECT %s", ("person",), few=True),
    "guards": _CHILDREN,
}
for _name, _results in _RESULTS.items():
    also_reaches(_name, {"learning.LineItem": _WITH_CLASS, "learning.Result": _results})

RESULT_COLUMNS: tuple[tuple[Any, str], ...] = tuple(
    (Result, name)
    for name in (
        "score", "score_maximum", "score_status", "score_date", "comment", "activity_progress", "grading_progress",
    )
)  # fmt: skip


# ---- For the doors of apps.


def line_items(
    access: Access, klass: int, limit: int, *, id: int | None = None, after: int = 0, **words: Any
) -> list[LineItem]:
    """Line items of a class in the order in which they were made. id: this one alone. words: resource_link,
    resource_id or tag must be so."""
    rows = access.select(LineItem).filter(klass_id=klass, status="active", **words)
    if id is not None:
        rows = rows.filter(id=id)
    return list(rows.filter(id__gt=after).order_by("id")[:limit])


def results(
    access: Access, item: int, limit: int, *, person: int | None = None, after: int = 0
) -> list[Result]:
    """Results of a line item in the order in which they first came. person: of this pupil alone."""
    rows = access.select(Result).filter(line_item_id=item, status="active")
    if person is not None:
        rows = rows.filter(person_id=person)
    return list(rows.filter(id__gt=after).order_by("id")[:limit])


# ---- For pages.

SHOWN = 20  # line items on one page


@dataclass(frozen=True)
class Line:
    """One pupil's result as a page shows it. score: in what the line item counts, or None."""

    person: int
    name: str
    score: float | None
    of: float
    state: str
    at: datetime
    comment: str


@dataclass(frozen=True)
class Work:
    """One line item with the results that the access sees. pupils: how many could have one."""

    item: LineItem
    lines: tuple[Line, ...]
    pupils: int


@dataclass(frozen=True)
class ClassResults:
    """A class's work, by its source; `next` goes on with what is older."""

    register: Any
    sources: tuple[tuple[str, tuple[Work, ...]], ...]
    next: int | None

    @property
    def people(self) -> list[int]:
        """Everybody whose name and result are on the page."""
        return sorted({line.person for _, works in self.sources for w in works for line in w.lines})

    @property
    def columns(self) -> list[tuple[Any, str]]:
        """What is shown of them."""
        names = [(model, name) for model, name in self.register.columns if name.endswith("name")]
        return [*names, *RESULT_COLUMNS]


STATES = {
    "fully graded": "Marked", "partially graded": "Marked in part", "submitted": "Handed in",
    "not submitted": "Not handed in",
}  # fmt: skip


def class_results(access: Access, klass: int, before: int | None = None) -> ClassResults:
    """The newest line items of a class and their results. Raises NotFound for a class that is not theirs, Refused where
    results are not for this role."""
    register = class_register(access, klass)
    found = access.select(Result)  # refuses before anything is shown
    rows = access.select(LineItem).filter(klass_id=klass, status="active").order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    items = list(rows[: SHOWN + 1])
    shown = items[:SHOWN]
    names = {s.id: s.name for s in register.students}
    of_item: dict[int, list[Result]] = {}
    for result in found.filter(line_item_id__any=[i.id for i in shown], status="active"):
        of_item.setdefault(result.line_item_id, []).append(result)
    sources: dict[tuple[int, str], list[Work]] = {}
    for item in shown:
        lines = _lines(item, of_item.get(item.id, ()), names)
        sources.setdefault((item.source_id, item.source), []).append(Work(item, lines, len(names)))
    ordered = sorted(sources.items(), key=lambda pair: (pair[0][1].casefold(), pair[0][0]))
    return ClassResults(
        register,
        tuple((name, tuple(works)) for (_, name), works in ordered),
        shown[-1].id if len(items) > SHOWN else None,
    )


def _lines(item: LineItem, results: Iterable[Result], names: dict[int, str]) -> tuple[Line, ...]:
    """Results as lines, in the order of the register."""
    by_person = {r.person_id: r for r in results}
    return tuple(_line(item, by_person[p], name) for p, name in names.items() if p in by_person)


def _line(item: LineItem, result: Result, name: str) -> Line:
    score = None
    if result.score is not None and result.score_maximum is not None:
        score = round(scaled(result.score, result.score_maximum, item.result_value_max), 2)
    return Line(
        result.person_id, name, score, item.result_value_max,
        STATES.get(result.score_status, result.score_status), result.score_date, result.comment,
    )  # fmt: skip


RECENT = 100  # results of one child on their guardian's page


@dataclass(frozen=True)
class OwnWork:
    """One result of a child, with the work that it is for."""

    item: LineItem
    line: Line


@dataclass(frozen=True)
class Child:
    """A guardian's child with their results, the newest first."""

    id: int
    name: str
    works: tuple[OwnWork, ...]


CHILD_COLUMNS = (*FIRST_NAMES, *RESULT_COLUMNS)


def childrens_results(access: Access) -> list[Child]:
    """A guardian's children, by name, each with the results that the source has released."""
    names = first_names(access, children_of(access))
    return [
        Child(person, names[person], _released(access, person, names[person]))
        for person in sorted(names, key=lambda p: (names[p].casefold(), p))
    ]


def _released(access: Access, person: int, name: str) -> tuple[OwnWork, ...]:
    rows = access.select(Result).filter(person_id=person, status="active").order_by("-score_date", "-id")
    found = list(rows[:RECENT])
    shown = access.select(LineItem).filter(
        id__any=[r.line_item_id for r in found], status="active", released=True
    )
    items = {item.id: item for item in shown}
    return tuple(
        OwnWork(items[r.line_item_id], _line(items[r.line_item_id], r, name))
        for r in found
        if r.line_item_id in items
    )
