"""Two conformance testers that others wrote find nothing wrong with `/scim/v2`, over real HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from scim2_client import BaseSyncSCIMClient
from scim2_tester import Status, check_server
from scim_sanity.probe.runner import run_probe_api  # type: ignore[import-untyped]  # it carries no types

from tests.cast import make_cast
from tests.sharing.scim.conftest import Hallkeys


class OverHttp(BaseSyncSCIMClient):
    """The tester's client on httpx (its own engine wants a library that we do not have)."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__()
        self.client = client

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return True

    def _parse_json(self, response: Any) -> Any:
        return response.json()

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        return self.client.request(method, url.lstrip("/"), **kwargs)


@pytest.fixture
def address(counts: None, live_server: Any) -> str:
    return f"{live_server.url}/scim/v2"


def test_scim2_tester_finds_nothing_wrong(address: str) -> None:
    directory = Hallkeys(make_cast()).agree().share()
    # A connection for each request: the test server sends head and body apart, and a kept connection waits for both.
    headers = {"authorization": f"Bearer {directory.token}", "connection": "close"}
    with httpx.Client(base_url=f"{address}/", headers=headers, timeout=30) as client:
        results = check_server(OverHttp(client))
    assert len(results) > 60
    assert [f"{r.title}: {r.reason}" for r in results if r.status != Status.SUCCESS] == []


@pytest.mark.parametrize("rule", [True, False], ids=["with a rule", "without a rule"])
def test_scim_sanity_finds_nothing_wrong(address: str, rule: bool) -> None:
    directory = Hallkeys(make_cast()).agree()
    if rule:
        directory.share()
    found = run_probe_api(address, token=directory.token, strict=True)
    assert [r for r in found["results"] if r["status"] not in ("pass", "skip")] == []
    assert found["exit_code"] == 0
