"""The reference lists every operation that the doors answer, as a page and as OpenAPI."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from rollbook.sharing.connectors.clever.document import example
from rollbook.sharing.connectors.clever.operations import TABLES
from rollbook.sharing.connectors.oneroster.operations import OPERATIONS
from tests.sharing.developers.conftest import Developer
from tests.staff import plain

DOOR = "/developers/reference"
PATHS = {
    "oneroster": {o.path for o in OPERATIONS},
    **{
        f"clever-{version}": {"/" + name.replace("*", "{id}") for name in table} | {"/events", "/events/{id}"}
        for version, table in TABLES.items()
    },
}


@pytest.mark.parametrize("api", PATHS)
def test_every_operation_of_the_tables_is_on_the_page_and_in_the_document(db: Any, api: str) -> None:
    page = Client().get(f"{DOOR}/{api}")
    text = plain(page)
    for path in PATHS[api]:
        assert f"GET {path}</code>" in text, path
    made = page.context["api"].operations
    assert {o.path for o in made} == PATHS[api]
    for operation in made:
        assert operation.scopes and operation.summary in text
        assert operation.ids == tuple(
            part[1:-1] for part in operation.path.split("/") if part.startswith("{")
        )
        if operation.example:
            json.loads(operation.example)
    document = Client().get(f"{DOOR}/{api}.json").json()
    assert set(document["paths"]) == PATHS[api] and document["openapi"].startswith("3.")
    names = [m["operationId"] for methods in document["paths"].values() for m in methods.values()]
    assert len(set(names)) == len(names)


def test_the_oneroster_reference_is_the_description_that_apps_discover(db: Any) -> None:
    from rollbook.sharing.connectors.oneroster.document import DISCOVERY

    found = {Client().get(f"/ims/oneroster/rostering/v1p2/{name}").content for name in DISCOVERY}
    assert found == {Client().get(f"{DOOR}/oneroster.json").content}


def test_the_list_names_each_api_and_others_are_not_there(db: Any) -> None:
    page = plain(Client().get(DOOR))
    assert all(f"{DOOR}/{api}" in page for api in PATHS)
    assert (
        Client().get(f"{DOOR}/soap").status_code == 404
        and Client().get(f"{DOOR}/soap.json").status_code == 404
    )


def keys(value: Any, path: str = "") -> set[str]:
    """Every attribute in an object, with its place."""
    if isinstance(value, list):
        return {key for one in value for key in keys(one, path)}
    if not isinstance(value, dict):
        return {path}
    return {key for name, one in value.items() for key in keys(one, f"{path}.{name}")}


def test_an_example_names_no_attribute_that_the_door_does_not_send(filled: Developer) -> None:
    app, secret, _ = filled.add()
    form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": secret}
    token = Client().post("/oauth/token", form).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    looked = 0
    for version, table in TABLES.items():
        for name, operation in table.items():
            found = example(operation.shape, version)
            if "*" in name or found is None:
                continue
            answer = Client().get(f"/{version}/{name}?limit=10000", headers=headers).json()
            sent = {key for one in answer["data"] for key in keys(one["data"])}
            if not sent:
                continue
            looked += 1
            assert keys(found) <= sent, (version, name, keys(found) - sent)
    assert looked >= 15
