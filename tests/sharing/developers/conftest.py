"""Duckpond Learning, a developer with a sandbox of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client

from rollbook.identity.actions import SessionStore, begin, new_developer
from rollbook.identity.queries import who_is
from rollbook.kernel.models import Job
from rollbook.policy import unguarded
from rollbook.roster import fill_sandbox
from rollbook.roster.models import Tenant
from rollbook.sharing.models import App
from tests.cast import Cast


@dataclass
class Developer:
    """A developer in a browser."""

    client: Client
    tenant: Tenant

    def add(self, name: str = "Pondmaths") -> tuple[App, str, Any]:
        """Make an app on the page: the app, its secret as the page showed it, and the page."""
        page = self.client.post("/developers/apps/new", {"name": name, "about": "practise maths"})
        assert page.status_code == 200, page.content
        secret = re.findall(r"<dt>Client secret</dt><dd><code[^>]*>([\w-]+)</code>", page.content.decode())[0]
        with unguarded("look"):
            app = App.objects.get(tenant=self.tenant, name=name)
        return app, secret, page


def developer(email: str = "dana@duckpond.example", name: str = "Duckpond Learning") -> Developer:
    """Somebody who signed up; the sandbox is empty."""
    account, tenant = new_developer(email, name)
    who = who_is(account.id, 0, "link")
    assert who is not None
    session = SessionStore()
    begin(session, who, "the tests", "link")
    client = Client()
    client.cookies[site.SESSION_COOKIE_NAME] = session.session_key or ""
    return Developer(client, tenant)


@pytest.fixture
def dana(cast: Cast) -> Developer:
    """Duckpond Learning; nobody is in the sandbox yet."""
    return developer()


@pytest.fixture
def filled(dana: Developer) -> Developer:
    """Duckpond Learning, with the invented people."""
    fill_sandbox(dana.tenant)
    Job.objects.update(state="done")
    return dana
