"""Against Clever's own descriptions: every operation is there, and every answer has its shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rollbook.sharing.connectors.clever.operations import TABLES
from tests.sharing.clever.conftest import VERSIONS, ask, description, known, needs_specs, problems
from tests.sharing.oneroster.conftest import Erin

NAMED = [
    "users.givenName", "users.grades", "demographics.birthDate", "users.agents", "demographics.asian", "users.metadata",
    "demographics.hispanicOrLatinoEthnicity", "demographics.americanIndianOrAlaskaNative", "demographics.white",
    "demographics.blackOrAfricanAmerican", "demographics.nativeHawaiianOrOtherPacificIslander",
    "demographics.demographicRaceTwoOrMoreRaces", "enrollments.primary",
]  # fmt: skip


def operations(version: str) -> dict[str, Any]:
    """Path -> the description of GET, of what is read from the roster."""
    return {
        path: found["get"]
        for path, found in description(version)["paths"].items()
        if "get" in found and not path.startswith(("/events", "/attendance")) and "/assignments" not in path
    }


def address(erin: Erin, path: str) -> str:
    """The path with the id of a row of the cast."""
    cast = erin.cast
    rows = {
        "users": ("person", cast.ada), "students": ("person", cast.ada), "teachers": ("person", cast.ben),
        "contacts": ("person", cast.cleo), "district_admins": ("person", cast.hana), "school_admins": ("person", cast.dov),
        "schools": ("org", cast.school), "sections": ("class", cast.kestrels), "courses": ("course", cast.course),
        "terms": ("session", cast.term), "districts": ("district", cast.tenant), "resources": ("class", cast.owls),
    }  # fmt: skip
    return path.replace("{id}", known(erin, *rows[path.split("/")[1]]))


@needs_specs
@pytest.mark.parametrize("version", VERSIONS)
def test_the_table_holds_every_operation_of_the_version(version: str) -> None:
    theirs = {path.strip("/").replace("{id}", "*") for path in operations(version)}
    assert theirs == set(TABLES[version])
    assert len(theirs) == {"v2.0": 51, "v3.0": 42, "v3.1": 42}[version]


@needs_specs
@pytest.mark.parametrize("fields", ["all", NAMED, ["users.familyName"]], ids=["all", "named", "one"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_answer_has_the_shape_of_the_description(
    narrowed: Callable[..., Erin], version: str, fields: Any
) -> None:
    erin = narrowed("all", fields if fields == "all" else [{"field": f, "reason": "to test"} for f in fields])
    with_nothing = []
    for path, operation in operations(version).items():
        answer = ask(erin, f"/{version}{address(erin, path)}")
        if "/school_admins/" in path or path.startswith("/resources/"):
            assert answer.status_code == 404, path  # the cast has none
            assert problems(version, "NotFound", answer.json()) == []
            continue
        assert answer.status_code == 200, (path, answer.content)
        name = operation["responses"]["200"]["schema"]["$ref"].rpartition("/")[2]
        assert problems(version, name, answer.json()) == [], path
        if not answer.json()["data"]:
            with_nothing.append(path)
    empty = {"v2.0": ["/school_admins"]}.get(
        version, [p for p in operations(version) if p.endswith("/resources")]
    )
    families = [
        "/contacts/{id}/students",
        "/students/{id}/contacts",
        "/users/{id}/mycontacts",
        "/users/{id}/mystudents",
    ]
    hidden = families if fields == ["users.familyName"] else ["/users/{id}/mystudents"]
    assert sorted(with_nothing) == sorted([*empty, *(p for p in hidden if p in operations(version))])


@needs_specs
def test_the_shapes_are_read_strictly() -> None:
    good = {"data": {"id": "a", "roles": {"student": {"grade": "1"}}}}
    assert problems("v3.0", "UserResponse", good) == []
    for bad in ({"grade": "Reception"}, {"shoe_size": "3"}, {"schools": "one"}):
        assert problems("v3.0", "UserResponse", {"data": {"roles": {"student": bad}}})
    assert problems("v3.0", "NotFound", {"error": "none"})
