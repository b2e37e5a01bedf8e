"""Passkeys in a real browser, with the authenticator that its debugging protocol offers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rollbook.identity import add_membership, create_account
from rollbook.identity.models import Passkey
from rollbook.policy import Audit, unguarded
from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere
from tests.staff import desk, guardian, let_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
PASSWORD = "chalk ledger margin"


def authenticator(page: Any) -> Any:
    """A device that holds passkeys and knows its holder."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
               "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
    return session, session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def by_password(page: Any) -> None:
    page.get_by_label("Email").fill("hana@sevenhills.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/second-step**")


def test_a_passkey_is_added_before_the_desk_opens_and_then_signs_in_alone(site: Site, cast: Cast) -> None:
    account = create_account("hana@sevenhills.example", "Hana Larkspur", PASSWORD)
    add_membership(account, cast.tenant, "administrator")
    with site.window() as window:
        session, device = authenticator(window.page)
        page = window.go("/people")
        by_password(page)
        assert window.violations() == []
        window.shoot("second-step-add")
        window.go("/people")
        assert "/second-step" in page.url, "the desk is shut until the second step is done"
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_role("heading", name="Your recovery codes").wait_for()
        codes = re.findall(r"[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}", page.content())
        assert len(codes) == 10 and window.violations() == []
        page.get_by_role("link", name="Go on").click()
        assert window.go("/people").get_by_role("heading", level=1).inner_text() == "People"
        # signed out, the passkey alone opens the desk
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{site.base}/")
        # after a password, the passkey or a code is asked for, and nothing can be put off
        page.get_by_role("button", name="Sign out").click()
        by_password(page)
        assert page.get_by_role("button", name="Not now").count() == 0
        window.shoot("second-step-use")
        page.get_by_role("button", name="Use my passkey").click()
        page.wait_for_url(f"{site.base}/")
        page.get_by_role("button", name="Sign out").click()
        by_password(page)
        for code, where in ((codes[0], "/"), (codes[0], "/second-step")):
            page.get_by_label("Or a recovery code").fill(code.lower())
            page.get_by_role("button", name="Use the code").click()
            page.wait_for_url(f"{site.base}{where}**" if where != "/" else f"{site.base}/")
            if where == "/":
                page.get_by_role("button", name="Sign out").click()
                by_password(page)
        assert "does not fit" in page.get_by_role("alert").inner_text(), "a code works once"
        # a device that does not know its holder opens nothing
        session.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        page.get_by_role("button", name="Use my passkey").click()
        page.get_by_text("That did not work").wait_for()
        assert [p for p in window.problems if "422" not in p] == []
    with unguarded("look"):
        kept = Passkey.objects.get()
        assert kept.used_at is not None and kept.sign_count > 0
        verbs = set(Audit.objects.values_list("verb", flat=True))
    assert {"identity.passkey_added", "identity.recovery_codes_made", "identity.recovery_code_used"} <= verbs


def test_the_pages_hold_on_every_screen(site: Site, cast: Cast) -> None:
    let_in(cast.tenant)
    check_everywhere(site, desk(cast.tenant, "administrator"), "/my-apps")
    check_everywhere(site, None, "/family/at/sevenhills", "family-sign-in")
    check_everywhere(site, guardian(cast.tenant, cast.cleo.id), "/family")
