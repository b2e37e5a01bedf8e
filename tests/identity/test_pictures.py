"""A teacher gives one child a number and four pictures: once, for a quarter of an hour, and not after three tries."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from rollbook.identity import rules
from rollbook.identity.actions import give_code
from rollbook.identity.models import PictureCode
from rollbook.kernel import clock
from rollbook.policy import Actor, unguarded
from tests.cast import Cast
from tests.staff import desk, let_in

BY = Actor("staff", "teacher", 1, "Ben Thistlewick")
_addresses = (f"10.3.{n // 250}.{n % 250}" for n in itertools.count(1))


@pytest.fixture
def address() -> str:
    """An address that no other test has failed from."""
    return next(_addresses)


def tap(number: str, pictures: tuple[str, ...], address: str, client: Client | None = None) -> Any:
    """Type the number and tap the pictures one by one, as a child does."""
    client = client or Client()
    answer = client.post("/picture", {"number": number}, REMOTE_ADDR=address)
    for picture in pictures:
        taps = re.search(r'name="taps" value="(\d*)"', answer.content.decode())
        form = {"number": number, "taps": taps[1] if taps else "", "tap": str(rules.PICTURES.index(picture))}
        answer = client.post("/picture", form, REMOTE_ADDR=address)
    return answer


def wrong(pictures: tuple[str, ...]) -> tuple[str, ...]:
    other = next(p for p in rules.PICTURES if p != pictures[0])
    return (other, *pictures[1:])


def test_a_child_signs_in_by_the_code_that_the_teachers_page_shows(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    shown = ben.post(f"/people/{cast.ada.id}/sign-in", {"do": "code"}).content.decode()
    number = re.search(r"<b>(\d{4})</b>", shown)
    pictures = re.search(r"In words: ([a-z, ]+)\.", shown)
    assert number and pictures
    client = Client()
    answer = tap(number[1], tuple(pictures[1].split(", ")), address, client)
    assert (answer.status_code, answer["Location"]) == (302, "/badge/you")
    assert "Ada" in client.get("/badge/you").content.decode()


def test_a_code_works_once(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    code = give_code(cast.tenant, cast.ada.id, BY)
    assert tap(code.number, code.pictures, address).status_code == 302
    assert tap(code.number, code.pictures, address).status_code == 422


def test_a_code_ends_after_a_quarter_of_an_hour_and_when_a_new_one_is_given(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    code = give_code(cast.tenant, cast.ada.id, BY)
    with clock.at(clock.now() + timedelta(minutes=15)):
        assert tap(code.number, code.pictures, address).status_code == 422
    give_code(cast.tenant, cast.ada.id, BY)
    assert tap(code.number, code.pictures, address).status_code == 422


def test_three_wrong_tries_close_a_code_even_for_the_right_pictures(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    code = give_code(cast.tenant, cast.ada.id, BY)
    for _ in range(rules.CODE_TRIES):
        assert tap(code.number, wrong(code.pictures), address).status_code == 422
    assert tap(code.number, code.pictures, next(_addresses)).status_code == 422


def test_a_code_dies_when_the_school_switches_codes_off(cast: Cast, address: str) -> None:
    let_in(cast.tenant)
    code = give_code(cast.tenant, cast.ada.id, BY)
    let_in(cast.tenant, picture_codes=False)
    assert tap(code.number, code.pictures, address).status_code == 422


def test_an_unknown_number_and_wrong_pictures_look_the_same_and_pause_a_device(
    cast: Cast, address: str
) -> None:
    let_in(cast.tenant)
    code = give_code(cast.tenant, cast.ada.id, BY)
    unknown = "0000" if code.number != "0000" else "0001"
    client = Client()
    client.post("/picture", {"number": "x"}, REMOTE_ADDR=address)  # and the device has a number
    with clock.at(clock.now().replace(second=5)):
        pages = {
            re.sub(r'value="[^"]*"', "", tap(number, wrong(code.pictures), address, client).content.decode())
            for number in [code.number, *[unknown] * (rules.PER_DEVICE - 1)]
        }
        assert len(pages) == 1
        assert tap(code.number, code.pictures, address, client).status_code == 429


def test_the_code_is_not_in_the_database(cast: Cast) -> None:
    let_in(cast.tenant)
    code = give_code(cast.tenant, cast.ada.id, BY)
    with unguarded("look"):
        kept = PictureCode.objects.get()
    taps = tuple(rules.PICTURES.index(p) for p in code.pictures)
    assert kept.digest != rules.pictures_digest(b"", kept.id, taps), (
        "a key that is not in the database is in it"
    )


def test_a_teacher_next_door_gives_no_code(cast: Cast) -> None:
    let_in(cast.tenant)
    dov = desk(cast.tenant, "teacher", "Dov Marlow", person_id=cast.dov.id)
    assert dov.post(f"/people/{cast.ada.id}/sign-in", {"do": "code"}).status_code == 404
