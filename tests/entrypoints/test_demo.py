"""The demo is made whole: every sign-in that it prints opens its own desk, and a pupil's badge opens their books."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client

from rollbook.entrypoints.cli import cli, load
from rollbook.kernel.jobs import run_one
from tests.staff import plain, put_off


@pytest.mark.slow
def test_every_sign_in_of_the_demo_opens_its_desk(
    db: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROLLBOOK_DATA_DIR = tmp_path
    load()
    monkeypatch.setenv("ROLLBOOK_DEVELOPERS", "on")
    for _ in range(2):  # the second time it is there already
        done = CliRunner().invoke(cli, ["demo", "--json"])
        assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    titles = {"administrator": "Sevenhills Trust", "dpo": "Sevenhills Trust", "head": "Sevenhills Trust",
              "teacher": "Your classes", "app developer": "Your sandbox"}  # fmt: skip
    assert {one["role"] for one in said["sign_ins"]} == set(titles)
    for number, one in enumerate(said["sign_ins"]):
        client = Client(REMOTE_ADDR=f"10.11.0.{number}")
        put_off(client, client.post("/sign-in", {"email": one["email"], "password": one["password"]}))
        assert f"<h1>{titles[one['role']]}</h1>" in plain(client.get("/", follow=True)), one
    assert "<b>120 invented pupils</b>" in plain(client.get("/developers")) and "Numberyard" in plain(
        client.get("/apps")
    )
    pupil = Client()
    assert pupil.post("/badge", {"token": said["badge"]}, REMOTE_ADDR="10.11.1.1").status_code == 302
    while run_one():
        pass
