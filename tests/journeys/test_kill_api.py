"""Nobody gets a page that the log does not hold, whenever the server dies."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection

from bench import kill_api
from bench.site import site


def database_url() -> str:
    """The server that the suite runs on, for a scratch database beside it; empty for SQLite."""
    own = settings.DATABASES["default"]
    if connection.vendor == "sqlite":
        return ""
    return f"postgresql://{own['USER']}:{own['PASSWORD']}@{own['HOST'] or '127.0.0.1'}:{own['PORT'] or 5432}/postgres"


@pytest.mark.slow
def test_every_page_that_was_answered_before_a_kill_is_in_the_log() -> None:
    with site(database_url()) as made:
        app = kill_api.set_up(made)
        got = [people for seed in range(2) for people in kill_api.round_(made, app, seed)]
        lost, logged = kill_api.missing(made, got)
    assert got, "no page was answered before the kill; the test shows nothing"
    assert (lost, logged >= len(got)) == (0, True)
