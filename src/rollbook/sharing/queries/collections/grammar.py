"""The words of a list request: filter, sort and fields, read strictly. No database.

A filter is one or more terms, `field` predicate `'value'`, joined by AND or OR and read from left to right. A quote in
a value is written twice, or after a backslash. Texts are compared without regard to case, as the binding asks.
A list (grades, subjects) holds a value if one of its elements does; several values are separated by commas and all
must be held. `!=` is true wherever `=` is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from rollbook.kernel.errors import Invalid

PREDICATES = ("!=", ">=", "<=", "=", ">", "<", "~")
MOST_TERMS = 20
_TERM = re.compile(
    r"\s*([A-Za-z][A-Za-z0-9_:-]*(?:\.[A-Za-z0-9_:-]+)*)\s*(!=|>=|<=|=|>|<|~)\s*'((?:[^'\\]|''|\\.)*)'",
    re.DOTALL,
)
_JOIN = re.compile(r"\s+(AND|OR)(?=\s)", re.IGNORECASE)
_ESCAPED = re.compile(r"''|\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Term:
    """One comparison: a dotted path, a predicate, a value as it was written between the quotes."""

    path: tuple[str, ...]
    predicate: str
    value: str

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class Filter:
    """Terms, and the AND or OR before each but the first."""

    terms: tuple[Term, ...]
    joins: tuple[str, ...] = ()


def read_filter(text: str) -> Filter:
    """Parse a filter. Raises Invalid (field "filter") that says where it stops making sense."""
    terms: list[Term] = []
    joins: list[str] = []
    at = 0
    if "\0" in text:
        raise Invalid("The filter holds a null character.", "Leave it out.", "filter")
    while True:
        found = _TERM.match(text, at)
        if found is None:
            where = text[at : at + 40].strip() or "its end"
            raise Invalid(
                f"The filter cannot be read from: {where}",
                "Write field='value', joined by AND or OR.",
                "filter",
            )
        value = _ESCAPED.sub(lambda m: m[1] or "'", found[3])
        terms.append(Term(tuple(found[1].split(".")), found[2], value))
        at = found.end()
        if not text[at:].strip():
            return Filter(tuple(terms), tuple(joins))
        joined = _JOIN.match(text, at)
        if joined is None:
            raise Invalid(
                f"After a value the filter goes on with: {text[at : at + 40].strip()}",
                "Join terms with AND or OR.",
                "filter",
            )
        if len(terms) == MOST_TERMS:
            raise Invalid(
                f"The filter has more than {MOST_TERMS} terms.", "Ask in several requests.", "filter"
            )
        joins.append(joined[1].upper())
        at = joined.end()


def fold(text: str) -> str:
    """A text as it is compared and sorted: no case, no accents."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


COMPARE: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "~": lambda a, b: b in a,
}


def holds(elements: list[str], term: Term, several: bool) -> bool:
    """Whether texts satisfy a term (see the top of this file). several: the value may name several of a list."""
    have = [fold(e) for e in elements]
    predicate = "=" if term.predicate == "!=" else term.predicate
    asked = [fold(v.strip()) for v in term.value.split(",")] if several else [fold(term.value)]
    found = all(any(COMPARE[predicate](e, value) for e in have) for value in asked)
    return found != (term.predicate == "!=")


def read_date(term: Term) -> date:
    """The day in a term. Raises Invalid."""
    try:
        return date.fromisoformat(term.value)
    except ValueError:
        return read_moment(term).date()


def read_moment(term: Term) -> datetime:
    """The moment in a term: a day, or a date and time in ISO 8601, in UTC if it names no zone. Raises Invalid."""
    # A plus sign that was not encoded arrives as a blank.
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", term.value.strip())
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            f"{term.name} is compared with a date, and {term.value[:40]!r} is none.",
            "Write 2026-09-01 or 2026-09-01T08:30:00Z.",
            "filter",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def read_flag(term: Term) -> bool:
    """The yes or no in a term. Raises Invalid."""
    if term.value.lower() not in ("true", "false") or term.predicate not in ("=", "!="):
        raise Invalid(
            f"{term.name} is true or false.", f"Write {term.name}='true' or {term.name}!='true'.", "filter"
        )
    return term.value.lower() == "true"
