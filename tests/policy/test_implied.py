"""A condition that the gate need not ask twice: people joined from class places that are themselves reached. Over made-up
worlds the answer is the oracle's, with the second wall and without; what is only nearly such a join is asked in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Exists, OuterRef, Q

from rollbook.policy import Access, prepared, unguarded
from rollbook.policy.gate.reach import Reach, Relationship, Via, find_relationship
from rollbook.roster.models import Class, Enrollment, Person, Role
from tests.cast import Cast
from tests.policy.oracle import POLICY, Oracle, World
from tests.policy.test_differential import access_of

Select = Callable[[Any], Any]
ACTIVE = Q(status="active")


def people_of(places: Any) -> Any:
    return places.values("person_id")


# What rests on a class place that is reached and in force.
IMPLIED: dict[str, Callable[[Select], Any]] = {
    "in force": lambda s: s(Person).filter(id__in=people_of(s(Enrollment).filter(ACTIVE))),
    "narrowed": lambda s: s(Person).filter(
        status="active", id__in=people_of(s(Enrollment).filter(role="student", status="active"))
    ),
    "filtered twice": lambda s: (
        s(Person).filter(id__in=people_of(s(Enrollment).filter(ACTIVE).exclude(id=0))).filter(id__gt=0)
    ),
    "sliced": lambda s: s(Person).filter(
        id__in=people_of(s(Enrollment).filter(ACTIVE).order_by("id"))[:9999]
    ),
    "roles": lambda s: s(Role).filter(person_id__in=people_of(s(Enrollment).filter(ACTIVE))),
}
# What looks like it, and is not.
NEARLY: dict[str, Callable[[Select], Any]] = {
    "any state": lambda s: s(Person).filter(id__in=people_of(s(Enrollment))),
    "not in force": lambda s: s(Person).filter(id__in=people_of(s(Enrollment).exclude(status="active"))),
    "perhaps in force": lambda s: s(Person).filter(
        id__in=people_of(s(Enrollment).filter(ACTIVE | Q(role="student")))
    ),
    "another state": lambda s: s(Person).filter(id__in=people_of(s(Enrollment).filter(status="tobedeleted"))),
    "outside": lambda s: s(Person).exclude(id__in=people_of(s(Enrollment).filter(ACTIVE))),
    "perhaps": lambda s: s(Person).filter(Q(id__in=people_of(s(Enrollment).filter(ACTIVE))) | Q(id__gt=0)),
    "another column": lambda s: s(Person).filter(primary_org_id__in=people_of(s(Enrollment).filter(ACTIVE))),
    "another column there": lambda s: s(Person).filter(
        id__in=s(Enrollment).filter(ACTIVE).values("klass_id")
    ),
    "another table": lambda s: s(Person).filter(id__in=people_of(s(Role).filter(ACTIVE))),
    "exists": lambda s: s(Person).filter(
        Exists(s(Enrollment).filter(ACTIVE, person_id=OuterRef("id")).values("person_id"))
    ),
    "itself": lambda s: s(Person).filter(id__in=s(Person).values("id")),
}


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("wall", ["both walls", "the first wall alone"])
def test_the_answer_is_the_oracles(db: None, seed: int, wall: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if wall != "both walls":
        monkeypatch.setattr("rollbook.policy.gate.access.role_name", lambda role: "none")
    world, oracle = World(seed), Oracle(POLICY.read_text(encoding="utf-8"))
    with unguarded("what the made-up world holds"):
        facts = {model: {row.id: row for row in model.objects.all()} for model in (Person, Role, Enrollment)}
    seen = 0
    for who in (w for w in world.actors if w.role in ("teacher", "head", "administrator")):
        purpose = {"teacher": "teaching", "head": "leadership"}.get(who.role, "administration")
        access, right = access_of(who, purpose), oracle.rows(who, purpose, world)
        places = [facts[Enrollment][i] for i in right["roster.Enrollment"]]
        held = {e.person_id for e in places if e.status == "active"}
        people, roles = right["roster.Person"], right["roster.Role"]
        pupils = {e.person_id for e in places if e.status == "active" and e.role == "student"}
        expected = {
            "in force": people & held,
            "narrowed": {i for i in people & pupils if facts[Person][i].status == "active"},
            "filtered twice": people & held,
            "sliced": people & held,
            "roles": {i for i in roles if facts[Role][i].person_id in held},
            "any state": people & {e.person_id for e in places},
            "not in force": people & {e.person_id for e in places if e.status != "active"},
            "perhaps in force": people
            & {e.person_id for e in places if e.status == "active" or e.role == "student"},
            "another state": people & {e.person_id for e in places if e.status == "tobedeleted"},
            "outside": people - held,
            "perhaps": people,
            "another table": people
            & {facts[Role][i].person_id for i in roles if facts[Role][i].status == "active"},
            "exists": people & held,
            "itself": people,
        }
        for name, found in expected.items():
            ask = {**IMPLIED, **NEARLY}[name]
            assert {row.id for row in ask(access.select)} == found, (who, name)
            seen += len(found)
    assert seen > 500


def test_a_teacher_meets_each_row_in_some_world(db: None) -> None:
    """The worlds above would prove nothing if no teacher had a pupil who left, or a pupil whose data rest."""
    world = World(11)
    assert any(r.teaches and r.restricted for r in world.rows["roster.Person"])
    assert any(r.teaches for r in world.rows["roster.Enrollment"])


def sql_of(access: Access, build: Callable[[Select], Any]) -> str:
    return str(prepared(access, build, lambda select: build(select).values_list("id")).sql)


def asked(access: Access, build: Callable[[Select], Any]) -> tuple[int, int]:
    """How often the statement asks whom the teacher reaches among people, and whose data rest."""
    sql = sql_of(access, build)
    reach = "reach_teaches_roster_person" if connection.vendor == "postgresql" else "SELECT v.person_id"
    roles = "reach_teaches_roster_role" if connection.vendor == "postgresql" else reach
    rest = "reach_restricted" if connection.vendor == "postgresql" else "policy_restriction"
    return (max(sql.count(reach), sql.count(roles)), sql.count(rest))


@pytest.mark.parametrize("name", IMPLIED)
def test_what_the_inner_selection_asks_is_not_asked_again(cast: Cast, name: str) -> None:
    assert asked(cast.teacher, IMPLIED[name]) == (0, 1)


@pytest.mark.parametrize("name", NEARLY)
def test_what_is_only_nearly_so_is_asked_in_full(cast: Cast, name: str) -> None:
    assert asked(cast.teacher, NEARLY[name])[0] >= 1


def test_a_selection_that_is_bound_to_one_person_does_not_lend_its_wall_to_a_prepared_statement(
    cast: Cast,
) -> None:
    def build(select: Select) -> Any:
        return select(Person).filter(id__in=people_of(cast.teacher.select(Enrollment).filter(ACTIVE)))

    assert asked(cast.teacher, build)[0] == 1
    statement = prepared(cast.teacher, "bound", lambda select: build(select).values_list("given_name"))
    # Their own reach was asked beside the other's (which on PostgreSQL follows the context).
    assert set(statement.rows(cast.next_door)) <= {("Ivo",), ("Dov",)}


def test_a_way_that_leads_nowhere_is_refused() -> None:
    lost = Relationship("lost", "nobody", {"roster.Person": Via("id", "roster.Enrollment", "person_id")})
    with pytest.raises(TypeError, match="goes by way of"):
        _ = lost.reaches


def test_a_way_is_made_from_the_reach_that_it_starts_at() -> None:
    teaches = find_relationship("teaches")
    place, person = teaches.reaches["roster.Enrollment"], teaches.reaches["roster.Person"]
    assert isinstance(place, Reach) and isinstance(person, Reach)
    assert person.select == (
        "SELECT v.person_id FROM roster_enrollment v WHERE v.tenant_id = %s AND v.status = 'active'"
        f" AND v.class_id IN ({place.ids})"
    )
    assert person.names == ("tenant", *place.names)
    assert teaches.reaches["roster.Class"] is not None
    assert Class._meta.label in teaches.reaches
