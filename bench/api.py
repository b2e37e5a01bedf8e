"""What the API costs: GET users?limit=100 of 5,300, a deep page, a filtered page, a walk of 30,000 enrollments, through
granian (two workers) with a client that keeps its connection; token, rule and disclosure log on. CPU is that of the
server's processes and of PostgreSQL's backends, from /proc. Beside it the floor: the same rows by raw SQL and orjson.

    python -m bench.api [POSTGRESQL_URL]

Bars: a page of 100 users 4 CPU ms with the database; a deep page 1.3 times the first; the walk 5 seconds.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from bench.site import Site, site

STUDENTS, SCHOOLS, REQUESTS = 3200, 9, 400
PREFIX = "/ims/oneroster/rostering/v1p2"
BAR_MS, BAR_DEEP, BAR_WALK = 4.0, 1.3, 5.0
TICK = os.sysconf("SC_CLK_TCK")


def cpu_ms(made: Site) -> float:
    """CPU milliseconds so far of the server's process group and of the backends of its database."""
    assert made.server is not None
    group, name, total = made.server.pid, urlsplit(made.database_url).path[1:], 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            backend = (
                made.database_url.startswith("postgres") and f" {name} " in (folder / "cmdline").read_text()
            )
        except OSError:
            continue
        if int(stat[2]) == group or backend:
            total += int(stat[11]) + int(stat[12])
    return total * 1000 / TICK


class Reader:
    """A client that keeps its connection."""

    def __init__(self, made: Site, token: str, **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", made.port)
        self.headers = {"Authorization": f"Bearer {token}", **headers}

    def get(self, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body[:300])
        return answer, body


def measure(made: Site, ask: Callable[[int], Any], times: int = REQUESTS) -> tuple[float, float]:
    """(CPU ms, wall ms) of one request: mean of the CPU, median of the wall time. Each worker is warmed first."""
    for n in range(60):
        ask(n)
    before, walls = cpu_ms(made), []
    for n in range(times):
        began = time.perf_counter()
        ask(n)
        walls.append((time.perf_counter() - began) * 1000)
    return (cpu_ms(made) - before) / times, statistics.median(walls)


def next_of(answer: http.client.HTTPResponse) -> str | None:
    """The path of the next page, from the Link header."""
    for part in (answer.getheader("Link") or "").split(", "):
        if part.endswith('rel="next"'):
            parts = urlsplit(part[1 : part.index(">")])
            return f"{parts.path}?{parts.query}"
    return None


def run(database_url: str) -> dict[str, Any]:
    """One database: set up, measure, and answer the figures."""
    with site(database_url) as made:
        made.cli("tenant", "create", "school", "--name", "School", "--kind", "trust", "--region", "GB")
        bundle = str(made.folder / "bundle")
        made.cli(
            "generate",
            "oneroster",
            "--students",
            str(STUDENTS),
            "--schools",
            str(SCHOOLS),
            "--seed",
            "3",
            "--out",
            bundle,
        )
        made.cli("sync", bundle, "--tenant", "school")
        app = made.cli("app", "create", "Reader", "--tenant", "school")
        made.cli(
            "app", "share", "reader", "--tenant", "school", "--rule", '{"people": "all", "fields": "all"}'
        )
        made.start()
        reader = Reader(made, made.token(app))
        answer, body = reader.get(f"{PREFIX}/users?limit=100")
        total = int(answer.getheader("X-Total-Count") or 0)
        found: dict[str, Any] = {
            "database": "PostgreSQL" if database_url else "SQLite",
            "users": total,
            "bytes": len(body),
        }
        found["first"] = measure(made, lambda n: reader.get(f"{PREFIX}/users?limit=100"))
        found["deep"] = measure(
            made, lambda n: reader.get(f"{PREFIX}/users?limit=100&offset={total - 150 - n % 50}")
        )
        found["page of 1,000"] = measure(
            made, lambda n: reader.get(f"{PREFIX}/users?limit=1000&offset={n % 4 * 1000}"), 60
        )
        text = quote("roles.role='teacher' AND status='active'")
        found["filtered"] = measure(made, lambda n: reader.get(f"{PREFIX}/users?limit=100&filter={text}"))
        found["new filter"] = measure(
            made,
            lambda n: reader.get(
                f"{PREFIX}/users?limit=100&filter=" + quote(f"dateLastModified>'2030-01-01T00:00:00.{n:03}Z'")
            ),
            100,
        )
        one = json.loads(body)["users"][0]["sourcedId"]
        found["one user"] = measure(made, lambda n: reader.get(f"{PREFIX}/users/{one}"))
        found["orgs"] = measure(made, lambda n: reader.get(f"{PREFIX}/orgs?limit=100"))
        packed = Reader(made, reader.headers["Authorization"].split()[1], **{"Accept-Encoding": "gzip"})
        found["gzip"] = (
            *measure(made, lambda n: packed.get(f"{PREFIX}/users?limit=100"), 100),
            len(packed.get(f"{PREFIX}/users?limit=100")[1]),
        )
        found["walk"] = walk(made, reader)
        found["floor"] = json.loads(
            subprocess.run(
                [sys.executable, "-m", "bench.api", "--floor"],
                env=made.env,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
    return found


def walk(made: Site, reader: Reader) -> dict[str, float]:
    """Every enrollment by following `next`, 1,000 a page."""
    before, began, path, rows = cpu_ms(made), time.perf_counter(), f"{PREFIX}/enrollments?limit=1000", 0
    ids: set[str] = set()
    while path:
        answer, body = reader.get(path)
        page = json.loads(body)["enrollments"]
        rows += len(page)
        ids.update(e["sourcedId"] for e in page)
        path = next_of(answer) or ""
    assert rows == len(ids) == int(answer.getheader("X-Total-Count") or 0)
    return {"rows": rows, "seconds": time.perf_counter() - began, "cpu_ms": cpu_ms(made) - before}


def floor() -> dict[str, float]:
    """The same page with nothing in between: three hand-written statements on one connection, dicts and orjson."""
    import django

    django.setup()
    import orjson
    from django.db import connection

    from rollbook.kernel.db import is_postgres

    among = "= ANY(%s)" if is_postgres() else "IN (SELECT value FROM json_each(%s))"
    users = (
        "SELECT id, date_last_modified, username, identifier, given_name, family_name, middle_name, preferred_first_name,"
        " preferred_middle_name, preferred_last_name, pronouns, email, sms, phone, grades, user_ids, user_master_identifier,"
        f" primary_org_id, enabled_user FROM roster_person WHERE id {among}"
    )
    roles = (
        "SELECT person_id, org_id, role_type, role, begin_date, end_date FROM roster_role"
        f" WHERE tenant_id = %s AND person_id {among}"
    )
    agents = [
        f"SELECT child_id, guardian_id FROM roster_guardianship WHERE tenant_id = %s AND {column} {among}"
        for column in ("child_id", "guardian_id")
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, tenant_id FROM roster_person ORDER BY id LIMIT 100")
        rows = cursor.fetchall()
        ids: Any = [r[0] for r in rows] if is_postgres() else json.dumps([r[0] for r in rows])
        tenant = rows[0][1]
        names = "username identifier givenName familyName middleName preferredFirstName preferredMiddleName".split()
        names += "preferredLastName pronouns email sms phone".split()

        def page() -> bytes:
            cursor.execute(users, [ids])
            found = {
                row[0]: {
                    "sourcedId": str(row[0]), "status": "active", "dateLastModified": str(row[1]),
                    "enabledUser": "true" if row[18] else "false",
                    **{name: value for name, value in zip(names, row[2:14], strict=True) if value}, "grades": row[14].split(","),
                    "primaryOrg": {"href": f"http://localhost/orgs/{row[17]}", "sourcedId": str(row[17]), "type": "org"},
                    "roles": [], "agents": [],
                }
                for row in cursor.fetchall()
            }  # fmt: skip
            cursor.execute(roles, [tenant, ids])
            for person, org, kind, role, *_ in cursor.fetchall():
                ref = {"href": f"http://localhost/orgs/{org}", "sourcedId": str(org), "type": "org"}
                found[person]["roles"].append({"roleType": kind, "role": role, "org": ref})
            for turn, statement in ((1, agents[0]), (-1, agents[1])):
                cursor.execute(statement, [tenant, ids])
                for one, other in (pair[::turn] for pair in cursor.fetchall()):
                    found[one]["agents"].append(
                        {"href": f"http://localhost/users/{other}", "sourcedId": str(other), "type": "user"}
                    )
            return orjson.dumps({"users": list(found.values())})

        for _ in range(30):
            page()
        backend = 0
        if is_postgres():
            cursor.execute("SELECT pg_backend_pid()")
            backend = cursor.fetchone()[0]
        before = time.process_time() * 1000 + _process(backend)
        for _ in range(REQUESTS):
            page()
        return {
            "cpu_ms": (time.process_time() * 1000 + _process(backend) - before) / REQUESTS,
            "bytes": len(page()),
        }


def _process(pid: int) -> float:
    if not pid:
        return 0.0
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) * 1000 / TICK


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Measure on SQLite, and on PostgreSQL where a URL says where; print and return the figures of each."""
    given = (sys.argv[1:] if arguments is None else arguments) or [
        os.environ.get("ROLLBOOK_TEST_POSTGRES", "")
    ]
    found = [run(url) for url in dict.fromkeys(("", given[0]))]
    for row in found:
        print(f"\n{row['database']}: {row['users']} users, a page of 100 is {row['bytes']} bytes")
        print("                       CPU ms   wall ms")
        for name in ("first", "deep", "page of 1,000", "filtered", "new filter", "one user", "orgs", "gzip"):
            print(
                f"  {name:<20} {row[name][0]:8.2f}  {row[name][1]:8.2f}"
                + (f"   {row[name][2]} bytes" if len(row[name]) > 2 else "")
            )
        print(
            f"  floor: raw SQL, orjson {row['floor']['cpu_ms']:6.2f}            {row['floor']['bytes']:.0f} bytes"
        )
        walked, deep = row["walk"], row["deep"][0] / row["first"][0]
        print(
            f"  deep page / first {deep:.2f} (bar {BAR_DEEP}); a page of 100 users {row['first'][0]:.2f} CPU ms (bar {BAR_MS})"
        )
        print(
            f"  walk of {walked['rows']:.0f} enrollments {walked['seconds']:.2f} s (bar {BAR_WALK}),"
            f" {walked['cpu_ms']:.0f} CPU ms"
        )
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["--floor"]:
        print(json.dumps(floor()))
    else:
        main()
