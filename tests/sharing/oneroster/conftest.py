"""Erin's app on the cast: an agreement, a rule, a token, and a way to ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel import clock, limits
from rollbook.sharing import agree, create_app, share
from rollbook.sharing.actions import NewApp
from rollbook.sharing.connectors.oneroster.operations import PREFIX
from tests.cast import Cast

EVERYTHING = {"people": "all", "fields": "all"}


@dataclass
class Erin:
    """An app of the cast's tenant, as its maker uses it."""

    cast: Cast
    made: NewApp
    tokens: dict[str, str] = field(default_factory=dict)

    def agree(self, **more: Any) -> None:
        agree(self.made.app, **{
            "purpose": "learning-app", "region": "GB", "retention_days": 30, "contact": "erin@app.example",
            "ends_on": clock.today() + timedelta(days=300), "begins_on": clock.today(), "read_policy": True, **more,
        })  # fmt: skip

    def share(self, rule: Any = EVERYTHING) -> None:
        share(self.made.app, rule)

    def token(self, scope: str = "") -> str:
        if scope not in self.tokens:
            body = {
                "grant_type": "client_credentials",
                "client_id": self.made.client_id,
                "client_secret": self.made.client_secret,
            }
            answer = Client().post("/oauth/token", {**body, **({"scope": scope} if scope else {})})
            assert answer.status_code == 200, answer.content
            self.tokens[scope] = answer.json()["access_token"]
        return self.tokens[scope]

    def get(self, path: str, scope: str = "", **query: Any) -> Any:
        """GET below the prefix, with a token."""
        address = path if path.startswith("http") else PREFIX + path
        return Client().get(address, query or None, headers={"authorization": f"Bearer {self.token(scope)}"})

    def read(self, path: str, **query: Any) -> Any:
        """The JSON of an answer that must succeed: the list or the object itself."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.content
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return next(iter(json.loads(body).values()))

    def id_of(self, path: str, **like: Any) -> str:
        """The sourcedId of the one object of a list whose fields are so."""
        [found] = [o for o in self.read(path) if all(o.get(k) == v for k, v in like.items())]
        return str(found["sourcedId"])


@pytest.fixture
def doors(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the doors for apps, so that these tests say nothing about pages; and counts of their own."""
    settings.ROLLBOOK_DATA_DIR = tmp_path
    monkeypatch.setattr(limits, "_counter", None)
    settings.ROOT_URLCONF = "rollbook.sharing.api"
    settings.MIDDLEWARE = []


@pytest.fixture
def newcomer(cast: Cast, doors: None) -> Erin:
    """An app that the tenant knows, and nothing more."""
    return Erin(cast, create_app(cast.tenant, "Erin's Sums"))


@pytest.fixture
def erin(newcomer: Erin) -> Erin:
    """The app with an agreement and the smallest rule: everything that may be shared."""
    newcomer.agree()
    newcomer.share()
    return newcomer


@pytest.fixture
def narrowed(newcomer: Erin) -> Callable[..., Erin]:
    """The app with an agreement, and a rule to be given."""

    def under(people: Any = "all", fields: Any = "all") -> Erin:
        newcomer.agree()
        newcomer.share({"people": people, "fields": fields})
        return newcomer

    return under
