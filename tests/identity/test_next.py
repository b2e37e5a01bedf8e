"""A child whom an app sent to sign in comes back to the app, by badge and by picture code, and to no other site."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from django.test import Client

from rollbook.identity.actions import give_code
from rollbook.identity.rules import PICTURES
from rollbook.policy import Actor
from tests.cast import Cast
from tests.staff import let_in, token_of

WANTED = "/oauth/onward?client_id=a&scope=openid%20profile"
BY = Actor("staff", "administrator", 1, "Hana Larkspur")


def yes(client: Client, where: str) -> str:
    """Where “Yes, that is me” leads."""
    found = re.search(r'href="([^"]+)">Yes', client.get(where).content.decode())
    assert found
    return found[1].replace("&amp;", "&")


def test_a_badge_leads_back_to_the_app(cast: Cast) -> None:
    let_in(cast.tenant)
    client = Client()
    sign_in = client.get(f"/sign-in?next={quote(WANTED)}").content.decode()
    link = re.search(r'href="(/badge[^"]*)"', sign_in)
    assert link
    page = client.get(link[1].replace("&amp;", "&")).content.decode()
    action = re.search(r'<form method="post" action="(/badge[^"]*)"', page)
    assert action
    answer = client.post(
        action[1].replace("&amp;", "&"), {"token": token_of(cast.tenant, cast.ada.id)}, REMOTE_ADDR="10.8.1.1"
    )
    assert yes(client, answer["Location"]) == WANTED


def test_the_camera_page_leads_back_too(cast: Cast) -> None:
    let_in(cast.tenant)
    client, token = Client(), token_of(cast.tenant, cast.ada.id)
    answer = client.post(
        f"/badge?next={quote(WANTED, safe='')}", {"token": token}, headers={"accept": "application/json"},
        REMOTE_ADDR="10.8.1.2",
    )  # fmt: skip
    assert yes(client, answer.json()["next"]) == WANTED


def test_a_picture_code_leads_back_to_the_app(cast: Cast) -> None:
    let_in(cast.tenant)
    token_of(cast.tenant, cast.ada.id)
    code, client = give_code(cast.tenant, cast.ada.id, BY), Client()
    badge = client.get(f"/badge?next={quote(WANTED, safe='')}").content.decode()
    link = re.search(r'href="(/picture[^"]*)"', badge)
    assert link
    where = link[1].replace("&amp;", "&")
    taps, answer = "", client.post(where, {"number": code.number}, REMOTE_ADDR="10.8.1.3")
    for picture in code.pictures:
        tap = str(PICTURES.index(picture))
        action = re.search(r'<form method="post" action="(/picture[^"]*)"', answer.content.decode())
        assert action and action[1].replace("&amp;", "&") == where
        form = {"number": code.number, "taps": taps, "tap": tap}
        taps, answer = taps + tap, client.post(where, form, REMOTE_ADDR="10.8.1.3")
    assert yes(client, answer["Location"]) == WANTED


@pytest.mark.parametrize(
    "bad", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", ""]
)
def test_another_site_is_no_way_on(cast: Cast, bad: str) -> None:
    let_in(cast.tenant)
    client = Client()
    form = {"token": token_of(cast.tenant, cast.ada.id)}
    answer = client.post(f"/badge?next={quote(bad, safe='')}", form, REMOTE_ADDR="10.8.1.4")
    assert answer["Location"] == "/badge/you" and yes(client, "/badge/you") == "/books"
    assert yes(client, f"/badge/you?next={quote(bad, safe='')}") == "/books"
