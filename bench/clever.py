"""What Clever's door costs beside OneRoster's: a page of 100 users through each, by the same app under the same rule.

    python -m bench.clever [POSTGRESQL_URL]

Bar: a page of Clever's users 1.3 times one of OneRoster's, though it holds birthdays and sex too, which OneRoster
serves apart.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from bench.api import PREFIX, Reader, measure
from bench.site import site

STUDENTS, SCHOOLS, BAR = 3200, 9, 1.3
PAGES = {
    "OneRoster users": f"{PREFIX}/users?limit=100",
    "OneRoster demographics": f"{PREFIX}/demographics?limit=100",
    "Clever v3.1 users": "/v3.1/users?limit=100",
    "Clever v3.1 pupils": "/v3.1/users?limit=100&role=student",
    "Clever v2.0 students": "/v2.0/students?limit=100",
    "Clever v3.1 sections": "/v3.1/sections?limit=100",
    "Clever v3.1 events": "/v3.1/events?limit=100&record_type=users",
}


def run(database_url: str) -> dict[str, Any]:
    """One database: set up, measure, walk; answer the figures."""
    with site(database_url) as made:
        made.cli("tenant", "create", "school", "--name", "School", "--kind", "trust", "--region", "GB")
        bundle = str(made.folder / "bundle")
        size = ["--students", str(STUDENTS), "--schools", str(SCHOOLS)]
        made.cli("generate", "oneroster", *size, "--seed", "3", "--out", bundle)
        made.cli("sync", bundle, "--tenant", "school")
        app = made.cli("app", "create", "Reader", "--tenant", "school")
        rule = '{"people": "all", "fields": "all"}'
        made.cli("app", "share", "reader", "--tenant", "school", "--rule", rule)
        made.start()
        reader = Reader(made, made.token(app))
        found: dict[str, Any] = {"database": "PostgreSQL" if database_url else "SQLite"}
        for name, path in PAGES.items():
            found[name] = (*measure(made, lambda _, path=path: reader.get(path)), len(reader.get(path)[1]))  # type: ignore[misc]  # its own path each time
        ids: list[str] = []
        path = "/v3.1/users?limit=1000&count=true"
        while path:
            body = json.loads(reader.get(path)[1])
            ids += [user["data"]["id"] for user in body["data"]]
            path = next((link["uri"] for link in body["links"] if link["rel"] == "next"), "")
        assert len(ids) == len(set(ids)) == body["count"]
        found["walked"] = len(ids)
    return found


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Measure on SQLite, and on PostgreSQL where a URL says where; print and return the figures."""
    given = (sys.argv[1:] if arguments is None else arguments) or [
        os.environ.get("ROLLBOOK_TEST_POSTGRES", "")
    ]
    found = [run(url) for url in dict.fromkeys(("", given[0]))]
    for row in found:
        print(f"\n{row['database']}: a walk met {row['walked']} users, each once")
        print("                            CPU ms   wall ms     bytes")
        for name in PAGES:
            print(f"  {name:<24} {row[name][0]:8.2f}  {row[name][1]:8.2f}  {row[name][2]:8}")
        times = row["Clever v3.1 users"][0] / row["OneRoster users"][0]
        print(f"  Clever's page of users / OneRoster's: {times:.2f} (bar {BAR})")
    return found


if __name__ == "__main__":
    main()
