"""What is kept of the accounts in a school's directory: nothing without one, and with one only what an account is."""

from __future__ import annotations

import pytest

from rollbook.policy import unguarded
from rollbook.sharing.models import Holding
from tests.cast import Cast
from tests.sharing.directories.conftest import ScimHallkeys
from tests.sharing.directories.conftest import scim as scim
from tests.sharing.directories.conftest import scim_server as scim_server

# Account fields; where the account stands (org unit); what we know it by there. Groups have a name and members.
OF_AN_ACCOUNT = {
    "username", "base", "external", "given", "family", "display", "email", "role", "school", "grade", "state", "unit", "left",
}  # fmt: skip
OF_A_GROUP = {"name", "base", "members"}


@pytest.mark.commitment("CLEV-1.16")
def test_only_account_fields_units_and_memberships_are_held_and_nothing_without_a_directory(
    scim: ScimHallkeys, cast: Cast
) -> None:
    with unguarded("look"):
        assert not Holding.objects.exists()
    scim.share({"people": "all", "fields": "all"})
    scim.plan()
    with unguarded("look"):
        assert not Holding.objects.exists()  # a plan reads nothing from there and keeps nothing
    scim.run()
    with unguarded("look"):
        kept = list(Holding.objects.values_list("kind", "record"))
    assert {kind for kind, _ in kept} <= {"user", "group", "unit"}
    for kind, record in kept:
        assert set(record) <= {"user": OF_AN_ACCOUNT, "group": OF_A_GROUP, "unit": {"path"}}[kind]
