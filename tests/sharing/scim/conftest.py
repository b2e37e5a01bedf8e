"""The trust's directory, Hallkeys, writes to Sevenhills over SCIM: a token, an agreement, and ways to ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel import clock, limits
from rollbook.sharing import agree, create_app, share
from tests.cast import Cast

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Hallkeys:
    """A directory of the cast's tenant."""

    def __init__(self, cast: Cast, name: str = "Hallkeys", tenant: Any = None) -> None:
        self.made = create_app(tenant or cast.tenant, name, kind="scim")
        self.token = self.made.token

    def agree(self) -> Hallkeys:
        agree(
            self.made.app, purpose="directory", region="GB", retention_days=30, contact="it@sevenhills.example",
            begins_on=clock.today(), ends_on=clock.today() + timedelta(days=300), read_policy=True,
        )  # fmt: skip
        return self

    def share(self, people: Any = "all", fields: Any = "all") -> Hallkeys:
        share(self.made.app, {"people": people, "fields": fields})
        return self

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """The answer to a request below /scim/v2."""
        sent = {"authorization": f"Bearer {self.token}", **(headers or {})}
        data = json.dumps(body) if body is not None else ""
        return Client().generic(
            method, f"/scim/v2{path}", data, content_type="application/scim+json", headers=sent
        )

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == status, answer.content
        return answer.json()

    def make(self, user_name: str, **more: Any) -> Any:
        answer = self.ask("POST", "/Users", {"schemas": [USER], "userName": user_name, **more})
        assert answer.status_code == 201, answer.content
        return answer.json()

    def patch(self, path: str, *operations: dict[str, Any]) -> Any:
        return self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})

    def named(self, user_name: str) -> Any:
        """The one user with this user name."""
        [found] = self.get(f'/Users?filter=userName eq "{user_name}"')["Resources"]
        return found


@pytest.fixture
def counts(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of requests of this test's own."""
    settings.ROLLBOOK_DATA_DIR = tmp_path
    monkeypatch.setattr(limits, "_counter", None)


@pytest.fixture
def directory(cast: Cast, counts: None) -> Hallkeys:
    """A directory with an agreement and no rule."""
    return Hallkeys(cast).agree()


@pytest.fixture
def sharing(directory: Hallkeys) -> Callable[..., Hallkeys]:
    """The directory under a rule to be given."""
    return directory.share
