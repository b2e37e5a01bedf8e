"""Who sees more than their own classes needs two factors; a few days of grace; nothing weaker changes what guards it."""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from rollbook.identity import add_membership, create_account, find_account, rules
from rollbook.identity.actions import SessionStore, begin, forget_factors, set_grace
from rollbook.identity.models import Account, Passkey, RecoveryCode, Session
from rollbook.identity.queries import breached, who_is
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.policy import Audit, unguarded
from tests.cast import Cast
from tests.staff import desk, plain, put_off

PASSWORD = "chalk ledger margin"
EMAIL = "hana@sevenhills.example"


def somebody(cast: Cast, role: str = "administrator", **where: Any) -> Account:
    account = create_account(EMAIL, "Hana Larkspur", PASSWORD)
    add_membership(account, cast.tenant, role, **where)
    return account


def with_passkey(account: Account) -> None:
    with unguarded("a passkey that the test never uses"):
        Passkey.objects.create(
            account=account, credential="eHg", public_key="eHg", name="Phone", created_at=clock.now()
        )


def by_password(client: Client, number: int) -> Any:
    form = {"email": EMAIL, "password": PASSWORD}
    return client.post("/sign-in", form, REMOTE_ADDR=f"10.4.0.{number}")


@pytest.mark.parametrize("role", sorted(rules.NEEDS_TWO))
def test_a_password_alone_opens_no_page_of_a_role_that_sees_more_than_a_class(cast: Cast, role: str) -> None:
    account, client = somebody(cast, role, org_id=cast.school.id if role == "head" else None), Client()
    assert by_password(client, 1)["Location"] == "/second-step?next=/"
    for path in ("/", "/people", "/me", f"/people/{cast.ada.id}"):
        assert client.get(path).status_code == 302, path
    page = plain(client.get("/second-step"))
    assert "Add a passkey" in page and "Riverstone" not in page
    assert client.post("/me", {"do": "name", "name": "Other"}).status_code == 302
    assert find_account(EMAIL).name == account.name


def test_a_teacher_signs_in_by_password(cast: Cast) -> None:
    somebody(cast, "teacher", person_id=cast.ben.id)
    client = Client()
    assert by_password(client, 2)["Location"] == "/"
    assert client.get("/classes").status_code == 200


def test_the_days_of_grace_end(cast: Cast) -> None:
    somebody(cast)
    client = Client()
    assert put_off(client, by_password(client, 3))["Location"] == "/"
    assert client.get("/people").status_code == 200
    with clock.at(clock.now() + rules.GRACE + timedelta(minutes=1)):
        late = Client()
        by_password(late, 3)
        assert "Not now" not in plain(late.get("/second-step"))
        assert late.post("/second-step", {"do": "later"}).status_code == 422
        assert late.get("/people").status_code == 302


def test_a_second_step_that_is_set_up_cannot_be_put_off(cast: Cast) -> None:
    with_passkey(somebody(cast))
    client = Client()
    by_password(client, 4)
    assert client.post("/second-step", {"do": "later"}).status_code == 422
    assert client.get("/people").status_code == 302


@pytest.mark.parametrize("do", ["passkey", "forget", "codes"])
def test_a_sign_in_without_the_passkey_does_not_change_what_guards_the_account(cast: Cast, do: str) -> None:
    account = somebody(cast, "teacher", person_id=cast.ben.id)
    with_passkey(account)
    client = Client()
    by_password(client, 5)
    with unguarded("look"):
        passkey = Passkey.objects.get().id
    answer = client.post("/me", {"do": do, "passkey": str(passkey), "answer": "{}", "challenge": "x"})
    assert answer.status_code == 422 and "passkey that you have first" in plain(answer)
    with unguarded("look"):
        assert Passkey.objects.count() == 1 and not RecoveryCode.objects.exists()


def test_a_made_up_answer_is_no_passkey_and_failures_pause_the_device(cast: Cast) -> None:
    somebody(cast)
    client, address = Client(), "10.4.1.6"
    with clock.at(clock.now().replace(second=5)):
        for n in range(rules.PER_DEVICE + 2):
            page = client.get("/sign-in").content.decode()
            sealed = re.search(r'name="challenge" value="([^"]+)"', page)
            assert sealed
            form = {"answer": '{"id": "AA", "rawId": "AA"}', "challenge": sealed[1]}
            answer = client.post("/sign-in/passkey", form, REMOTE_ADDR=address)
            assert answer.status_code == (422 if n <= rules.PER_DEVICE else 429), n


def test_a_challenge_is_good_once_and_for_five_minutes(cast: Cast) -> None:
    page = Client().get("/sign-in").content.decode()
    sealed = re.findall(r'name="challenge" value="([^"]+)"', page)[0]
    said = [
        plain(
            Client().post("/sign-in/passkey", {"answer": "{}", "challenge": sealed}, REMOTE_ADDR="10.4.1.7")
        )
        for _ in range(2)
    ]
    assert "does not open anything" in said[0] and "used before" in said[1]
    wrong = Client().post(
        "/sign-in/passkey", {"answer": "{}", "challenge": "made-up"}, REMOTE_ADDR="10.4.1.7"
    )
    assert "open for too long" in plain(wrong)


def test_recovery_codes_are_guessed_ten_times_and_no_more(cast: Cast) -> None:
    account = somebody(cast)
    with_passkey(account)
    client = Client()
    by_password(client, 8)
    with clock.at(clock.now().replace(minute=1)):
        for _ in range(rules.PER_ACCOUNT):
            assert client.post("/second-step", {"do": "code", "code": "AAAA-BBBB-CCCC"}).status_code == 422
        assert "Wait" in plain(client.post("/second-step", {"do": "code", "code": "AAAA-BBBB-CCCC"}))


def test_an_administrator_takes_a_lost_passkey_away_and_sign_ins_end(cast: Cast) -> None:
    account = somebody(cast, "dpo")
    with_passkey(account)
    session = SessionStore()
    who = who_is(account.id, 0)
    assert who
    begin(session, who, "x", "passkey")
    admin = desk(cast.tenant, "administrator", "Erin Office")
    button = r'value="(\d+)"><button class="btn btn--s">Passkey lost<span class="vh"> by Hana'
    role = re.findall(button, plain(admin.get("/staff")))
    assert "/reset/" in plain(admin.post("/staff", {"do": "factors", "role": role[0]}))
    with unguarded("look"):
        assert not Passkey.objects.exists()
        assert not Session.objects.filter(account_id=account.id).exists()
        assert Audit.objects.filter(verb="identity.factors_removed").count() == 1


def test_grace_and_factors_are_an_operators_to_set(cast: Cast) -> None:
    account = somebody(cast)
    with_passkey(account)
    forget_factors(account, None)
    set_grace(account, clock.now() - timedelta(days=1))
    client = Client()
    by_password(client, 9)
    assert client.post("/second-step", {"do": "later"}).status_code == 422


def test_signing_out_everywhere_ends_every_sign_in(cast: Cast) -> None:
    somebody(cast, "teacher", person_id=cast.ben.id)
    first, second = Client(), Client()
    by_password(first, 10), by_password(second, 10)
    assert first.post("/me", {"do": "everywhere"})["Location"] == "/sign-in"
    assert first.get("/me").status_code == 302 and second.get("/me").status_code == 302


def test_a_device_that_is_new_to_an_account_is_told_of(cast: Cast) -> None:
    somebody(cast, "teacher", person_id=cast.ben.id)
    first, second = Client(), Client()
    for client in (first, first, second, second):
        by_password(client, 11)
    with unguarded("look"):
        assert Audit.objects.filter(verb="identity.new_device").count() == 1


# ---- Passwords that were in a breach.


@pytest.fixture
def listed(tmp_path: Path, settings: Any) -> list[str]:
    words = [f"word number {n}" for n in range(500)]
    lines = sorted(sha1(w.encode()).hexdigest().upper() for w in words)
    file = tmp_path / "breached.txt"
    file.write_text("".join(f"{h}:{len(h) * 7 ** (n % 9)}\r\n" for n, h in enumerate(lines)))
    settings.ROLLBOOK_BREACHED_PASSWORDS = str(file)
    return words


def test_every_listed_password_is_found_and_no_other(listed: list[str]) -> None:
    assert all(breached(word) for word in listed)
    assert not any(breached(f"another {n}") for n in range(500))


@pytest.mark.commitment("ALEF-11.12")
def test_a_password_of_a_breach_is_refused_with_the_reason(listed: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        create_account("a@b.example", "A", "word number 12")
    assert "in a breach" in refused.value.mend
