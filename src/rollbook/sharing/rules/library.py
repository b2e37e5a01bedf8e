"""The library's own sharing rule: what a teacher may share with an app, and with whose data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

# The whole of it: first name, first letter of the last name, school year, class. No setting adds to it. A rule has the
# role as well, without which no person can be named; it says "pupil" of each.
REASONS = {
    "users.givenName": "To greet the child by name",
    "users.familyInitial": "To tell two children of one first name apart",
    "users.grades": "To choose work of the right year",
    "enrollments.role": "To keep each class together",
}
PUPILS, WITH_TEACHERS = ("student",), ("student", "teacher")
MOST = 20  # apps at one class, whatever a tenant sets


def library_rule(classes: Iterable[str], roles: Sequence[str], grades: Sequence[str]) -> dict[str, Any]:
    """The rule of an app that was added to these classes (sourcedIds), as `share` reads it."""
    people = {
        "classes": sorted(classes),
        "roles": list(roles),
        **({"grades": list(grades)} if grades else {}),
    }
    return {"people": people, "fields": [{"field": f, "reason": why} for f, why in REASONS.items()]}
