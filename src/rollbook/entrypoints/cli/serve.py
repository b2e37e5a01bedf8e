"""`rollbook serve`, `worker` and `doctor`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import json_option, show


def prepare() -> None:
    """Bring the database up to date, put up the second wall, record the policy in force. Quick when nothing is new."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from rollbook.policy import all_bundles, bundle_recorded, record_bundle

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()) or not all(
        map(bundle_recorded, all_bundles())
    ):
        call_command("migrate", verbosity=0, interactive=False)  # its last act puts up the second wall
        for bundle in all_bundles():
            record_bundle(bundle)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=int, default=lambda: int(os.environ.get("PORT", "8000")), help="Default: $PORT or 8000."
)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True)
@click.option("--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="For each worker.")
@click.option("--no-worker", is_flag=True, help="Do not start the process that runs jobs.")
def serve(host: str, port: int, workers: int, threads: int, no_worker: bool) -> None:
    """Serve the site and the APIs, and run jobs.

    On PostgreSQL the web workers work as the role rollbook_web, which owns nothing and bypasses nothing.

    \b
    Example:
      ROLLBOOK_DATABASE_URL=postgresql://rollbook@localhost/rollbook rollbook serve --port 8000
    """
    prepare()
    run(host, port, workers, threads, not no_worker)


def run(host: str, port: int, workers: int, threads: int, with_worker: bool) -> None:
    """Gather the static files and become the server, in a fresh process image: granian forks its workers, and what
    this process has set up as the database's owner must not be theirs."""
    from django.db import connection, connections

    _must_be_free(host, port)
    env = {**os.environ, "ROLLBOOK_COLLECTED": "1"}
    subprocess.run([sys.executable, "-m", "rollbook.entrypoints.collect"], check=True, env=env)
    web = {**env, "ROLLBOOK_WEB_ROLE": "rollbook_web"} if connection.vendor == "postgresql" else env
    connections.close_all()
    sys.stdout.flush()
    jobs = subprocess.Popen([sys.executable, "-m", "rollbook", "worker"], env=env) if with_worker else None
    arguments = [host, str(port), str(workers), str(threads), str(jobs.pid if jobs else 0)]
    os.execve(sys.executable, [sys.executable, "-m", "rollbook.entrypoints.server", *arguments], web)  # noqa: S606  # no shell is wanted


def _must_be_free(host: str, port: int) -> None:
    """Workers share a port on purpose, so a second server there would answer half the requests without a word."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # connections that have ended do not count
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(
                f"Port {port} on {host} is taken ({error.strerror}). Choose another: PORT=8001 make run"
            ) from error


@cli.command()
def worker() -> None:
    """Run jobs until stopped. Any number may run at once."""
    from django.db import DatabaseError

    import rollbook.identity.jobs
    import rollbook.roster.jobs
    import rollbook.sharing.jobs  # noqa: F401  # registers what the worker can do
    from rollbook.kernel.jobs import work
    from rollbook.sharing import look_for_duties

    with suppress(DatabaseError):  # one that does not answer yet is for `work` to wait for
        look_for_duties()
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    parent = os.getppid()
    threading.Thread(target=_end_with_parent, args=(parent, stop), daemon=True).start()
    work(stop)


def _end_with_parent(parent: int, stop: threading.Event) -> None:
    while not stop.wait(2):
        if os.getppid() != parent:
            stop.set()


@cli.command()
@json_option
def doctor(as_json: bool) -> None:
    """Look at the settings, the database, the policy and the second wall; say what is missing and what to do."""
    from django.conf import settings
    from django.db import DatabaseError, connection

    rows: list[dict[str, Any]] = []

    def say(name: str, ok: bool, text: str) -> None:
        rows.append({"check": name, "ok": ok, "says": text})

    say("secret key", bool(os.environ.get("ROLLBOOK_SECRET_KEY")) or settings.ROLLBOOK_DATA_DIR.exists(),
        "from ROLLBOOK_SECRET_KEY" if os.environ.get("ROLLBOOK_SECRET_KEY") else
        f"made at first start, in {settings.ROLLBOOK_DATA_DIR / 'secret-key'}; back it up")  # fmt: skip
    say(
        "base url",
        True,
        settings.ROLLBOOK_BASE_URL
        or "not set: addresses follow the request. Behind a proxy set ROLLBOOK_BASE_URL",
    )
    proxies = settings.ROLLBOOK_TRUSTED_PROXIES
    said = (
        f"{proxies} in front; the address before them in X-Forwarded-For counts"
        if isinstance(proxies, int)
        else f"{', '.join(map(str, proxies))}; the first other address in X-Forwarded-For counts"
    )
    say(
        "proxies",
        True,
        said
        if proxies
        else "none trusted: limits count the address that connects. Behind a proxy that is the proxy's, "
        "for everybody together; set ROLLBOOK_TRUSTED_PROXIES to how many there are, or to their addresses",
    )
    say(
        "region",
        True,
        settings.ROLLBOOK_REGION
        or "not set: say in ROLLBOOK_REGION where the data is kept, and tenants are checked",
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        say("database", True, f"{connection.vendor}: {connection.settings_dict['NAME']}")
    except DatabaseError as error:
        say("database", False, f"does not answer ({type(error).__name__}). Check ROLLBOOK_DATABASE_URL")
    if rows[-1]["ok"]:
        from django.db.migrations.executor import MigrationExecutor

        from rollbook.policy import all_bundles, second_wall_problems

        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        say(
            "tables",
            waiting == 0,
            "up to date" if not waiting else f"{waiting} migrations wait: rollbook serve applies them",
        )
        for bundle in all_bundles():
            say(f"policy {bundle.profile}", True, bundle.hash)
        if connection.vendor == "postgresql" and not waiting:
            problems = second_wall_problems()
            say(
                "second wall", not problems, "as the policy says" if not problems else "; ".join(problems[:5])
            )
        elif connection.vendor == "sqlite":
            say(
                "second wall",
                True,
                "SQLite has none: the gate alone holds. Use PostgreSQL for more than one school",
            )
        if not waiting:
            from rollbook.roster import orphans

            found = orphans()
            say(
                "references",
                not found,
                "every row points at a row" if not found else f"rows that point at nothing: {found}",
            )
    show(
        as_json, rows, "\n".join(f"{'ok ' if r['ok'] else '!! '} {r['check']:<16} {r['says']}" for r in rows)
    )
    sys.exit(0 if all(r["ok"] for r in rows) else 1)
