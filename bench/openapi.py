"""Schemathesis with the standard's own OpenAPI file against a running server: all 41 operations, all checks.

    python -m bench.openapi [EXAMPLES] [POSTGRESQL_URL]

The standard answers 400 to a filter, sort or field that its description cannot tell from a good one, and 404 to an id
that is not there; so these two count as an answer to good data. Ids of rows that exist are given to the generator.
Reads the file through ROLLBOOK_SPECS; says so and does nothing where it is absent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.site import Site, site

FILE = Path(os.environ.get("ROLLBOOK_SPECS", "../shared/specs")) / (
    "oneroster-1.2/onerosterv1p2rostersservice_openapi3_v1p0.json"
)
PREFIX = "/ims/oneroster/rostering/v1p2"
# The id in a path, and the list whose first object it names.
IDS = {
    "classSourcedId": "classes", "courseSourcedId": "courses", "schoolSourcedId": "schools", "studentSourcedId": "students",
    "teacherSourcedId": "teachers", "termSourcedId": "terms", "userSourcedId": "users",
}  # fmt: skip


def settings(made: Site, token: str) -> str:
    """Schemathesis's settings: which answers good data may get, and ids that exist."""
    lines = ["[checks]", 'positive_data_acceptance.expected-statuses = ["2xx", 400, 404]', "[parameters]"]
    for name, collection in IDS.items():
        body = json.loads(made.get(f"{PREFIX}/{collection}?limit=1", token)[1])
        lines.append(f'"path.{name}" = "{next(iter(body.values()))[0]["sourcedId"]}"')
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run it; answers schemathesis's exit code (0: no failure)."""
    given = sys.argv[1:] if arguments is None else arguments
    if not FILE.is_file():
        print(f"SKIPPED. {FILE} is absent; ROLLBOOK_SPECS may name another folder.")
        return 0
    examples, url = (given[0] if given else "50"), (given[1] if len(given) > 1 else "")
    with site(url) as made:
        made.cli("tenant", "create", "school", "--name", "School", "--kind", "school", "--region", "GB")
        bundle = str(made.folder / "bundle")
        made.cli(
            "generate", "oneroster", "--students", "120", "--schools", "2", "--seed", "8", "--out", bundle
        )
        made.cli("sync", bundle, "--tenant", "school")
        app = made.cli("app", "create", "Reader", "--tenant", "school")
        made.cli(
            "app", "share", "reader", "--tenant", "school", "--rule", '{"people": "all", "fields": "all"}'
        )
        made.start()
        token = made.token(app)
        config = made.folder / "schemathesis.toml"
        config.write_text(settings(made, token))
        return subprocess.run(
            [
                str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config), "run", str(FILE),
                "--url", f"http://127.0.0.1:{made.port}{PREFIX}", "-H", f"Authorization: Bearer {token}", "--checks", "all",
                "--max-examples", examples, "--phases", "coverage,fuzzing", "--continue-on-failure",
            ],
            check=False,
        ).returncode  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
