"""The developer's pages as the web process serves them: on PostgreSQL by a role that owns nothing."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from rollbook.kernel.jobs import run_one
from rollbook.sharing.actions import NewApp
from tests.cast import Cast
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.sharing.developers.conftest import Developer
from tests.staff import desk, plain

BORN = {"field": "demographics.birthDate", "reason.demographics.birthDate": "To choose questions by age"}


@pytest.fixture
def behind(cast: Cast, filled: Developer, numberyard: NewApp, settings: Any) -> Any:  # noqa: F811  # a fixture by its name
    """A developer with people, and the administrator of a school; from now on the site is the web process."""
    admin = desk(cast.tenant, "administrator")
    settings.ROLLBOOK_DEVELOPERS, settings.ROLLBOOK_WEB_ROLE = True, "rollbook_web"
    return filled.client, admin, numberyard.app


def test_somebody_signs_up(cast: Cast, behind: Any) -> None:
    client = Client()
    email = f"wall-{os.getpid()}-{cast.tenant.id}@duckpond.example"
    assert client.post("/developers/sign-up", {"email": email}).status_code == 200
    while run_one():
        pass
    link = re.findall(r"/developers/link/[\w=-]+", str(mail.outbox[-1].body))[0]
    assert client.get(link).status_code == 200 and client.post(link, {"name": "Pond"}).status_code == 302
    assert "are being made" in plain(client.get("/developers"))


def test_an_app_is_made_and_tried_and_a_school_is_asked(behind: Any) -> None:
    client, admin, app = behind
    assert "<b>120 invented pupils</b>" in plain(client.get("/developers"))
    page = client.post("/developers/apps/new", {"name": "Pondmaths", "about": "practise maths"})
    assert page.status_code == 200 and page.context["answered"].status == 200
    assert client.post("/developers/apps/pondmaths").context["answered"].status == 200
    listing = page.context["app"].client_id
    assert admin.post("/apps/numberyard/maker", {"listing": listing}).status_code == 302
    assert "Pondmaths" in plain(admin.get("/apps/numberyard/maker"))
    assert "Sevenhills Trust" in plain(client.get("/developers/apps/pondmaths/schools"))
    school = f"/developers/apps/pondmaths/schools/{app.id}"
    assert client.post(school, {**BORN, "do": "send"}).status_code == 302
    assert "No answer yet" in plain(client.get(school))
    assert client.post("/developers/sandbox", {"do": "day"}).status_code == 302
    assert "Pondmaths" in plain(client.get("/apps")) and client.get("/people").status_code == 200
    assert admin.post("/apps/numberyard/maker", {"do": "end"}).status_code == 302
