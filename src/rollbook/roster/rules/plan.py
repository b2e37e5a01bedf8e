"""When a sync waits for a person, and what its plan says in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

FLOOR = 5  # fewer rows than this are an ordinary day, whatever share of a small school they are
STRUCTURE = ("org", "person", "class")  # kinds that never all go on an ordinary day, however few they are

KINDS: Mapping[str, tuple[str, str]] = {
    "org": ("org", "orgs"), "session": ("academic session", "academic sessions"), "course": ("course", "courses"),
    "class": ("class", "classes"), "person": ("person", "people"), "role": ("role", "roles"),
    "enrollment": ("enrolment", "enrolments"), "demographics": ("demographics row", "demographics rows"),
    "ethnicity": ("ethnicity row", "ethnicity rows"), "guardianship": ("guardianship", "guardianships"),
    "flag": ("flag", "flags"),
}  # fmt: skip
REASONS: Mapping[str, str] = {
    "absent": "no longer in the files", "marked": "marked to be deleted", "person": "the person goes",
    "class": "the class goes", "org": "the school goes",
}  # fmt: skip
ROLE_WORDS: Mapping[str, tuple[str, str]] = {
    "student": ("student", "students"), "teacher": ("teacher", "teachers"), "guardian": ("guardian", "guardians"),
    "parent": ("parent", "parents"), "relative": ("relative", "relatives"), "aide": ("aide", "aides"),
    "principal": ("principal", "principals"), "proctor": ("proctor", "proctors"), "counselor": ("counsellor", "counsellors"),
}  # fmt: skip


@dataclass(frozen=True)
class Tally:
    """What a sync does to one kind of row. existing: active rows of the roster before it."""

    existing: int = 0
    rows: int = 0
    created: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    set_aside: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Hold:
    """One reason why a sync waits. percent and limit are of the rows that exist."""

    kind: str
    action: str
    count: int
    of: int
    percent: float
    limit: float
    sentence: str

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def holds(tallies: Mapping[str, Tally], removed_limit: float, changed_limit: float) -> list[Hold]:
    """Why the sync should wait for a person; empty when it need not.

    A kind that has no rows yet (the first load) never holds, nor do fewer than FLOOR rows; but where every org,
    person or class would go, and there are at least two, it holds whatever their number.
    """
    found = []
    for kind, tally in tallies.items():
        for action, count, limit in (
            ("removed", tally.removed, removed_limit),
            ("changed", tally.changed, changed_limit),
        ):
            if not tally.existing or not count:
                continue
            percent = 100 * count / tally.existing
            everything = action == "removed" and kind in STRUCTURE and count >= tally.existing >= 2
            if everything or (count >= FLOOR and percent > limit):
                found.append(Hold(kind, action, count, tally.existing, round(percent, 1), limit,
                                  _sentence(kind, action, count, tally.existing, percent, limit)))  # fmt: skip
    return found


def _sentence(kind: str, action: str, count: int, of: int, percent: float, limit: float) -> str:
    verb = {"removed": "leave the roster", "changed": "change"}[action]
    hint = {
        "removed": "Often this means that the export was incomplete.",
        "changed": "Often this means that the export was set up in another way.",
    }[action]
    share = f"{percent:.0f} %" if percent >= 1 else "less than 1 %"
    return (
        f"{count:,} of {of:,} {KINDS[kind][1]} ({share}) would {verb}; you allow {limit:g} % without asking. "
        f"{hint} Look at the plan, then apply or discard it."
    )


def number(count: int, word: tuple[str, str]) -> str:
    """`1 class`, `2 classes`."""
    return f"{count:,} {word[0] if count == 1 else word[1]}"


def role_word(role: str) -> tuple[str, str]:
    """A role in the singular and the plural."""
    return ROLE_WORDS.get(role, (role, role))


def line(
    name: str, state: str, joined: Iterable[tuple[str, int]], left: Iterable[tuple[str, int]], changed: int
) -> str:
    """One line of the plan: `Kestrels (new): 3 students and 1 teacher joined, 2 students left`.

    state: new, goes, changed or "". joined, left: (role, number) pairs.
    """
    parts = []
    for pairs, verb in ((joined, "joined"), (left, "left")):
        words = [number(n, role_word(role)) for role, n in pairs if n]
        if words:
            parts.append(f"{_and(words)} {verb}")
    if changed:
        parts.append(f"{changed:,} changed")
    mark = {"new": " (new)", "goes": " (goes)", "changed": " (its details change)"}.get(state, "")
    return f"{name}{mark}: {', '.join(parts)}" if parts else f"{name}{mark}"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def summary(tallies: Mapping[str, Tally]) -> str:
    """The whole plan in one sentence."""
    parts = []
    told = {kind: tally for kind, tally in tallies.items() if kind in (*STRUCTURE, "enrollment")} or tallies
    for verb in ("created", "changed", "removed"):
        words = [number(n, KINDS[kind]) for kind, tally in told.items() if (n := getattr(tally, verb))]
        if words:
            parts.append(f"{_and(words)} {verb}")
    aside = sum(t.set_aside for t in tallies.values())
    if aside:
        parts.append(f"{number(aside, ('row', 'rows'))} set aside")
    return ("; ".join(parts) or "nothing to do").capitalize() + "."
