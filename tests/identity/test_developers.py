"""An app developer signs up by a mailed link, gets a sandbox of invented people, and sees nothing of any school."""

from __future__ import annotations

import itertools
import json
import os
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from rollbook.identity import rules
from rollbook.identity.actions import add_membership, create_account
from rollbook.identity.models import Account, Membership, SignUpKey
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.jobs import run_one
from rollbook.kernel.models import Job
from rollbook.policy import unguarded
from rollbook.roster import sync_path
from rollbook.roster.models import Person, Tenant
from tests.cast import Cast
from tests.staff import desk, plain

PAGE = "/developers/sign-up"
_addresses = (f"10.6.{n // 250}.{n % 250}" for n in itertools.count(1))


_numbers = itertools.count(1)
DANA = ""


def mailbox(name: str) -> str:
    """An email that no other test asks for a link: there is a limit for each, and all tests share its window."""
    return f"{name}-{os.getpid()}-{next(_numbers)}@duckpond.example"


@pytest.fixture(autouse=True)
def on(settings: Any) -> None:
    global DANA
    DANA = mailbox("dana")
    settings.ROLLBOOK_DEVELOPERS = True


def ask(email: str, address: str = "") -> Any:
    return Client().post(PAGE, {"email": email}, REMOTE_ADDR=address or next(_addresses))


def send() -> None:
    """Run the jobs that send, and no other."""
    Job.objects.exclude(name="identity.send_sign_up").update(state="done")
    while run_one():
        pass


def link(to: str = "") -> str:
    to = to or DANA
    found = re.findall(
        r"(/developers/link/[\w=-]+)", next(str(m.body) for m in reversed(mail.outbox) if m.to == [to])
    )
    return str(found[0])


def join(email: str = "", name: str = "Duckpond Learning") -> Client:
    """A browser in which a new developer has used their link; the sandbox is still empty."""
    email = email or DANA
    ask(email)
    send()
    client = Client()
    answer = client.post(link(email), {"name": name})
    assert (answer.status_code, answer["Location"]) == (302, "/developers"), answer.content
    return client


@pytest.mark.commitment("CLEV-1.49")
def test_who_signs_up_has_an_account_that_opens_no_schools_data(cast: Cast) -> None:
    client = join()
    assert "Your sandbox" in plain(client.get("/developers"))
    with unguarded("look"):
        account = Account.objects.get(email=DANA)
        [place] = Membership.objects.filter(account=account).select_related("tenant")
    assert account.password == "" and place.role == "developer" and place.tenant.sandbox
    assert client.get("/").status_code == 302 and client.get("/people").status_code == 200
    assert "Ada" not in plain(client.get("/people")) + plain(client.get("/people?q=ada"))
    for path in (f"/people/{cast.ada.id}", f"/classes/{cast.kestrels.id}"):
        assert client.get(path).status_code == 404, "another tenant's is not there"
    for path in ("/sync", "/staff", "/sign-in-rules", "/people/new", "/directories"):
        assert client.get(path).status_code == 403, path


def test_a_link_shows_a_button_works_once_and_ends_after_a_quarter_of_an_hour(cast: Cast) -> None:
    ask(DANA)
    send()
    path = link()
    for _ in range(2):  # a mail scanner follows links
        assert "Make my sandbox" in plain(Client().get(path))
    assert Client().post(path, {"name": " "}).status_code == 422, "nothing is made for nobody"
    with clock.at(clock.now() + rules.SIGN_UP_LASTS):
        assert Client().get(path).status_code == 404
    assert Client().post(path, {"name": "Dana"}).status_code == 302
    assert Client().get(path).status_code == 404 and Client().post(path, {"name": "Dana"}).status_code == 404
    assert Client().get("/developers/link/xyz").status_code == 404


def test_the_same_form_signs_in_who_has_a_sandbox(cast: Cast) -> None:
    join()
    ask(DANA.upper())
    send()
    client = Client()
    assert "Your name" not in plain(client.get(link()))
    assert client.post(link()).status_code == 302
    assert Tenant.objects.filter(sandbox=True).count() == 1
    assert "Sandbox of Duckpond Learning" in plain(client.get("/developers"))


def test_every_email_is_answered_alike_and_three_links_are_the_most(cast: Cast) -> None:
    desk(cast.tenant, "administrator", "Hana Larkspur")
    join()
    with clock.at(clock.now().replace(minute=1, second=5)):
        mail.outbox.clear()
        staff = "hana.administrator@sevenhills.example"
        pages = {plain(ask(e)) for e in (DANA, staff, mailbox("nobody"))}
        assert len(pages) == 1
        often = mailbox("often")
        pages |= {plain(ask(often)) for _ in range(6)}
        assert len(pages) == 1
        assert not [j for j in Job.objects.all() if "@" in json.dumps(j.args)]
        send()
    assert len([m for m in mail.outbox if m.to == [often]]) == rules.SENDS_A_CONTACT
    [told] = [m.body for m in mail.outbox if m.to == [staff]]
    assert "/developers/link/" not in told and "/sign-in" in told
    assert ask("no email").status_code == 422


def test_a_mailed_link_opens_no_school_even_when_the_developer_is_hired_there(cast: Cast) -> None:
    client = join()
    ask(DANA)
    send()
    early = link()
    with unguarded("look"):
        account = Account.objects.get(email=DANA)
    place = add_membership(account, cast.tenant, "administrator")
    assert Client().get(early).status_code == 404 and Client().post(early).status_code == 404
    assert client.post("/tenant", {"place": place}).status_code == 404, (
        "what a link opened stays in the sandbox"
    )
    assert "Sevenhills" not in plain(client.get("/tenant"))
    mail.outbox.clear()
    ask(DANA)
    send()
    [told] = mail.outbox
    assert "/developers/link/" not in told.body and "/sign-in" in told.body


def test_a_sandbox_has_no_other_roles_and_takes_no_real_file(cast: Cast, tmp_path: Any) -> None:
    join()
    sandbox = Tenant.objects.get(sandbox=True)
    for role in ("administrator", "dpo"):
        with pytest.raises(Invalid):
            add_membership(create_account(f"{role}@duckpond.example", "Someone"), sandbox, role)
    with pytest.raises(Invalid, match="invented"):
        sync_path(sandbox, tmp_path, yes=True)


def test_what_is_kept_of_a_link_opens_nothing_and_goes_when_it_ends(cast: Cast) -> None:
    curious = mailbox("curious")
    ask(curious)
    send()
    with unguarded("look"):
        kept = str(vars(SignUpKey.objects.get()))
    assert link(curious).rsplit("/", 1)[1] not in kept
    Job.objects.filter(name="identity.forget_sign_up").update(state="queued")
    with clock.at(clock.now() + rules.SIGN_UP_LASTS):
        while run_one():
            pass
    with unguarded("look"):
        assert not SignUpKey.objects.exists(), "the email of somebody who only asked is kept nowhere"
        assert not Account.objects.filter(email=curious).exists()


def test_who_comes_back_after_years_finds_the_same_sandbox(cast: Cast) -> None:
    join()
    with clock.at(clock.now() + timedelta(days=800)):
        ask(DANA)
        send()
        client = Client()
        assert "Your name" not in plain(client.get(link()))
        assert client.post(link()).status_code == 302 and client.get("/developers").status_code == 200
        assert "Your sandbox" in plain(client.get("/developers"))
    assert Tenant.objects.filter(sandbox=True).count() == 1


@pytest.mark.parametrize("off", ["switch", "mail"])
def test_where_it_is_off_or_no_mail_goes_the_page_says_so(cast: Cast, settings: Any, off: str) -> None:
    if off == "switch":
        settings.ROLLBOOK_DEVELOPERS = False
    else:
        settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert "Ask" in plain(Client().get(PAGE)) and "<form" not in plain(Client().get(PAGE))
    assert ask(DANA).status_code == 404
    assert Client().get("/developers").status_code == 200


def test_two_developers_do_not_see_each_other(cast: Cast) -> None:
    dana, eli = join(), join(mailbox("eli"), "Inkpot Books")
    assert "Inkpot" in plain(eli.get("/developers")) and "Duckpond" not in plain(eli.get("/developers"))
    mine = Tenant.objects.get(name="Sandbox of Duckpond Learning")
    with unguarded("somebody of Dana's"):
        someone = Person.objects.create(
            tenant=mine,
            sourced_id="x",
            given_name="Xan",
            family_name="",
            name_key="xan",
            date_last_modified=clock.now(),
        )
    assert (
        dana.get(f"/people/{someone.id}").status_code == 200
        and eli.get(f"/people/{someone.id}").status_code == 404
    )
