"""Ways round the gate that somebody may try, on purpose or not: each is refused, or shows nothing that is not granted."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    FilteredRelation,
    Func,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower, RowNumber
from django.db.models.sql import Query
from django.db.models.sql.where import ExtraWhere, WhereNode

from rollbook.kernel.errors import Refused
from rollbook.policy import unguarded
from rollbook.roster.models import Class, Enrollment, Person, Role, Tenant
from tests.cast import Cast

Use = Callable[[Any], Any]


class Sneaky(Func):
    template = "(SELECT email FROM roster_person LIMIT 1)"


def shows(rows: Any) -> str:
    """Everything that a result shows, as text."""
    return repr(
        [r.__dict__ if hasattr(r, "__dict__") else r for r in rows]
        if isinstance(rows, QuerySet | list)
        else rows
    )


# A teacher's selection of people; email is not for teachers.
NAMES_A_COLUMN: dict[str, Use] = {
    "annotate": lambda s: list(s.annotate(x=F("email"))),
    "annotate, nested": lambda s: list(s.annotate(x=Lower(F("email")))),
    "alias": lambda s: list(s.alias(x=F("email")).filter(x="a")),
    "case": lambda s: list(s.annotate(x=Case(When(email="a", then=Value(1)), default=Value(0)))),
    "q": lambda s: list(s.filter(Q(given_name="a") | ~Q(email="a"))),
    "aggregate": lambda s: s.aggregate(x=Max("email")),
    "aggregate filter": lambda s: s.aggregate(x=Count("id", filter=Q(email="a"))),
    "window": lambda s: list(s.annotate(x=Window(RowNumber(), order_by="email"))),
    "order by": lambda s: list(s.order_by(F("email").desc())),
    "order by expression": lambda s: list(s.order_by(Lower("email"))),
    "latest": lambda s: s.latest("email"),
    "distinct": lambda s: list(s.order_by("email").distinct()),
    "values of an expression": lambda s: list(s.values(x=F("email"))),
    "values list of an expression": lambda s: list(s.values_list(Lower("email"))),
    "only": lambda s: list(s.only("email")),
    "only, over a link": lambda s: list(s.only("primary_org__name")),
    "defer nothing": lambda s: list(s.defer(None)),
    "get": lambda s: s.get(email="a"),
    "exclude": lambda s: list(s.exclude(email="a")),
    "outer reference": lambda s: list(s.filter(Exists(s.filter(given_name=OuterRef("email"))))),
    "comparison of columns": lambda s: list(s.filter(given_name=F("email"))),
}
PASSES_THE_WALL: dict[str, Use] = {
    "join in values": lambda s: list(s.values("primary_org__name")),
    "join in annotate": lambda s: list(s.annotate(x=F("primary_org__name"))),
    "filtered relation": lambda s: list(
        s.annotate(o=FilteredRelation("primary_org", condition=Q(primary_org__name="a"))).filter(o__name="a")
    ),
    "select related": lambda s: list(s.select_related("primary_org")),
    "prefetch": lambda s: list(s.prefetch_related("primary_org")),
    "raw sql": lambda s: list(s.annotate(x=RawSQL("SELECT email FROM roster_person LIMIT 1", []))),
    "raw sql in order": lambda s: list(s.order_by(RawSQL("(SELECT 1)", []))),
    "raw sql in filter": lambda s: list(s.filter(id__in=RawSQL("SELECT id FROM roster_person", []))),
    "template": lambda s: list(
        s.annotate(x=Func(F("id"), template="(SELECT email FROM roster_person LIMIT 1)"))
    ),
    "function": lambda s: list(s.annotate(x=Func(F("id"), function="email || ", output_field=CharField()))),
    "own class": lambda s: list(s.annotate(x=Sneaky(output_field=CharField()))),
    "extra": lambda s: s.extra(select={"x": "email"}),
    "extra by the query": lambda s: (
        s.query.add_extra({"x": "email"}, None, None, None, None, None),
        list(s),
    ),
    "extra where by the query": lambda s: (
        s.query.where.add(ExtraWhere(["1=1) OR (1=1"], []), "AND"),
        list(s),
    ),
    "raw": lambda s: s.raw("SELECT * FROM roster_person"),
    "union": lambda s: s.union(s),
    "update": lambda s: s.update(email="a"),
    "delete": lambda s: s.delete(),
    "private update": lambda s: s._update([]),
    "create": lambda s: s.create(given_name="a"),
    "another database": lambda s: s.using("other"),
    "explain": lambda s: s.explain(),
    "pickle": pickle.dumps,
    "update by the query": lambda s: s.query.chain(
        __import__("django.db.models.sql", fromlist=["x"]).UpdateQuery
    ),
    "load columns by the query": lambda s: (s.query.clear_deferred_loading(), list(s)),
    "name columns by the query": lambda s: (s.query.add_immediate_loading(["email"]), list(s)),
}


@pytest.mark.parametrize(
    "use", [*NAMES_A_COLUMN.values(), *PASSES_THE_WALL.values()], ids=[*NAMES_A_COLUMN, *PASSES_THE_WALL]
)
def test_is_refused(cast: Cast, use: Use) -> None:
    with pytest.raises(Refused):
        use(cast.teacher.select(Person))


def _forget_where(s: Any) -> Any:
    s.query.where = WhereNode()
    return s


def _turn_round(s: Any) -> Any:
    s.query.where.negate()
    return s


STAYS_WITHIN: dict[str, Use] = {
    "conditions thrown away": lambda s: list(_forget_where(s.filter(id__gt=0))),
    "conditions turned round": lambda s: list(_turn_round(s.filter(id=0))),
    "or": lambda s: list(s.filter(given_name="Ada") | s.filter(id__gt=0)),
    "or, always": lambda s: list(s.filter(Q(id__gt=0) | Q(id__lte=0))),
    "negated": lambda s: list(s.exclude(id=0)),
    "reversed": lambda s: list(s.reverse()),
    "any order": lambda s: list(s.order_by("?")),
    "sliced": lambda s: list(s.order_by("id")[:50]),
    "copied": lambda s: list(copy.deepcopy(s.all())),
    "dates": lambda s: list(s.values_list("id").distinct()),
    "sub-select": lambda s: list(s.filter(id__in=s.filter(id__gt=0).values("id"))),
    "another table's gate": lambda s: list(
        s.filter(id__in=s.query.access.select(Enrollment).values("person_id"))
    ),
    "in bulk": lambda s: list(s.in_bulk().values()),
    "iterator": lambda s: list(s.iterator()),
    "query": lambda s: list(QuerySet(Person, query=s.query)),
    "subquery": lambda s: list(
        s.annotate(n=Subquery(s.filter(id=OuterRef("id")).values("given_name")[:1])).values_list(
            "n", flat=True
        )
    ),
}


@pytest.mark.parametrize("use", STAYS_WITHIN.values(), ids=STAYS_WITHIN)
def test_shows_no_more_than_the_gate(cast: Cast, use: Use) -> None:
    with cast.teacher.open() as access:
        found = shows(use(access.select(Person)))
    assert "Zed" not in found and "Ivo" not in found and "@puddlebrook" not in found
    if "given_name" in found:
        assert "Ada" in found


def test_counts_and_tests_keep_to_the_rows(cast: Cast) -> None:
    people = cast.teacher.select(Person)
    assert people.count() == people.aggregate(n=Count("*"))["n"] == len(people) == 2
    assert not people.filter(id=cast.ivo.id).exists() and not people.contains(cast.ivo)
    assert people.none().count() == 0
    counted = cast.teacher.select(Enrollment).order_by().values("klass_id").annotate(n=Count("id"))
    assert list(counted.values_list("klass_id", "n")) == [(cast.kestrels.id, 2)]


def test_rows_selected_for_somebody_else_cannot_be_mixed_in(cast: Cast) -> None:
    wide, narrow = cast.administrator.select(Person), cast.teacher.select(Person)
    for use in (
        lambda: list(narrow.filter(id__in=wide.filter(email__contains="ada").values("id"))),
        lambda: list(narrow.filter(Exists(wide.filter(id=OuterRef("id"))))),
        lambda: list(narrow.annotate(x=Subquery(wide.filter(id=OuterRef("id")).values("email")[:1]))),
        lambda: list(narrow | wide),
        lambda: list(narrow & wide),
        lambda: list(narrow ^ wide),
    ):
        with pytest.raises(Refused, match="same"):
            use()
    with unguarded("what the gate did not select"):
        free = Person.objects.filter(email__contains="ada")
    with pytest.raises(Refused, match="same"):
        list(narrow.filter(id__in=free.values("id")))
    with pytest.raises(Refused, match="same"):
        list(narrow.filter(id__in=Query(Person)))
    open_table = Tenant.objects.values("id")  # holds nothing about people
    assert narrow.filter(tenant_id__in=open_table).count() == 2


@pytest.mark.parametrize(
    "use",
    [
        lambda: list(QuerySet(Person)),
        lambda: QuerySet(Person).filter(id__gt=0).count(),
        lambda: QuerySet(Person)[:5].count(),
        lambda: QuerySet(Person).exists(),
        lambda: QuerySet(Person).aggregate(n=Count("*")),
        lambda: list(QuerySet(Person).values_list("email").iterator()),
        lambda: QuerySet(Person).update(email=""),
        lambda: QuerySet(Person).delete(),
        lambda: list(QuerySet(Person, query=Query(Person))),
        lambda: Query(Person).get_compiler("default").execute_sql(),
        lambda: list(QuerySet(Tenant).filter(id__in=QuerySet(Person).values("tenant_id"))),
    ],
)
def test_a_query_that_asks_no_manager_is_refused_too(cast: Cast, use: Callable[[], Any]) -> None:
    with pytest.raises(Refused, match="through the gate"):
        use()
    with unguarded("a query outlives the exemption that it was made in"):
        free = Person.objects.filter(id__gt=0)
    with pytest.raises(Refused, match="through the gate"):
        list(free)
    with cast.teacher.open(), pytest.raises(Refused, match="through the gate"):
        use()


def test_a_row_gives_no_way_to_another(cast: Cast) -> None:
    role = cast.teacher.select(Role).filter(person_id=cast.ada.id).get()
    for use in (
        lambda: role.person,
        lambda: role.refresh_from_db(),
        lambda: role.save(),
        lambda: role.delete(),
    ):
        with pytest.raises(Refused), transaction.atomic():
            use()
    ada = cast.teacher.select(Person).get(id=cast.ada.id)
    for use in (
        lambda: ada.email,
        lambda: ada.refresh_from_db(fields=["email"]),
        lambda: pickle.dumps(ada.phone),
    ):
        with pytest.raises(Refused):
            use()
    assert "email" not in ada.__dict__


def test_an_open_access_hides_the_exemption_around_it(cast: Cast) -> None:
    with unguarded("a test"):
        assert Class.objects.count() == 2
        with cast.teacher.open(), pytest.raises(Refused):
            Class.objects.count()
