"""What apps must delete, on the pages that say so, in a browser."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollbook.kernel import clock
from rollbook.sharing.actions import NewApp, stop
from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.sharing.test_duties import holding, work  # noqa: F401  # the app, and what it has read
from tests.staff import desk, guardian, let_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_pages_of_the_school_and_the_family(site: Site, cast: Cast, holding: NewApp) -> None:  # noqa: F811  # a fixture by its name
    stop(holding.app, because="enough")
    work()
    with clock.at(clock.now() + timedelta(days=91)):
        work()
    office = desk(cast.tenant, "administrator")
    check_everywhere(site, office, "/apps/numberyard", "app-that-owes")
    check_everywhere(site, office, "/", "home-with-duties")
    check_everywhere(site, office, "/inventory")
    check_everywhere(site, office, f"/people/{cast.ada.id}", "person-with-deletions")
    let_in(cast.tenant)
    check_everywhere(site, guardian(cast.tenant, cast.cleo.id), "/family", "family-with-deletions")
