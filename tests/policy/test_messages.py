"""Prepared statements run in as few round trips as there can be, and answer as ever: alone, inside an open access, after
an error, in a session that somebody emptied. On PostgreSQL role, context and statement go in one message."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import TextField

from rollbook.kernel.db import ids
from rollbook.policy import Access, Param, prepared, unguarded
from rollbook.policy.gate.selection import GatedQuery
from rollbook.roster.models import Enrollment, Person
from tests.cast import Cast, make_cast

POSTGRES = connection.vendor == "postgresql"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whether each statement went in a message of its own ("alone") or through the cursor."""
    sent: list[str] = []
    if POSTGRES:
        from rollbook.policy.gate import messages

        ask = messages.ask

        def watch(access: Access, sql: str, params: list[Any]) -> Any:
            found = ask(access, sql, params)
            sent.append("cursor" if found is None else "message")
            return found

        monkeypatch.setattr(messages, "ask", watch)
    return sent


def everyone(access: Access, **values: Any) -> list[str]:
    def build(select: Any) -> Any:
        return select(Person).order_by("given_name").values_list("given_name", "id")

    return [name for name, _ in prepared(access, "everyone", build).rows(access, **values)]


def named(access: Access, text: str) -> list[str]:
    def build(select: Any) -> Any:
        return select(Person).filter(given_name=Param("text", TextField())).values_list("given_name")

    return [name for (name,) in prepared(access, "named", build).rows(access, text=text)]


def test_each_access_finds_its_own_in_turn(cast: Cast, messages: list[str]) -> None:
    for _ in range(7):  # PostgreSQL plans anew five times, then keeps a plan
        assert everyone(cast.teacher) == ["Ada", "Ben"]
        assert everyone(cast.next_door) == ["Dov", "Ivo"]
        assert len(everyone(cast.administrator)) == 7
        assert everyone(cast.head) == ["Ada", "Ben", "Cleo", "Gus"]
    assert set(messages) == ({"message"} if POSTGRES else set())


def test_it_leaves_nothing_behind(cast: Cast) -> None:
    assert everyone(cast.teacher) == ["Ada", "Ben"]
    assert not connection.in_atomic_block
    with unguarded("afterwards everything is as it was"):
        assert Person.objects.count() == 8
    if POSTGRES:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user = session_user, current_setting('rollbook.tenant', true)")
            assert cursor.fetchone() == (True, "")


def test_a_moment_is_the_same_moment_as_through_the_cursor(cast: Cast) -> None:
    def build(select: Any) -> Any:
        return select(Person).order_by("id").values_list("id", "date_last_modified")

    found = prepared(cast.administrator, "moments", build).rows(cast.administrator)
    by_cursor = list(build(cast.administrator.select))
    assert found == by_cursor
    assert {moment.utcoffset() for _, moment in found} == {timedelta(0)}


def test_inside_an_open_access_and_inside_a_transaction_it_finds_the_same(cast: Cast) -> None:
    with cast.teacher.open() as teacher:
        assert everyone(teacher) == ["Ada", "Ben"]
        assert everyone(cast.next_door) == ["Dov", "Ivo"]  # another access, for a moment
        assert everyone(teacher) == ["Ada", "Ben"]
    with transaction.atomic():
        assert everyone(cast.teacher) == ["Ada", "Ben"]
        with unguarded("what was written just now is seen"):
            Person.objects.filter(id=cast.ada.id).update(given_name="Adele")
        assert everyone(cast.teacher) == ["Adele", "Ben"]
        transaction.set_rollback(True)
    assert everyone(cast.teacher) == ["Ada", "Ben"]


@pytest.mark.parametrize(
    "text", ["'", "''", "\\", "'); DROP TABLE roster_person; --", "%s", "$1", "日本", "\\'"]
)
def test_a_text_is_a_value_and_nothing_else(cast: Cast, text: str) -> None:
    assert named(cast.teacher, text) == []
    with unguarded("set-up"):
        Person.objects.filter(id=cast.ada.id).update(given_name=text)
    assert named(cast.teacher, text) == [text]
    assert sorted(everyone(cast.teacher)) == sorted([text, "Ben"])


def test_a_list_of_ids_is_a_value(cast: Cast) -> None:
    def build(select: Any) -> Any:
        return select(Person).filter(id__any=Param("ids")).order_by("given_name").values_list("given_name")

    statement = prepared(cast.teacher, "some", build)
    assert statement.rows(cast.teacher, ids=ids([cast.ben.id, cast.ada.id, cast.ivo.id])) == [
        ("Ada",),
        ("Ben",),
    ]
    assert statement.rows(cast.teacher, ids=ids([])) == []


def test_after_an_error_the_next_one_answers(cast: Cast) -> None:
    def build(select: Any) -> Any:
        return select(Enrollment).filter(id__any=Param("ids")).values_list("id")

    statement = prepared(cast.teacher, "broken", build)
    if POSTGRES:
        with pytest.raises(DatabaseError):
            statement.rows(cast.teacher, ids="no list")
        with pytest.raises(DatabaseError), cast.teacher.open():
            statement.rows(cast.teacher, ids="no list")
    else:
        with pytest.raises(DatabaseError):
            statement.rows(cast.teacher, ids="[no list")
    assert not connection.in_atomic_block
    assert statement.rows(cast.teacher, ids=ids([])) == []
    assert everyone(cast.teacher) == ["Ada", "Ben"]


if POSTGRES:

    def test_the_second_wall_stands_around_a_message(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        """The statement was prepared as the owner, whom nothing binds; it runs as the teacher."""
        monkeypatch.setattr(GatedQuery, "put_up_wall", lambda self: None)

        def build(select: Any) -> Any:
            return select(Person).order_by("given_name").values_list("given_name")

        for _ in range(7):
            for access, right in ((cast.teacher, ["Ada", "Ben"]), (cast.next_door, ["Dov", "Ivo"])):
                assert [n for (n,) in prepared(access, "without", build).rows(access)] == right

    def test_a_session_that_was_emptied_is_filled_again(cast: Cast, messages: list[str]) -> None:
        """As psycopg empties it after a rollback."""
        assert everyone(cast.teacher) == ["Ada", "Ben"]
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'rollbook%'")
            for (name,) in cursor.fetchall():
                cursor.execute(f"DEALLOCATE {name}")
        assert everyone(cast.teacher) == ["Ada", "Ben"]
        assert everyone(cast.teacher) == ["Ada", "Ben"]
        assert messages == ["message", "cursor", "message"]

    def test_a_session_behind_a_pooler_prepares_nothing(cast: Cast, messages: list[str]) -> None:
        connection.ensure_connection()
        before = connection.connection.prepare_threshold
        connection.connection.prepare_threshold = None
        try:
            assert everyone(cast.teacher) == ["Ada", "Ben"]
        finally:
            connection.connection.prepare_threshold = before
        assert messages == ["cursor"]

    def test_a_session_keeps_so_many_statements_and_no_more(
        cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("rollbook.policy.gate.messages.MOST", 3)
        connection.close()

        def build(select: Any, length: int) -> Any:
            found = select(Person).order_by("given_name").values_list("given_name")
            for _ in range(length):
                found = found.filter(id__gt=0)
            return found

        for turn in (1, 2):
            for n in range(7):
                statement = prepared(cast.teacher, ("one of many", n), partial(build, length=n))
                assert statement.rows(cast.teacher) == [("Ada",), ("Ben",)], turn
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'rollbook%'")
            assert cursor.fetchone() == (3,)
