"""The pages on which an administrator says how people sign in, here and at an app, in a browser."""

from __future__ import annotations

import shutil

import pytest

from rollbook.identity import set_idp
from tests.cast import Cast
from tests.identity.idp.test_saml_idp import DETAILS, ISSUER
from tests.journeys.look import Site, check_everywhere
from tests.sharing.scim.conftest import Hallkeys, counts, directory  # noqa: F401  # fixtures
from tests.sharing.sign_on.conftest import Yard, numberyard, yard  # noqa: F401  # fixtures
from tests.staff import desk

pytestmark = [
    pytest.mark.browser, pytest.mark.slow,
    pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not here: SAML signs with it"),
]  # fmt: skip


def test_the_schools_own_sign_in(site: Site, cast: Cast) -> None:
    client = desk(cast.tenant, "administrator")
    check_everywhere(site, client, "/sign-in-rules/provider", "provider-none")
    set_idp(cast.tenant, name="Sevenhills", issuer=ISSUER, protocol="saml", details=DETAILS)
    check_everywhere(site, client, "/sign-in-rules/provider", "provider")


def test_signing_in_to_an_app(site: Site, yard: Yard) -> None:  # noqa: F811  # a fixture by its name
    client = desk(yard.cast.tenant, "administrator")
    check_everywhere(site, client, "/apps/numberyard/sign-on", "sign-on")
    client = desk(yard.cast.tenant, "dpo", "Femi Ashdown")
    check_everywhere(site, client, "/apps/numberyard/sign-on", "sign-on-officer")


def test_a_directory_that_names_staff(site: Site, directory: Hallkeys, cast: Cast) -> None:  # noqa: F811  # a fixture by its name
    client = desk(cast.tenant, "administrator")
    check_everywhere(site, client, "/apps/hallkeys/sign-on", "sign-on-directory")


def test_a_wrong_address_is_said_in_a_browser_without_javascript(site: Site, cast: Cast) -> None:
    with site.window(desk(cast.tenant, "administrator"), script=False) as window:
        page = window.page
        window.go("/sign-in-rules/provider")
        page.get_by_label("What people know it as").fill("Sevenhills")
        page.get_by_label("OpenID Connect: its address").fill("http://idp.example")
        page.get_by_role("button", name="Save").click()
        assert (
            page.get_by_role("alert").get_by_role("heading").inner_text()
            == "http://idp.example is not a safe web address."
        )
        page.get_by_role("link", name="Go there").click()
        assert page.url.endswith("#issuer")
