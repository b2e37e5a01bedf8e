"""The gate: role, relationship, purpose and tenant decide the rows; categories decide the columns; refusals say why."""

from __future__ import annotations

import pytest

from rollbook.kernel import clock
from rollbook.kernel.errors import Refused
from rollbook.policy import Param, Restriction, prepared, unguarded
from rollbook.policy.gate import UnneededExemption
from rollbook.roster.models import Demographics, Enrollment, Ethnicity, Person
from tests.cast import Cast


def names(rows: object) -> list[str]:
    return sorted(r.given_name for r in rows)  # type: ignore[attr-defined]


@pytest.mark.commitment("CLEV-2.5")
def test_a_teacher_sees_the_people_of_their_classes_and_nobody_else(cast: Cast) -> None:
    assert names(cast.teacher.select(Person)) == ["Ada", "Ben"]
    assert names(cast.next_door.select(Person)) == ["Dov", "Ivo"]


def test_an_administrator_sees_the_tenant_and_never_another(cast: Cast) -> None:
    found = cast.administrator.select(Person)
    assert "Ada" in names(found) and "Zed" not in names(found)
    assert not found.filter(id=cast.stranger.id).exists()


def test_a_head_sees_their_own_school(cast: Cast) -> None:
    assert names(cast.head.select(Person)) == ["Ada", "Ben", "Cleo", "Gus"]


def test_a_column_that_is_not_granted_is_absent_and_touching_it_says_why(cast: Cast) -> None:
    ada = cast.teacher.select(Person).get(id=cast.ada.id)
    assert ada.family_name == "Riverstone"
    with pytest.raises(Refused, match="email"):
        _ = ada.email


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s.filter(email="x"),
        lambda s: s.exclude(email__contains="x"),
        lambda s: s.order_by("email").first(),
        lambda s: list(s.values_list("email")),
        lambda s: s.only("email"),
        lambda s: list(s.values("given_name", "phone")),
        lambda s: s.filter(primary_org__name="Puddlebrook"),
    ],
)
def test_a_column_that_is_not_granted_cannot_be_named_anywhere(cast: Cast, use: object) -> None:
    with pytest.raises(Refused):
        use(cast.teacher.select(Person))  # type: ignore[operator]


def test_a_plain_manager_refuses(cast: Cast) -> None:
    with pytest.raises(Refused, match="through the gate"):
        Person.objects.count()


def test_reaching_a_row_through_a_foreign_key_refuses(cast: Cast) -> None:
    enrollment = cast.teacher.select(Enrollment).filter(person_id=cast.ada.id).get()
    with pytest.raises(Refused, match="through the gate"):
        _ = enrollment.person.email


def test_an_exemption_that_reads_nothing_fails(cast: Cast) -> None:
    with pytest.raises(UnneededExemption), unguarded("nothing at all"):
        pass


def test_a_missing_purpose_is_a_gap_and_a_forbidden_one_is_refused(cast: Cast) -> None:
    gap = cast.access("teacher", "curiosity", cast.ben).decide(Person)
    assert (gap.answer, "Nobody has decided" in gap.because) == ("gap", True)
    never = cast.access("administrator", "advertising").decide(Person)
    assert (never.answer, "advertising" in never.because) == ("refused", True)


def test_a_special_category_is_refused_to_those_without_need(cast: Cast) -> None:
    with pytest.raises(Refused):
        cast.administrator.select(Ethnicity)
    assert cast.dpo.select(Ethnicity).get().asian is True
    with pytest.raises(Refused):
        cast.teacher.select(Demographics)


def test_a_restricted_person_disappears_from_use_but_not_from_keeping(cast: Cast) -> None:
    with unguarded("set-up"):
        Restriction.objects.create(
            tenant_id=cast.tenant.id, person_id=cast.ada.id, because="asked", began_at=clock.now()
        )
    assert names(cast.teacher.select(Person)) == ["Ben"]
    assert not cast.teacher.select(Enrollment).filter(person_id=cast.ada.id).exists()
    assert "Ada" in names(cast.administrator.select(Person))


def test_a_prepared_statement_answers_as_the_selection_does(cast: Cast) -> None:
    def register(select):
        return (
            select(Person)
            .filter(id__any=Param("ids"))
            .order_by("id")
            .values_list("id", "given_name", "enabled_user")
        )

    from rollbook.kernel.db import ids

    everyone = ids([cast.ada.id, cast.ben.id, cast.ivo.id])
    for access, expected in ((cast.teacher, ["Ada", "Ben"]), (cast.next_door, ["Ivo"])):
        rows = prepared(access, "register", register).rows(access, ids=everyone)
        assert [r[1] for r in rows] == expected
        assert all(r[2] is True for r in rows)
