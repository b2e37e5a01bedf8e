"""Directories of the cast's tenant at destinations that others wrote: scim2-server as a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.roster.models import Enrollment, Person
from rollbook.sharing import agree, create_directory, find_directory, plan_directory, push_directory, share
from rollbook.sharing.jobs import plan_undo
from rollbook.sharing.models import Directory, Push
from tests.cast import Cast

TOKEN = "tests-only"  # of a server that lives for these tests
EVERYTHING: dict[str, Any] = {"people": "all", "fields": "all"}


@pytest.fixture(scope="session")
def scim_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A SCIM destination: its address, and its log of requests. Each path below the address is one of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("scim") / "log"
    program = Path(sys.executable).parent / "scim2-server"
    with log.open("w") as out:
        server = subprocess.Popen(
            [str(program), "--port", str(port), "--bearer-token", TOKEN, "--dynamic-tenants"],
            stdout=out,
            stderr=out,
        )
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}", log
        finally:
            server.terminate()
            server.wait()


class Hallkeys:
    """A directory that the tenant keeps accounts in, and what stands there."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def share(self, rule: dict[str, Any] = EVERYTHING) -> Hallkeys:
        agree(
            self.directory.app, purpose="directory", region="GB", retention_days=30, contact="it@sevenhills.example",
            begins_on=clock.today() - timedelta(days=1), ends_on=clock.today() + timedelta(days=900), read_policy=True,
        )  # fmt: skip
        share(self.directory.app, rule)
        return self

    def plan(self) -> Push:
        return plan_directory(self.directory)

    def run(self) -> Push:
        return push_directory(self.directory, self.plan())

    def undo(self) -> Push:
        return push_directory(self.directory, plan_undo(self.directory))

    def reread(self) -> None:
        self.directory = find_directory(self.directory.tenant_id, self.directory.app.slug)


class ScimHallkeys(Hallkeys):
    """At a SCIM destination."""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/scim+json"}
        answer = httpx.request(method, f"{self.directory.url}/{path}", headers=headers, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def users(self) -> dict[str, Any]:
        """The accounts there, by user name."""
        return {u["userName"]: u for u in self.ask("GET", "Users?count=1000").get("Resources", [])}

    def groups(self) -> dict[str, set[str]]:
        """The groups there: name -> the user names of their members."""
        names = {u["id"]: name for name, u in self.users().items()}
        found = self.ask("GET", "Groups?count=1000").get("Resources", [])
        return {g["displayName"]: {names[m["value"]] for m in g.get("members", [])} for g in found}

    def everything(self) -> Any:
        """All that stands there, without the destination's own ids and times."""
        users = {
            n: {k: v for k, v in u.items() if k not in ("id", "meta", "groups")}
            for n, u in self.users().items()
        }
        return users, self.groups()


@pytest.fixture
def scim(cast: Cast, scim_server: tuple[str, Path], tmp_path: Path) -> ScimHallkeys:
    """A SCIM directory without an agreement, at a destination that holds nothing."""
    made = create_directory(
        cast.tenant, "Hallkeys", kind="scim", url=f"{scim_server[0]}/{tmp_path.name}/v2", secret=TOKEN,
        settings={"email": "{username}@sevenhills.example"},
    )  # fmt: skip
    return ScimHallkeys(made)


def change(person: Person, **values: Any) -> None:
    """The school's own records say something new of somebody."""
    with unguarded("a test changes the roster", tenant=person.tenant_id):
        Person.objects.filter(id=person.id).update(**values)


def leave(person: Person) -> None:
    """Somebody leaves the school."""
    change(person, status="tobedeleted")


def join(person: Person, klass: Any, role: str = "student") -> None:
    """Somebody joins a class."""
    with unguarded("a test changes the roster", tenant=person.tenant_id):
        Enrollment.objects.create(
            tenant_id=person.tenant_id, sourced_id=f"E-{person.sourced_id}-{klass.sourced_id}", person=person,
            klass=klass, school_id=klass.school_id, role=role, date_last_modified=clock.now(),
        )  # fmt: skip
