"""The description of Clever's API as it is answered here, as an OpenAPI 3 document, made from the table of operations.

The example objects are of one invented pupil, whose details are those of `rules.FIELDS`; a test holds their attributes
against what the door answers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import orjson

from rollbook.sharing.connectors.clever.operations import DISTRICT, ROLES, TABLES, Operation
from rollbook.sharing.connectors.clever.parameters import DEFAULT_LIMIT, MOST
from rollbook.sharing.connectors.clever.words import day
from rollbook.sharing.connectors.oneroster.operations import DEMOGRAPHICS, ROSTER
from rollbook.sharing.rules import FIELDS

_ID, _OTHER = "5d6f0e1c9b7a4e3f8a2c1b0d", "8c2b1f7e4d3a6905bb17e2c4"
_AT = "2026-09-01T06:10:00.000Z"
_STAMPS = {"created": _AT, "last_modified": _AT}


def _of(name: str) -> Any:
    return FIELDS[f"users.{name}"].example


_NAME = {"first": _of("givenName"), "middle": _of("middleName"), "last": _of("familyName")}
_LOGIN = {"district_username": _of("username")}
_PUPIL = {
    "sis_id": _of("identifier"), "student_number": _of("identifier"), "state_id": _of("userMasterIdentifier"),
    "credentials": _LOGIN, "schools": [_OTHER], "school": _OTHER, "grade": _of("grades")[0].lstrip("0"),
    "dob": day(FIELDS["demographics.birthDate"].example), "gender": "F",
}  # fmt: skip
_TEACHER = {
    "sis_id": "T-0012", "teacher_number": "T-0012", "credentials": {"district_username": "bthistlewick"},
    "schools": [_OTHER], "school": _OTHER,
}  # fmt: skip
_EMAIL = _of("email")
_SCHOOL = {
    "id": _OTHER,
    "district": _ID,
    **_STAMPS,
    "name": "Hollowell Primary",
    "school_number": "S1",
    "sis_id": "S1",
}
_SECTION = {
    "id": _OTHER, "district": _ID, **_STAMPS, "name": "Kestrels", "section_number": "2K", "grade": "2", "subject": "math",
    "course": _ID, "school": _ID, "term_id": _ID, "students": [_ID], "teachers": [_OTHER], "teacher": _OTHER,
}  # fmt: skip
EXAMPLES: dict[str, dict[str, Any]] = {
    "users": {
        "id": _ID, "district": _OTHER, **_STAMPS, "email": _EMAIL, "name": _NAME,
        "roles": {"student": {"legacy_id": _ID, **_STAMPS, **_PUPIL,
                              "enrollments": [{"school": _OTHER, "start_date": "2026-09-01"}]}},
    },
    "students": {"id": _ID, "district": _OTHER, "email": _EMAIL, **_STAMPS, "name": _NAME, **_PUPIL},
    "teachers": {"id": _ID, "district": _OTHER, "email": "ben@hollowell.example", **_STAMPS,
                 "name": {"first": "Ben", "last": "Thistlewick"}, **_TEACHER},
    "contacts": {"id": _ID, "district": _OTHER, "email": "cleo@home.example", "phone": _of("phone"), "students": [_OTHER],
                 "name": "Cleo Fernweh", "relationship": "Parent", "type": "Parent/Guardian"},
    "district_admins": {"id": _ID, "district": _OTHER, "email": "hana@hollowell.example",
                        "name": {"first": "Hana", "last": "Larkspur"}},
    "school_admins": {"id": _ID, "district": _OTHER, "email": "ida@hollowell.example",
                      "name": {"first": "Ida", "last": "Moss"}, "schools": [_OTHER], "staff_id": "A-0003",
                      "credentials": {"district_username": "imoss"}},
    "schools": _SCHOOL,
    "sections": _SECTION,
    "courses": {"id": _ID, "district": _OTHER, "name": "Maths 2", "number": "MA2"},
    "terms": {"id": _ID, "district": _OTHER, "name": "Autumn", "start_date": "2026-09-01", "end_date": "2026-12-18"},
    "districts": {"id": _ID, "name": "Sevenhills Trust", "state": "running", "launch_date": "2026-09-01", "last_sync": _AT},
    "events": {"id": _ID, "type": "users.created", "created": _AT, "data": {"object": {"id": _OTHER}}},
}  # fmt: skip
_NOT_IN_2 = ("courses", "terms")  # whose objects do not name their district in version 2.0


def example(shape: str, version: str) -> dict[str, Any] | None:
    """One invented object of this shape; None for resources, of which there are none here."""
    found = EXAMPLES.get(shape)
    if found is None or version != "v2.0" or shape not in _NOT_IN_2:
        return found
    return {name: value for name, value in found.items() if name != "district"}


_TEXT: dict[str, Any] = {"type": "string"}


def _parameter(name: str, schema: dict[str, Any], says: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": says}


_LIST = [
    _parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
        "The most objects in an answer.",
    ),
    _parameter("starting_after", _TEXT, "The id of the last object of the page before."),
    _parameter("ending_before", _TEXT, "The id of the first object of the page after."),
    _parameter("count", {"type": "boolean"}, "Say how many objects the whole list has."),
]  # fmt: skip
_ROLE = _parameter("role", {"type": "string", "enum": list(ROLES)}, "Only people of this role.")
_PRIMARY = _parameter("primary", {"type": "boolean"}, "Only the primary school of each person.")
_EVENTS = [
    _parameter("school", _TEXT, "Only events of this school."),
    _parameter("record_type", {"type": "array", "items": _TEXT}, "Only events of these kinds of object."),
]


def _operation(operation: Operation, version: str) -> dict[str, Any]:
    has_id = "*" in operation.name
    listed = [] if operation.single else list(_LIST)
    if not operation.single and operation.shape == "users":
        listed.append(_ROLE)
    if operation.primary:
        listed.append(_PRIMARY)
    word = operation.name.split("/")[0]
    what = operation.name.rsplit("/", 1)[-1]
    summary = (
        f"Read one of the {word}." if operation.name.endswith("/*") else
        f"Read the list of {word}." if not has_id else f"Read the {what} of one of the {word}."
    )  # fmt: skip
    found = None if operation.parent == "resources" else example(operation.shape, version)
    return _described(
        f"{version}.{operation.name.replace('/*', '.one').replace('/', '.')}", summary, has_id, listed,
        found, operation.single,
    )  # fmt: skip


def _described(
    name: str, summary: str, has_id: bool, parameters: list[dict[str, Any]], found: dict[str, Any] | None, single: bool,
) -> dict[str, Any]:  # fmt: skip
    ids = [{"name": "id", "in": "path", "required": True, "schema": _TEXT}] if has_id else []
    answer: dict[str, Any] = (
        {"data": found}
        if single
        else {"data": [{"data": found}] if found else [], "links": [{"rel": "self", "uri": "/"}]}
    )
    says = {
        "400": "A parameter cannot be used.", "401": "The access token is missing, unknown or has ended.",
        "403": "The school does not share this now, or the token is not one for a district’s data.",
        "404": "The school shares no object with this id.", "429": "Too many requests; Retry-After says when to go on.",
    }  # fmt: skip
    return {
        "operationId": name,
        "summary": summary if found else f"{summary} There are none here: it is empty, and no id is known.",
        "parameters": [*ids, *parameters],
        "security": [{"OAuth2": [ROSTER]}, {"OAuth2": [DISTRICT]}],
        "responses": {
            "200": {"description": "What the school shares.", "content": {"application/json": {
                "schema": {"type": "object"}, **({"example": answer} if found or not single else {}),
            }}},
            **{code: {"description": text} for code, text in says.items()},
        },
    }  # fmt: skip


@lru_cache(maxsize=16)
def document(base: str, version: str) -> bytes:
    """The description of one version of the API at this address (`https://host`), as JSON."""
    paths = {
        "/" + re.sub(r"\*", "{id}", name): {"get": _operation(operation, version)}
        for name, operation in TABLES[version].items()
    }
    paths["/events"] = {
        "get": _described(
            f"{version}.events",
            "Read what has changed, in order.",
            False,
            [*_LIST[:3], *_EVENTS],
            EXAMPLES["events"],
            False,
        )
    }
    paths["/events/{id}"] = {
        "get": _described(f"{version}.events.one", "Read one event.", True, [], EXAMPLES["events"], True)
    }
    scopes = {
        ROSTER: "Read everything that the school shares, apart from demographics.",
        DISTRICT: "Read everything that the school shares: the scope of a district’s own token.",
        DEMOGRAPHICS: "Read the demographics that the school shares, too.",
    }
    return orjson.dumps(
        {
            "openapi": "3.0.3",
            "info": {
                "title": f"Rollbook: Clever’s API {version}",
                "version": version,
                "description": "Each school decides what an app reads. What it does not share is left out.",
            },
            "servers": [{"url": f"{base}/{version}"}],
            "paths": paths,
            "components": {
                "securitySchemes": {
                    "OAuth2": {
                        "type": "oauth2",
                        "flows": {"clientCredentials": {"tokenUrl": f"{base}/oauth/token", "scopes": scopes}},
                    }
                }
            },
        }
    )
