"""One set-up for all tests: strict exemptions, no network but loopback, the database that the environment names."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "rollbook.entrypoints.settings"
os.environ.setdefault("ROLLBOOK_DATA_DIR", tempfile.mkdtemp(prefix="rollbook-test-"))
os.environ.setdefault("ROLLBOOK_SECRET_KEY", "tests-only-" + "0" * 40)
os.environ.setdefault("ROLLBOOK_DATABASE_URL", "sqlite:///:memory:")
os.environ["ROLLBOOK_STRICT"] = "1"
os.environ["ROLLBOOK_DURABLE_LOG"] = "0"

import django
import pytest

django.setup()

from tests.cast import Cast, make_cast  # after setup: it imports tables

_connect = socket.socket.connect


def _loopback_only(self: socket.socket, address: Any) -> None:
    host = address[0] if isinstance(address, tuple) else address
    if self.family != socket.AF_UNIX and str(host) not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"a test tried to reach {host}; only loopback is open")
    _connect(self, address)


socket.socket.connect = _loopback_only  # type: ignore[method-assign,assignment]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Before the database is dropped, end what a test's server or its kept-alive browser still holds open in it."""
    yield
    from django.db import connection

    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def cast(db: None) -> Cast:
    """The small named school that every test shares."""
    return make_cast()
