"""The provider's own staff see a school's data only while the school has asked them in: with a reason, until a date."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from rollbook.identity import find_account
from rollbook.identity.models import Membership
from rollbook.kernel import clock
from rollbook.policy import Audit, unguarded
from tests.cast import Cast
from tests.staff import desk

DOORS = (
    "/people",
    "/people/{ada}",
    "/people/{ada}/edit",
    "/classes/{kestrels}",
    "/sync",
    "/apps",
    "/audit",
    "/audit.csv",
)


def seen(client: Client, cast: Cast) -> set[int]:
    """The answers of every door to the school's data; none may hold Ada's name when it is not for this reader."""
    codes = set()
    for door in DOORS:
        answer = client.get(door.format(ada=cast.ada.id, kestrels=cast.kestrels.id))
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]  # only a streamed answer has it
        assert answer.status_code == 200 or b"Riverstone" not in body
        if "{" in door or answer.status_code != 200:
            codes.add(answer.status_code)
        elif b"Riverstone" in body:
            codes.add(200)
    return codes


@pytest.mark.commitment("CLEV-1.21")
def test_provider_staff_see_a_school_only_while_it_asks_them_to(cast: Cast) -> None:
    # Pia works for the provider: an account with a place in the provider's own tenant, and none here.
    pia = desk(cast.other, "administrator", "Pia Provider")
    account = find_account("pia.administrator@otherside.example")
    assert 200 not in seen(pia, cast), "no request of the school: nothing of it is there"

    hana = desk(cast.tenant, "administrator")
    asked = {"do": "give", "email": account.email, "name": account.name, "as": "administrator"}
    assert hana.post("/staff", {**asked, "reason": " "}).status_code == 422, "a request says what it is for"
    assert hana.post("/staff", {**asked, "reason": "ticket 12: two pupils came twice"}).status_code == 302
    with unguarded("look"):
        place = Membership.objects.get(account=account, tenant=cast.tenant)
        said = Audit.objects.get(
            verb="identity.role_given", object_id=place.account_id, tenant_id=cast.tenant.id
        )
    assert "ticket 12" in place.reason and place.expires_at > clock.now()
    assert (said.actor, said.details["reason"]) == ("Hana Larkspur", place.reason)
    pia.post("/tenant", {"place": place.id})
    assert seen(pia, cast) == {200}

    with unguarded("the day it ends"):
        Membership.objects.filter(id=place.id).update(expires_at=clock.now() - timedelta(seconds=1))
    assert 200 not in seen(pia, cast), "the request is over"
