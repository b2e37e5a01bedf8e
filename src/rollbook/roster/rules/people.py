"""How people are named, found and spoken of."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from rollbook.roster.rules.plan import ROLE_WORDS

MORE_ROLES = {
    "siteAdministrator": "site administrator", "districtAdministrator": "district administrator",
    "systemAdministrator": "system administrator",
}  # fmt: skip
SEARCH_ROLES = (
    "student", "teacher", "guardian", "parent", "relative", "aide", "counselor", "principal", "proctor",
    "siteAdministrator", "districtAdministrator", "systemAdministrator",
)  # fmt: skip


def fold(text: str) -> str:
    """A name as search reads it: lower case, without accents (as the sync writes `name_key`)."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(plain.lower().split())


def name_key(family: str, given: str) -> str:
    """What search reads for a person."""
    return fold(f"{family} {given}")


def role_name(role: str) -> str:
    """A OneRoster role in words; an unknown one as it came."""
    return MORE_ROLES.get(role) or ROLE_WORDS.get(role, (role, ""))[0]


def full_name(given: str, family: str, preferred_given: str = "", preferred_family: str = "") -> str:
    """The name a person goes by. A person without any name is said to have none."""
    words = [preferred_given or given, preferred_family or family]
    return " ".join(w for w in words if w) or "(no name)"


def listed(words: Iterable[str], last: str = "and") -> str:
    """Words as a phrase: "a, b and c"."""
    found = [w for w in words if w]
    return f"{', '.join(found[:-1])} {last} {found[-1]}" if len(found) > 1 else "".join(found)


def numbered(count: int, one: str, many: str) -> str:
    """`1 person`, `2,310 people`."""
    return f"{count:,} {one if count == 1 else many}"
