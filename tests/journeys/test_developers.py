"""A developer's way in a browser: sign up, the sandbox, the first request, asking a school, the reference."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail

from rollbook.kernel.jobs import run_one
from rollbook.sharing.actions import NewApp
from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.sharing.developers.conftest import Developer, dana, filled  # noqa: F401  # a developer
from tests.staff import desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def work() -> None:
    while run_one():
        pass


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_five_minutes_from_an_email_to_an_answer(site: Site, cast: Cast, settings: Any, script: bool) -> None:
    settings.ROLLBOOK_DEVELOPERS = True
    with site.window(script=script) as window:
        page = window.go("/developers")
        page.get_by_role("link", name="Sign up by email").click()
        page.get_by_label("Email").fill(f"dana-{cast.tenant.id}@duckpond.example")
        page.keyboard.press("Enter")
        page.get_by_text("Look into your mail.").wait_for()
        work()
        link = re.findall(r"/developers/link/[\w=-]+", str(mail.outbox[-1].body))[0]
        page = window.go(link)
        page.get_by_label("Your name, or your company’s").fill("Duckpond Learning")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Your sandbox").wait_for()
        work()
        window.go("/developers")
        assert page.get_by_text("120 invented pupils").is_visible()
        page.get_by_role("link", name="Add an app").click()
        page.get_by_label("Name of the app").fill("Pondmaths")
        page.get_by_label("So that they can").fill("practise maths")
        page.get_by_role("button", name="Make the keys").click()
        page.get_by_role("heading", name="Pondmaths has its keys").wait_for()
        assert '"givenName"' in page.get_by_role("region", name="The body of the answer").inner_text()
        copy = page.get_by_role("button", name="Copy the request with curl")
        assert copy.is_visible() == script
        assert not window.problems and not (script and window.violations())  # axe itself is a script
        window.shoot(f"keys-{script}")
        page.get_by_label("Ask for").select_option(label="Clever /v3.1/sections")
        page.get_by_role("button", name="Try it").click()
        page.get_by_text('"section_number"').wait_for()
        assert not page.get_by_text("Client secret").is_visible()


def test_the_pages_of_a_developer(site: Site, filled: Developer, settings: Any) -> None:  # noqa: F811  # a fixture by its name
    settings.ROLLBOOK_DEVELOPERS = True
    app, _, _ = filled.add()
    check_everywhere(site, None, "/developers/sign-up")
    check_everywhere(site, None, "/developers", "developers-outside")
    for path in (
        "/developers",
        "/developers/apps/new",
        f"/developers/apps/{app.slug}",
        f"/developers/apps/{app.slug}/schools",
        "/apps",
    ):
        check_everywhere(site, filled.client, path, f"developer{path.replace('/', '-')}")


def test_the_reference(site: Site, cast: Cast) -> None:
    for path in (
        "/developers/reference",
        "/developers/reference/oneroster",
        "/developers/reference/clever-v3.1",
    ):
        check_everywhere(site, None, path)


def test_asking_a_school(site: Site, cast: Cast, dana: Developer, numberyard: NewApp) -> None:  # noqa: F811  # a fixture by its name
    listing, _, _ = dana.add()
    admin = desk(cast.tenant, "administrator")
    admin.post("/apps/numberyard/maker", {"listing": listing.client_id})
    door = f"/developers/apps/{listing.slug}/schools/{numberyard.app.id}"
    check_everywhere(site, dana.client, door, "asking")
    check_everywhere(site, admin, "/apps/numberyard/maker", "maker")
    with site.window(dana.client, width=390) as window:
        page = window.go(door)
        page.get_by_label("Date of birth", exact=True).check()
        page.get_by_label("Why: Date of birth").fill("To choose questions by age")
        page.get_by_role("button", name="See it as a parent will").click()
        page.get_by_role("heading", name="As a parent will read it").wait_for()
        assert not window.violations() and not window.scrolls_sideways()
        window.shoot("asking-label-390")
        page.get_by_role("button", name="Send to Sevenhills Trust").click()
        page.get_by_text("No answer yet").wait_for()
        assert not window.violations() and not window.problems
