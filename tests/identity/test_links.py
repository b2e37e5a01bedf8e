"""A guardian asks for a code at the school's page; it comes by mail or SMS, works once, and tells a stranger nothing."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings as site
from django.test import Client

from rollbook.identity import rules
from rollbook.identity.models import OneTimeKey
from rollbook.kernel import clock
from rollbook.kernel.jobs import run_one
from rollbook.kernel.models import Job
from rollbook.policy import unguarded
from rollbook.roster.models import Guardianship, Person
from tests.cast import Cast
from tests.staff import let_in, plain

PAGE, CLEO = "/family/at/sevenhills", "cleo@puddlebrook.example"
_addresses = (f"10.5.{n // 250}.{n % 250}" for n in itertools.count(1))


class Box:
    """A mail server that keeps what comes."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 kept"


@pytest.fixture
def post(settings: Any) -> Iterator[Box]:
    """A real mail server on this machine, and the site set to send through it."""
    box = Box()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.DEFAULT_FROM_EMAIL = "office@sevenhills.example"
    yield box
    server.stop()


def ask(contact: str, client: Client | None = None, address: str = "") -> Any:
    return (client or Client()).post(PAGE, {"contact": contact}, REMOTE_ADDR=address or next(_addresses))


def code_in(box: Box) -> str:
    return re.findall(r"code is (\d{6})", box.mails[-1][1].get_payload())[0]


def key_in(page: Any) -> str:
    return re.findall(r'name="key" value="([^"]+)"', page.content.decode())[0]


def work() -> None:
    while run_one():
        pass


@pytest.mark.commitment("CLEV-1.45")
def test_a_guardian_signs_in_by_the_code_that_was_mailed_and_sees_their_own_child(
    cast: Cast, post: Box
) -> None:
    let_in(cast.tenant)
    client = Client()
    page = ask(f" {CLEO.upper()} ", client)
    work()
    assert post.mails[-1][0] == [CLEO]
    answer = client.post(PAGE, {"key": key_in(page), "code": code_in(post)}, REMOTE_ADDR=next(_addresses))
    assert (answer.status_code, answer["Location"]) == (302, "/family")
    shown = plain(client.get("/family"))
    assert "Ada" in shown and "Ben Thistlewick" in shown and "Ivo" not in shown and "Dov" not in shown
    for other in ("/people", f"/people/{cast.ada.id}", "/books", "/me"):
        assert client.get(other).status_code == 403, other
    let_in(cast.tenant, guardians=False)
    assert client.get("/family").status_code == 302


def test_a_link_shows_a_button_and_works_once(cast: Cast, post: Box) -> None:
    let_in(cast.tenant)
    ask(CLEO)
    work()
    path = re.findall(r"(/family/link/[\w=-]+)", post.mails[-1][1].get_payload())[0]
    for _ in range(2):  # a mail scanner follows links
        assert "Sign in" in plain(Client().get(path))
    client = Client()
    assert client.post(path)["Location"] == "/family"
    assert client.get("/family").status_code == 200
    assert Client().get(path).status_code == 404 and Client().post(path).status_code == 404


@pytest.mark.commitment("ALEF-11.8")
def test_a_stranger_learns_nothing_and_gets_nothing(
    cast: Cast, post: Box, django_assert_max_num_queries: Any
) -> None:
    let_in(cast.tenant)
    contacts = (CLEO, "nobody@puddlebrook.example", "ben@puddlebrook.example", "ada@puddlebrook.example", "x")
    pages = {re.sub(r'name="key" value="[^"]+"', "", plain(ask(c))) for c in contacts}
    assert len(pages) == 1
    assert Job.objects.filter(name="identity.send_link").count() == len(contacts), (
        "each asks for as much work"
    )
    assert not [j for j in Job.objects.all() if "@" in json.dumps(j.args)]
    work()
    assert [m[0] for m in post.mails] == [[CLEO]], "pupils, teachers and strangers are sent nothing"


def test_a_code_ends_after_half_an_hour_and_after_five_wrong_tries(cast: Cast, post: Box) -> None:
    let_in(cast.tenant)
    page = ask(CLEO)
    work()
    right, key = code_in(post), key_in(page)
    with clock.at(clock.now() + rules.KEY_LASTS):
        assert (
            Client().post(PAGE, {"key": key, "code": right}, REMOTE_ADDR=next(_addresses)).status_code == 422
        )
    wrong = "000000" if right != "000000" else "000001"
    for _ in range(rules.KEY_TRIES):
        assert (
            Client().post(PAGE, {"key": key, "code": wrong}, REMOTE_ADDR=next(_addresses)).status_code == 422
        )
    assert Client().post(PAGE, {"key": key, "code": right}, REMOTE_ADDR=next(_addresses)).status_code == 422


def test_one_contact_is_sent_three_messages_and_the_page_looks_the_same(cast: Cast, post: Box) -> None:
    let_in(cast.tenant)
    with clock.at(clock.now().replace(minute=1, second=5)):
        said = {re.sub(r'name="key" value="[^"]+"', "", plain(ask(CLEO))) for _ in range(5)}
        work()
    assert len(said) == 1 and len(post.mails) == rules.SENDS_A_CONTACT


def test_who_is_no_guardian_any_more_is_sent_nothing_and_is_out_at_once(cast: Cast, post: Box) -> None:
    let_in(cast.tenant)
    client = Client()
    page = ask(CLEO, client)
    work()
    client.post(PAGE, {"key": key_in(page), "code": code_in(post)}, REMOTE_ADDR=next(_addresses))
    assert "Ada" in plain(client.get("/family"))
    with unguarded("the school's system"):
        Guardianship.objects.filter(guardian_id=cast.cleo.id).update(status="tobedeleted")
    assert "Ada" not in plain(client.get("/family"))
    ask(CLEO)
    work()
    assert len(post.mails) == 1


def test_neither_code_nor_link_is_in_the_database(cast: Cast, post: Box) -> None:
    let_in(cast.tenant)
    ask(CLEO)
    work()
    with unguarded("look"):
        kept = str(vars(OneTimeKey.objects.get()))
    link = re.findall(r"/family/link/([\w=-]+)", post.mails[-1][1].get_payload())[0]
    assert code_in(post) not in re.sub(r"\d{7,}", "", kept) and link not in kept


def test_a_number_gets_a_message_through_the_gateway(cast: Cast, settings: Any) -> None:
    let_in(cast.tenant)
    got: list[dict[str, str]] = []

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.ROLLBOOK_SMS_URL = f"http://127.0.0.1:{server.server_port}/send"
    with unguarded("only Cleo has this number"):
        Person.objects.filter(id=cast.cleo.id).update(sms="+44 7700 900999")
    page = ask("07700 900999")
    work()
    server.shutdown()
    server.server_close()
    assert got[0]["to"] == "+44 7700 900999"
    code = re.findall(r"code is (\d{6})", got[0]["text"])[0]
    answer = Client().post(PAGE, {"key": key_in(page), "code": code}, REMOTE_ADDR=next(_addresses))
    assert answer["Location"] == "/family"


def test_where_nothing_can_be_sent_the_page_says_to_ask_the_office(cast: Cast, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert site.ROLLBOOK_SMS_URL == ""
    assert "Ask the school’s office" in plain(Client().get(PAGE))
    assert Client().get("/family/at/nowhere").status_code == 404


def test_a_link_that_is_too_old_is_not_found(cast: Cast, post: Box) -> None:
    let_in(cast.tenant)
    ask(CLEO)
    work()
    path = re.findall(r"(/family/link/[\w=-]+)", post.mails[-1][1].get_payload())[0]
    with clock.at(clock.now() + timedelta(minutes=31)):
        assert Client().get(path).status_code == 404
