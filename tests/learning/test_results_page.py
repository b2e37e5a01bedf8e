"""Results on pages: of a class for its teachers and head, by app; of a child for their guardian; nobody else sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.learning import Item, Score, add_line_item, remove_line_item, take_score
from rollbook.policy import Actor, Disclosure, Restriction, unguarded
from rollbook.roster.models import Enrollment
from tests.cast import Cast
from tests.staff import desk, guardian, let_in, plain, pupil

YARD, TRAY = Actor("app", "app", 11, "Numberyard"), Actor("app", "app", 12, "Paint Tray")


@pytest.fixture
def sent(cast: Cast) -> Callable[..., int]:
    """An app sends a result of Ada's; the line item."""

    def send(app: Actor = YARD, title: str = "Number lines", **said: Any) -> int:
        item = add_line_item(app, cast.tenant.id, cast.kestrels.id, Item(title, 20.0))
        score = {"given": 7.0, "of": 10.0, "comment": "Nearly there", **said}
        take_score(
            app, cast.tenant.id, item.id, cast.ada.id, Score(clock.now(), "Completed", "FullyGraded", **score)
        )
        return int(item.id)

    return send


@pytest.fixture
def ben(cast: Cast) -> Client:
    return desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)


def page(client: Client, cast: Cast) -> Any:
    return client.get(f"/classes/{cast.kestrels.id}/results")


def shown(cast: Cast) -> list[Any]:
    with unguarded("a test reads the log", tenant=cast.tenant.id):
        return list(Disclosure.objects.filter(door="page:results"))


def test_the_teacher_sees_results_by_app_and_the_look_is_written_down(
    cast: Cast, ben: Client, sent: Callable[..., int], settings: Any
) -> None:
    sent()
    sent(TRAY, "A blue sky")
    settings.ROLLBOOK_WEB_ROLE = "rollbook_web"
    text = plain(page(ben, cast))
    assert text.index("Numberyard") < text.index("Paint Tray") and "1 of 1 pupil" in text
    assert "Ada Riverstone" in text and "14 of 20" in text and "Nearly there" in text and "Marked" in text
    [look] = shown(cast)
    assert look.people_count == 1
    assert {"learning_result.score", "learning_result.comment", "roster_person.given_name"} <= set(
        look.columns.split(",")
    )
    assert (
        f'href="/classes/{cast.kestrels.id}/results"'
        in ben.get(f"/classes/{cast.kestrels.id}").content.decode()
    )


def test_where_no_app_sent_anything_the_page_says_so(cast: Cast, ben: Client) -> None:
    assert "No app has sent results of this class." in plain(page(ben, cast)) and shown(cast) == []


def test_the_head_sees_them_and_others_do_not(cast: Cast, sent: Callable[..., int]) -> None:
    sent()
    head = desk(cast.tenant, "head", "Ida Head", org_id=cast.school.id)
    assert "14 of 20" in plain(page(head, cast))
    elsewhere = desk(cast.tenant, "head", "Otto Head", org_id=cast.school2.id)
    next_door = desk(cast.tenant, "teacher", "Dov Marlow", person_id=cast.dov.id)
    assert page(elsewhere, cast).status_code == 404 == page(next_door, cast).status_code
    administrator = desk(cast.tenant, "administrator")
    refused = page(administrator, cast)
    assert refused.status_code == 403 and "14 of 20" not in plain(refused)
    assert "/results" not in administrator.get(f"/classes/{cast.kestrels.id}").content.decode()
    assert page(Client(), cast).status_code == 302
    assert len(shown(cast)) == 1


@pytest.mark.parametrize("how", ["left the class", "restricted", "taken away"])
def test_what_is_not_the_teachers_any_more_is_not_shown(
    cast: Cast, ben: Client, sent: Callable[..., int], how: str
) -> None:
    item = sent()
    if how == "taken away":
        remove_line_item(YARD, cast.tenant.id, item)
    else:
        with unguarded("set-up"):
            if how == "left the class":
                Enrollment.objects.filter(person=cast.ada).update(status="tobedeleted")
            else:
                Restriction.objects.create(
                    tenant_id=cast.tenant.id, person_id=cast.ada.id, because="asked", began_at=clock.now()
                )
    text = plain(page(ben, cast))
    assert "14 of 20" not in text and "Ada" not in text


def test_older_work_stands_on_the_next_page(cast: Cast, ben: Client, sent: Callable[..., int]) -> None:
    for n in range(22):
        add_line_item(YARD, cast.tenant.id, cast.kestrels.id, Item(f"Work {n:02}", 5.0))
    first = plain(page(ben, cast))
    assert "Work 21" in first and "Work 02" in first and "Work 01" not in first
    further = page(ben, cast).content.decode().split('href="?before=')[1].split('"')[0]
    second = plain(ben.get(f"/classes/{cast.kestrels.id}/results?before={further}"))
    assert "Work 01" in second and "Work 00" in second and "Work 02" not in second


def test_a_guardian_sees_their_own_childs_results_that_are_released(
    cast: Cast, sent: Callable[..., int], settings: Any
) -> None:
    let_in(cast.tenant)
    sent()
    kept_back = add_line_item(YARD, cast.tenant.id, cast.kestrels.id, Item("Halves", 10.0, released=False))
    for item, person in ((kept_back.id, cast.ada), (kept_back.id, cast.ivo)):
        score = Score(clock.now(), "Completed", "FullyGraded", 3.0, 10.0)
        take_score(YARD, cast.tenant.id, item, person.id, score)
    cleo, ada = guardian(cast.tenant, cast.cleo.id), pupil(cast.tenant, cast.ada.id)
    settings.ROLLBOOK_WEB_ROLE = "rollbook_web"
    assert 'href="/family/results"' in cleo.get("/family").content.decode()
    text = plain(cleo.get("/family/results"))
    assert "Ada" in text and "14 of 20" in text and "Number lines" in text and "Nearly there" in text
    assert "Halves" not in text and "Ivo" not in text
    assert ada.get("/family/results").status_code == 403
    with unguarded("a test reads the log", tenant=cast.tenant.id):
        row = Disclosure.objects.get(door="page:family_results")
    assert (row.recipient_kind, row.purpose, row.people_count) == ("guardian", "family", 1)
