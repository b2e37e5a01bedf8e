"""The portal shows somebody the apps whose live rule reaches them, and who sees them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rollbook.kernel import clock
from rollbook.policy import Disclosure, Restriction, unguarded
from rollbook.roster.models import Enrollment
from rollbook.sharing.actions import agree, create_app, share, stop
from rollbook.sharing.actions.sign_on import set_sign_on
from tests.cast import Cast
from tests.staff import desk, guardian, let_in, pupil


def app(cast: Cast, name: str, people: Any, fields: Any = ("users.givenName",), launch: bool = True) -> Any:
    made = create_app(cast.tenant, name).app
    agree(made, purpose="learning-app", region="GB", retention_days=30, contact="x@app.example", read_policy=True,
          ends_on=clock.today() + timedelta(days=90))  # fmt: skip
    share(made, {"people": people, "fields": [{"field": f, "reason": "to greet the child"} for f in fields]})
    if launch:
        set_sign_on(made, redirect_uris=["https://app.example/back"], launch_url="https://app.example/start")
    return made


def page(client: Any, path: str = "/books") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.commitment("CLEV-1.25")
def test_a_pupil_sees_exactly_the_apps_that_they_can_open(cast: Cast) -> None:
    let_in(cast.tenant)
    app(cast, "Numberyard", {"classes": ["KES"]})
    app(cast, "Next Door", {"classes": ["OWL"]})
    app(cast, "No Door", "all", launch=False)
    stopped = app(cast, "Stopped", "all")
    stop(stopped)
    ada = page(pupil(cast.tenant, cast.ada.id))
    assert 'href="/launch/numberyard"' in ada
    assert not [n for n in ("next-door", "no-door", "/launch/stopped") if n in ada]
    ivo = page(pupil(cast.tenant, cast.ivo.id))
    assert "next-door" in ivo and "numberyard" not in ivo


def test_the_tray_follows_the_roster_at_once(cast: Cast) -> None:
    let_in(cast.tenant)
    app(cast, "Numberyard", {"classes": ["KES"]})
    ada = pupil(cast.tenant, cast.ada.id)
    assert "numberyard" in page(ada)
    with unguarded("the school's system"):
        Enrollment.objects.filter(person_id=cast.ada.id).update(status="tobedeleted")
    assert "numberyard" not in page(ada)


def test_who_can_see_me_names_teachers_and_what_each_app_gets_and_is_written_down(cast: Cast) -> None:
    let_in(cast.tenant)
    app(cast, "Numberyard", "all", ("users.givenName", "users.grades"))
    seen = page(pupil(cast.tenant, cast.ada.id), "/books/seen")
    assert "Ben Thistlewick" in seen and "Dov" not in seen and "Kestrels" in seen
    assert "First name" in seen and "School year" in seen and "Date of birth" not in seen
    with unguarded("look"):
        row = Disclosure.objects.get(door="page:seen")
        assert (row.recipient_kind, row.purpose, row.people_count) == ("student", "portal", 2)


@pytest.mark.parametrize("path", ["/books/seen", "/family"])
def test_a_pupil_and_a_guardian_read_that_an_app_sends_results(cast: Cast, path: str) -> None:
    let_in(cast.tenant)
    made = app(cast, "Numberyard", "all")
    reader = pupil(cast.tenant, cast.ada.id) if path == "/books/seen" else guardian(cast.tenant, cast.cleo.id)
    assert "Results that it sends back" not in page(reader, path)
    share(made, {"people": "all", "fields": [{"field": "results.score", "reason": "to see how it went"}]})
    assert "Results that it sends back" in page(reader, path)


def test_a_ninth_book_stands_behind_more(cast: Cast) -> None:
    let_in(cast.tenant)
    for n in range(9):
        app(cast, f"Book {n}", "all")
    tray, more = page(pupil(cast.tenant, cast.ada.id)).split("<details")
    assert tray.count("/launch/") == 8 and more.count("/launch/") == 1


def test_staff_open_the_apps_that_their_row_in_the_roster_reaches(cast: Cast) -> None:
    app(cast, "Numberyard", {"roles": ["teacher"]})
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    assert "/launch/numberyard" in page(ben, "/my-apps")
    assert "/launch/numberyard" not in page(desk(cast.tenant, "administrator"), "/my-apps")


def test_a_pupil_whose_data_is_restricted_is_told_why_there_is_nothing(cast: Cast) -> None:
    let_in(cast.tenant)
    app(cast, "Numberyard", "all")
    child = pupil(cast.tenant, cast.ada.id)
    assert "resting" not in page(child)
    with unguarded("a restriction begins"):
        Restriction.objects.create(
            tenant_id=cast.tenant.id, person_id=cast.ada.id, because="she asked", began_at=clock.now()
        )
    books = page(child)
    assert "Your details are resting." in books and "numberyard" not in books
    seen = page(child, "/books/seen")
    assert "Your details are resting" in seen and "Numberyard" not in seen


def test_im_finished_ends_the_sign_in(cast: Cast) -> None:
    let_in(cast.tenant)
    ada = pupil(cast.tenant, cast.ada.id)
    assert "Bye" in ada.post("/finish").content.decode()
    assert ada.get("/books").status_code == 302
