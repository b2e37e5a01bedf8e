"""kill -9 under API load. Clients read pages of people while the server and its workers are killed; afterwards every
page that a client got whole must be in the disclosure log, with exactly its people."""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter

from bench.site import Site, site

CLIENTS = 4
COUNT = """
import json, django
django.setup()
from rollbook.kernel import idset
from rollbook.policy import Disclosure, unguarded
from rollbook.sharing.models import App
from rollbook.sharing.rules import seal
with unguarded("the benchmark reads the whole log"):
    app = App.objects.get(slug="reader")
    key = bytes.fromhex(app.id_key)
    rows = Disclosure.objects.filter(recipient_id=app.id).iterator()
    sets = [sorted(seal(key, "person", idset.unpack(bytes(r.people)))) for r in rows]
print(json.dumps(sets))
"""


def set_up(made: Site) -> dict[str, str]:
    """A small roster and an app that reads all of it."""
    made.cli("tenant", "create", "school", "--name", "School", "--kind", "school", "--region", "GB")
    bundle = str(made.folder / "bundle")
    made.cli("generate", "oneroster", "--students", "300", "--schools", "2", "--seed", "5", "--out", bundle)
    made.cli("sync", bundle, "--tenant", "school")
    app: dict[str, str] = made.cli("app", "create", "Reader", "--tenant", "school")
    made.cli("app", "share", "reader", "--tenant", "school", "--rule", '{"people": "all", "fields": "all"}')
    return app


def round_(made: Site, app: dict[str, str], seed: int) -> list[tuple[str, ...]]:
    """One server, four clients, one kill at a random moment. Answers the sets of ids that clients got whole."""
    made.start()
    token = made.token(app)
    got: list[tuple[str, ...]] = []
    stop = threading.Event()

    def client(n: int) -> None:
        rng = random.Random(seed * 100 + n)
        while not stop.is_set():
            window = f"limit={rng.randint(1, 60)}&offset={rng.randint(0, 400)}"
            path = f"/ims/oneroster/rostering/v1p2/users?{window}&fields=sourcedId,givenName"
            try:
                _, body = made.get(path, token)
                got.append(tuple(sorted(u["sourcedId"] for u in json.loads(body)["users"])))
            except (OSError, http.client.HTTPException, ValueError):
                return  # cut off: no whole page

    clients = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
    for thread in clients:
        thread.start()
    time.sleep(random.Random(seed).uniform(0.2, 1.0))
    made.kill()
    stop.set()
    for thread in clients:
        thread.join()
    return [people for people in got if people]


def missing(made: Site, got: list[tuple[str, ...]]) -> tuple[int, int]:
    """(pages answered that the log does not hold, rows in the log)."""
    ran = subprocess.run(
        [sys.executable, "-c", COUNT], env=made.env, capture_output=True, text=True, check=True
    )
    logged = Counter(tuple(people) for people in json.loads(ran.stdout))
    lost = Counter(got) - logged
    return sum(lost.values()), sum(logged.values())


def main(rounds: int = 20) -> None:
    """Print a line for each database."""
    for name, url in (
        ("SQLite", ""),
        ("PostgreSQL", os.environ.get("ROLLBOOK_TEST_POSTGRES", "postgresql://postgres@127.0.0.1/postgres")),
    ):
        with site(url) as made:
            app = set_up(made)
            got = [people for seed in range(rounds) for people in round_(made, app, seed)]
            lost, logged = missing(made, got)
            print(
                f"{name:<11} {rounds} kills, {len(got):,} pages answered, {logged:,} rows in the log,"
                f" {lost} answered but not logged"
            )
