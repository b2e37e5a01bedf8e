"""Against the standard's own description: every operation is there, every answer has its shape, and made-up requests,
good and bad, find no fault (schemathesis, all checks). Reads the official files, which are not in the repository."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.roster.models import Class, ClassTerm, Course, Enrollment, Person, Role
from rollbook.sharing.connectors.oneroster.document import DISCOVERY
from rollbook.sharing.connectors.oneroster.operations import OPERATIONS, PREFIX, Operation
from tests.cast import Cast
from tests.sharing.oneroster.conftest import Erin
from tests.sharing.oneroster.test_doors import address
from tests.sharing.oneroster.test_lists import roster_changed

SPECS = Path(os.environ.get("ROLLBOOK_SPECS", Path(__file__).parents[3] / "../shared/specs"))
FILE = SPECS / "oneroster-1.2/onerosterv1p2rostersservice_openapi3_v1p0.json"
needs_file = pytest.mark.skipif(
    not FILE.is_file(), reason="ROLLBOOK_SPECS does not hold OneRoster 1.2's description"
)


@lru_cache(maxsize=1)
def official() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def problems(schema: dict[str, Any], body: Any) -> list[str]:
    """What of `body` breaks a schema of the official file, formats of dates and addresses included."""
    whole = {**schema, "components": official()["components"]}
    validator = jsonschema_rs.Draft4Validator(whole, validate_formats=True)
    return [f"{list(e.instance_path)}: {e.message}" for e in validator.iter_errors(body)]


def answer_of(operation: Operation, status: str = "200") -> dict[str, Any]:
    found: dict[str, Any] = official()["paths"][operation.path]["get"]["responses"][status]["content"][
        "application/json"
    ]["schema"]
    return found


def untidy(cast: Cast) -> None:
    """Gaps and odd words of real sources, and rows that left."""
    with unguarded("set-up"):
        row: dict[str, Any] = {"tenant": cast.tenant, "date_last_modified": clock.now()}
        Class.objects.create(**row, sourced_id="BARE", title="Bare", school=cast.school, class_type="odd one")
        Course.objects.create(**row, sourced_id="BARE", title="Bare")
        ClassTerm.objects.filter(klass=cast.owls).delete()
        Role.objects.filter(person=cast.ivo).update(role="prefect")
        Enrollment.objects.filter(person=cast.dov).update(
            role="aide", status="tobedeleted", date_last_modified=clock.now()
        )
        Person.objects.filter(id=cast.cleo.id).update(
            user_ids="{LDAP:c}", metadata='{"a": [1]}', primary_org=None
        )
        type(cast.term).objects.filter(id=cast.term.id).update(start_date=None)
        for model, id in (
            (Person, cast.hana.id),
            (Class, cast.owls.id),
            (type(cast.school2), cast.school2.id),
        ):
            model.objects.filter(id=id).update(status="tobedeleted", date_last_modified=clock.now())
        roster_changed(cast)


@needs_file
def test_the_table_holds_every_operation_of_the_standard_with_its_scopes() -> None:
    theirs = {
        (path, found["get"]["operationId"], frozenset(found["get"]["security"][0]["OAuth2CC"]))
        for path, found in official()["paths"].items()
    }
    assert theirs == {(o.path, o.name, frozenset(o.scopes)) for o in OPERATIONS}
    assert len(theirs) == len(OPERATIONS) == 41


NAMED = [
    "users.metadata", "users.agents", "users.userIds", "demographics.asian", "demographics.cityOfBirth", "users.givenName",
    "demographics.birthDate", "demographics.sex", "enrollments.primary", "enrollments.beginDate", "users.grades",
]  # fmt: skip


@needs_file
@pytest.mark.parametrize("fields", ["all", NAMED, ["users.givenName"]], ids=["all", "named", "one"])
@pytest.mark.parametrize("tidy", [True, False], ids=["tidy", "untidy"])
def test_every_answer_has_the_shape_of_the_standard(
    narrowed: Callable[..., Erin], fields: Any, tidy: bool
) -> None:
    erin = narrowed("all", fields if fields == "all" else [{"field": f, "reason": "to test"} for f in fields])
    wanted = {operation.name: address(erin, operation) for operation in OPERATIONS}
    with clock.at(clock.now() + timedelta(seconds=1)):
        if not tidy:
            untidy(erin.cast)
        for operation in OPERATIONS:
            answer = erin.get(wanted[operation.name])
            if answer.status_code == 403 and operation.collection == "demographics":
                continue  # nothing of it is shared
            gone = (
                operation.path.startswith(("/gradingPeriods", "/schools/{schoolSourcedId}/classes/"))
                or not tidy
            )
            assert answer.status_code == 200 or (answer.status_code == 404 and gone), (
                operation.name,
                answer.content,
            )
            status = "200" if answer.status_code == 200 else "default"
            assert problems(answer_of(operation, status), answer.json()) == [], operation.name
            if not operation.single and answer.status_code == 200:
                assert (
                    problems(
                        answer_of(operation),
                        erin.get(wanted[operation.name], filter="status='tobedeleted'").json(),
                    )
                    == []
                )


@needs_file
def test_errors_have_the_shape_of_the_standard(erin: Erin) -> None:
    shape = {"$ref": "#/components/schemas/imsx_StatusInfoDType"}
    for path in ("/users?filter=x", "/users?limit=0", "/users?fields=x", "/users/x", "/nothing"):
        assert problems(shape, erin.get(path).json()) == []
    assert problems(shape, Client().get(f"{PREFIX}/users").json()) == []
    assert problems(shape, Client().post(f"{PREFIX}/users").json()) == []


@pytest.mark.parametrize("name", sorted(DISCOVERY))
def test_the_service_describes_itself_at_both_published_names(doors: None, settings: Any, name: str) -> None:
    settings.ROLLBOOK_BASE_URL = "https://roster.example"
    answer = Client().get(f"{PREFIX}/{name}")
    made = answer.json()
    assert answer.status_code == 200 and made["openapi"].startswith("3.0")
    assert made["servers"] == [{"url": "https://roster.example" + PREFIX}]
    assert (
        made["components"]["securitySchemes"]["OAuth2CC"]["flows"]["clientCredentials"]["tokenUrl"]
        == "https://roster.example/oauth/token"
    )
    assert {p: o["get"]["operationId"] for p, o in made["paths"].items()} == {
        o.path: o.name for o in OPERATIONS
    }


def test_answers_have_the_shape_of_our_own_description(erin: Erin) -> None:
    made = Client().get(f"{PREFIX}/{min(DISCOVERY)}").json()
    untidy(erin.cast)
    for operation in OPERATIONS:
        schema = made["paths"][operation.path]["get"]["responses"]["200"]["content"]["application/json"][
            "schema"
        ]
        answer = erin.get(address(erin, operation))
        if answer.status_code == 200:
            validator = jsonschema_rs.Draft4Validator(
                {**schema, "components": made["components"]}, validate_formats=True
            )
            assert [e.message for e in validator.iter_errors(answer.json())] == [], operation.name


EXAMPLES = int(os.environ.get("ROLLBOOK_SCHEMATHESIS_EXAMPLES", "5"))


@needs_file
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)  # requests open and close connections of their own
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
def test_made_up_requests_find_no_fault(erin: Erin, operation: Operation, mode: GenerationMode) -> None:
    """The standard answers 400 to a filter or field that its description cannot tell from a good one, 404 to an id."""
    config = SchemathesisConfig.from_dict(
        {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 400, 404]}}}
    )
    schema = schemathesis.openapi.from_dict(official(), config=config)
    schema.app = get_wsgi_application()
    load_all_checks()
    real = dict(zip(operation.ids, address(erin, operation).split("/")[2::2], strict=True))
    # Plain answers: in this process nothing unpacks a compressed one.
    headers = {"Authorization": f"Bearer {erin.token()}", "Accept-Encoding": "identity"}
    found = schema[operation.path]["GET"]

    @given(case=found.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def check(case: Any) -> None:
        if mode == GenerationMode.POSITIVE:
            case.path_parameters = real  # an id that is there, so that the request gets past it
        case.call_and_validate(base_url=f"http://localhost{PREFIX}", headers=headers)

    check()
