"""The reference of our APIs for readers, made from their OpenAPI documents and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from rollbook.sharing.connectors.clever.document import document as clever
from rollbook.sharing.connectors.clever.operations import VERSIONS
from rollbook.sharing.connectors.oneroster.document import document as oneroster
from rollbook.sharing.connectors.oneroster.operations import SINGULAR
from rollbook.sharing.rules import FIELDS

# The name in the address -> the document at an address of this site.
APIS: dict[str, Callable[[str], bytes]] = {
    "oneroster": oneroster,
    **{f"clever-{version}": partial(clever, version=version) for version in reversed(VERSIONS)},
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One parameter of the query: its name, what it may be, what it does."""

    name: str
    kind: str
    says: str


@dataclass(frozen=True)
class OperationPage:
    """One operation as a reader sees it. scopes: any one of these lets a token in. example: an answer, as JSON."""

    name: str
    path: str
    summary: str
    ids: tuple[str, ...]
    query: tuple[str, ...]
    scopes: tuple[str, ...]
    errors: tuple[tuple[str, str], ...]
    example: str

    @property
    def short_scopes(self) -> list[str]:
        """The scopes without the address before each."""
        return [scope.rsplit("/", 1)[-1] for scope in self.scopes]

    @property
    def word(self) -> str:
        """The first word of the path, by which the page is divided."""
        return self.path.split("/")[1]


@dataclass(frozen=True)
class Api:
    """One API: its operations in order, each parameter once, each scope with what it is for."""

    title: str
    says: str
    server: str
    token: str
    operations: tuple[OperationPage, ...]
    parameters: tuple[Parameter, ...]
    scopes: tuple[tuple[str, str], ...]

    @property
    def groups(self) -> list[tuple[str, list[OperationPage]]]:
        """The operations by the first word of their path."""
        found: dict[str, list[OperationPage]] = {}
        for operation in self.operations:
            found.setdefault(operation.word, []).append(operation)
        return list(found.items())


def read(document: bytes) -> Api:
    """An OpenAPI document of ours as a page shows it."""
    doc = orjson.loads(document)
    schemas = doc["components"].get("schemas", {})
    parameters: dict[str, Parameter] = {}
    operations = []
    for path, methods in doc["paths"].items():
        for made in methods.values():
            query = [p for p in made["parameters"] if p["in"] == "query"]
            for p in query:
                parameters.setdefault(p["name"], Parameter(p["name"], _kind(p["schema"]), p["description"]))
            operations.append(
                OperationPage(
                    made["operationId"], path, made["summary"],
                    tuple(p["name"] for p in made["parameters"] if p["in"] == "path"),
                    tuple(p["name"] for p in query),
                    tuple(scope for way in made["security"] for scopes in way.values() for scope in scopes),
                    tuple((code, a["description"]) for code, a in made["responses"].items() if code.isdigit() and code != "200"),
                    _example(made["responses"]["200"]["content"]["application/json"], schemas),
                )
            )  # fmt: skip
    [scheme] = doc["components"]["securitySchemes"].values()
    flow = scheme["flows"]["clientCredentials"]
    return Api(
        doc["info"]["title"], doc["info"]["description"], doc["servers"][0]["url"], flow["tokenUrl"], tuple(operations),
        tuple(parameters.values()), tuple(flow["scopes"].items()),
    )  # fmt: skip


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema["type"] == "integer":
        ends = [f"from {schema['minimum']}"] if "minimum" in schema else []
        ends += [f"to {schema['maximum']}"] if "maximum" in schema else []
        ends += [f"{schema['default']} when left out"] if "default" in schema else []
        return ", ".join(["a whole number", *ends])
    return {"boolean": "true or false", "array": "a list of texts"}.get(schema["type"], "a text")


_COLLECTIONS = {one: many for many, one in SINGULAR.items()}
_TEXTS_OF = {("academicSessions", "title"): "Autumn term", ("courses", "title"): "Maths 2"}
_TEXTS = {
    "sourcedId": "0a6c2f1e-7b1d-4c59-9b0e-5d1f2a3b4c5d", "href": "…/0a6c2f1e-7b1d-4c59-9b0e-5d1f2a3b4c5d",
    "dateLastModified": "2026-09-01T06:10:00.000Z", "title": "Kestrels", "name": "Hollowell Primary", "schoolYear": "2027",
    "classCode": "2K", "courseCode": "MA2", "identifier": "00417", "type": "LDAP", "location": "Room 4",
    "grades": "02", "subjects": "Maths", "subjectCodes": "100511", "periods": "1",
}  # fmt: skip


def _example(content: dict[str, Any], schemas: dict[str, Any]) -> str:
    """An answer: the document's own, or one made of its schema and of the invented pupil of `rules.FIELDS`."""
    if (
        "example" not in content
        and content["schema"].get("type") == "object"
        and "properties" not in content["schema"]
    ):
        return ""
    found = content.get("example") or _made(content["schema"], schemas, "", "")
    return orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()


def _made(schema: dict[str, Any], schemas: dict[str, Any], collection: str, name: str) -> Any:
    if "$ref" in schema:
        to = schema["$ref"].rsplit("/", 1)[1]
        return _made(schemas[to], schemas, _COLLECTIONS.get(to, collection), name)
    field = FIELDS.get(f"{collection}.{name}")
    if field is not None and not field.structural and name not in ("agents", "metadata"):
        return field.example
    if "anyOf" in schema:
        words = schema["anyOf"][0]["enum"]
        return field.example if field is not None else ("student" if "student" in words else words[0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "array":
        return [_made(schema["items"], schemas, collection, name)]
    if schema["type"] == "object":
        inner = collection if name not in ("roles", "userIds") else ""
        return {key: _made(value, schemas, inner, key) for key, value in schema.get("properties", {}).items()}
    if schema.get("format") == "date":
        return "2026-12-18" if "end" in name.lower() else "2026-09-01"
    return _TEXTS_OF.get((collection, name)) or _TEXTS.get(name, "")
