"""The register of what was handed over by hand, through the gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rollbook.kernel import idset
from rollbook.kernel.errors import NotFound
from rollbook.policy import Access, Disclosure, HandedOver, word_of
from rollbook.roster.models import Demographics, Enrollment, Ethnicity, Flag, Guardianship, Person, Role
from rollbook.roster.queries.people import names_of
from rollbook.roster.rules.details import GROUPS, LABELS, SILENT, in_words
from rollbook.roster.rules.handed import GROUNDS, ground_title

PAGE = 50
ABOUT_PEOPLE = (Person, Role, Enrollment, Guardianship, Demographics, Ethnicity, Flag)


def details_of(access: Access) -> list[tuple[str, list[tuple[str, str]]]]:
    """What can be chosen as handed over: (group, [(column, label), ...]), as far as the access may see it."""
    found: dict[str, list[tuple[str, str]]] = {title: [] for title in GROUPS.values()}
    for model in ABOUT_PEOPLE:
        table = model._meta.db_table
        granted = access.columns(model) if access.decide(model).allowed else ()
        for column, label in LABELS[table].items():
            about: Any = model._meta.get_field(column)
            word = word_of(about)
            if column in granted and (table, column) not in SILENT and word and word.category:
                found[GROUPS[word.category.split(".")[0]]].append((f"{table}.{column}", label))
    return [(title, rows) for title, rows in found.items() if rows]


def details_offered(access: Access) -> set[str]:
    """The columns of `details_of`."""
    return {column for _, rows in details_of(access) for column, _ in rows}


def present(access: Access, people: Iterable[int]) -> set[int]:
    """Those of the people whom the access reaches, here or left."""
    return set(access.select(Person).filter(id__any=list(people)).values_list("id", flat=True))


@dataclass(frozen=True)
class HandedLine:
    """One entry of the register, as people read it."""

    id: int
    at: datetime
    released_on: date
    recipient: str
    ground: str
    title: str
    evidence: tuple[tuple[str, str], ...]
    details: tuple[str, ...]
    columns: tuple[str, ...]
    people: tuple[int, ...]
    approved_by: str
    entered_by: str
    told: bool
    why_not_told: str
    corrects: int
    why_corrected: str
    corrected_by: int
    raw_evidence: Mapping[str, str]

    @property
    def late(self) -> bool:
        """Whether it was written down after the release."""
        return self.at.date() > self.released_on


def entries(access: Access, before: int | None = None) -> tuple[list[HandedLine], int | None]:
    """The register, newest first, and the id to go on before."""
    rows = access.select(HandedOver).order_by("-id")
    found = list((rows.filter(id__lt=before) if before else rows)[: PAGE + 1])
    return _lines(access, found[:PAGE]), found[PAGE - 1].id if len(found) > PAGE else None


def entry(access: Access, number: int) -> HandedLine:
    """One entry. Raises NotFound, for another tenant's too."""
    found = _lines(access, list(access.select(HandedOver).filter(id=number)))
    if not found:
        raise NotFound("There is no such entry.")
    return found[0]


def _lines(access: Access, rows: list[Any]) -> list[HandedLine]:
    told = {d.id: d for d in access.select(Disclosure).filter(id__any=[r.disclosure_id for r in rows])}
    later = dict(
        access.select(HandedOver).filter(corrects__any=[r.id for r in rows]).values_list("corrects", "id")
    )
    made = []
    for r in rows:
        d = told[r.disclosure_id]
        asked = GROUNDS[r.ground].evidence if r.ground in GROUNDS else {}
        made.append(
            HandedLine(
                r.id, r.at, r.released_on, d.recipient, r.ground, ground_title(r.ground),
                tuple((asked.get(name, name), r.evidence[name]) for name in (asked or r.evidence) if name in r.evidence),
                tuple(in_words(d.columns)), tuple(d.columns.split(",")), tuple(idset.unpack(bytes(d.people))),
                r.approved_by, r.entered_by, r.told, r.why_not_told, r.corrects, r.why_corrected, later.get(r.id, 0),
                r.evidence,
            )
        )  # fmt: skip
    return made


def corrected(access: Access, disclosures: Iterable[int]) -> dict[int, datetime]:
    """Of disclosures by hand, those that a later entry corrects: disclosure -> when."""
    rows = access.select(HandedOver).filter(disclosure_id__any=list(disclosures))
    entry_of = dict(rows.values_list("id", "disclosure_id"))
    later = access.select(HandedOver).filter(corrects__any=list(entry_of)).values_list("corrects", "at")
    return {entry_of[number]: at for number, at in later}


def people_called(access: Access, text: str, limit: int = 12) -> list[tuple[int, str]]:
    """(id, name) of people, here or left, whose name holds every word."""
    rows = access.select(Person)
    for word in text.lower().split()[:5]:
        rows = rows.filter(name_key__contains=word)
    ids = list(rows.order_by("name_key", "id").values_list("id", flat=True)[:limit])
    names = names_of(access, ids)
    return [(i, names[i]) for i in ids if i in names]
