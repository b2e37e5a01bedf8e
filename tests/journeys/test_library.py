"""A teacher adds an app from the library in a browser, with the keyboard and without script, and undoes it; the pages
hold on every screen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollbook.kernel import clock
from rollbook.sharing.actions import agree, create_app
from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere
from tests.staff import desk, guardian, let_in, pupil

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_teacher_adds_an_app_and_undoes_it(site: Site, cast: Cast) -> None:
    let_in(cast.tenant)
    for name in ("Wordyard", "Sumyard"):
        made = create_app(cast.tenant, name, vendor="Duckpond", about="practise words").app
        agree(made, purpose="learning-app", region="GB", retention_days=30, contact="x@app.example", read_policy=True,
              ends_on=clock.today() + timedelta(days=90))  # fmt: skip
    create_app(cast.tenant, "Nothing Yet")
    admin = desk(cast.tenant, "administrator")
    with site.window(admin, script=False) as window:
        page = window.go("/library")
        page.get_by_label("Teachers may add apps").check()
        for name in ("Wordyard", "Sumyard"):
            page.get_by_label(name).check()
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Saved. It holds").wait_for()
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    check_everywhere(site, ben, "/my-apps/library/wordyard", name="library-add")
    with site.window(ben, script=False) as window:
        page = window.go("/my-apps")
        page.get_by_role("link", name="See what it gets (Wordyard)").click()
        assert page.get_by_text("First letter of the last name").first.is_visible()
        page.get_by_role("button", name="Add to Kestrels").focus()
        page.keyboard.press("Enter")
        page.get_by_text("Wordyard is added to").wait_for()
        page.get_by_role("button", name="Undo").click()
        page.get_by_text("Taken away.").wait_for()
        page.get_by_role("link", name="See what it gets (Wordyard)").click()
        page.get_by_role("button", name="Add to Kestrels").click()
    for who, path, name in (
        (admin, "/library", "library"), (admin, "/apps/wordyard", "app-in-library"), (ben, "/my-apps", "my-apps"),
        (pupil(cast.tenant, cast.ada.id), "/books/seen", "seen"), (guardian(cast.tenant, cast.cleo.id), "/family", "family"),
    ):  # fmt: skip
        check_everywhere(site, who, path, name=name)
