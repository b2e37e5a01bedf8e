"""The pages about directories in a browser."""

from __future__ import annotations

import pytest

from tests.cast import Cast
from tests.journeys.look import Site, check_everywhere
from tests.sharing.directories.conftest import ScimHallkeys, change, scim, scim_server  # noqa: F401  # a destination
from tests.staff import desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_directories_and_a_plan(site: Site, cast: Cast, scim: ScimHallkeys) -> None:  # noqa: F811  # a fixture by its name
    client = desk(cast.tenant, "administrator")
    scim.share().run()
    change(cast.ada, family_name="Brook")
    made = scim.plan()
    for path in ("/directories", "/directories/new", "/directories/hallkeys"):
        check_everywhere(site, client, path)
    check_everywhere(site, client, f"/directories/hallkeys/plans/{made.id}", "directory-plan")
