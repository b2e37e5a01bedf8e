"""The gate: role, relationship, purpose and tenant decide the rows; categories decide the columns; refusals say why."""

from __future__ import annotations

import pytest
from django.apps import apps

from rollbook.kernel import clock
from rollbook.kernel.errors import Refused
from rollbook.policy import Guarded, Param, PolicyError, Restriction, prepared, unguarded, word_of, words
from rollbook.policy.compiler import ALWAYS_NEVER, compile_bundle
from rollbook.policy.gate import UnneededExemption, relationships
from rollbook.roster.models import Demographics, Enrollment, Ethnicity, Person
from tests.cast import Cast
from tests.policy.oracle import POLICY


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


ROLES_AT_WORK = ("administrator", "dpo", "head", "teacher", "app")
# Not educational; not enabled by the school; not what the contract is for.
OTHER = ("analytics", "benchmarking", "curiosity", "product-research", "model-training")
NEVER = ("advertising", "marketing", "sale", "profiling")


def _tables_of_people() -> list[type[Guarded]]:
    return [
        m
        for m in apps.get_models()
        if issubclass(m, Guarded) and any((w := word_of(f)) and w.category for f in m._meta.concrete_fields)
    ]


@pytest.mark.commitment("CLEV-1.22", "CLEV-1.35", "CLEV-1.40")
@pytest.mark.parametrize("purpose", OTHER)
def test_no_role_gets_a_row_for_a_purpose_that_is_not_the_schools(cast: Cast, purpose: str) -> None:
    tables = _tables_of_people()
    assert {Person, Enrollment, Demographics, Ethnicity} <= set(tables)
    for role in ROLES_AT_WORK:
        for table in tables:
            with pytest.raises(Refused, match="Nobody has decided"):
                cast.access(role, purpose, cast.ben, cast.school).select(table)


@pytest.mark.commitment("CLEV-1.40", "CLEV-5.13", "CLEV-1.78")
@pytest.mark.parametrize("purpose", NEVER)
def test_a_commercial_purpose_gets_nothing_and_no_policy_can_say_otherwise(cast: Cast, purpose: str) -> None:
    for role in ROLES_AT_WORK:
        for table in _tables_of_people():
            with pytest.raises(Refused, match="never used for advertising or sold"):
                cast.access(role, purpose, cast.ben, cast.school).select(table)
    allowing = POLICY.read_text(encoding="utf-8") + (
        f'\n[purposes.{purpose}]\ntitle = "Grow"\nbasis = "consent"\n'
        f'[[rule]]\nrole = "app"\npurpose = "{purpose}"\nreach = "shared"\nallow = ["identity.*"]\nrefuse = []\nbecause = "x"\n'
    )
    with pytest.raises(PolicyError, match="never"):
        compile_bundle(allowing, words.inventory(), frozenset(relationships()))


@pytest.mark.commitment("CLEV-1.78", "CLEV-2.3", "CLEV-5.13")
@pytest.mark.parametrize("purpose", ALWAYS_NEVER)
def test_a_policy_that_leaves_a_commercial_purpose_open_does_not_compile(purpose: str) -> None:
    text = POLICY.read_text(encoding="utf-8")
    assert f'"{purpose}", ' in text
    with pytest.raises(PolicyError, match="no policy can allow it"):
        compile_bundle(text.replace(f'"{purpose}", ', ""), words.inventory(), frozenset(relationships()))


@pytest.mark.commitment("CLEV-1.35")
def test_a_purpose_that_belongs_to_another_role_is_not_enabled_by_asking_for_it(cast: Cast) -> None:
    for role, purpose in (("teacher", "administration"), ("app", "teaching"), ("head", "protection")):
        with pytest.raises(Refused):
            cast.access(role, purpose, cast.ben, cast.school).select(Person)
