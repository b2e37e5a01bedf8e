"""The results of a class in a browser: how it looks, and that work opens without a script."""

from __future__ import annotations

import pytest

from rollbook.kernel import clock
from rollbook.learning import Item, Score, add_line_item, take_score
from rollbook.policy import Actor
from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere
from tests.staff import desk, guardian, let_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]
YARD, TRAY = Actor("app", "app", 11, "Numberyard"), Actor("app", "app", 12, "Paint Tray")


def test_results_of_a_class_look_right_and_open_without_a_script(site: Site, cast: Cast) -> None:
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    path, tenant = f"/classes/{cast.kestrels.id}/results", cast.tenant.id
    check_everywhere(site, ben, path, "results-none")
    for app, title in ((YARD, "Halves"), (YARD, "Number lines"), (TRAY, "A blue sky")):
        item = add_line_item(app, tenant, cast.kestrels.id, Item(title, 20.0, due=clock.now()))
        said = Score(
            clock.now(), "Completed", "FullyGraded", 7.0, 10.0, "Nearly there. Look again at the last line."
        )
        take_score(app, tenant, item.id, cast.ada.id, said)
    check_everywhere(site, ben, path, "results")
    check_everywhere(site, ben, f"/classes/{cast.kestrels.id}", "class-with-results")
    let_in(cast.tenant)
    cleo = guardian(cast.tenant, cast.cleo.id)
    check_everywhere(site, cleo, "/family/results", "family-results")
    check_everywhere(site, cleo, "/family", "family-with-results")
    with site.window(ben, script=False) as window:
        page = window.go(path)
        assert page.get_by_text("14 of 20").count() == 3
        older = page.locator("summary", has_text="Halves")
        older.focus()
        page.keyboard.press("Enter")
        assert page.locator("details[open]", has_text="Halves").is_visible()
