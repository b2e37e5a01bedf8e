"""Clever's sign-in, asked as Clever's own documentation tells its developers to ask."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.sharing import renew_secret, stop
from rollbook.sharing.actions.sign_on import set_sign_on
from tests.sharing.sign_on.conftest import BACK, Yard, back_of, disclosures, refusals, signed_in_pupil
from tests.staff import desk, plain


@pytest.fixture
def clever(yard: Yard) -> Yard:
    set_sign_on(yard.made.app, protocol="clever", redirect_uris=[BACK])
    return yard


def basic(clever: Yard, secret: str = "") -> dict[str, str]:
    pair = f"{clever.made.client_id}:{secret or clever.made.client_secret}"
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def go(clever: Yard, browser: Client | None = None, **more: str) -> dict[str, str]:
    """GET /oauth/authorize as Clever's buttons do: no scope, no PKCE."""
    asked = {"response_type": "code", "client_id": clever.made.client_id, "redirect_uri": BACK, **more}
    return back_of((browser or clever.ben).get("/oauth/authorize", asked, HTTP_HOST="localhost"))


def swap(clever: Yard, code: str, secret: str = "", where: str = BACK) -> Any:
    body = {"code": code, "grant_type": "authorization_code", "redirect_uri": where}
    return Client().post(
        "/oauth/tokens", json.dumps(body), content_type="application/json", headers=basic(clever, secret),
        HTTP_HOST="localhost",
    )  # fmt: skip


def read(path: str, token: str) -> Any:
    return Client().get(path, headers={"authorization": f"Bearer {token}"}, HTTP_HOST="localhost")


def person_token(clever: Yard, browser: Client | None = None) -> str:
    answer = swap(clever, go(clever, browser)["code"])
    assert answer.status_code == 200, answer.content
    assert answer.json()["token_type"].lower() == "bearer"
    return str(answer.json()["access_token"])


def district(clever: Yard, **more: str) -> Any:
    asked = {"owner_type": "district", **more}
    return Client().get("/oauth/tokens", asked, headers=basic(clever), HTTP_HOST="localhost")


def test_a_button_signs_somebody_in_and_the_state_comes_back(clever: Yard) -> None:
    told = go(clever, state="s9")
    assert set(told) == {"code", "scope", "state"} and told["state"] == "s9"


@pytest.mark.commitment("CLEV-1.25")
def test_a_pupil_opens_an_app_from_the_portal_without_state(clever: Yard) -> None:
    pupil = signed_in_pupil(clever.cast.tenant, clever.cast.ada)
    told = back_of(pupil.get("/launch/numberyard", HTTP_HOST="localhost"))
    assert set(told) == {"code", "scope"}
    token = swap(clever, told["code"]).json()["access_token"]
    me = read("/v3.0/me", token).json()
    assert me["type"] == me["data"]["type"] == "user" and me["data"]["authorized_by"] == "district"
    info = read("/userinfo", token).json()
    assert info == {
        "sub": me["data"]["id"], "user_id": me["data"]["id"], "district": me["data"]["district"], "user_type": "student",
        "name": "Ada Riverstone", "given_name": "Ada", "family_name": "Riverstone", "email": "ada@puddlebrook.example",
    }  # fmt: skip


def test_me_leads_to_the_same_person_in_the_data(clever: Yard) -> None:
    me = read("/v3.0/me", person_token(clever)).json()
    links = {link["rel"]: link["uri"] for link in me["links"]}
    token = district(clever).json()["data"][0]["access_token"]
    found = read(links["canonical"], token).json()["data"]
    assert (found["id"], found["district"]) == (me["data"]["id"], me["data"]["district"])
    assert found["name"]["first"] == "Ben"
    assert read(links["district"], token).json()["data"]["id"] == me["data"]["district"]


@pytest.mark.parametrize(("version", "kind"), [("v2.0", "teacher"), ("v2.1", "teacher"), ("v3.1", "user")])
def test_old_versions_name_the_kind(clever: Yard, version: str, kind: str) -> None:
    me = read(f"/{version}/me", person_token(clever)).json()
    assert me["type"] == me["data"]["type"] == kind
    assert f"/{version}/{kind}s/{me['data']['id']}" in [link["uri"] for link in me["links"]]


@pytest.mark.commitment("CLEV-2.6")
def test_userinfo_tells_what_is_shared(clever: Yard, narrowed: Callable[..., None]) -> None:
    narrowed(fields=[{"field": "users.givenName", "reason": "To greet"}])
    info = read("/userinfo", person_token(clever)).json()
    assert set(info) == {"sub", "user_id", "district", "user_type", "given_name"}


def test_a_persons_token_opens_no_data_and_a_districts_token_no_person(clever: Yard) -> None:
    mine, whole = person_token(clever), district(clever).json()["data"][0]["access_token"]
    assert read("/v3.0/users", mine).status_code == 401
    assert read("/v3.0/users", whole).status_code == 200
    assert read("/v3.0/me", whole).status_code == read("/userinfo", whole).status_code == 401


def test_a_code_works_once_within_a_minute_at_its_address(clever: Yard) -> None:
    code = go(clever)["code"]
    assert swap(clever, code, where=BACK + "2").json()["error"] == "invalid_grant"
    with clock.at(clock.now() + timedelta(seconds=61)):
        assert swap(clever, code).json()["error"] == "invalid_grant"
    first = swap(clever, code).json()["access_token"]
    assert swap(clever, code).json()["error"] == "invalid_grant"
    assert read("/v3.0/me", first).status_code == 401
    assert {e for _, e in refusals()} == {"invalid_grant"}


def test_wrong_basic_is_refused(clever: Yard) -> None:
    answer = swap(clever, go(clever)["code"], secret="wrong")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert (
        Client().get("/oauth/tokens?owner_type=district", headers=basic(clever, "wrong")).status_code == 401
    )
    assert Client().get("/oauth/tokens?owner_type=district").status_code == 401


def test_a_districts_token_is_the_same_each_time_and_lists_one_district(clever: Yard) -> None:
    [one], [again] = district(clever).json()["data"], district(clever).json()["data"]
    assert one == again and one["owner"]["type"] == "district" and "read:students" in one["scopes"]
    assert district(clever, district=one["owner"]["id"]).json()["data"] == [one]
    assert district(clever, district="0" * 24).json()["data"] == []
    assert district(clever, owner_type="user").status_code == 400


def test_a_districts_token_ends_with_its_secret_and_with_sharing(clever: Yard) -> None:
    token, mine = district(clever).json()["data"][0]["access_token"], person_token(clever)
    renew_secret(clever.made.app)
    assert read("/v3.0/users", token).status_code == read("/v3.0/me", mine).status_code == 401
    stop(clever.made.app)
    assert district(clever).status_code == 401


def test_tokeninfo_says_whose_app_and_nothing_of_the_person(clever: Yard) -> None:
    mine, whole = person_token(clever), district(clever).json()["data"][0]["access_token"]
    assert read("/oauth/tokeninfo", mine).json() == {
        "client_id": clever.made.client_id,
        "scopes": ["read:user_id", "read:sis"],
    }
    assert "read:students" in read("/oauth/tokeninfo", whole).json()["scopes"]
    assert read("/oauth/tokeninfo", "nothing").status_code == 401


def test_each_answer_about_a_person_is_in_the_disclosure_log(clever: Yard) -> None:
    token = person_token(clever)
    read("/v3.0/me", token), read("/userinfo", token)
    assert [(d.door, d.first_id) for d in disclosures()] == [
        (f"sign-in {door}", clever.cast.ben.id) for door in ("token", "clever v3.0 me", "userinfo")
    ]


def test_whom_the_rule_does_not_name_cannot_open_the_app(clever: Yard, narrowed: Callable[..., None]) -> None:
    narrowed(people={"roles": ["student"]})
    answer = clever.ben.get("/launch/numberyard", HTTP_HOST="localhost")
    assert answer.status_code == 403 and "does not name this person" in plain(answer)
    assert refusals() == [("launch", "person")]


def test_an_app_of_another_school_is_not_there(clever: Yard) -> None:
    stranger = desk(clever.cast.other, "teacher", "Zed", person_id=clever.cast.stranger.id)
    assert stranger.get("/launch/numberyard", HTTP_HOST="localhost").status_code == 404


def test_an_app_by_openid_connect_begins_at_its_own_address(yard: Yard) -> None:
    where = urlsplit(yard.ben.get("/launch/numberyard", HTTP_HOST="localhost")["Location"])
    assert where.netloc + where.path == "numberyard.example/start"
    assert parse_qs(where.query) == {"iss": ["http://localhost"]}
