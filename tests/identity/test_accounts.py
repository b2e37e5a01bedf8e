"""Accounts, roles for a reason and a time, one's own page, one-time links."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client

from rollbook.identity import add_membership, create_account, find_account, make_reset_link, set_password
from rollbook.identity.actions import close_account, end_membership
from rollbook.identity.models import Account, Membership, ResetLink, Session
from rollbook.identity.queries import who_is
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Audit, unguarded
from rollbook.roster.actions import identity
from tests.cast import Cast
from tests.staff import desk, plain, put_off

PASSWORD, OTHER = "chalk ledger margin", "seven quiet lanterns"


def verbs() -> set[str]:
    with unguarded("look"):
        return set(Audit.objects.values_list("verb", flat=True))


@pytest.mark.commitment("CLEV-4.1", "CLEV-1.7")
def test_an_administrator_changes_their_name_at_once_and_it_is_audited(cast: Cast) -> None:
    client = desk(cast.tenant, "administrator")
    assert client.post("/me", {"do": "name", "name": "  Hana   Lark "})["Location"] == "/me?done=name"
    assert "Hana Lark" in plain(client.get("/me"))
    with unguarded("look"):
        said = Audit.objects.get(verb="identity.renamed")
    assert (said.tenant_id, said.actor, said.details["before"]) == (
        cast.tenant.id,
        "Hana Larkspur",
        "Hana Larkspur",
    )
    assert said.at is not None
    answer = client.post("/me", {"do": "name", "name": "  "})
    assert answer.status_code == 422 and "Enter your name" in plain(answer)


def test_a_new_password_ends_every_other_sign_in_and_keeps_this_one(cast: Cast) -> None:
    client = desk(cast.tenant, "administrator")
    account = find_account("hana.administrator@sevenhills.example")
    set_password(account, PASSWORD)
    mine, elsewhere = Client(), Client()
    for browser in (mine, elsewhere):
        answer = put_off(browser, browser.post("/sign-in", {"email": account.email, "password": PASSWORD}))
        assert answer.status_code == 302
    assert client.get("/me").status_code == 302, "setting a password ended the first one"
    wrong = mine.post("/me", {"do": "password", "current": "nope", "password": OTHER})
    assert wrong.status_code == 422 and "not your password now" in plain(wrong)
    easy = mine.post("/me", {"do": "password", "current": PASSWORD, "password": "password1234"})
    assert easy.status_code == 422 and "too easy" in plain(easy)
    assert elsewhere.get("/me").status_code == 200
    assert mine.post("/me", {"do": "password", "current": PASSWORD, "password": OTHER}).status_code == 302
    assert mine.get("/me").status_code == 200 and elsewhere.get("/me").status_code == 302
    assert Client().post("/sign-in", {"email": account.email, "password": PASSWORD}).status_code == 422
    assert "identity.password_set" in verbs()


@pytest.mark.commitment("CLEV-1.69")
def test_sign_ins_are_listed_and_one_can_be_ended(cast: Cast) -> None:
    client = desk(cast.tenant, "administrator")
    account = find_account("hana.administrator@sevenhills.example")
    set_password(account, PASSWORD)
    first, second = Client(), Client()
    for browser, agent in ((first, "Mozilla (Windows) Firefox/1"), (second, "Mozilla (iPad) Safari/1")):
        form = {"email": account.email, "password": PASSWORD}
        put_off(browser, browser.post("/sign-in", form, headers={"User-Agent": agent}))
    Client().get("/sign-in", headers={"User-Agent": "Mozilla (Android) Chrome/1"})
    page = first.get("/me").content.decode()
    assert "Android" not in page, "nothing is kept of, or linked to, a browser in which nobody signed in"
    assert "Firefox on Windows" in page and "Safari on an iPad" in page
    with unguarded("look"):
        assert not any(s.session_key in page for s in Session.objects.all())
    handles = re.findall(r'name="session" value="(\w+)"', page)
    assert len(handles) == 1, "this one has no button"
    assert first.post("/me", {"do": "end", "session": handles[0]}).status_code == 302
    assert second.get("/me").status_code == 302 and first.get("/me").status_code == 200
    stranger = desk(cast.tenant, "dpo", "Femi Inkwell")
    mine = re.findall(r'name="session" value="(\w+)"', first.get("/me").content.decode())
    assert mine == []
    assert stranger.post("/me", {"do": "end", "session": handles[0]}).status_code == 404
    assert client.get("/me").status_code == 302


def test_a_reset_link_sets_a_password_once_and_signs_in(cast: Cast) -> None:
    account = create_account("new@sevenhills.example", "New Colleague")
    add_membership(account, cast.tenant, "dpo")
    token = make_reset_link(account)
    with unguarded("look"):
        assert token not in ResetLink.objects.get().digest
    client = Client()
    assert "New Colleague" in plain(client.get(f"/reset/{token}"))
    easy = client.post(f"/reset/{token}", {"password": "new colleague"})
    assert easy.status_code == 422
    answer = client.post(f"/reset/{token}", {"password": PASSWORD})
    assert client.post("/second-step", {"do": "later"}).status_code == 302
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/people").status_code == 200
    assert client.get(f"/reset/{token}").status_code == 404
    assert Client().post(f"/reset/{token}", {"password": OTHER}).status_code == 404
    assert {"identity.reset_link_made", "identity.password_set", "identity.signed_in"} <= verbs()


def test_a_link_dies_of_age_of_a_newer_one_and_with_its_account(cast: Cast) -> None:
    account = create_account("new@sevenhills.example", "New Colleague")
    add_membership(account, cast.tenant, "dpo")
    old, token = make_reset_link(account), make_reset_link(account)
    unknown = plain(Client().get("/reset/unknown"))
    assert plain(Client().get(f"/reset/{old}")) == unknown
    with clock.at(clock.now() + timedelta(hours=24, seconds=1)):
        assert plain(Client().get(f"/reset/{token}")) == unknown
    assert Client().get(f"/reset/{token}").status_code == 200
    close_account(account, None)
    assert plain(Client().get(f"/reset/{token}")) == unknown


@pytest.mark.commitment("CLEV-3.6")
def test_a_role_is_given_for_a_reason_and_until_a_date_and_without_one_nothing_opens(cast: Cast) -> None:
    account = create_account("temp@sevenhills.example", "Temporary Colleague", PASSWORD)
    form = {"email": account.email, "password": PASSWORD}
    assert Client().post("/sign-in", form).status_code == 422, "an account alone opens nothing"
    until = clock.now() + timedelta(days=30)
    add_membership(account, cast.tenant, "dpo", reason="covers for Femi", until=until)
    client = Client()
    assert put_off(client, client.post("/sign-in", form)).status_code == 302
    assert client.get("/people").status_code == 200
    with unguarded("look"):
        given = Membership.objects.get(account=account)
        said = Audit.objects.get(verb="identity.role_given")
    assert (given.reason, given.expires_at) == ("covers for Femi", until)
    assert said.details == {"role": "dpo", "reason": "covers for Femi", "until": until.date().isoformat()}
    with clock.at(until):
        assert client.get("/people").status_code == 302 and Client().post("/sign-in", form).status_code == 422
    lasting = create_account("other@sevenhills.example", "Other Colleague")
    add_membership(lasting, cast.tenant, "dpo")
    with unguarded("look"):
        default = Membership.objects.get(account=lasting)
    assert default.reason and default.expires_at < clock.now() + timedelta(days=401)


def test_a_role_that_is_taken_ends_the_access_at_once(cast: Cast) -> None:
    client = desk(cast.tenant, "dpo", "Femi Inkwell")
    with unguarded("look"):
        membership = Membership.objects.get()
    with pytest.raises(NotFound):
        end_membership(cast.other, membership.id, None)
    end_membership(cast.tenant, membership.id, None)
    assert client.get("/people").status_code == 302
    desk(cast.tenant, "administrator")
    with unguarded("look"):
        last = Membership.objects.get(role="administrator")
    with pytest.raises(Invalid, match="last administrator"):
        end_membership(cast.tenant, last.id, None)


def test_a_closed_account_is_out_at_once(cast: Cast) -> None:
    client = desk(cast.tenant, "administrator")
    close_account(find_account("hana.administrator@sevenhills.example"), None)
    assert client.get("/people").status_code == 302
    with pytest.raises(NotFound):
        find_account("hana.administrator@sevenhills.example")


def test_somebody_with_two_roles_works_in_one_at_a_time(cast: Cast) -> None:
    account = create_account("two@sevenhills.example", "Two Hats", PASSWORD)
    here = add_membership(account, cast.tenant, "teacher", person_id=cast.ben.id)
    there = add_membership(account, cast.other, "administrator")
    client = Client()
    answer = client.post("/sign-in", {"email": account.email, "password": PASSWORD, "next": "/classes"})
    answer = put_off(client, answer)
    assert answer["Location"] == "/tenant?next=/classes"
    page = plain(client.get("/tenant?next=/classes"))
    assert "Sevenhills Trust" in page and "Otherside" in page
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.post("/tenant", {"place": here, "next": "/classes"})["Location"] == "/classes"
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != key
    assert "Kestrels" in plain(client.get("/classes")) and client.get("/sync").status_code == 403
    client.post("/tenant", {"place": there})
    assert (
        "Stranger" in plain(client.get("/people")) and client.get(f"/people/{cast.ada.id}").status_code == 404
    )
    stranger = desk(cast.tenant, "dpo", "Femi Inkwell")
    assert stranger.post("/tenant", {"place": there}).status_code == 404


def test_a_teacher_whose_record_was_merged_keeps_their_classes(cast: Cast) -> None:
    from tests.roster.test_identity import HANA, twin

    other = twin(cast)
    account = create_account("ben@sevenhills.example", "Ben Thistlewick")
    membership = add_membership(account, cast.tenant, "teacher", person_id=cast.ben.id)
    identity.merge(cast.tenant, other.id, cast.ben.id, HANA, "")
    who = who_is(account.id, membership)
    assert who is not None and who.actor.person == other.id
    with who.access().open():
        assert "Kestrels" in [c.title for c in who.access().select(type(cast.kestrels))]


@pytest.mark.parametrize(
    ("email", "name"),
    [("not an email", "A"), ("a@b", "A"), ("@b.example", "A"), ("a@b@c.example", "A"), ("a@b.example", " ")],
)
def test_an_account_needs_an_email_and_a_name(cast: Cast, email: str, name: str) -> None:
    with pytest.raises(Invalid):
        create_account(email, name)


def test_roles_that_need_a_person_or_a_school_say_so_and_no_email_twice(cast: Cast) -> None:
    account: Account = create_account("a@sevenhills.example", "A Colleague")
    for role, match in (("teacher", "person"), ("head", "school"), ("king", "no role")):
        with pytest.raises(Invalid, match=match):
            add_membership(account, cast.tenant, role)
    with pytest.raises(Invalid, match="already"):
        create_account("A@sevenhills.example", "Another")
