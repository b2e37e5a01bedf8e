"""What a sync costs: a first load beside a raw bulk load of the same rows into the same indexed tables, the same files
again, 1 % changed, and reading and checking alone. On SQLite, and on PostgreSQL where a URL is given.

    python -m bench.sync [POSTGRESQL_URL] [--large]

The usual size is 21,000 users and 125,000 enrollments; --large is a million users and three million enrollments. Each
step is a process of its own, so that its memory is its own; CPU is that of the process and of its database backend.

Bars (usual, large): checked 3 CPU s; first load 12 s, 120 s and 1.5 times the raw load; unchanged 3 s, 10 s; 1 % 5 s, 30 s;
memory 400 MB, 1.5 GB.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TICK = os.sysconf("SC_CLK_TCK")
SIZES: dict[str, dict[str, Any]] = {
    "usual": {"students": 12_800, "schools": 20, "seed": 7},
    "large": {"students": 603_000, "schools": 900, "seed": 7, "enrollments_per_student": 4.65},
}
TABLES = (
    "roster_org", "roster_academicsession", "roster_course", "roster_class", "roster_classterm", "roster_person", "roster_role",
    "roster_enrollment", "roster_demographics", "roster_ethnicity", "roster_guardianship",
)  # fmt: skip


def main() -> None:
    """Run all steps and print the table."""
    from tests.roster.sync.databases import scratch

    large = "--large" in sys.argv or os.environ.get("BENCH_LARGE") == "1"
    urls = [a for a in sys.argv[1:] if a.startswith("postgres")] or [
        os.environ.get("ROLLBOOK_TEST_POSTGRES", "")
    ]
    kept = os.environ.get("BENCH_BUNDLES", "")  # bundles made before: <dir>/usual0, usual1, large0, large1
    size = "large" if large else "usual"
    with tempfile.TemporaryDirectory(prefix="rollbook-bench-") as made:
        bundles = Path(kept or made)
        old, new = (
            bundle(bundles / f"{size}0", size),
            bundle(bundles / f"{size}1", size, changed=0.01, removed=0.01, added=0.01),
        )
        print(f"{size}; load average {os.getloadavg()[0]:.1f}")
        print(f"{'':<12}{'step':<34}{'wall s':>8}{'CPU s':>8}{'db CPU':>8}{'MB':>7}  what")
        for vendor in ["sqlite", *(["postgresql"] if urls[0] else [])]:
            os.environ["ROLLBOOK_DATABASE_URL"] = urls[0] if vendor == "postgresql" else ""
            work, bare = Path(made) / vendor, Path(made) / f"{vendor}-raw"
            with scratch(vendor, work) as env, scratch(vendor, bare) as raw_env:
                dump = work / "dump"
                show(vendor, "read, every reference checked", step(env, "check", old))
                show(vendor, "first load", step(env, "sync", old))
                step(env, "dump", dump)
                show(vendor, "raw bulk load of the same rows", step(raw_env, "raw", dump))
                show(vendor, "the same files again", step(env, "sync", old))
                show(vendor, "1 % changed", step(env, "sync", new))


def bundle(path: Path, size: str, **change: Any) -> Path:
    """The bundle, generated where it is not there yet."""
    if not path.exists():
        from rollbook.roster.connectors.generate import generate_oneroster

        generate_oneroster(path, **SIZES[size], **change)
    return path


def step(env: dict[str, str], what: str, path: Path) -> dict[str, Any]:
    """One step in a process of its own; its measures."""
    lines = [str(ROOT / "src"), str(ROOT)]
    out = subprocess.run(
        [sys.executable, "-m", "bench.sync", "--child", what, str(path)], cwd=ROOT, stdout=subprocess.PIPE, check=True,
        env={**os.environ, **env, "PYTHONPATH": os.pathsep.join(lines)},
    )  # fmt: skip
    return dict(json.loads(out.stdout.splitlines()[-1]))


def show(vendor: str, name: str, m: dict[str, Any]) -> None:
    print(
        f"{vendor:<12}{name:<34}{m['wall']:>8.1f}{m['cpu']:>8.1f}{m['db']:>8.1f}{m['mb']:>7}  {m['what']}",
        flush=True,
    )


# ---- In the child.


def child(what: str, path: Path) -> None:
    """Do one step and print its measures as JSON."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from rollbook.kernel import clock
    from rollbook.roster.jobs import sync_path
    from rollbook.roster.models import Tenant

    call_command("migrate", verbosity=0)
    backend = 0
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend = cursor.fetchone()[0]
    tenant = Tenant.objects.filter(slug="bench").first() or Tenant.objects.create(
        slug="bench", name="Bench", kind="trust", region="GB", created_at=clock.now()
    )
    wall, cpu, db = time.perf_counter(), time.process_time(), backend_cpu(backend)
    told = ""
    if what in ("sync", "dry"):
        done = sync_path(tenant, path, dry_run=what == "dry", yes=True, progress=Steps())
        told = f"{done.state}: {done.message}"
    elif what == "check":
        told = check(tenant, path)
    elif what == "dump":
        dump(path)
    else:
        told = f"{raw(path):,} rows"
    measures = {
        "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "db": backend_cpu(backend) - db, "what": told,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
    print(json.dumps(measures))


def check(tenant: Any, path: Path) -> str:
    """Read the bundle and check each row and reference, and no more."""
    from rollbook.policy import unguarded
    from rollbook.roster.actions import sync as syncing
    from rollbook.roster.connectors import stage

    with syncing.begin(tenant, path, progress=Steps()) as run, unguarded("a benchmark"):
        syncing.judge(run, stage(path, run.con, progress=run))
        rows = run.con.execute("SELECT kind, rows FROM s_file").fetchall()
        run.save(state="discarded")
    return ", ".join(f"{kind} {n:,}" for kind, n in rows)


class Steps:
    """Writes the seconds of each step to stderr where BENCH_STEPS is set."""

    def __init__(self) -> None:
        self.last = ("", time.perf_counter(), time.process_time())

    def step(self, name: str, done: int, total: int | None) -> None:
        """Say how long the step before took."""
        now = (name, time.perf_counter(), time.process_time())
        if os.environ.get("BENCH_STEPS") and self.last[0] != name:
            print(
                f"    {now[1] - self.last[1]:7.2f} s {now[2] - self.last[2]:7.2f} CPU  {self.last[0]}",
                file=sys.stderr,
            )
        self.last = now


def backend_cpu(pid: int) -> float:
    """CPU seconds of a database backend on this machine; 0 where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(stat[11]) + int(stat[12])) / TICK


def dump(folder: Path) -> None:
    """Every roster table as a CSV file of its own, without what the database makes itself."""
    from django.apps import apps
    from django.db import connection

    folder.mkdir(parents=True)
    with connection.cursor() as cursor:
        for table in TABLES:
            with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as out:
                model = next(
                    m for m in apps.get_app_config("roster").get_models() if m._meta.db_table == table
                )
                columns = ",".join(f'"{f.column}"' for f in model._meta.concrete_fields if not f.generated)
                out.write(columns + "\n")
                if connection.vendor == "postgresql":
                    with cursor.copy(f"COPY {table} ({columns}) TO STDOUT (FORMAT csv)") as copy:
                        for chunk in copy:
                            out.write(bytes(chunk).decode())
                else:
                    cursor.execute(f"SELECT {columns} FROM {table}")
                    writer = csv.writer(out)
                    while rows := cursor.fetchmany(10_000):
                        writer.writerows(rows)


def raw(folder: Path) -> int:
    """Load the CSV files into the same empty, indexed tables by the quickest plain means, in one transaction."""
    from django.db import connection, transaction

    from rollbook.policy import unguarded
    from rollbook.roster.actions.sync.bulk import wide_cache

    count = 0
    with unguarded("a benchmark's floor"), wide_cache(), transaction.atomic(), connection.cursor() as cursor:
        for table in TABLES:
            with (folder / f"{table}.csv").open("rb") as source:
                columns = source.readline().decode().strip()
                if connection.vendor == "postgresql":
                    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)") as copy:
                        while chunk := source.read(1 << 20):
                            copy.write(chunk)
                    count += cursor.rowcount
                    continue
            with (folder / f"{table}.csv").open(newline="", encoding="utf-8") as text:
                reader = csv.reader(text)
                marks = ", ".join("?" * len(next(reader)))
                plain = cursor.connection.cursor()
                plain.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", reader)
                count += plain.rowcount
    return count


if __name__ == "__main__":
    if "--child" in sys.argv:
        child(sys.argv[-2], Path(sys.argv[-1]))
    else:
        main()
