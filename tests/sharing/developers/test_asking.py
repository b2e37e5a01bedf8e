"""A school names its app's maker; the maker asks for details with reasons, and sees the answers and never a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.sharing import find_app
from rollbook.sharing.actions import NewApp, ask_field, share
from rollbook.sharing.models import App, FieldRequest
from rollbook.sharing.rules.reading import grade
from tests.cast import Cast
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.sharing.developers.conftest import Developer, developer
from tests.staff import desk, plain

GREET = {"field": "users.givenName", "reason": "To greet the child"}
BORN = {"field": "demographics.birthDate", "reason.demographics.birthDate": "To choose questions by age"}


@pytest.fixture
def linked(cast: Cast, dana: Developer, numberyard: NewApp) -> Any:  # noqa: F811  # a fixture by its name
    """The school's app, whose administrator named Duckpond's listing; it shares first names."""
    listing, _, _ = dana.add()
    share(numberyard.app, {"people": "all", "fields": [GREET]})
    admin = desk(cast.tenant, "administrator")
    answer = admin.post("/apps/numberyard/maker", {"listing": listing.client_id})
    assert answer.status_code == 302, answer.content
    return admin, f"/developers/apps/{listing.slug}/schools", numberyard.app


def school(door: str, app: App) -> str:
    return f"{door}/{app.id}"


def asked() -> list[FieldRequest]:
    with unguarded("look"):
        return list(FieldRequest.objects.order_by("id"))


def test_a_request_goes_from_the_maker_to_the_school_and_its_answer_comes_back(
    cast: Cast, dana: Developer, linked: Any
) -> None:
    admin, door, app = linked
    assert "Sevenhills Trust" in plain(dana.client.get(door))
    page = school(door, app)
    checked = dana.client.post(page, {**BORN, "do": "check"})
    assert "As a parent will read it" in plain(checked) and "reads like school year" in plain(checked)
    assert asked() == [], "looking at the label sends nothing"
    assert dana.client.post(page, {**BORN, "do": "send"}).status_code == 302
    assert "To choose questions by age" in plain(admin.get("/apps/numberyard"))
    [one] = asked()
    assert "No answer yet" in plain(dana.client.get(page))
    admin.post(f"/apps/numberyard/requests/{one.id}", {"answer": "refuse"})
    assert "Refused" in plain(dana.client.get(page))
    again = dana.client.post(page, {**BORN, "do": "send"})
    assert again.status_code == 422 and "said no" in plain(again)
    with clock.at(clock.now() + timedelta(days=31)):
        wanted = {"field": "users.grades", "reason.users.grades": "To choose the level"}
        other = developer_again(dana)
        assert other.post(page, {**BORN, "do": "send"}).status_code == 302
        assert other.post(page, {**wanted, "do": "send"}).status_code == 302
    pages = plain(dana.client.get(page)) + plain(dana.client.get(door))
    for name in ("Ada", "Riverstone", "Ben", "Thistlewick", "Ivo", "Cleo"):
        assert name not in pages


def developer_again(dana: Developer) -> Client:
    """The same developer, signed in a month later."""
    from django.conf import settings

    from rollbook.identity.actions import SessionStore, begin
    from rollbook.identity.queries import find_account, who_is

    who = who_is(find_account("dana@duckpond.example").id, 0, "link")
    assert who is not None
    session = SessionStore()
    begin(session, who, "the tests", "link")
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return client


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({}, "No detail is ticked"),
        ({"field": "users.email"}, "has no reason"),
        ({"field": "users.email", "reason.users.email": "x" * 81}, "81 characters"),
        ({"field": "users.givenName", "reason.users.givenName": "more"}, "is shared"),
        ({"field": "users.roles", "reason.users.roles": "more"}, "cannot be asked for"),
        ({"field": "no.such", "reason.no.such": "more"}, "cannot be asked for"),
    ],
)
def test_what_cannot_be_asked_is_said_and_nothing_is_sent(
    dana: Developer, linked: Any, form: Any, says: str
) -> None:
    _, door, app = linked
    for do in ("check", "send"):
        answer = dana.client.post(school(door, app), {**form, "do": do})
        assert answer.status_code == 422 and says in plain(answer), (do, plain(answer))
    assert asked() == []


def test_twelve_requests_may_wait_at_one_school(dana: Developer, linked: Any) -> None:
    _, door, app = linked
    names = [
        r["field"].name for _, rows in dana.client.get(school(door, app)).context["groups"] for r in rows
    ][:13]
    form = {"field": names, **{f"reason.{name}": "To try" for name in names}, "do": "send"}
    assert dana.client.post(school(door, app), form).status_code == 422 and asked() == []
    form["field"] = names[:12]
    assert dana.client.post(school(door, app), form).status_code == 302 and len(asked()) == 12


def test_without_the_schools_own_act_there_is_no_link(cast: Cast, dana: Developer, linked: Any) -> None:
    admin, door, app = linked
    eli = developer("eli@inkpot.example", "Inkpot Books")
    theirs, _, _ = eli.add()
    for path in (school(door, app), school(f"/developers/apps/{theirs.slug}/schools", app)):
        assert (
            eli.client.get(path).status_code == 404
            and eli.client.post(path, {**BORN, "do": "send"}).status_code == 404
        )
    assert "No school has named it" in plain(eli.client.get(f"/developers/apps/{theirs.slug}/schools"))
    assert dana.client.get(f"{door}/{theirs.id}").status_code == 404
    admin.post("/apps/numberyard/maker", {"do": "end"})
    assert dana.client.get(school(door, app)).status_code == 404
    assert "No school has named it" in plain(dana.client.get(door))
    assert asked() == []


def test_a_school_that_stopped_is_not_asked(dana: Developer, linked: Any) -> None:
    admin, door, app = linked
    admin.post("/apps/numberyard/stop")
    answer = dana.client.post(school(door, app), {**BORN, "do": "send"})
    assert answer.status_code == 422 and "has stopped sharing" in plain(answer)


def test_a_code_is_a_listings_or_it_is_nothing(cast: Cast, dana: Developer, numberyard: NewApp) -> None:  # noqa: F811  # a fixture by its name
    listing, _, _ = dana.add()
    admin = desk(cast.tenant, "administrator")
    for wrong in ("", "nonsense", numberyard.client_id):
        assert admin.post("/apps/numberyard/maker", {"listing": wrong}).status_code == 422, wrong
    form = {
        "name": "Pondmaths",
        "vendor": "Duckpond",
        "about": "practise",
        "privacy_url": "https://duckpond.example/p",
    }
    assert admin.post("/apps/new", {**form, "listing": "nonsense"}).status_code == 422
    assert admin.post("/apps/new", {**form, "listing": listing.client_id}).status_code == 200
    assert find_app(cast.tenant.id, "pondmaths").listing_id == listing.id
    dpo = desk(cast.tenant, "dpo", "Femi Inkwell")
    assert dpo.post("/apps/numberyard/maker", {"listing": listing.client_id}).status_code == 403
    ask_field(numberyard.app, "users.email", "to write")


def test_how_hard_a_reason_is_to_read() -> None:
    assert grade("To greet the child") < 3 < 12 < grade("Individualised pedagogical personalisation")
    assert grade("") == 0
