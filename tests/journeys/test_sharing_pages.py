"""The pages about apps, the home pages and the audit in a browser."""

from __future__ import annotations

from typing import Any

import pytest

from rollbook.kernel import clock
from rollbook.policy import disclose, note_gap, unguarded
from rollbook.roster.models import Person
from rollbook.sharing import ask_field, create_app, share, stop
from rollbook.sharing.actions import NewApp
from rollbook.sharing.actions.webhooks import add_webhook
from rollbook.sharing.models import Delivery
from rollbook.sharing.queries import grant_for
from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.staff import desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]
GREET = {"field": "users.givenName", "reason": "To greet the child"}


@pytest.fixture
def shared(cast: Cast, numberyard: NewApp) -> NewApp:  # noqa: F811  # a fixture by its name
    """Numberyard with two rules behind it, a request, and something that it read."""
    share(numberyard.app, {"people": "all", "fields": "all"})
    share(numberyard.app, {"people": {"classes": ["KES"], "grades": ["02"]}, "fields": [GREET]})
    ask_field(numberyard.app, "demographics.birthDate", "to choose questions by age.")
    hook, _ = add_webhook(numberyard.app, "https://numberyard.example/told/of/events", None)
    with unguarded("set-up"):
        for state, status in (("delivered", 200), ("waiting", 503), ("given up", 0)):
            Delivery.objects.create(
                tenant=cast.tenant, app=numberyard.app, webhook=hook, after_step=1, upto_step=2, state=state, status=status,
                counts={"users.created": 3, "sections.updated": 12}, attempts=2, created_at=clock.now(),
                next_at=clock.now() if state == "waiting" else None, error="" if status == 200 else "It answered 503.",
            )  # fmt: skip
    grant = grant_for(numberyard.app.id)
    disclose(
        grant.access,
        "oneroster:getAllUsers",
        [(Person, "given_name")],
        [cast.ada.id],
        authorised_by=grant.rule_id,
    )
    return numberyard


@pytest.mark.parametrize(
    "path",
    [
        "/apps", "/apps/new", "/apps/numberyard", "/apps/numberyard/rule", "/apps/numberyard/history", "/apps/numberyard/events",
        "/apps/numberyard/agreement", "/apps/numberyard/secret", "/apps/numberyard/stop", "/apps/numberyard/try?q=riverstone",
    ],
)  # fmt: skip
def test_pages_about_an_app(site: Site, cast: Cast, shared: NewApp, path: str) -> None:
    create_app(cast.tenant, "Paint Tray")
    check_everywhere(site, desk(cast.tenant, "administrator"), path)


def test_one_pupil_as_an_app_sees_them_and_one_whom_it_does_not(
    site: Site, cast: Cast, shared: NewApp
) -> None:
    client = desk(cast.tenant, "administrator")
    check_everywhere(site, client, f"/apps/numberyard/try?person={cast.ada.id}", "try-seen")
    check_everywhere(site, client, f"/apps/numberyard/try?person={cast.ivo.id}", "try-unseen")


def test_an_app_that_gets_nothing(site: Site, cast: Cast, shared: NewApp) -> None:
    client = desk(cast.tenant, "administrator")
    create_app(cast.tenant, "Paint Tray")
    check_everywhere(site, client, "/apps/paint-tray", "app-without-agreement")
    check_everywhere(site, client, "/apps/paint-tray/rule", "rule-without-agreement")
    stop(shared.app)
    check_everywhere(site, client, "/apps/numberyard", "app-stopped")


def test_home_and_audit(site: Site, cast: Cast, shared: NewApp) -> None:
    note_gap(cast.tenant.id, "A head asked for phone numbers.", "Nobody has decided that.")
    client = desk(cast.tenant, "dpo", "Femi Inkwell")
    check_everywhere(site, client, "/", "home-dpo")
    check_everywhere(site, client, "/audit")
    check_everywhere(site, client, f"/audit?person={cast.ada.id}", "audit-person")
    check_everywhere(site, client, "/audit?about=riverstone&kind=look", "audit-search")
    with site.window(client) as window:
        assert "That is not a date." in window.go("/audit?since=soon").get_by_role("alert").inner_text()
        assert window.violations() == []
    check_everywhere(site, desk(cast.tenant, "teacher", person_id=cast.ben.id), "/", "home-teacher")
    check_everywhere(site, desk(cast.tenant, "head", org_id=cast.school.id), "/", "home-head")


@pytest.mark.commitment("CLEV-2.22", "CLEV-4.2")
@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_from_a_new_app_to_sharing_to_stopping(site: Site, cast: Cast, script: bool) -> None:
    with site.window(desk(cast.tenant, "administrator"), script=script) as window:
        page = window.go("/apps")
        page.get_by_role("link", name="Add an app").click()
        for label, value in (
            ("Name of the app", "Starling"), ("Who makes it", "Nest"), ("So that they can …", "sing"),
            ("Address of its privacy policy", "https://nest.example/p"), ("Whom to write to about data", "a@nest.example"),
        ):  # fmt: skip
            page.get_by_label(label).fill(value)
        page.get_by_role("button", name="Add the app").click()
        page.get_by_text("Client secret").wait_for()
        assert window.violations() == [] if script else True
        page.get_by_role("link", name="Record the agreement").click()
        page.get_by_role("button", name="Record the agreement").click()
        page.get_by_role("alert").filter(has_text="things to put right").wait_for()
        page.get_by_label("Learn with an app the school chose").check()
        page.get_by_label("Where is it kept?").select_option("GB")
        page.get_by_label("I have read Starling’s privacy policy.").check()
        page.get_by_role("button", name="Record the agreement").click()
        page.wait_for_url("**/apps/starling/rule")
        page.get_by_label("Only these people").check()
        page.locator("summary", has_text="Classes").click()
        page.get_by_label("Kestrels").check()
        page.get_by_label("First name", exact=True).check()
        if script:
            page.wait_for_selector("#preview >> text=Adds 2 people")
        page.get_by_role("button", name="Check what this changes").click()
        page.get_by_role("alert").filter(has_text="First name has no reason").wait_for()
        page.get_by_label("Why: First name").fill("To sing with the child")
        page.get_by_role("button", name="Check what this changes").click()
        save = page.get_by_role("button", name="Save, from the next request on")
        save.wait_for()
        assert "Adds 2 people: 1 pupil and 1 member of staff." in page.locator("main").inner_text()
        save.click()
        page.wait_for_url("**/apps/starling?done=shared")
        assert (
            "Starling gets 3 details about 1 pupil and 1 member of staff" in page.locator("main").inner_text()
        )
        page.get_by_role("link", name="Stop sharing with Starling").click()
        page.get_by_role("button", name="Stop sharing with Starling").click()
        page.wait_for_url("**/apps/starling?done=stopped")
        page.get_by_role("link", name="Earlier rules").click()
        page.get_by_role("link", name="Starling", exact=True).click()
        assert [p for p in window.problems if "422" not in p] == [], (
            "the browser itself notes a form that came back"
        )


def test_the_form_says_what_it_would_change_while_it_is_filled_in(
    site: Site, cast: Cast, shared: NewApp
) -> None:
    with site.window(desk(cast.tenant, "administrator")) as window:
        page = window.go("/apps/numberyard/rule")
        reason: Any = page.get_by_label("Why: Email")
        assert not reason.is_visible()
        page.get_by_label("Email", exact=True).check()
        reason.wait_for()
        page.wait_for_selector("#preview >> text=Email: Numberyard newly gets it, of 2 people.")
        assert window.violations() == [] and window.problems == []
