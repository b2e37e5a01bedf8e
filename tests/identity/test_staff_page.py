"""An administrator gives roles, makes links and ends roles; for their own tenant alone."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from rollbook.identity import add_membership, find_account
from rollbook.identity.models import Membership
from rollbook.policy import Audit, unguarded
from tests.cast import Cast
from tests.staff import desk, plain

PASSWORD = "chalk ledger margin"


def give(client: Client, **more: object) -> int:
    form = {
        "do": "give",
        "email": "new@sevenhills.example",
        "name": "New Colleague",
        "as": "dpo",
        "reason": "covers for Femi",
        **more,
    }
    return client.post("/staff", form).status_code


def role_of(email: str) -> int:
    with unguarded("look"):
        return int(Membership.objects.get(account__email=email).id)


@pytest.mark.commitment("CLEV-3.6")
def test_a_role_is_given_with_a_reason_and_a_link_sets_the_password(cast: Cast) -> None:
    hana = desk(cast.tenant, "administrator")
    assert give(hana, reason=" ") == 422
    assert give(hana) == 302
    page = plain(hana.get("/staff"))
    assert "New Colleague" in page and "covers for Femi" in page and "No password yet" in page
    made = plain(hana.post("/staff", {"do": "link", "role": role_of("new@sevenhills.example")}))
    token = re.findall(r"/reset/([\w-]+)", made)[0]
    fresh = Client()
    assert fresh.post(f"/reset/{token}", {"password": PASSWORD}).status_code == 302
    assert fresh.post("/second-step", {"do": "later"}).status_code == 302
    assert fresh.get("/people").status_code == 200
    assert token not in plain(hana.get("/staff")), "it is shown once"
    assert hana.post("/staff", {"do": "end", "role": role_of("new@sevenhills.example")}).status_code == 302
    assert fresh.get("/people").status_code == 302
    with unguarded("look"):
        said = list(Audit.objects.filter(object="New Colleague").order_by("id").values_list("verb", "actor"))
    assert ("identity.role_given", "Hana Larkspur") in said and (
        "identity.reset_link_made",
        "Hana Larkspur",
    ) in said
    assert ("identity.role_ended", "Hana Larkspur") in said


def test_a_teacher_is_found_by_code_and_a_head_has_a_school(cast: Cast) -> None:
    hana = desk(cast.tenant, "administrator")
    assert (
        give(hana, **{"as": "teacher"})
        == give(hana, **{"as": "teacher", "code": "nobody"})
        == give(hana, **{"as": "head"})
        == 422
    )
    assert give(hana, **{"as": "king"}) == 422
    assert give(hana, **{"as": "teacher", "code": "ben"}) == 302
    assert give(hana, **{"as": "head", "org": cast.school.id}) == 302
    with unguarded("look"):
        found = {
            m.role: (m.person_id, m.org_id)
            for m in Membership.objects.filter(account__email="new@sevenhills.example")
        }
    assert found == {"teacher": (cast.ben.id, None), "head": (None, cast.school.id)}


def test_an_administrator_cannot_take_over_an_account_that_works_elsewhere(cast: Cast) -> None:
    hana, zed = desk(cast.tenant, "administrator"), desk(cast.other, "administrator", "Zed Farmer")
    theirs = "zed.administrator@otherside.example"
    assert hana.post("/staff", {"do": "link", "role": role_of(theirs)}).status_code == 404
    assert hana.post("/staff", {"do": "end", "role": role_of(theirs)}).status_code == 404
    mine = add_membership(find_account(theirs), cast.tenant, "dpo")
    answer = hana.post("/staff", {"do": "link", "role": mine})
    assert answer.status_code == 422 and "/reset/" not in plain(answer)
    assert zed.get("/staff").status_code == 200 and "Hana" not in plain(zed.get("/staff"))


def test_only_an_administrator_opens_the_page_and_the_last_one_stays(cast: Cast) -> None:
    femi = desk(cast.tenant, "dpo", "Femi Inkwell")
    assert femi.get("/staff").status_code == 403 and give(femi) == 403
    assert Client().get("/staff").status_code == 302
    hana = desk(cast.tenant, "administrator")
    answer = hana.post("/staff", {"do": "end", "role": role_of("hana.administrator@sevenhills.example")})
    assert answer.status_code == 422 and "last administrator" in plain(answer)
