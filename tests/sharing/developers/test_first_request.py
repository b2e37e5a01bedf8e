"""A developer makes an app: keys shown once, the first request ready to run, and the true answer beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from html import unescape
from typing import Any

import pytest
from django.test import Client

from rollbook.roster import fill_sandbox
from rollbook.sharing.rules import seal
from tests.cast import Cast
from tests.sharing.developers.conftest import Developer, developer
from tests.sharing.developers.test_sandbox import pupil
from tests.staff import desk, plain

USERS = "/ims/oneroster/rostering/v1p2/users"
FIRST = f"{USERS}?limit=1"


def body(page: Any) -> Any:
    """The answer that the page shows."""
    return json.loads(page.context["answered"].body)


@pytest.mark.commitment("CLEV-1.50")
def test_a_registered_app_gets_keys_that_open_invented_people_and_nothing_of_a_school(
    cast: Cast, filled: Developer
) -> None:
    app, secret, page = filled.add()
    assert page.context["answered"].status == 200 and len(body(page)["users"]) == 1
    form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": secret}
    token = Client().post("/oauth/token", form).json()["access_token"]
    found = Client().get(f"{USERS}?limit=10000", headers={"authorization": f"Bearer {token}"}).json()["users"]
    assert sum(any(r["role"] == "student" for r in u["roles"]) for u in found) == 119, (
        "all but the one who is restricted"
    )
    key = bytes.fromhex(app.id_key)
    known = {u["sourcedId"] for u in found}
    restricted = pupil(filled.tenant, "Restricted")
    assert seal(key, "person", [restricted.id])[0] not in known
    assert known.isdisjoint(seal(key, "person", [p.id for p in (cast.ada, cast.ben, cast.stranger)]))
    assert not [
        u
        for u in found
        if u["familyName"] in ("Riverstone", "Thistlewick") and u["givenName"] in ("Ada", "Ben")
    ]
    assert secret not in plain(filled.client.get("/developers/apps/pondmaths")), "shown once"


@pytest.mark.parametrize("how", ["curl", "python"])
def test_the_text_that_is_copied_runs_as_it_is(dana: Developer, live_server: Any, how: str) -> None:
    if how == "curl" and shutil.which("curl") is None:
        pytest.skip("curl is not on this machine")
    page = dana.client.post(
        "/developers/apps/new", {"name": "Pondmaths", "about": "practise maths"},
        headers={"host": live_server.url.removeprefix("http://")},
    )  # fmt: skip
    command = ["sh", "-c"] if how == "curl" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, page.context[how]], capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout) == {"users": []}, done.stderr  # the sandbox is still empty


def test_other_requests_are_tried_and_a_narrower_rule_shows_what_is_lost(filled: Developer) -> None:
    app, _, _ = filled.add()
    door = f"/developers/apps/{app.slug}"
    for address in filled.client.get(door).context["trials"]:
        assert filled.client.post(door, {"address": address}).context["answered"].status == 200, address
    greet = [{"field": "users.givenName", "reason": "To greet the child"}]
    rule = json.dumps({"people": {"roles": ["student"]}, "fields": greet})
    checked = filled.client.post(f"/apps/{app.slug}/rule", {"do": "again", "rule": rule})
    saved = {"do": "save", "rule": checked.context["rule"], "on": checked.context["on"]}
    assert filled.client.post(f"/apps/{app.slug}/rule", saved).status_code == 302
    students = FIRST.replace("/users", "/students")
    [user] = body(filled.client.post(door, {"address": students}))["users"]
    assert user["givenName"] and user["familyName"] == "" and "email" not in user
    filled.client.post(f"/apps/{app.slug}/stop")
    assert filled.client.post(door, {"address": FIRST}).context["answered"].status == 403
    assert "tried Pondmaths" in plain(filled.client.get("/audit"))


def test_keys_change_without_a_break(dana: Developer) -> None:
    app, old, _ = dana.add()
    page = dana.client.post(f"/apps/{app.slug}/secret", {"days": "7"})
    assert page.status_code == 200
    new = unescape(page.context["made"].client_secret)
    for secret in (old, new):
        form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": secret}
        assert Client().post("/oauth/token", form).status_code == 200


def test_the_pages_are_the_developers_own(cast: Cast, dana: Developer) -> None:
    app, _, _ = dana.add()
    eli, admin = developer("eli@inkpot.example", "Inkpot Books"), desk(cast.tenant, "administrator")
    paths = (f"/developers/apps/{app.slug}", f"/developers/apps/{app.slug}/schools")
    for path in (
        *paths,
        f"/apps/{app.slug}",
        f"/apps/{app.slug}/rule",
        f"/apps/{app.slug}/secret",
        f"/apps/{app.slug}/events",
    ):
        assert dana.client.get(path).status_code == 200, path
        assert eli.client.get(path).status_code == 404, path
    for path in ("/developers/apps/new", *paths):
        assert admin.get(path).status_code == 403 and Client().get(path).status_code == 302
    assert eli.client.post(paths[0], {"address": FIRST}).status_code == 404
    for wrong in ("/apps", "https://example.org/", f"{USERS}?limit=10000"):
        assert dana.client.post(paths[0], {"address": wrong}).status_code == 404, wrong
    for path in ("/apps/new", "/directories", f"/apps/{app.slug}/maker", "/staff", "/sync"):
        assert dana.client.get(path).status_code == 403, path
    assert dana.client.post("/developers/apps/new", {"name": "X"}).status_code == 422
    for path in (
        "/apps",
        "/audit",
        "/me",
        f"/apps/{app.slug}/history",
        f"/apps/{app.slug}/try",
        f"/apps/{app.slug}/agreement",
    ):
        assert dana.client.get(path).status_code == 200, path


def test_a_day_in_the_sandbox_brings_events_and_the_console_shows_what_was_sent(filled: Developer) -> None:
    app, _, _ = filled.add()
    door, console = f"/developers/apps/{app.slug}", f"/apps/{app.slug}/events"
    events = "/v3.1/events?limit=5"
    assert filled.client.post(door, {"address": events}).context["answered"].status == 200
    made = filled.client.post(console, {"do": "add", "url": "https://pondmaths.example/hook"})
    assert made.status_code == 200 and "shown" in plain(made)
    fill_sandbox(filled.tenant, a_day_on=True)
    kinds = {
        event["data"]["type"].split(".")[1]
        for event in body(filled.client.post(door, {"address": events}))["data"]
    }
    assert kinds <= {"created", "updated", "deleted"} and kinds
    assert "pondmaths.example" in plain(filled.client.get(console))
    assert developer("eli@inkpot.example", "Inkpot Books").client.get(console).status_code == 404
