"""Erin's app again, as one that was written for Clever's API."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from django.test import Client

from rollbook.sharing.rules import seal_short
from tests.sharing.oneroster.conftest import Erin
from tests.sharing.oneroster.conftest import doors as doors
from tests.sharing.oneroster.conftest import erin as erin
from tests.sharing.oneroster.conftest import narrowed as narrowed
from tests.sharing.oneroster.conftest import newcomer as newcomer

SPECS = Path(os.environ.get("ROLLBOOK_SPECS", Path(__file__).parents[3] / "../shared/specs")) / "clever"
needs_specs = pytest.mark.skipif(
    not SPECS.is_dir(), reason="ROLLBOOK_SPECS does not hold Clever's descriptions"
)
VERSIONS = ("v2.0", "v3.0", "v3.1")


def ask(erin: Erin, path: str, **query: Any) -> Any:
    """GET an address of Clever's API, with the app's token."""
    return Client().get(path, query or None, headers={"authorization": f"Bearer {erin.token()}"})


def read(erin: Erin, path: str, **query: Any) -> Any:
    """What an answer that must succeed holds: the object, or the objects of the list."""
    answer = ask(erin, path, **query)
    assert answer.status_code == 200, (path, answer.content)
    found = answer.json()["data"]
    return [o["data"] for o in found] if isinstance(found, list) else found


def walk(erin: Erin, path: str) -> list[Any]:
    """Every object of a list, page after page by its links."""
    found, at = [], path
    while at:
        body = ask(erin, at).json()
        found += [o["data"] for o in body["data"]]
        at = next((link["uri"] for link in body["links"] if link["rel"] == "next"), "")
    return found


def known(erin: Erin, kind: str, row: Any) -> str:
    """The id by which the app knows a row."""
    return seal_short(bytes.fromhex(erin.made.app.id_key), kind, [row.id])[0]


@lru_cache(maxsize=4)
def description(version: str) -> dict[str, Any]:
    """The published description of a version."""
    found: dict[str, Any] = yaml.safe_load((SPECS / f"{version}-client.yml").read_text(encoding="utf-8"))
    return found


def _plain(schema: Any) -> Any:
    """A schema of Swagger 2 as JSON Schema: what it allows to be null may be null; Clever's own formats are texts.

    Its `previous_attributes` says that each is an object; Clever's are whatever the attribute is.
    """
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {k: _plain(v) for k, v in schema.items() if not k.startswith("x-") and k != "format"}
    if "previous_attributes" in made:
        made["previous_attributes"] = {"type": "object"}
    if schema.get("x-nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    # Nothing that the description does not name: an object is closed, unless it says that it is open.
    if made.get("type") == "object" and "properties" in made and "$ref" not in made:
        made.setdefault("additionalProperties", False)
    return made


@lru_cache(maxsize=256)
def _validator(version: str, name: str) -> Any:
    definitions = _plain(description(version)["definitions"])
    for closed in definitions.values():
        if "allOf" in closed:  # an event: its own part and that of every event
            parts = [definitions["Event"], *[p for p in closed["allOf"] if "$ref" not in p]]
            closed.clear()
            closed |= {
                "type": "object", "properties": {k: v for p in parts for k, v in p["properties"].items()},
                "required": ["type", "id", "created", "data"], "additionalProperties": False,
            }  # fmt: skip
    definitions["Event"] = {"type": "object"}
    schema = {"$ref": f"#/definitions/{name}", "definitions": definitions}
    if name in ("NotFound", "BadRequest"):
        schema = {"allOf": [schema], "required": ["message"], "definitions": definitions}
    return jsonschema_rs.Draft4Validator(schema)


def problems(version: str, name: str, body: Any) -> list[str]:
    """What of `body` breaks a schema of the published description."""
    if version == "v2.0" and isinstance(body, dict):
        body = {
            k: v for k, v in body.items() if k != "links"
        }  # its lists have links, its schemas forgot them
    return [f"{list(e.instance_path)}: {e.message}" for e in _validator(version, name).iter_errors(body)]
