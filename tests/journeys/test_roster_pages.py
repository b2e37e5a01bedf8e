"""The shell, sign-in and the roster's pages in a browser."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page

from rollbook.identity import add_membership, create_account
from rollbook.kernel import jobs
from rollbook.policy import unguarded
from rollbook.roster.actions import identity
from rollbook.roster.connectors.generate import generate_oneroster
from rollbook.roster.models import Sync, Tenant
from tests.cast import Cast
from tests.journeys.look import PATIENCE, Site, check_everywhere
from tests.staff import desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PASSWORD = "chalk ledger margin"


def test_sign_in_looks_right_and_says_what_was_wrong(site: Site, cast: Cast) -> None:
    check_everywhere(site, None, "/sign-in", "sign-in")
    with site.window() as window:
        page = window.go("/sign-in")
        page.get_by_label("Email").fill("nobody@sevenhills.example")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("alert").wait_for()
        assert page.locator("#email").input_value() == "nobody@sevenhills.example"
        assert window.violations() == []


@pytest.mark.parametrize(
    "path",
    [
        "/people",
        "/people?q=nobody+at+all",
        "/classes",
        "/sync",
        "/sync/settings",
        "/me",
        "/staff",
        "/people/new",
        "/nowhere",
    ],
)
def test_pages_of_the_administrator(site: Site, cast: Cast, path: str) -> None:
    client = desk(cast.tenant, "administrator")
    if path == "/nowhere":
        with site.window(client) as window:
            assert window.go(path).get_by_role("heading", level=1).is_visible()
            assert window.violations() == []
        return
    check_everywhere(site, client, path)


def test_pages_of_one_person_one_class_and_a_merge(site: Site, cast: Cast) -> None:
    client = desk(cast.tenant, "administrator")
    client.get(f"/people/{cast.ada.id}")  # so that somebody has looked
    check_everywhere(site, client, f"/people/{cast.ada.id}", "person")
    check_everywhere(site, client, f"/classes/{cast.kestrels.id}", "class")
    check_everywhere(site, client, f"/people/{cast.ada.id}/merge?other={cast.ivo.id}", "merge")
    from rollbook.policy import Actor

    identity.merge(
        cast.tenant, cast.ada.id, cast.ivo.id, Actor("staff", "administrator", 1, "Hana"), "same child"
    )
    check_everywhere(site, client, f"/people/{cast.ada.id}", "person-merged")


def test_pages_of_the_other_roles(site: Site, cast: Cast) -> None:
    check_everywhere(
        site, desk(cast.tenant, "teacher", person_id=cast.ben.id), f"/people/{cast.ada.id}", "person-teacher"
    )
    check_everywhere(site, desk(cast.tenant, "dpo", "Femi Inkwell"), f"/people/{cast.ada.id}", "person-dpo")
    with site.window(desk(cast.tenant, "head", org_id=cast.school.id)) as window:
        page = window.go("/sync")
        assert "This page is for the administrator" in page.locator("main").inner_text()
        assert window.violations() == []


def export(folder: Path, removed: float = 0.0) -> Path:
    generate_oneroster(folder / "all.zip", students=60, schools=2, seed=3, removed=removed)
    return folder / "all.zip"


def work(page: Page) -> None:
    """Be the worker, once. A click may return before the server has taken the form, so the job may be a moment away."""
    for _ in range(PATIENCE // 50):
        if jobs.run_one():
            return
        page.wait_for_timeout(50)
    raise AssertionError("no job came")


def test_a_sync_from_upload_to_undo(site: Site, cast: Cast, tmp_path: Path) -> None:
    """Upload, look at the plan, apply it, see it held the next time, discard, undo; each page is looked at."""
    tenant = Tenant.objects.create(
        slug="fresh", name="Fresh Trust", kind="trust", region="GB", created_at=cast.tenant.created_at
    )
    client = desk(tenant, "administrator")
    first, second = export(tmp_path / "a"), export(tmp_path / "b", removed=0.3)
    broken = io.BytesIO(second.read_bytes())
    with zipfile.ZipFile(broken) as zipped:
        files = {n: zipped.read(n) for n in zipped.namelist()}
    head, row, *rest = files["enrollments.csv"].decode("utf-8-sig").splitlines()
    files["enrollments.csv"] = "\n".join(
        [head, row.replace("student", "wizard").replace("teacher", "wizard"), *rest]
    ).encode()
    with zipfile.ZipFile(second, "w") as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    check_everywhere(site, client, "/sync", "sync-empty")
    with site.window(client) as window:
        page = window.go("/sync")
        page.get_by_label("Zip file").set_input_files(first)
        page.get_by_role("button", name="Read it").click()
        page.wait_for_url("**/sync/new*")
        assert window.violations() == []
        work(page)
        page.wait_for_url(lambda url: "/sync/new" not in url)  # htmx leads on by itself
        page.get_by_role("button", name="Apply it").click()
        page.get_by_label("Waiting for its turn").wait_for()
        work(page)
        page.wait_for_selector("text=All well")
        check_everywhere(site, client, page.url.removeprefix(site.base), "sync-applied")
        page.goto(site.base + "/sync")
        page.get_by_label("Zip file").set_input_files(second)
        page.get_by_role("button", name="Read it").click()
        work(page)
        page.wait_for_selector("text=This is a mistake: discard")
        check_everywhere(site, client, page.url.removeprefix(site.base), "sync-held")
        page.get_by_role("button", name="This is a mistake: discard").click()
        page.wait_for_selector("text=Discarded")
        page.goto(site.base + "/sync")
        page.locator("tbody a").nth(1).click()
        page.get_by_role("button", name="Undo this sync").click()
        work(page)
        page.wait_for_selector(".tag:has-text('Undone')")
        assert window.problems == []
    with unguarded("look"):
        assert list(Sync.objects.filter(tenant=tenant).order_by("id").values_list("state", flat=True)) == [
            "undone",
            "discarded",
        ]


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_by_keyboard_alone_from_sign_in_to_one_person(site: Site, cast: Cast, script: bool) -> None:
    account = create_account("hana@sevenhills.example", "Hana Larkspur", PASSWORD)
    add_membership(account, cast.tenant, "administrator")
    with site.window(script=script) as window:
        page = window.go("/people")
        assert "/sign-in?next=" in page.url
        keys = page.keyboard

        def tab_to(label: str) -> None:
            for _ in range(40):
                keys.press("Tab")
                if label in page.evaluate(
                    "(e => `${e.name ?? ''} ${e.innerText ?? ''}`)(document.activeElement)"
                ):
                    return
            raise AssertionError(f"nobody gets to {label!r} by the tab key")

        tab_to("email")
        keys.type("hana@sevenhills.example")
        tab_to("password")
        keys.type(PASSWORD)
        keys.press("Enter")
        page.wait_for_url("**/second-step?next=/people")
        tab_to("Not now")
        keys.press("Enter")
        page.wait_for_url(f"{site.base}/people")
        tab_to("q")
        keys.type("ada")
        keys.press("Enter")
        page.wait_for_url("**/people?q=ada*")
        tab_to("Ada Riverstone")
        keys.press("Enter")
        page.wait_for_url(f"**/people/{cast.ada.id}")
        assert page.get_by_role("heading", level=1).inner_text() == "Ada Riverstone"
        assert window.problems == []


def test_the_skip_link_is_first_and_focus_is_seen(site: Site, cast: Cast) -> None:
    with site.window(desk(cast.tenant, "administrator")) as window:
        page = window.go("/people")
        page.keyboard.press("Tab")
        assert page.locator("*:focus").inner_text() == "Skip to content"
        assert page.locator("*:focus").evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#main"
