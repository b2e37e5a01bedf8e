"""Sign-ins at a running server: by badge and by password, one after another, then 200 badges at once.

python -m bench signin [POSTGRESQL_URL]
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

from bench.site import Site, site

AT_ONCE = 200
# Run inside the site: every pupil of the demo gets a badge, as a teacher would give it; a JSON list of what they say.
ISSUE = """
import django, json
django.setup()
from rollbook.identity.actions import issue, print_run
from rollbook.policy import Actor, unguarded
from rollbook.roster import standing
from rollbook.roster.models import Role, Tenant
tenant, by = Tenant.objects.get(slug="sevenhills"), Actor("staff", "administrator", 0, "Ms Larkspur")
with unguarded("a benchmark"):
    pupils = sorted(set(Role.objects.filter(tenant=tenant, role="student", status="active").values_list("person_id", flat=True)))
pupils = [p for p in pupils if (s := standing(tenant.id, p)) and s.here]
issue(tenant, pupils, by)
print(json.dumps(list(print_run(tenant, pupils, by, "benchmark").values())))
"""


class Browser:
    """A browser that has opened a sign-in page."""

    def __init__(self, made: Site, path: str) -> None:
        self.port, self.path = made.port, path
        with closing(http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)) as opened:
            opened.request("GET", path)
            answer = opened.getresponse()
            page = answer.read().decode()
            self.cookie = "; ".join(c.split(";")[0] for c in answer.headers.get_all("Set-Cookie") or [])
        self.csrf = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]

    def send(self, **form: str) -> tuple[int, float]:
        """Send the form: (status, milliseconds)."""
        headers = {
            "Cookie": self.cookie, "X-CSRFToken": self.csrf, "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json" if self.path == "/badge" else "text/html",
        }  # fmt: skip
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as opened:
            began = time.perf_counter()
            opened.request("POST", self.path, urlencode(form), headers)
            answer = opened.getresponse()
            answer.read()
            return answer.status, (time.perf_counter() - began) * 1000


def figures(name: str, times: list[float], statuses: list[int], right: int) -> dict[str, Any]:
    ordered = sorted(times)
    row = {
        "what": name, "n": len(times), "errors": sum(s != right for s in statuses),
        "p50 ms": round(ordered[len(ordered) // 2]), "p95 ms": round(ordered[int(len(ordered) * 0.95)]),
        "worst ms": round(ordered[-1]),
    }  # fmt: skip
    print("  " + ", ".join(f"{k} {v}" if k != "what" else str(v) for k, v in row.items()), flush=True)
    return row


def run(database_url: str) -> list[dict[str, Any]]:
    with site(database_url) as made:
        made.cli("demo")
        ran = subprocess.run(
            [sys.executable, "-c", ISSUE], env=made.env, capture_output=True, text=True, check=True
        )
        tokens = json.loads(ran.stdout)
        made.start()
        browser, staff = Browser(made, "/badge"), Browser(made, "/sign-in")
        for token in tokens[:8]:
            browser.send(token=token)  # the workers are warm
        rows = []
        got = [browser.send(token=t) for t in tokens]
        rows.append(figures("badge, one after another", [t for _, t in got], [s for s, _ in got], 200))
        form = {"email": "thistlewick@sevenhills.example", "password": "chalk ledger margin"}
        got = [staff.send(**form) for _ in range(20)]
        rows.append(figures("password, one after another", [t for _, t in got], [s for s, _ in got], 302))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            got = list(pool.map(lambda t: browser.send(token=t), (tokens * 2)[:AT_ONCE]))
        rows.append(figures(f"badge, {AT_ONCE} at once", [t for _, t in got], [s for s, _ in got], 200))
        return rows


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    rest = sys.argv[1:] if arguments is None else arguments
    url = next((a for a in rest if "://" in a), os.environ.get("ROLLBOOK_TEST_POSTGRES", ""))
    rows = []
    only = "--postgres" in rest  # not SQLite as well
    for name, database in (*([] if only else [("SQLite", "")]), *([("PostgreSQL", url)] if url else [])):
        print(name)
        rows += run(database)
    return rows


if __name__ == "__main__":
    main()
