"""Staff hear by mail of a device that is new to their account, and of a new password: over a real mail server on this machine."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from rollbook.identity import add_membership, create_account, make_reset_link
from rollbook.identity.actions import close_account
from rollbook.identity.models import KnownDevice
from rollbook.kernel.jobs import enqueue
from rollbook.policy import unguarded
from tests.cast import Cast
from tests.identity.test_links import Box, work
from tests.identity.test_links import post as post

PASSWORD, EMAIL = "chalk ledger margin", "hana@sevenhills.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def hana(cast: Cast) -> Any:
    account = create_account(EMAIL, "Hana Larkspur", PASSWORD)
    add_membership(account, cast.tenant, "teacher", person_id=cast.ben.id)
    return account


def sign_in(client: Client, address: str) -> None:
    form = {"email": EMAIL, "password": PASSWORD}
    answer = client.post("/sign-in", form, REMOTE_ADDR=address, HTTP_USER_AGENT=FIREFOX)
    assert answer.status_code == 302


@pytest.mark.commitment("ALEF-7.17")
def test_a_new_device_is_told_of_once_in_plain_words(cast: Cast, post: Box) -> None:
    hana(cast)
    first, second = Client(), Client()
    for client in (first, first, second, second):
        sign_in(client, "10.12.0.1")
    work()
    [(to, mail)] = post.mails
    text = mail.get_payload(decode=True).decode()
    assert to == [EMAIL]
    assert text.startswith("Firefox on Linux, on ") and "press “Sign out everywhere”" in text
    assert "/me," in text and "reset" not in text
    for needless in ("Hana", "Larkspur", "Sevenhills", "10.12.0.1"):
        assert needless not in text and needless not in str(mail["Subject"])


def test_a_job_that_runs_twice_sends_one_mail_and_a_closed_account_none(cast: Cast, post: Box) -> None:
    account = hana(cast)
    for n in range(2):
        sign_in(Client(), f"10.12.1.{n}")
    work()
    with unguarded("a test looks for the device"):
        told = KnownDevice.objects.get(told_at__isnull=False)
    enqueue("identity.tell_device", cast.tenant.id, device_id=told.id)
    work()
    assert len(post.mails) == 1
    sign_in(Client(), "10.12.1.9")
    close_account(account, None)
    work()
    assert len(post.mails) == 1


@pytest.mark.commitment("ALEF-7.17")
def test_a_new_password_is_told_of_unless_it_is_the_first(cast: Cast, post: Box) -> None:
    account = create_account(EMAIL, "Hana Larkspur")
    add_membership(account, cast.tenant, "teacher", person_id=cast.ben.id)
    link = f"/reset/{make_reset_link(account)}"
    assert Client().post(link, {"password": PASSWORD}).status_code == 302
    work()
    assert post.mails == []
    client, other = Client(), "margin ledger chalk"
    sign_in(client, "10.12.3.1")
    changed = {"do": "password", "current": PASSWORD, "password": other}
    assert client.post("/me", {**changed, "current": "wrong"}).status_code == 422
    assert client.post("/me", changed).status_code == 302
    work()
    [(to, mail)] = post.mails
    text = mail.get_payload(decode=True).decode()
    assert to == [EMAIL] and mail["Subject"] == "The password of your Rollbook account was changed"
    assert "Was it not you?" in text and "/reset/" not in text
    for needless in ("Hana", "Larkspur", "Sevenhills", "10.12.3.1", PASSWORD, other):
        assert needless not in text
    close_account(account, None)
    enqueue("identity.tell_password", cast.tenant.id, account_id=account.id, at="now")
    work()
    assert len(post.mails) == 1


def test_a_site_that_sends_no_mail_signs_in_all_the_same(cast: Cast, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    hana(cast)
    for n in range(2):
        sign_in(Client(), f"10.12.2.{n}")
    work()
    with unguarded("a test looks for the device"):
        assert not KnownDevice.objects.filter(told_at__isnull=False).exists()
