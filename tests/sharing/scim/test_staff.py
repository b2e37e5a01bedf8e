"""A teacher whom the school's directory names signs in by the school's own sign-in, where the administrator lets it."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from django.test import Client

from rollbook.identity import add_membership, create_account, set_idp
from rollbook.identity.actions import stop_idp
from rollbook.policy import Audit, unguarded
from tests.cast import Cast
from tests.identity.idp.test_saml_idp import BEN, DETAILS, ISSUER, assertion, begin, post, response, signed
from tests.sharing.scim.conftest import Hallkeys
from tests.staff import desk, plain

pytestmark = pytest.mark.skipif(
    shutil.which("xmlsec1") is None, reason="xmlsec1 is not here: SAML signs with it"
)
PAGE = "/apps/hallkeys/sign-on"
WORKS = {"active": True, "emails": [{"value": BEN, "primary": True}], "displayName": "Ben Thistlewick"}


@pytest.fixture
def hana(cast: Cast) -> Client:
    set_idp(cast.tenant, name="S", issuer=ISSUER, protocol="saml", details=DETAILS)
    return desk(cast.tenant, "administrator")


@pytest.fixture
def trusted(directory: Hallkeys, hana: Client) -> Hallkeys:
    assert hana.post(PAGE, {"do": "staff", "staff": "on"}).status_code == 302
    return directory


_numbers = iter(range(1000))


def sign_in(email: str = BEN) -> Client | None:
    """A browser in which this person has signed in over there, or None where Rollbook refused."""
    browser = Client()
    asked = begin(browser)
    made = signed(assertion(asked, email=email, id=f"_s{next(_numbers)}"))
    return browser if post(browser, response(asked, made)).status_code == 302 else None


def is_in(browser: Client | None) -> bool:
    return browser is not None and browser.get("/me").status_code == 200


def test_a_teacher_of_the_roll_whom_the_directory_names_signs_in(trusted: Hallkeys, cast: Cast) -> None:
    assert sign_in() is None, "nobody has named them yet"
    trusted.make("ben", **WORKS)
    browser = sign_in()
    assert browser is not None and is_in(browser)
    assert "Ben Thistlewick" in plain(browser.get("/me"))
    with unguarded("a test reads the audit"):
        row = Audit.objects.filter(verb="identity.role_given").latest("id")
    assert (row.actor, row.details["role"]) == ("Hallkeys", "teacher")


@pytest.mark.parametrize(
    "end",
    [
        "inactive",
        "put inactive",
        "deleted",
        "another email",
        "no email",
        "rule taken back",
        "sign-in stopped",
    ],
)
def test_what_the_directory_takes_back_ends_at_once(
    trusted: Hallkeys, hana: Client, cast: Cast, end: str
) -> None:
    made = trusted.make("ben", **WORKS)
    browser, path = sign_in(), f"/Users/{made['id']}"
    assert is_in(browser)
    match end:
        case "inactive":
            assert trusted.patch(path, {"op": "replace", "path": "active", "value": False}).status_code == 200
        case "put inactive":
            body = {"schemas": made["schemas"], "userName": "ben", **WORKS, "active": False}
            assert trusted.ask("PUT", path, body).status_code == 200
        case "deleted":
            assert trusted.ask("DELETE", path).status_code == 204
        case "another email":
            other = [{"value": "nobody@puddlebrook.example", "primary": True}]
            assert trusted.patch(path, {"op": "replace", "path": "emails", "value": other}).status_code == 200
        case "no email":
            assert trusted.patch(path, {"op": "remove", "path": "emails"}).status_code == 200
        case _:
            assert hana.post(PAGE, {"do": "staff"}).status_code == 302
    assert not is_in(browser) and sign_in() is None


def test_who_is_active_again_signs_in_again(trusted: Hallkeys) -> None:
    path = f"/Users/{trusted.make('ben', **WORKS)['id']}"
    trusted.patch(path, {"op": "replace", "path": "active", "value": False})
    trusted.patch(path, {"op": "replace", "path": "active", "value": True})
    assert is_in(sign_in())


@pytest.mark.parametrize(
    "more",
    [
        {**WORKS, "active": False},
        {"emails": WORKS["emails"]},
        {"active": True},
        {"active": True, "emails": [{"value": BEN}, {"value": "ben.two@puddlebrook.example"}]},
        {**WORKS, "emails": [{"value": "ada@puddlebrook.example", "primary": True}]},
        {**WORKS, "emails": [{"value": "cleo@puddlebrook.example", "primary": True}]},
        {**WORKS, "emails": [{"value": "visitor@puddlebrook.example", "primary": True}]},
    ],
    ids=[
        "inactive",
        "active is not said",
        "no email",
        "which email",
        "a pupil",
        "a guardian",
        "not on the roll",
    ],
)
def test_unknown_means_no(trusted: Hallkeys, more: dict[str, Any]) -> None:
    trusted.make("somebody", **more)
    for email in (BEN, "ada@puddlebrook.example", "cleo@puddlebrook.example", "visitor@puddlebrook.example"):
        assert sign_in(email) is None


def test_without_the_administrators_word_a_directory_lets_nobody_in(
    directory: Hallkeys, hana: Client, cast: Cast
) -> None:
    directory.make("ben", **WORKS)
    assert sign_in() is None
    assert hana.post(PAGE, {"do": "staff", "staff": "on"}).status_code == 302
    assert is_in(sign_in()), "what it wrote before counts from then on"
    other = Hallkeys(cast, "Otherkeys").agree()
    other.make("dov", active=True, emails=[{"value": "dov@puddlebrook.example", "primary": True}])
    assert sign_in("dov@puddlebrook.example") is None, "one directory is trusted, not each"


def test_an_account_that_an_administrator_made_is_not_a_directorys_to_change(
    trusted: Hallkeys, cast: Cast
) -> None:
    account = create_account(BEN, "Ben Thistlewick")
    add_membership(account, cast.tenant, "teacher", person_id=cast.ben.id)
    path = f"/Users/{trusted.make('ben', **WORKS)['id']}"
    browser = sign_in()
    trusted.patch(path, {"op": "replace", "path": "active", "value": False})
    trusted.ask("DELETE", path)
    assert is_in(browser) and is_in(sign_in())


def test_the_page_says_what_is_missing_and_is_the_administrators(
    trusted: Hallkeys, hana: Client, cast: Cast
) -> None:
    assert "directory" in plain(hana.get(PAGE)) and 'name="staff" checked' in plain(hana.get(PAGE))
    officer = desk(cast.tenant, "dpo", "Femi Ashdown")
    assert "Teachers whom it names" in plain(officer.get(PAGE))
    assert officer.post(PAGE, {"do": "staff"}).status_code == 403
    stop_idp(cast.tenant, None)
    answer = hana.post(PAGE, {"do": "staff", "staff": "on"})
    assert answer.status_code == 422 and "no sign-in of its own" in plain(answer)
