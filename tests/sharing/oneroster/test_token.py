"""The token endpoint: by Basic or in the body, a form or JSON; errors as RFC 6749 says; wrong tries are counted."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.sharing import stop
from rollbook.sharing.connectors.oneroster.operations import CORE, ROSTER, SCOPES
from tests.sharing.oneroster.conftest import Erin

FORM = "application/x-www-form-urlencoded"


def ask(erin: Erin, how: str, secret: str = "", **more: Any) -> Any:
    """Ask for a token: how is one of "basic form", "body form", "basic json", "body json"."""
    client, secret = erin.made.client_id, secret or erin.made.client_secret
    data = {"grant_type": "client_credentials", **more}
    headers = {}
    if how.startswith("basic"):
        headers["authorization"] = "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()
    else:
        data |= {"client_id": client, "client_secret": secret}
    if how.endswith("json"):
        return Client().post(
            "/oauth/token", json.dumps(data), content_type="application/json", headers=headers
        )
    return Client().post("/oauth/token", data, headers=headers)


@pytest.mark.parametrize("how", ["basic form", "body form", "basic json", "body json"])
def test_a_token_is_given_and_opens_the_roster(erin: Erin, how: str) -> None:
    answer = ask(erin, how)
    body = answer.json()
    assert (answer.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 3600)
    assert set(body["scope"].split()) == set(SCOPES)
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    found = Client().get(
        "/ims/oneroster/rostering/v1p2/users", headers={"authorization": f"Bearer {body['access_token']}"}
    )
    assert found.status_code == 200


def test_a_token_ends(erin: Erin) -> None:
    assert erin.get("/orgs").status_code == 200
    with clock.at(clock.now() + timedelta(seconds=3601)):
        assert erin.get("/orgs").status_code == 401


def test_a_scope_narrows_and_an_unknown_one_is_refused(erin: Erin) -> None:
    assert ask(erin, "body form", scope=f"{CORE} {ROSTER}").json()["scope"] == f"{CORE} {ROSTER}"
    answer = ask(erin, "body form", scope=f"{CORE} admin")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("more", "error"),
    [({"grant_type": "password"}, "unsupported_grant_type"), ({"grant_type": ""}, "invalid_request")],
)
def test_other_grants_are_refused(erin: Erin, more: dict[str, str], error: str) -> None:
    answer = ask(erin, "body form", **more)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", FORM, 401),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"scope": 1}', "application/json", 400),
        (b"client_id=a&client_id=b", FORM, 400), (b"grant_type=client_credentials", FORM, 401),
        (b"\xff\xfe", FORM, 401),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused(erin: Erin, body: bytes, kind: str, status: int) -> None:
    answer = Client().post("/oauth/token", body, content_type=kind)
    assert answer.status_code == status and answer.json()["error"] in ("invalid_request", "invalid_client")
    assert answer["Cache-Control"] == "no-store"


def test_it_is_asked_with_post(doors: None) -> None:
    answer = Client().get("/oauth/token")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


@pytest.mark.parametrize("how", ["basic form", "body form"])
def test_a_wrong_secret_an_unknown_client_and_a_stopped_app_look_alike(erin: Erin, how: str) -> None:
    wrong = ask(erin, how, secret="x" * 43)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert ("Basic" in wrong.headers.get("WWW-Authenticate", "")) == (how == "basic form")
    stop(erin.made.app)
    stopped = ask(erin, how)
    erin.made = replace(erin.made, client_id="nobody")
    unknown = ask(erin, how)
    assert wrong.content == stopped.content == unknown.content


@pytest.mark.parametrize(
    "header", ["Basic ???", "Basic " + base64.b64encode(b"nocolon").decode(), "Digest x", "Basic /w=="]
)
def test_a_header_that_is_not_basic_is_refused(erin: Erin, header: str) -> None:
    answer = Client().post(
        "/oauth/token", {"grant_type": "client_credentials"}, headers={"authorization": header}
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_after_many_wrong_secrets_even_the_right_one_has_to_wait(erin: Erin) -> None:
    with clock.at(clock.now().replace(second=20)):
        for _ in range(15):
            assert ask(erin, "body form", secret="wrong").status_code == 401
        answer = ask(erin, "body form")
        assert (answer.status_code, answer["Retry-After"]) == (429, "40")
    with clock.at(clock.now().replace(second=20) + timedelta(minutes=1)):
        assert ask(erin, "body form").status_code == 200


def test_a_developers_call_is_on_record_with_app_scope_and_time(erin: Erin) -> None:
    from rollbook.policy import Audit, unguarded

    erin.token(CORE)
    with unguarded("a test reads the audit"):
        row = Audit.objects.filter(verb="app.signed_in").latest("id")
    assert (row.actor, row.details["scopes"]) == ("Erin's Sums", [CORE])
    assert abs((clock.now() - row.at).total_seconds()) < 60
