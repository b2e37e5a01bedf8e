"""The register of what was handed over by hand, in a browser."""

from __future__ import annotations

import pytest

from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere
from tests.roster.pages.test_handed_over import form, kept
from tests.staff import desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_register_an_entry_and_the_form(site: Site, cast: Cast) -> None:
    officer = desk(cast.tenant, "dpo", "Femi Inkwell")
    check_everywhere(site, officer, "/disclosures", "disclosures-empty")
    officer.post("/disclosures/new", form(cast))
    (entry,) = kept()
    check_everywhere(site, officer, "/disclosures")
    check_everywhere(site, officer, f"/disclosures/{entry.id}", "disclosure")
    check_everywhere(site, officer, f"/disclosures/new?corrects={entry.id}", "disclosure-new")
    check_everywhere(site, officer, f"/people/{cast.ada.id}", "person-with-disclosure")


def test_it_is_written_down_without_a_script(site: Site, cast: Cast) -> None:
    with site.window(desk(cast.tenant, "dpo", "Femi Inkwell"), script=False) as window:
        page = window.go("/disclosures/new")
        page.get_by_label("A name, first or last").fill("riverstone")
        page.get_by_role("button", name="Find").click()
        page.get_by_label("Ada Riverstone").check()
        page.locator('[name="columns"]').first.check()
        page.get_by_label("Who receives it?").fill("Sergeant Moss")
        page.get_by_label("A statute or regulation requires it").check()
        page.get_by_label("The provision: act or regulation").fill("Act, section 1")
        page.get_by_label("Who approved it?").fill("Ida Head")
        page.get_by_label("Yes").check()
        page.get_by_role("button", name="Write it down for good").click()
        assert "It is written down." in page.content()
        assert window.problems == []
    (entry,) = kept()
    assert entry.ground == "statute"
