"""The second wall: on PostgreSQL the database itself keeps roles to their columns, rows, tenant and purpose.

Each wall is shown to hold the line alone. SQLite has no second wall; there the gate's own tests are what holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.utils import DataError, ProgrammingError

from rollbook.kernel import clock
from rollbook.kernel.errors import Refused
from rollbook.policy import Access, Audit, Disclosure, Param, Restriction, audit, prepared, unguarded, walls
from rollbook.policy.gate.selection import GatedQuery
from rollbook.policy.gate.standing import stand
from rollbook.roster.models import Demographics, Enrollment, Ethnicity, Flag, Guardianship, Org, Person, Role
from rollbook.sharing.models import App, Token
from tests.cast import Cast

POSTGRES = connection.vendor == "postgresql"
TABLES = (Person, Role, Enrollment, Org, Guardianship, Demographics, Ethnicity, Flag)


def sql(text: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else []


def everyone(cast: Cast) -> list[Access]:
    return [cast.administrator, cast.dpo, cast.head, cast.teacher, cast.next_door]


def through_the_gate(access: Access, model: type[models.Model]) -> set[int]:
    return set(access.select(model).values_list("id", flat=True)) if access.decide(model).allowed else set()


@contextmanager
def refused(
    what: type[DatabaseError] = ProgrammingError, match: str = "permission denied|row-level security"
) -> Iterator[None]:
    with pytest.raises(what, match=match), transaction.atomic():
        yield


# ---- On both databases.


def test_an_access_leaves_nothing_behind(cast: Cast) -> None:
    with cast.teacher.open() as teacher:
        with cast.administrator.open() as administrator:
            assert administrator.select(Person).count() == 7
            audit(cast.tenant.id, None, "test.written")  # somebody writes while a page reads
            assert administrator.select(Person).count() == 7
        assert teacher.select(Person).count() == 2
        with pytest.raises(Refused), cast.administrator.open():
            cast.administrator.select(Ethnicity)
        assert teacher.select(Person).count() == 2
    with unguarded("afterwards everything is as it was"):
        assert Person.objects.count() == 8 and Audit.objects.count() == 1


def test_an_error_inside_is_the_one_that_comes_out(cast: Cast) -> None:
    with pytest.raises(DatabaseError, match="no_such_table"), transaction.atomic(), cast.teacher.open():
        sql("SELECT * FROM no_such_table")
    assert cast.teacher.select(Person).count() == 2
    with unguarded("the error undid the context too"):
        assert Person.objects.count() == 8


@pytest.mark.django_db(transaction=True)
def test_an_access_of_its_own_transaction_leaves_nothing_behind() -> None:
    from tests.cast import make_cast

    cast = make_cast()
    with cast.teacher.open() as teacher:
        assert teacher.select(Person).count() == 2
    with pytest.raises(DatabaseError, match="no_such_table"), cast.teacher.open():
        sql("SELECT * FROM no_such_table")
    assert not connection.in_atomic_block
    with unguarded("afterwards everything is as it was"):
        assert Person.objects.count() == 8
    assert cast.next_door.select(Person).count() == 2


def test_a_statement_runs_for_accesses_of_its_shape_alone(cast: Cast) -> None:
    def build(select: Any) -> Any:
        return select(Person).filter(id=Param("id")).values_list("id", "given_name")

    statement = prepared(cast.teacher, "one", build)
    assert statement.rows(cast.teacher, id=cast.ada.id) == [(cast.ada.id, "Ada")]
    assert statement.rows(cast.next_door, id=cast.ada.id) == []
    for other in (cast.administrator, cast.access("teacher", "administration", cast.ben), cast.head):
        with pytest.raises(Refused):
            statement.rows(other, id=cast.ada.id)


if POSTGRES:

    def raw_rows(access: Access, model: type[models.Model]) -> set[int]:
        """What a plain SELECT finds as the access's role, in its context: the second wall alone."""
        with access.open():
            try:
                with transaction.atomic():
                    return {row[0] for row in sql(f'SELECT id FROM "{model._meta.db_table}"')}
            except ProgrammingError as error:
                if "permission denied" not in str(error):
                    raise
                return set()

    def owner_rows(access: Access, model: type[models.Model], monkeypatch: pytest.MonkeyPatch) -> set[int]:
        """What the gate finds as the owner, whom no policy binds: the first wall alone."""
        monkeypatch.setattr("rollbook.policy.gate.access.role_name", lambda role: "none")
        try:
            return through_the_gate(access, model)
        finally:
            monkeypatch.undo()

    @pytest.mark.commitment("CLEV-2.5")
    @pytest.mark.parametrize("model", TABLES)
    def test_each_wall_holds_the_line_alone(
        cast: Cast, model: type[models.Model], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with unguarded("set-up"):
            Restriction.objects.create(
                tenant_id=cast.tenant.id, person_id=cast.ada.id, because="asked", began_at=clock.now()
            )
        for access in everyone(cast):
            gate = through_the_gate(access, model)
            assert raw_rows(access, model) == gate, access
            assert owner_rows(access, model, monkeypatch) == gate, access

    def test_the_gate_without_its_first_wall_finds_the_same(
        cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = [through_the_gate(access, Person) for access in everyone(cast)]
        monkeypatch.setattr(GatedQuery, "put_up_wall", lambda self: None)
        assert [through_the_gate(access, Person) for access in everyone(cast)] == right

    DAMAGE = {
        "ALTER POLICY rollbook_teacher ON roster_person USING (true)": "policy roster_person.rollbook_teacher:",
        "CREATE POLICY old ON roster_person FOR SELECT TO PUBLIC USING (true)": "policy roster_person.old is in the database",
        "DROP POLICY rollbook_head ON roster_role": "policy roster_role.rollbook_head:",
        "ALTER TABLE roster_org DISABLE ROW LEVEL SECURITY": "rights on roster_org:",
        "GRANT SELECT ON roster_flag TO rollbook_teacher": "rights on roster_flag:",
        "GRANT SELECT (email) ON roster_person TO rollbook_teacher": "rights on roster_person.email:",
        "GRANT UPDATE ON policy_audit TO rollbook_web": "rights on policy_audit:",
        "GRANT SELECT ON identity_account TO PUBLIC": "rights on identity_account:",
        "CREATE OR REPLACE VIEW reach_restricted (id) AS SELECT 0::bigint": "view reach_restricted:",
    }

    def test_drift_is_named_and_mended(db: None) -> None:
        assert walls.verify() == []
        for damage in DAMAGE:
            sql(damage)
        problems = walls.verify()
        assert len(problems) == len(DAMAGE)
        for named in DAMAGE.values():
            assert any(problem.startswith(named) for problem in problems), named
        walls.install()
        assert walls.verify() == []

    def test_a_role_that_may_too_much_is_named(db: None) -> None:
        with transaction.atomic():
            sql("ALTER ROLE rollbook_teacher BYPASSRLS")
            assert walls.verify() == [
                "The role rollbook_teacher may do too much: it must not be superuser, bypass row security, create, or inherit."
            ]
            transaction.set_rollback(True)

    def test_no_context_or_half_of_it_is_an_error_and_never_an_empty_answer(cast: Cast) -> None:
        whole = cast.teacher.context
        for missing in ("tenant", "person"):
            with (
                refused(DataError, "invalid input syntax"),
                stand("rollbook_teacher", {**whole, missing: ""}),
            ):
                sql("SELECT id FROM roster_person")
        with stand("rollbook_teacher", whole):
            assert sql("SELECT count(*) FROM roster_person") == [(2,)]
        with refused(DataError, "invalid input syntax"), stand("rollbook_web", {}):
            sql("SELECT id FROM roster_person")

    def test_a_connection_that_never_had_a_context_gets_an_error(db: None) -> None:
        fresh = connection.copy()
        try:
            with fresh.cursor() as cursor:
                cursor.execute("SET ROLE rollbook_administrator")
                with pytest.raises(ProgrammingError, match="unrecognized configuration parameter"):
                    cursor.execute("SELECT id FROM roster_person")
        finally:
            fresh.close()

    def test_another_purpose_or_tenant_shows_no_row(cast: Cast) -> None:
        whole = cast.administrator.context
        for changed in (
            {"purpose": "advertising"},
            {"purpose": "teaching"},
            {"policy": "another"},
            {"tenant": 1},
        ):
            with stand("rollbook_administrator", {**whole, **changed}):
                assert sql("SELECT count(*) FROM roster_person") == [(0,)]
        with stand("rollbook_administrator", {**whole, "tenant": cast.other.id}):
            assert sql("SELECT given_name FROM roster_person") == [("Zed",)]

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT email FROM roster_person",
            "SELECT id FROM roster_person WHERE email = 'x'",
            "SELECT * FROM roster_person",
            "SELECT count(*) FROM roster_ethnicity",
            "SELECT count(*) FROM roster_demographics",
            "SELECT count(*) FROM identity_account",
            "SELECT count(*) FROM sharing_app",
            "SELECT count(*) FROM policy_restriction",
            "SELECT count(*) FROM django_migrations",
            "UPDATE roster_person SET given_name = 'x'",
            "DELETE FROM roster_enrollment",
            "INSERT INTO policy_gap (id) VALUES (1)",
            "TRUNCATE roster_person",
            "CREATE TABLE public.mine (id int)",
            "ALTER TABLE roster_person DISABLE ROW LEVEL SECURITY",
        ],
    )
    def test_a_teacher_may_not(cast: Cast, statement: str) -> None:
        with refused(match="permission denied|must be owner"), cast.teacher.open():
            sql(statement)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE policy_audit SET verb = 'x'",
            "DELETE FROM policy_audit",
            "UPDATE policy_disclosure SET people_count = 0",
            "DELETE FROM policy_disclosure",
            "TRUNCATE policy_disclosure",
            "SELECT count(*) FROM django_migrations",
            "DROP TABLE roster_person",
            "SELECT count(*) FROM reach_restricted",
        ],
    )
    def test_the_web_process_may_not(cast: Cast, statement: str) -> None:
        with (
            refused(match="permission denied|must be owner"),
            stand("rollbook_web", {"tenant": cast.tenant.id}),
        ):
            sql(statement)

    def test_the_web_process_works_in_one_tenant_at_a_time(cast: Cast) -> None:
        now = clock.now()
        with unguarded("as the web process does"), stand("rollbook_web", {"tenant": cast.tenant.id}):
            assert Person.objects.count() == 7
            assert Person.objects.filter(id=cast.stranger.id).update(given_name="x") == 0
            assert Person.objects.filter(id=cast.ada.id).update(given_name="Ada M") == 1
            with refused():
                Person.objects.create(tenant=cast.other, sourced_id="new", date_last_modified=now)
            with refused():
                Person.objects.filter(id=cast.ada.id).update(tenant=cast.other)
            with refused():
                Audit.objects.create(
                    tenant_id=cast.other.id, at=now, actor_kind="system", actor="x", verb="x.y"
                )
            # One commit holds the disclosures of several tenants; each is read by its own.
            for tenant in (cast.tenant, cast.other):
                Disclosure.objects.create(
                    tenant_id=tenant.id, at=now, recipient_kind="app", recipient_id=1, recipient="x", purpose="x", door="x",
                    columns="", bundle="", people=b"", people_count=0, first_id=0, last_id=0,
                )  # fmt: skip
            assert Disclosure.objects.count() == 1

    def test_a_token_is_found_before_the_tenant_is_known(cast: Cast) -> None:
        now = clock.now()
        with unguarded("set-up"):
            app = App.objects.create(
                tenant=cast.tenant,
                name="Erin's",
                slug="erins",
                client_id="c",
                secret_hash="",
                id_key="00",
                created_at=now,
            )
            Token.objects.create(
                digest="d", tenant=cast.tenant, app=app, scopes="", issued_at=now, expires_at=now
            )
        with unguarded("as the web process does"), stand("rollbook_web", {}):
            assert Token.objects.get(digest="d").app.id == app.id
            with refused(DataError, "invalid input syntax"):
                Token.objects.filter(digest="d").delete()

    def test_no_role_owns_or_passes_anything(db: None) -> None:
        rows = sql("SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcanlogin, rolbypassrls FROM pg_roles"
                   r" WHERE rolname LIKE 'rollbook\_%%'")  # fmt: skip
        wanted = {walls.WEB, *(f"rollbook_{role}" for role in walls.roles(walls.all_bundles()))}
        assert wanted <= {row[0] for row in rows}
        assert not any(any(row[1:]) for row in rows if row[0] in wanted)
        assert sql("SELECT tablename FROM pg_tables WHERE tableowner LIKE %s", r"rollbook\_%") == []

    def test_every_guarded_table_is_behind_the_wall(db: None) -> None:
        from rollbook.policy import Guarded

        guarded = {m._meta.db_table for m in walls.tables() if issubclass(m, Guarded)}
        behind = {
            row[0]
            for row in sql("SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity")
        }
        assert behind == guarded

    @pytest.mark.django_db(transaction=True)
    def test_the_wall_comes_down_for_a_migration_and_lets_nobody_in_meanwhile() -> None:
        walls.take_down()
        try:
            assert sql("SELECT count(*) FROM pg_policies") == [(0,)]
            with refused(), stand("rollbook_web", {"tenant": 1}):
                sql("SELECT id FROM roster_person")
        finally:
            walls.install()
        assert walls.verify() == []

    def test_a_policy_asks_sets_and_never_row_by_row(cast: Cast) -> None:
        """A scan as a teacher works out whom they reach once, before the rows, and calls no function of ours."""
        with cast.teacher.open():
            plan = "\n".join(row[0] for row in sql("EXPLAIN SELECT given_name FROM roster_person"))
        assert "InitPlan" in plan and "SubPlan" not in plan.replace("InitPlan", "")
        assert sql(
            "SELECT count(*) FROM pg_views WHERE viewname LIKE 'reach_%%' AND definition LIKE '%%security_barrier%%'"
        ) == [(0,)]

else:

    def test_sqlite_has_no_second_wall_and_says_so(db: None) -> None:
        walls.install()
        walls.take_down()
        assert walls.verify() == []
