"""A scratch database of its own, for tests and benchmarks that need real files, commits and processes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.site import beside


@contextmanager
def scratch(vendor: str, folder: Path) -> Iterator[dict[str, str]]:
    """The environment of processes that use an empty database of that vendor; it is dropped at the end.

    For PostgreSQL the server is the one that ROLLBOOK_DATABASE_URL names.
    """
    env = {
        "ROLLBOOK_DATA_DIR": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "rollbook.entrypoints.settings",
    }
    if vendor == "sqlite":
        (folder / "data").mkdir(parents=True, exist_ok=True)
        yield {**env, "ROLLBOOK_DATABASE_URL": f"sqlite:///{folder / 'data' / 'scratch.sqlite3'}"}
        return
    name = f"rollbook_scratch_{secrets.token_hex(4)}"
    url = os.environ["ROLLBOOK_DATABASE_URL"]
    with psycopg.connect(url.partition("?")[0], dbname="postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield {**env, "ROLLBOOK_DATABASE_URL": beside(url, name)}
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
