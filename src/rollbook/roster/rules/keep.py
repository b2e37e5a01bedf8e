"""What a school lets a sync store at all: `tenant.keep`, parsed.

    {"fields": {"drop": ["users.phone", "demographics", "ethnicity"]},
     "people": {"roles": ["student", "teacher"], "orgs": ["school-1"]}}

fields.drop: a file (`demographics`, `flags`: none of it is stored), or `file.column` by its OneRoster name
(`users.preferredFirstName` or `users.preferred_first_name`), or `ethnicity` for its seven columns.
people.roles: only people who have one of these roles; their other roles are not stored either.
people.orgs: sourcedIds; only people with a role at one of these orgs or below one, only classes there.
Nothing given keeps everything. A name that is not known is an error: a typing mistake must not store what was refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FILES = {
    "orgs": "org", "academicSessions": "session", "courses": "course", "classes": "class", "users": "person",
    "roles": "role", "enrollments": "enrollment", "demographics": "demographics", "guardianships": "guardianship",
    "flags": "flag",
}  # fmt: skip
WHOLE = frozenset({"demographics", "guardianships", "flags"})
COLUMNS: Mapping[str, frozenset[str]] = {
    "org": frozenset({"identifier", "metadata"}),
    "session": frozenset({"metadata"}),
    "course": frozenset({"course_code", "grades", "subjects", "subject_codes", "metadata"}),
    "class": frozenset({"class_code", "location", "grades", "subjects", "subject_codes", "periods", "metadata"}),
    "person": frozenset(
        {
            "username", "user_ids", "given_name", "family_name", "middle_name", "preferred_first_name",
            "preferred_middle_name", "preferred_last_name", "pronouns", "identifier", "email", "sms", "phone", "grades",
            "user_master_identifier", "primary_org_sourced_id", "metadata",
        }
    ),
    "role": frozenset({"user_profile"}),
    "enrollment": frozenset({"is_primary", "metadata"}),
    "demographics": frozenset(
        {
            "birth_date", "sex", "american_indian_or_alaska_native", "asian", "black_or_african_american",
            "native_hawaiian_or_other_pacific_islander", "white", "demographic_race_two_or_more_races",
            "hispanic_or_latino_ethnicity", "country_of_birth_code", "state_of_birth_abbreviation", "city_of_birth",
            "public_school_residence_status", "metadata",
        }
    ),
    "guardianship": frozenset({"relationship"}),
}  # fmt: skip
ETHNICITY = (
    "american_indian_or_alaska_native", "asian", "black_or_african_american", "native_hawaiian_or_other_pacific_islander",
    "white", "demographic_race_two_or_more_races", "hispanic_or_latino_ethnicity",
)  # fmt: skip
ROLES = frozenset(
    {
        "aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor", "relative",
        "siteAdministrator", "student", "systemAdministrator", "teacher",
    }
)  # fmt: skip


class KeepError(ValueError):
    """A selection that cannot be understood; the message says which part and what would do."""


@dataclass(frozen=True)
class Keep:
    """kinds: not stored at all. columns: (kind, staged column) not stored. roles, orgs: None keeps all."""

    kinds: frozenset[str] = frozenset()
    columns: frozenset[tuple[str, str]] = frozenset()
    roles: frozenset[str] | None = None
    orgs: frozenset[str] | None = None

    @property
    def people(self) -> bool:
        """Whether some people are left out."""
        return self.roles is not None or self.orgs is not None


def parse_keep(given: Mapping[str, Any]) -> Keep:
    """The selection that `tenant.keep` holds. Raises KeepError."""
    _only(given, "the selection", {"fields", "people"})
    fields, people = given.get("fields", {}), given.get("people", {})
    _only(fields, "fields", {"drop"})
    _only(people, "people", {"roles", "orgs"})
    kinds: set[str] = set()
    columns: set[tuple[str, str]] = set()
    for name in fields.get("drop") or []:
        if name == "ethnicity":
            columns |= {("demographics", column) for column in ETHNICITY}
        elif name in WHOLE:
            kinds.add(FILES[name])
        else:
            columns.add(_column(name))
    roles = people.get("roles")
    for role in roles or []:
        if role not in ROLES:
            raise KeepError(f"people.roles has {role!r}; it may hold {', '.join(sorted(ROLES))}.")
    orgs = people.get("orgs")
    return Keep(
        frozenset(kinds), frozenset(columns),
        frozenset(roles) if roles else None, frozenset(map(str, orgs)) if orgs else None,
    )  # fmt: skip


def _only(given: Any, where: str, names: set[str]) -> None:
    if not isinstance(given, Mapping):
        raise KeepError(f"{where} must be an object with {', '.join(sorted(names))}.")
    for name in given:
        if name not in names:
            raise KeepError(f"{where} has {name!r}; it may hold {', '.join(sorted(names))}.")


def _column(name: str) -> tuple[str, str]:
    file, _, column = name.partition(".")
    kind = FILES.get(file)
    if kind is None or not column:
        raise KeepError(
            f"fields.drop has {name!r}; write a file ({', '.join(sorted(WHOLE))}) or file.column."
        )
    snake = re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), column)
    snake = {"primary": "is_primary", "preferred_given_name": "preferred_first_name",
             "preferred_family_name": "preferred_last_name"}.get(snake, snake)  # fmt: skip
    if snake not in COLUMNS.get(kind, frozenset()):
        can = ", ".join(sorted(COLUMNS.get(kind, frozenset()))) or "none"
        raise KeepError(f"fields.drop has {name!r}; of {file}, these columns can be left out: {can}.")
    return kind, snake
