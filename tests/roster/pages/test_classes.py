"""The list of classes and the register of one."""

from __future__ import annotations

from rollbook.kernel import clock, idset
from rollbook.policy import Disclosure, unguarded
from rollbook.roster.models import Class
from tests.cast import Cast
from tests.staff import desk, plain


def test_the_list_shows_teachers_and_numbers_to_those_who_may(cast: Cast) -> None:
    page = desk(cast.tenant, "administrator").get("/classes")
    assert [(c.title, c.students, c.teachers, c.school) for c in page.context["page"].rows] == [
        ("Kestrels", 1, ("Ben Thistlewick",), "Puddlebrook"), ("Owls", 1, ("Dov Marlow",), "Hollowell"),
    ]  # fmt: skip
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id).get("/classes")
    assert [c.title for c in ben.context["page"].rows] == ["Kestrels"]
    head = desk(cast.tenant, "head", "Ms Fenn", org_id=cast.school2.id).get("/classes")
    assert [c.title for c in head.context["page"].rows] == ["Owls"]


def test_classes_are_found_by_title_code_and_school_and_turn_pages(cast: Cast) -> None:
    client = desk(cast.tenant, "administrator")
    with unguarded("more classes"):
        Class.objects.bulk_create(
            Class(
                tenant=cast.tenant, sourced_id=f"c{n}", title=f"Set {n % 9}", class_code=f"s{n}", school=cast.school,
                date_last_modified=clock.now(),
            )
            for n in range(110)
        )  # fmt: skip
    for query, count in (
        ("q=kes", 1),
        ("q=2O", 1),
        (f"org={cast.school2.id}", 1),
        ("q=set", 110),
        ("q=none", 0),
    ):
        assert client.get(f"/classes?{query}").context["page"].total == count, query
    seen, door = [], "/classes?q=set"
    while door:
        page = client.get(door)
        seen += [c.id for c in page.context["page"].rows]
        door = page.context["next"]
    assert len(seen) == len(set(seen)) == 110


def test_the_register_lists_staff_and_students_and_is_written_down(cast: Cast) -> None:
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    page = ben.get(f"/classes/{cast.kestrels.id}")
    register = page.context["register"]
    assert [p.name for p in register.teachers] == ["Ben Thistlewick"]
    assert [p.name for p in register.students] == ["Ada Riverstone"]
    assert "ada" not in [p.code for p in register.students], "a teacher does not see codes"
    assert "1 student and 1 member of staff, Puddlebrook" in plain(page)
    with unguarded("look"):
        look = Disclosure.objects.get(door="page:class")
    assert idset.unpack(bytes(look.people)) == sorted([cast.ada.id, cast.ben.id])
