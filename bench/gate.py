"""What the gate costs: a class register (30 pupils: names, school year) read by its teacher through the gate, beside
the same register by hand-written SQL with the same conditions, interleaved. Bar: 1.15 times, p50.

    python -m bench.gate [POSTGRESQL_URL]

On PostgreSQL three peers, all with Django's cursor: by hand in a transaction, as Django serves a view with ATOMIC_REQUESTS;
in a transaction as a role that row-level security keeps to its tenant, as an application with its own second wall would;
and as one bare SELECT by the owner, with no transaction and no wall at all. The bar is for the first.

Makes its own small databases (SQLite in a temporary folder; on PostgreSQL `rollbook_bench_gate`) and drops them.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

BAR = 1.15
PUPILS, CLASS_SIZE, ROUNDS = 1500, 30, 3000
BY_HAND = """
SELECT p.id, p.given_name, p.family_name, p.grades
  FROM roster_enrollment e JOIN roster_person p ON p.tenant_id = e.tenant_id AND p.id = e.person_id
 WHERE e.tenant_id = %s AND e.class_id = %s AND e.role = 'student' AND e.status = 'active'
   AND EXISTS (SELECT 1 FROM roster_enrollment t WHERE t.tenant_id = %s AND t.person_id = %s AND t.class_id = e.class_id
                  AND t.role = 'teacher' AND t.status = 'active')
   AND NOT EXISTS (SELECT 1 FROM policy_restriction r WHERE r.tenant_id = %s AND r.person_id = p.id
                      AND r.ended_at IS NULL AND (r.purpose = '' OR r.purpose = %s))
 ORDER BY p.family_name, p.given_name
"""


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Measure on SQLite, and on PostgreSQL where a URL says where; print and return a row for each."""
    given = (sys.argv[1:] if arguments is None else arguments) or [
        os.environ.get("ROLLBOOK_TEST_POSTGRES", "")
    ]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rows.append(_run(f"sqlite:///{folder}/gate.sqlite3"))
    if given[0]:
        import psycopg

        server, name = given[0].rsplit("/", 1)[0], "rollbook_bench_gate"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name}")
            admin.execute(f"CREATE DATABASE {name}")
            try:
                rows.append(_run(f"{server}/{name}"))
            finally:
                admin.execute(f"DROP DATABASE {name}")
    return rows


def _run(url: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.gate", "--here"], check=True, capture_output=True, text=True,
        env={**os.environ, "ROLLBOOK_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "rollbook.entrypoints.settings"},
    )  # fmt: skip
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{row['database']:11} register of {row['rows']} by hand {row['by_hand_us']:.0f} us,"
        f" through the gate {row['gate_us']:.0f} us: {row['ratio']:.2f}x (bar {BAR});"
        f" the same by select() and the ORM {row['orm_us']:.0f} us"
    )
    for peer, us in row["peers"].items():
        print(f"{'':11} by hand {peer} {us:.0f} us: {row['gate_us'] / us:.2f}x")
    return row


def _here() -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    call_command("migrate", verbosity=0)
    access, klass = _school()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    from rollbook.policy import Param, prepared
    from rollbook.roster.models import Enrollment, Person

    def register(select: Any) -> Any:
        pupils = (
            select(Enrollment)
            .filter(klass_id=Param("klass"), role="student", status="active")
            .values("person_id")
        )
        found = select(Person).filter(id__in=pupils).order_by("family_name", "given_name")
        return found.values_list("id", "given_name", "family_name", "grades")

    tenant, teacher = access.tenant, access.actor.person

    values = [tenant, klass, tenant, teacher, tenant, access.purpose]

    def single() -> Any:
        with connection.cursor() as cursor:
            cursor.execute(BY_HAND, values)
            return cursor.fetchall()

    def in_transaction() -> Any:
        with transaction.atomic():
            return single()

    def behind_a_wall() -> Any:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL ROLE rollbook_web; SET LOCAL rollbook.tenant = '{tenant}'")
            return single()

    def gate() -> Any:
        return prepared(access, "register", register).rows(access, klass=klass)

    def orm() -> Any:
        with access.open():
            pupils = (
                access.select(Enrollment)
                .filter(klass_id=klass, role="student", status="active")
                .values("person_id")
            )
            found = access.select(Person).filter(id__in=pupils).order_by("family_name", "given_name")
            return list(found.values_list("id", "given_name", "family_name", "grades"))

    # On SQLite a read needs no transaction, and the gate takes none.
    postgres = connection.vendor == "postgresql"
    by_hand = in_transaction if postgres else single
    peers = {"behind a wall of its own": behind_a_wall, "in one bare SELECT": single} if postgres else {}
    every = [by_hand, gate, *peers.values()]
    assert all(run() == orm() for run in every) and len(orm()) == CLASS_SIZE
    hand_us, gate_us, *peer_us = _interleaved(every, ROUNDS)
    (orm_us,) = _interleaved([orm], ROUNDS // 10)
    return {
        "database": connection.vendor, "rows": CLASS_SIZE, "by_hand_us": hand_us, "gate_us": gate_us,
        "ratio": gate_us / hand_us, "bar": BAR, "orm_us": orm_us, "peers": dict(zip(peers, peer_us, strict=True)),
    }  # fmt: skip


def _interleaved(runs: list[Callable[[], Any]], rounds: int) -> list[float]:
    """The median time of each in microseconds, taken turn by turn; who comes after whom changes with each round."""
    times: list[list[float]] = [[] for _ in runs]
    both = list(zip(runs, times, strict=True))
    for n in range(rounds + 50):
        random.shuffle(both)
        for run, kept in both:
            begin = time.perf_counter()
            run()
            if n >= 50:
                kept.append((time.perf_counter() - begin) * 1e6)
    return [statistics.median(kept) for kept in times]


def _school() -> Any:
    """Two tenants of one school each; a teacher's access and a class of theirs."""
    from rollbook.kernel import clock
    from rollbook.policy import Access, Actor, bundle_for, unguarded
    from rollbook.roster.models import Class, Enrollment, Org, Person, Role, Tenant

    now = clock.now()
    with unguarded("a school to measure with"):
        for slug in ("one", "two"):
            tenant = Tenant.objects.create(slug=slug, name=slug, kind="school", region="GB", created_at=now)
            row: dict[str, Any] = {"tenant": tenant, "date_last_modified": now}
            school = Org.objects.create(**row, sourced_id="S", name="School", type="school")
            names = ("Ada", "Bo", "Cy", "Di", "Ed", "Flo", "Gil")
            people = [
                Person(
                    **row,
                    sourced_id=f"p{n}",
                    given_name=names[n % 7],
                    family_name=f"Family{n * 7919 % 997}",
                    grades=f"{n % 6:02}",
                )
                for n in range(PUPILS + 100)
            ]
            Person.objects.bulk_create(people)
            pupils, staff = people[:PUPILS], people[PUPILS:]
            Role.objects.bulk_create(
                [
                    Role(
                        **row,
                        sourced_id=f"r{n}",
                        person=p,
                        org=school,
                        role="student" if n < PUPILS else "teacher",
                    )
                    for n, p in enumerate(people)
                ]
            )
            classes = [
                Class(**row, sourced_id=f"c{n}", title=f"Class {n}", school=school)
                for n in range(PUPILS // CLASS_SIZE * 5)
            ]
            Class.objects.bulk_create(classes)
            places = []
            for n, klass in enumerate(classes):
                start = n * CLASS_SIZE % PUPILS
                members = [(p, "student") for p in pupils[start : start + CLASS_SIZE]] + [
                    (staff[n % len(staff)], "teacher")
                ]
                places += [
                    Enrollment(**row, sourced_id=f"e{n}-{m}", person=p, klass=klass, school=school, role=role)
                    for m, (p, role) in enumerate(members)
                ]
            Enrollment.objects.bulk_create(places)
    actor = Actor("staff", "teacher", 1, "Teacher", person=staff[0].id)
    return Access(actor, "teaching", tenant.id, bundle_for("default")), classes[0].id


if __name__ == "__main__":
    if "--here" in sys.argv:
        print(json.dumps(_here()))
    else:
        main()
