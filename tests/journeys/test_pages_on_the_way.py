"""Pages that one sees for a moment, on the way to somewhere else, hold on every screen too."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client

from rollbook.identity.actions import SessionStore, add_membership, begin, create_account, give_code, set_idp
from rollbook.identity.queries import who_is
from rollbook.kernel import clock
from rollbook.policy import Actor
from rollbook.sharing.actions import agree, create_app, share
from rollbook.sharing.actions.sign_on import set_sign_on
from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere, check_here
from tests.staff import desk, guardian, let_in, pupil, token_of

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor("staff", "administrator", 1, "Hana Larkspur")


def test_the_page_that_posts_to_an_app(site: Site, cast: Cast) -> None:
    let_in(cast.tenant)
    made = create_app(cast.tenant, "Numberyard", privacy_url="https://app.example/privacy").app
    agree(made, purpose="learning-app", region="GB", retention_days=30, contact="x@app.example", read_policy=True,
          ends_on=clock.today() + timedelta(days=90))  # fmt: skip
    share(made, {"people": "all", "fields": [{"field": "users.givenName", "reason": "to greet the child"}]})
    set_sign_on(made, protocol="saml", redirect_uris=["https://app.example/acs"], launch_url="https://app.example/",
                details={"entity_id": "https://app.example/saml"})  # fmt: skip
    with site.window(pupil(cast.tenant, cast.ada.id)) as window:
        # The script that posts at once is left out, as in a browser without it.
        window.page.route(
            "**/onward*.js", lambda route: route.fulfill(body="", content_type="text/javascript")
        )
        window.go("/launch/numberyard")
        assert window.page.get_by_role("button", name="Go on to Numberyard").is_visible()
        check_here(window, "/launch/numberyard", "onward-post")


def test_the_pictures_after_the_number(site: Site, cast: Cast) -> None:
    let_in(cast.tenant)
    token_of(cast.tenant, cast.ada.id)
    code = give_code(cast.tenant, cast.ada.id, BY)
    with site.window() as window:
        page = window.go("/picture")
        page.get_by_label("Your number").fill(code.number)
        page.get_by_role("button", name="Go").click()
        page.get_by_text("Tap your four pictures.").wait_for()
        page.get_by_role("button", name=code.pictures[0], exact=True).click()
        page.get_by_role("button", name="Back").wait_for()
        check_here(window, "/picture", "picture-taps")


def test_troubleshooting_and_a_family(site: Site, cast: Cast) -> None:
    let_in(cast.tenant)
    token_of(cast.tenant, cast.ada.id)
    check_everywhere(
        site, desk(cast.tenant, "administrator"), f"/people/{cast.ada.id}/troubleshoot", name="troubleshoot"
    )
    check_everywhere(site, guardian(cast.tenant, cast.cleo.id), "/family", name="family-plain")


def test_the_second_step(site: Site, cast: Cast) -> None:
    account = create_account("hana@sevenhills.example", "Hana Larkspur")
    who = who_is(account.id, add_membership(account, cast.tenant, "administrator"))
    assert who is not None
    session = SessionStore()
    begin(session, who, "the tests", "password")
    half = Client()
    half.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    check_everywhere(site, half, "/second-step?next=/apps", name="second-step")


def test_a_refusal_of_the_schools_own_provider(site: Site, cast: Cast) -> None:
    set_idp(cast.tenant, name="Sevenhills", issuer="https://idp.example", client_id="c", client_secret="s")
    with site.window() as window:
        window.go("/sign-in/with/sevenhills/back?state=made-up&code=x")
        window.problems.clear()  # the browser notes the refusal itself
        check_here(window, "/sign-in/with/sevenhills/back", "idp-refused")


def test_the_sheet_of_badges(site: Site, cast: Cast) -> None:
    let_in(cast.tenant)
    token_of(cast.tenant, cast.ada.id)
    with site.window(desk(cast.tenant, "administrator")) as window:
        page = window.go(f"/classes/{cast.kestrels.id}/badges")
        page.get_by_role("button", name="Print").click()
        page.get_by_text("Print this page on A4").wait_for()
        check_here(window, "the sheet", "sheet")
