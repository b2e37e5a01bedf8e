"""Numbers and places as a person says them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rollbook.sharing.queries.facts import Reached
from rollbook.sharing.queries.preview import Change

COUNTRIES = {
    "GB": "United Kingdom", "IE": "Ireland", "US": "United States", "CA": "Canada", "AU": "Australia", "NZ": "New Zealand",
    "AE": "United Arab Emirates", "AT": "Austria", "BE": "Belgium", "BG": "Bulgaria", "HR": "Croatia", "CY": "Cyprus",
    "CZ": "Czechia", "DK": "Denmark", "EE": "Estonia", "FI": "Finland", "FR": "France", "DE": "Germany", "GR": "Greece",
    "HU": "Hungary", "IT": "Italy", "LV": "Latvia", "LT": "Lithuania", "LU": "Luxembourg", "MT": "Malta",
    "NL": "Netherlands", "PL": "Poland", "PT": "Portugal", "RO": "Romania", "SK": "Slovakia", "SI": "Slovenia",
    "ES": "Spain", "SE": "Sweden", "NO": "Norway", "IS": "Iceland", "LI": "Liechtenstein", "CH": "Switzerland",
    "IN": "India", "SG": "Singapore", "JP": "Japan", "CN": "China", "IL": "Israel", "ZA": "South Africa", "BR": "Brazil",
}  # fmt: skip


def country(code: str) -> str:
    """A country's name, or its code where we have none."""
    return COUNTRIES.get(code, code)


def many(count: int, one: str, more: str = "") -> str:
    """ "1 pupil", "1,240 pupils"."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def listed(words: Iterable[str]) -> str:
    """ "a, b and c"."""
    found = list(words)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}" if found else ""


def kinds(counts: Mapping[str, int]) -> str:
    """ "184 pupils, 12 staff and 3 family members"."""
    parts = []
    if counts.get("pupils"):
        parts.append(many(counts["pupils"], "pupil"))
    if counts.get("staff"):
        parts.append(many(counts["staff"], "member of staff", "staff"))
    if counts.get("families"):
        parts.append(many(counts["families"], "family member"))
    return listed(parts)


def whom(reached: Reached) -> str:
    """Whom an app reaches, in words."""
    counts = {"pupils": reached.pupils, "staff": reached.staff, "families": reached.families}
    return kinds(counts) or many(reached.people, "person", "people")


def change_lines(change: Change, name: str) -> list[tuple[str, str]]:
    """What a change does, a sentence each with its kind: gives | takes | same."""
    lines = []
    if change.adds:
        among = kinds(change.adds_kinds)
        lines.append(
            ("gives", f"Adds {many(change.adds, 'person', 'people')}{f': {among}' if among else ''}.")
        )
    if change.takes:
        among = kinds(change.takes_kinds)
        shown = f"They will be shown to {name} as deleted."
        lines.append(
            (
                "takes",
                f"Takes away {many(change.takes, 'person', 'people')}{f': {among}' if among else ''}. {shown}",
            )
        )
    named = {f.name for f in change.named}
    dropped = {f.name for f in change.dropped}
    for found in change.fields:
        title = found.field.title
        if found.field.name in named:
            lines.append(
                ("gives", f"{title}: {name} newly gets it, of {many(found.given, 'person', 'people')}.")
            )
        elif found.field.name in dropped:
            lines.append(
                (
                    "takes",
                    f"{title}: {name} gets it no more. Now it is sent of {many(found.taken, 'person', 'people')}.",
                )
            )
        elif found.given or found.taken:
            both = []
            if found.given:
                both.append(f"of {many(found.given, 'more person', 'more people')}")
            if found.taken:
                both.append(f"no more of {many(found.taken, 'person', 'people')}")
            lines.append(("gives" if found.given else "takes", f"{title}: {listed(both)}."))
    return lines or [("same", f"Nothing changes: {name} gets the same details of the same people.")]


def ending_lines(change: Change, name: str) -> list[str]:
    """What stopping takes away, a sentence each."""
    if not change.takes:
        return [f"{name} reaches nobody now."]
    among = kinds(change.takes_kinds)
    details = listed(f.title[0].lower() + f.title[1:] for f in change.dropped)
    return [
        f"{name} loses {many(change.takes, 'person', 'people')}{f': {among}' if among else ''}.",
        f"It loses {many(len(change.dropped), 'detail')} of them: {details}.",
    ]
