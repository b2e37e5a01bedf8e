"""Staff sign in with a password; a sign-in ends; nobody learns whose account there is."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import hashers
from django.test import Client

from rollbook.identity import actions, add_membership, create_account, rules
from rollbook.identity.models import Account, Session
from rollbook.kernel import clock
from rollbook.policy import Audit, unguarded
from tests.cast import Cast
from tests.staff import desk, plain, put_off

PASSWORD = "chalk ledger margin"
_addresses = (f"10.1.{n // 250}.{n % 250}" for n in itertools.count(1))


@pytest.fixture
def address() -> str:
    """An address that no other test has failed from."""
    return next(_addresses)


def hana(cast: Cast, email: str = "hana@sevenhills.example") -> Account:
    account = create_account(email, "Hana Larkspur", PASSWORD)
    add_membership(account, cast.tenant, "administrator")
    return account


def sign_in(
    client: Client,
    address: str,
    email: str = "hana@sevenhills.example",
    password: str = PASSWORD,
    **more: str,
) -> Any:
    form = {"email": email, "password": password, **more}
    agent = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"}
    return put_off(client, client.post("/sign-in", form, REMOTE_ADDR=address, headers=agent))


def test_the_right_password_signs_in_and_is_audited(cast: Cast, address: str) -> None:
    hana(cast)
    client = Client()
    assert client.get("/people").status_code == 302
    answer = sign_in(client, address, email=" Hana@Sevenhills.example ")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    cookie = answer.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and not cookie["max-age"]
    page = client.get("/people")
    assert page.status_code == 200 and "no-store" in page["Cache-Control"]
    with unguarded("look"):
        assert Audit.objects.get(verb="identity.signed_in").actor == "Hana Larkspur"
        kept = Session.objects.get()
    assert kept.session_key != cookie.value and kept.browser == "Firefox on Windows"


@pytest.mark.commitment("CLEV-1.73")
def test_a_deep_link_is_reached_after_sign_in(cast: Cast, address: str) -> None:
    hana(cast)
    client = Client()
    wanted = f"/people/{cast.ada.id}?before=5"
    asked = client.get(wanted)
    assert asked.status_code == 302
    page = client.get(asked["Location"])
    assert f'value="{wanted}"' in page.content.decode()
    answer = sign_in(client, address, next=wanted)
    assert answer["Location"] == wanted


@pytest.mark.parametrize(
    "evil", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "people"]
)
def test_nobody_is_led_to_another_site(cast: Cast, address: str, evil: str) -> None:
    hana(cast)
    assert sign_in(Client(), address, next=evil)["Location"] == "/"


def test_an_unknown_account_and_a_wrong_password_look_and_cost_the_same(
    cast: Cast, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hana(cast)
    no_password = create_account("new@sevenhills.example", "New Colleague")
    add_membership(no_password, cast.tenant, "dpo")
    closed = hana(cast, "gone@sevenhills.example")
    actions.close_account(closed, None)
    actions._nobody()
    worked: list[str] = []
    verify = hashers.Argon2PasswordHasher.verify

    def counted(self: Any, given: str, encoded: str) -> bool:
        worked.append(encoded.split("$")[3])
        return bool(verify(self, given, encoded))

    monkeypatch.setattr(hashers.Argon2PasswordHasher, "verify", counted)
    pages = set()
    for email in (
        "hana@sevenhills.example",
        "new@sevenhills.example",
        "gone@sevenhills.example",
        "nobody@sevenhills.example",
    ):
        answer = sign_in(Client(), address, email=email, password="not the right one")
        assert answer.status_code == 422 and settings.SESSION_COOKIE_NAME not in answer.cookies
        pages.add(plain(answer).replace(email, ""))
    assert len(pages) == 1
    assert len(worked) == 4 and len(set(worked)) == 1, "each costs one hash of the same strength"
    with unguarded("look"):
        assert Audit.objects.filter(verb="identity.sign_in_failed").count() == 2  # the two open accounts


@pytest.mark.usefixtures("one_window")
def test_ten_failures_shut_an_account_for_a_while_and_even_the_right_password_waits(
    cast: Cast, address: str
) -> None:
    hana(cast, "shut@sevenhills.example")
    for n in range(rules.PER_ACCOUNT):
        assert sign_in(Client(), f"{address}{n}", "shut@sevenhills.example", "wrong").status_code == 422
    answer = sign_in(Client(), address, "shut@sevenhills.example")
    assert (
        answer.status_code == 429 and int(answer["Retry-After"]) <= rules.WINDOW and "Wait" in plain(answer)
    )
    with clock.at(clock.now() + timedelta(seconds=rules.WINDOW)):
        assert sign_in(Client(), address, "shut@sevenhills.example").status_code == 302


@pytest.mark.usefixtures("one_window")
def test_an_address_is_shut_after_sixty_failures_whoever_is_tried(
    cast: Cast, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hana(cast)
    monkeypatch.setattr(actions.accounts, "check_password", lambda *_: False)  # sixty hashes would take long
    for n in range(rules.PER_ADDRESS):
        assert sign_in(Client(), address, f"x{n}@sevenhills.example").status_code == 422
    assert sign_in(Client(), address).status_code == 429
    assert sign_in(Client(), next(_addresses)).status_code == 422


def test_success_is_not_counted(cast: Cast, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hana(cast)
    monkeypatch.setattr(actions.accounts, "check_password", lambda *_: True)
    for _ in range(rules.PER_ACCOUNT + 2):
        assert sign_in(Client(), address).status_code == 302


def test_a_planted_key_is_replaced_at_sign_in(cast: Cast, address: str) -> None:
    hana(cast)
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32
    fresh = sign_in(client, address).cookies[settings.SESSION_COOKIE_NAME].value
    assert fresh != "a" * 32
    again = sign_in(client, address).cookies[settings.SESSION_COOKIE_NAME].value
    assert again != fresh
    client.cookies[settings.SESSION_COOKIE_NAME] = fresh
    assert client.get("/people").status_code == 302, "the key from before the second sign-in is worth nothing"


def test_a_sign_in_ends_when_idle_and_at_the_end_of_the_day(cast: Cast) -> None:
    start = clock.now()
    client = desk(cast.tenant, "administrator")
    with clock.at(start + rules.IDLE - timedelta(minutes=1)):
        assert client.get("/people").status_code == 200
    with clock.at(start + 2 * rules.IDLE - timedelta(minutes=2)):
        assert client.get("/people").status_code == 200
    with clock.at(start + 3 * rules.IDLE):
        assert client.get("/people").status_code == 302
    busy = desk(cast.tenant, "administrator", "Other Person")
    for minutes in range(0, int(rules.ABSOLUTE.total_seconds() // 60), 50):
        with clock.at(start + timedelta(minutes=minutes)):
            assert busy.get("/classes").status_code == 200, minutes
    with clock.at(start + rules.ABSOLUTE + timedelta(seconds=5)):
        assert busy.get("/people").status_code == 302


def test_signing_out_ends_the_session_in_the_database_too(cast: Cast) -> None:
    client = desk(cast.tenant, "administrator")
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.post("/sign-out")["Location"] == "/sign-in"
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    assert client.get("/people").status_code == 302
    assert client.get("/sign-out").status_code == 405


def test_a_form_without_its_mark_is_refused(cast: Cast, address: str) -> None:
    hana(cast)
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(
        "/sign-in", {"email": "hana@sevenhills.example", "password": PASSWORD}, REMOTE_ADDR=address
    )
    assert answer.status_code == 403 and "too old" in plain(answer)


@pytest.mark.usefixtures("one_window")
def test_behind_a_trusted_proxy_each_address_has_its_own_limit(
    cast: Cast, address: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.ROLLBOOK_TRUSTED_PROXIES = 1
    monkeypatch.setattr(actions.accounts, "check_password", lambda *_: False)
    far, near = next(_addresses), next(_addresses)

    def tried(client: str, email: str, trusted: int = 1) -> int:
        settings.ROLLBOOK_TRUSTED_PROXIES = trusted
        form = {"email": email, "password": "wrong"}
        answer = Client().post("/sign-in", form, REMOTE_ADDR=address, headers={"x-forwarded-for": client})
        return int(answer.status_code)

    for n in range(rules.PER_ADDRESS):
        assert tried(far, f"x{n}@sevenhills.example") == 422
    assert tried(far, "more@sevenhills.example") == 429
    assert tried(f"{near}, {far}", "more@sevenhills.example") == 429, (
        "what the browser wrote itself does not count"
    )
    assert tried(near, "other@sevenhills.example") == 422
    assert tried(far, "other@sevenhills.example", trusted=0) == 422, (
        "not read: the proxy's own address counts"
    )
