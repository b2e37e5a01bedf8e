"""`python -m bench [NAME ...]`: run the named benchmarks, or all; each prints a table. See docs/benchmarks.md."""

from __future__ import annotations

import importlib
import sys

NAMES = {
    "gate": "the class register through the gate, beside raw SQL",
    "api": "GET users, a deep page, a walk, beside raw SQL and orjson",
    "sync": "a first load, no change, 1 % changed, beside a raw bulk load",
    "kill": "kill -9 during a sync, 50 moments",
    "kill_api": "kill -9 under API load: was every answered page in the log?",
    "directories": "5,000 pupils to a SCIM destination, twice",
    "signin": "sign-ins by badge and password, and 200 badges at once",
    "clever": "a page of users through Clever’s door, beside OneRoster’s",
    "openapi": "schemathesis with the official rostering OpenAPI, all 41 operations",
}

if __name__ == "__main__":
    # A PostgreSQL URL, a number or an --option goes on to the benchmark itself; the URL may also stand in
    # ROLLBOOK_TEST_POSTGRES.
    rest = [a for a in sys.argv[1:] if "://" in a or a.startswith("--") or a.isdigit()]
    wanted = [a for a in sys.argv[1:] if a not in rest] or list(NAMES)
    unknown = [w for w in wanted if w not in NAMES]
    sys.argv[1:] = rest
    if unknown:
        sys.exit(
            f"There is no benchmark {unknown[0]!r}. There are:\n"
            + "\n".join(f"  {n:<11} {t}" for n, t in NAMES.items())
        )
    for name in wanted:
        print(f"\n== {name}: {NAMES[name]}", flush=True)
        importlib.import_module(f"bench.{name}").main()
