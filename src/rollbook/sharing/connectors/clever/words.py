"""Rollbook's words as Clever's. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# CEDS codes, as OneRoster has them.
_GRADES = {
    "IT": "InfantToddler", "PR": "Preschool", "PK": "PreKindergarten", "TK": "TransitionalKindergarten",
    "KG": "Kindergarten", **{f"{n:02}": str(n) for n in range(1, 14)}, "PS": "PostGraduate", "UG": "Ungraded",
}  # fmt: skip
# What version 2.0 does not know.
_GRADES_2 = {
    "InfantToddler": "PreKindergarten", "Preschool": "PreKindergarten", "TransitionalKindergarten": "Kindergarten",
    "13": "PostGraduate", "Ungraded": "Other",
}  # fmt: skip
_SUBJECTS = (  # the first that a subject's name holds
    ("homeroom", "homeroom/advisory"), ("advisory", "homeroom/advisory"), ("registration", "homeroom/advisory"),
    ("intervention", "interventions/online learning"), ("online", "interventions/online learning"),
    ("social", "social studies"), ("history", "social studies"), ("geograph", "social studies"),
    ("civic", "social studies"), ("econom", "social studies"), ("citizen", "social studies"),
    ("comput", "technology and engineering"), ("technolog", "technology and engineering"),
    ("engineer", "technology and engineering"), ("coding", "technology and engineering"),
    ("math", "math"), ("algebra", "math"), ("geometr", "math"), ("calcul", "math"),
    ("scien", "science"), ("biolog", "science"), ("chemis", "science"), ("physics", "science"),
    ("physical ed", "PE and health"), ("health", "PE and health"), ("sport", "PE and health"), ("gym", "PE and health"),
    ("english", "english/language arts"), ("language arts", "english/language arts"),
    ("literacy", "english/language arts"), ("reading", "english/language arts"), ("writing", "english/language arts"),
    ("phonics", "english/language arts"),
    ("music", "arts and music"), ("drama", "arts and music"), ("theat", "arts and music"), ("dance", "arts and music"),
    ("language", "language"), ("spanish", "language"), ("french", "language"), ("german", "language"),
    ("welsh", "language"), ("arabic", "language"), ("mandarin", "language"), ("latin", "language"),
)  # fmt: skip
_WHOLE_SUBJECTS = {"pe": "PE and health", "art": "arts and music", "arts": "arts and music", "ict": "technology and engineering",
                   "ela": "english/language arts", "mfl": "language"}  # fmt: skip
_PARENTS = frozenset({"parent", "mother", "father", "mum", "mom", "dad"})
_GRANDPARENTS = frozenset({"grandparent", "grandmother", "grandfather"})
_AUNTS = frozenset({"aunt", "uncle", "aunt/uncle"})
_SIBLINGS = frozenset({"sibling", "brother", "sister"})
RACES = {
    "americanIndianOrAlaskaNative": "American Indian", "asian": "Asian",
    "blackOrAfricanAmerican": "Black or African American",
    "nativeHawaiianOrOtherPacificIslander": "Hawaiian or Other Pacific Islander", "white": "Caucasian",
}  # fmt: skip
MANY_RACES = "demographicRaceTwoOrMoreRaces"


def grade(text: str, old: bool = False) -> str | None:
    """The first of these grades (comma-separated) in Clever's words. old: in those of version 2.0."""
    first = text.split(",")[0].strip()
    if not first:
        return None
    code = first.upper()
    found = _GRADES.get(code.zfill(2) if code.isdigit() else code, "Other")
    return _GRADES_2.get(found, found) if old else found


def subject(texts: str, class_type: str) -> str | None:
    """A section's subject, from its subjects (comma-separated) or, where it names none, its kind."""
    for text in filter(None, (t.strip().lower() for t in texts.split(","))):
        word = _WHOLE_SUBJECTS.get(text) or next((clever for part, clever in _SUBJECTS if part in text), None)
        if word:
            return word
    if class_type == "homeroom":
        return "homeroom/advisory"
    return "other" if texts.strip(" ,") else None


def gender(sex: str, old: bool = False) -> str | None:
    """M, F or X; version 2.0 has no X and gets an empty text."""
    if not sex:
        return None
    return {"male": "M", "female": "F"}.get(sex, "" if old else "X")


def race(held: Sequence[bool], many: bool) -> str:
    """One word for the five flags in the order of RACES; many: the flag of two or more."""
    named = [word for word, true in zip(RACES.values(), held, strict=True) if true]
    if many or len(named) > 1:
        return "Two or More Races"
    return named[0] if named else "Unknown"


def relationship(text: str) -> tuple[str, str]:
    """(relationship, type) of a grown-up to a child."""
    word = text.strip().lower()
    if word in _PARENTS:
        return "Parent", "Parent/Guardian"
    if word in _GRANDPARENTS:
        return "Grandparent", "Family"
    if word in _AUNTS:
        return "Aunt/Uncle", "Family"
    if word in _SIBLINGS:
        return "Sibling", "Family"
    return ("Other", "Family" if word == "relative" else "Parent/Guardian" if word == "guardian" else "Other")


def day(text: str) -> str:
    """2019-03-04 as Clever writes a birthday: 3/4/2019."""
    year, month, date = text.split("-")
    return f"{int(month)}/{int(date)}/{year}"
