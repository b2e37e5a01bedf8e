"""On which grounds people of the school may hand information to somebody outside, and what each must show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Ground:
    """A ground, and its evidence: name -> what is asked for."""

    title: str
    evidence: Mapping[str, str]


# The whole list (CLEV-2.1). Whatever else is wanted has no ground, and is refused.
GROUNDS = {
    "court-order": Ground(
        "A court order or another legal process compels it",
        {
            "order": "Number of the order",
            "authority": "Court or authority that issued it",
            "scope": "What exactly the order asks for",
        },
    ),
    "statute": Ground(
        "A statute or regulation requires it", {"provision": "The provision: act or regulation, and section"}
    ),
    "terms": Ground(
        "To enforce the terms of use",
        {"clause": "The clause of the terms", "limit": "Why the clause needs these details and no others"},
    ),
    "belief": Ground(
        "A belief in good faith that rights, property or safety need protection",
        {
            "risk": "What is at risk, and for whom",
            "belief": "The belief, written out",
            "holder": "Who holds it",
        },
    ),
}


def evidence_in_words(ground: str, evidence: Mapping[str, str]) -> str:
    """The evidence as one text: "Number of the order: 14/2026. ..."."""
    asked = GROUNDS[ground].evidence
    return " ".join(f"{asked[name]}: {evidence[name].rstrip('.')}." for name in asked if evidence.get(name))


def ground_title(ground: str) -> str:
    """The ground in words; what is no ground, as it is."""
    return GROUNDS[ground].title if ground in GROUNDS else ground
