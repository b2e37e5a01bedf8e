"""What an app is sent, made by the very shapes of its OneRoster door: of a made-up pupil, and of a true one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from rollbook.kernel import clock
from rollbook.policy import Access
from rollbook.sharing.connectors.oneroster.shapes import Shaper
from rollbook.sharing.queries import Grant, audience
from rollbook.sharing.queries.choices import rows_about
from rollbook.sharing.queries.collections import Column, Page, page, plan
from rollbook.sharing.queries.facts import shown_to
from rollbook.sharing.rules import FIELDS

MADE_UP = 417  # an id far below every real one


def made_up(grant: Grant, base: str) -> str:
    """The user that the API would send for a pupil whom nobody knows, as indented JSON. base: "https://host"."""
    made = plan("users", grant.fields, None)
    row = (clock.now(), MADE_UP, *(_example("users", c, grant) for c in made.own))
    orgs = audience(grant, "org").active
    parts: dict[str, dict[int, list[Any]]] = {"agents": {}}
    if orgs:
        parts["roles"] = {MADE_UP: [(orgs[0], "primary", "student", None, None)]}
    answer = Shaper(grant, made, base, None).objects(Page([MADE_UP], {MADE_UP: row}, {}, parts), [MADE_UP])
    return _text(answer[0])


def _example(collection: str, column: Column, grant: Grant) -> Any:
    found = FIELDS.get(column.field or f"{collection}.{column.name}")
    if found is None:
        orgs = audience(grant, "org").active
        return {"ref": orgs[0] if orgs else None, "flag": "true"}.get(
            column.kind
        )  # flags and dates come as text
    value = found.example
    if column.kind == "list":
        return ",".join(value)
    if column.kind == "codes":
        return ",".join(f"{{{code['type']}:{code['identifier']}}}" for code in value)
    return orjson.dumps(value).decode() if column.kind == "meta" else value


def true_payload(
    access: Access, grant: Grant, person: int, base: str
) -> tuple[str, str, set[int], list[str]]:
    """What the app would be sent of one person whom it sees, cut to what the member of staff who looks may see.

    Returns the JSON, the columns as the disclosure log writes them, whose data it holds, and the titles left out.
    """
    fields, columns = shown_to(access, grant)
    left = [found for name, found in FIELDS.items() if name in grant.fields and name not in fields]
    hidden = [found.title for found in left if not found.sent]
    cut = replace(grant, fields=fields, access=replace(grant.access, limit=columns))
    found: dict[str, Any] = {}
    logged: set[str] = set()
    people: set[int] = set()

    def add(collection: str, ids: list[int]) -> list[Any]:
        made = plan(collection, fields, None)
        read = page(cut, made, ids)
        logged.update(made.logged.split(","))
        people.update(read.people)
        return Shaper(cut, made, base, None).objects(read, ids)

    found["users"] = add("users", [person])
    enrollments = rows_about(cut, "Enrollment", person)
    found["enrollments"] = add("enrollments", enrollments)
    if any(name.startswith("demographics.") for name in fields):
        found["demographics"] = add("demographics", rows_about(cut, "Demographics", person))
    return _text(found), ",".join(sorted(logged)), people | {person}, hidden


def _text(answer: Any) -> str:
    compact = orjson.loads(orjson.dumps(answer))  # references are finished JSON already
    return orjson.dumps(compact, option=orjson.OPT_INDENT_2).decode()
