"""A whole site in processes of its own, for benchmarks and tests that kill things: a folder, a database, a server."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Site:
    """One site. `cli` runs a command of it; `start` and `kill` its server."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self.database_url = folder, database_url
        self.env = {
            **os.environ, "ROLLBOOK_DATA_DIR": str(folder), "ROLLBOOK_DATABASE_URL": database_url,
            "ROLLBOOK_SECRET_KEY": "a site for a test " * 3, "ROLLBOOK_API_RATE": "100000000", "ROLLBOOK_STRICT": "0",
            "ROLLBOOK_DURABLE_LOG": "1", "DJANGO_SETTINGS_MODULE": "rollbook.entrypoints.settings",
        }  # fmt: skip
        self.server: subprocess.Popen[bytes] | None = None
        self.port = 0

    def cli(self, *arguments: str, expect: int | None = 0) -> Any:
        """Run `rollbook ARGUMENTS --json`; its JSON. Raises AssertionError with the output on another exit code."""
        ran = subprocess.run(
            [sys.executable, "-m", "rollbook", *arguments, "--json"],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert expect is None or ran.returncode == expect, (
            f"rollbook {arguments[0]} ended with {ran.returncode}: {ran.stderr}"
        )
        return json.loads(ran.stdout) if ran.stdout.strip() else None

    def start(self, workers: int = 2, threads: int = 4) -> None:
        """Start the server on a free port and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        web = (
            {**self.env, "ROLLBOOK_WEB_ROLE": "rollbook_web"}
            if self.database_url.startswith("postgres")
            else self.env
        )
        self.server = subprocess.Popen(
            [sys.executable, "-m", "rollbook.entrypoints.server", "127.0.0.1", str(self.port), str(workers), str(threads), "0"],
            env=web, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        for _ in range(900):
            try:
                self.get("/readyz")
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        raise AssertionError("the server did not come up in 90 seconds")

    def kill(self) -> None:
        """kill -9 the server and all its workers."""
        if self.server:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()
            self.server = None

    def get(self, path: str, token: str = "", timeout: float = 10) -> tuple[int, bytes]:
        """One GET: (status, body). Raises URLError when no whole answer came."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310  # our own server on loopback
            return answer.status, answer.read()

    def token(self, app: dict[str, Any]) -> str:
        """A token for an app as `rollbook app create --json` answered it."""
        pair = base64.b64encode(f"{app['client_id']}:{app['client_secret']}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/oauth/token", data=b"grant_type=client_credentials",
            headers={"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own server on loopback
            return str(json.load(answer)["access_token"])


@contextmanager
def site(database_url: str = "") -> Iterator[Site]:
    """A new site on SQLite, or on a scratch database beside the PostgreSQL one that `database_url` names."""
    with tempfile.TemporaryDirectory(prefix="rollbook-site-") as folder:
        scratch = ""
        url = f"sqlite:///{folder}/rollbook.sqlite3"
        if database_url.startswith("postgres"):
            scratch = f"rollbook_site_{os.getpid()}_{time.monotonic_ns() % 10**8}"
            url = beside(database_url, scratch)
            _admin(database_url, f'CREATE DATABASE "{scratch}"')
        made = Site(Path(folder), url)
        try:
            yield made
        finally:
            made.kill()
            if scratch:
                _admin(database_url, f'DROP DATABASE IF EXISTS "{scratch}" WITH (FORCE)')


def beside(url: str, name: str) -> str:
    """The URL of another database of the same PostgreSQL server, reached in the same way (also by its socket)."""
    place, mark, options = url.partition("?")
    return f"{place.rpartition('/')[0]}/{name}{mark}{options}"


def _admin(database_url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(beside(database_url.partition("?")[0], "postgres"), autocommit=True) as connection:
        connection.execute(statement)
