"""The description of this service as an OpenAPI 3 document, made from the operations and the shapes, at this address."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from rollbook.sharing.connectors.oneroster.operations import OPERATIONS, PREFIX, SCOPES, SINGULAR, Operation
from rollbook.sharing.connectors.oneroster.parameters import DEFAULT_LIMIT, MOST
from rollbook.sharing.connectors.oneroster.shapes import (
    HOME,
    REF_TYPE,
    REQUIRED,
    REQUIRED_LISTS,
    REQUIRED_REFS,
    WORDS,
)
from rollbook.sharing.queries.collections import OBJECTS, PARTS, Column

# The REST binding publishes the first name, the conformance guide the second.
DISCOVERY = frozenset(
    {
        "discovery/onerosterv1p2rostersservice_openapi3_v1p0.json",
        "discovery/imsorv1p2_rostering_openapi3_v1p0.json",
    }
)
_COMMON = ("sourcedId", "status", "dateLastModified")
# Fields of the standard that this service never fills, yet may be selected.
_NEVER = {
    "users": ("password", "resources", "userProfiles"), "classes": ("resources",), "courses": ("resources",),
    "demographics": ("metadata",),
}  # fmt: skip
PROPERTIES: dict[str, frozenset[str]] = {
    name: frozenset(
        (
            *_COMMON,
            *(c.name for c in (*made.columns, *made.also)),
            *PARTS.get(name, ()),
            *_NEVER.get(name, ()),
        )
    )
    for name, made in OBJECTS.items()
}
_TEXT: dict[str, Any] = {"type": "string"}
_DAY = {"type": "string", "format": "date"}
_FLAG = {"type": "string", "enum": ["true", "false"]}
_EXTENSION = {"type": "string", "pattern": r"(ext:)[a-zA-Z0-9\.\-_]+"}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _many(schema: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": schema, "minItems": least}


def _word(name: str) -> dict[str, Any]:
    return {"anyOf": [{"type": "string", "enum": list(WORDS[name])}, _EXTENSION]}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(collection: str, column: Column) -> dict[str, Any]:
    simple = {
        "text": _TEXT, "list": _many(_TEXT), "date": _DAY, "flag": _FLAG, "codes": _many(_ref("UserId")),
        "meta": {"type": "object", "additionalProperties": True},
    }  # fmt: skip
    if column.kind == "word":
        return _word(f"{collection}.{column.name}")
    return _ref(f"{column.to}Ref") if column.kind == "ref" else simple[column.kind]


_PART: dict[str, dict[str, Any]] = {
    "roles": _many(_ref("Role"), 1), "agents": _many(_ref("personRef")), "terms": _many(_ref("sessionRef"), 1),
}  # fmt: skip


def _schemas() -> dict[str, Any]:
    made: dict[str, Any] = {
        "UserId": _object({"type": _TEXT, "identifier": _TEXT}, ["type", "identifier"]),
        "Role": _object(
            {
                "roleType": {"type": "string", "enum": ["primary", "secondary"]}, "role": _word("users.roles.role"),
                "org": _ref("orgRef"), "beginDate": _DAY, "endDate": _DAY,
            },
            ["roleType", "role", "org"],
        ),
        "Status": _object(
            {
                "imsx_codeMajor": {"type": "string", "enum": ["success", "processing", "failure", "unsupported"]},
                "imsx_severity": {"type": "string", "enum": ["status", "warning", "error"]},
                "imsx_description": _TEXT,
                "imsx_CodeMinor": {"type": "object", "additionalProperties": True},
            },
            ["imsx_codeMajor", "imsx_severity"],
        ),
    }  # fmt: skip
    for label, home in HOME.items():
        made[f"{label}Ref"] = _object(
            {
                "href": {"type": "string", "format": "uri", "description": f"Address below {PREFIX}/{home}/."},
                "sourcedId": _TEXT, "type": {"type": "string", "enum": [REF_TYPE[label]]},
            },
            ["href", "sourcedId", "type"],
        )  # fmt: skip
    for name, found in OBJECTS.items():
        properties: dict[str, Any] = {
            "sourcedId": _TEXT,
            "status": {"type": "string", "enum": ["active", "tobedeleted"]},
            "dateLastModified": {"type": "string", "format": "date-time"},
        }
        properties |= {column.name: _property(name, column) for column in (*found.columns, *found.also)}
        properties |= {
            part: _PART.get(part, _many(_ref(f"{found.label}Ref"))) for part in PARTS.get(name, ())
        }
        lists = [REQUIRED_LISTS[name]] if name in REQUIRED_LISTS else []
        made[SINGULAR[name]] = _object(
            properties, [*_COMMON, *REQUIRED[name], *REQUIRED_REFS.get(name, ()), *lists]
        )
    return made


def _parameter(name: str, schema: dict[str, Any], says: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": says}


_FIELDS = _parameter("fields", _many(_TEXT), "The fields to send, repeated or separated by commas.")
_LIST = [
    _parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
        "The most objects in an answer.",
    ),
    _parameter("offset", {"type": "integer", "minimum": 0, "default": 0}, "How many objects to pass over."),
    _parameter("sort", _TEXT, "The field to sort by."),
    _parameter("orderBy", {"type": "string", "enum": ["asc", "desc"]}, "The direction of the sort."),
    _parameter(
        "filter", _TEXT, "Terms such as familyName='Jones', joined by AND or OR, read from left to right."
    ),
    _parameter("cursor", _TEXT, "Marks a place in a list; taken from the next link of the answer before."),
    _FIELDS,
]


def _operation(operation: Operation) -> dict[str, Any]:
    key = SINGULAR[operation.collection] if operation.single else operation.collection
    schema = _ref(SINGULAR[operation.collection])
    answer = {
        "type": "object",
        "properties": {key: schema if operation.single else _many(schema)},
        "required": [key],
    }
    success: dict[str, Any] = {
        "description": "What the school shares.",
        "content": {"application/json": {"schema": answer}},
    }
    if not operation.single:
        success["headers"] = {
            "X-Total-Count": {
                "schema": {"type": "integer"},
                "description": "How many objects the whole list has.",
            },
            "Link": {
                "schema": _TEXT,
                "description": "Addresses of the first, previous, next and last pages.",
            },
        }
    wrong = {"content": {"application/json": {"schema": _ref("Status")}}}
    says = {
        "400": "A parameter cannot be used.", "401": "The access token is missing, unknown or has ended.",
        "403": "The school does not share this now, or the token lacks the scope.",
        "404": "The school shares no object with this id.", "429": "Too many requests; Retry-After says when to go on.",
        "default": "Another error.",
    }  # fmt: skip
    ids = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in operation.ids]
    return {
        "operationId": operation.name,
        "summary": f"Read {'one object of' if operation.single else 'the list'} {operation.path}.",
        "parameters": [*ids, *([_FIELDS] if operation.single else _LIST)],
        "security": [{"OAuth2CC": [scope]} for scope in operation.scopes],
        "responses": {
            "200": success,
            **{code: {"description": text, **wrong} for code, text in says.items()},
        },
    }


@lru_cache(maxsize=8)
def document(base: str) -> bytes:
    """The description of the service at this address (`https://host`), as JSON."""
    return orjson.dumps(
        {
            "openapi": "3.0.3",
            "info": {
                "title": "Rollbook: OneRoster rostering",
                "version": "1.2",
                "description": "Each school decides what an app reads. What it does not share is left out, or empty.",
            },
            "servers": [{"url": base + PREFIX}],
            "paths": {operation.path: {"get": _operation(operation)} for operation in OPERATIONS},
            "components": {
                "securitySchemes": {
                    "OAuth2CC": {
                        "type": "oauth2",
                        "flows": {"clientCredentials": {"tokenUrl": f"{base}/oauth/token", "scopes": SCOPES}},
                    }
                },
                "schemas": _schemas(),
            },
        }
    )
