"""A browser for the whole run, and the site on a port of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

# Playwright keeps a loop running in the thread of the tests, in which Django would refuse to ask the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, or a skip that says so."""
    from playwright.sync_api import sync_playwright

    from tests.journeys.look import ARGS, CHROMIUM

    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the pages are not looked at")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield found
        found.close()


@pytest.fixture
def site(live_server: Any, browser: Any) -> Any:
    """The running site."""
    from tests.journeys.look import Site

    return Site(live_server.url, browser)
