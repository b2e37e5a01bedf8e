"""The administrator says on a page which provider the school signs in by, tries it, and stops it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from rollbook.identity.actions import set_idp
from rollbook.identity.queries.idp import idp_of
from rollbook.policy import Audit, unguarded
from tests.cast import Cast
from tests.identity.idp.test_saml_idp import (
    DETAILS,
    GO,
    ISSUER,
    assertion,
    begin,
    metadata,
    post,
    response,
    signed,
    staff,
)
from tests.staff import desk, plain

PAGE = "/sign-in-rules/provider"
OIDC = {
    "do": "save", "protocol": "oidc", "name": "Sevenhills Google", "issuer": "https://idp.puddlebrook.example",
    "client_id": "rollbook", "client_secret": "s" * 40, "match": "email",
}  # fmt: skip


@pytest.fixture
def hana(cast: Cast) -> Client:
    return desk(cast.tenant, "administrator")


def save(client: Client, **changed: Any) -> Any:
    return client.post(PAGE, {**OIDC, **changed}, HTTP_HOST="localhost")


def upload(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("metadata.xml", text.encode(), "text/xml")


def verbs() -> list[str]:
    with unguarded("a test reads the audit"):
        return list(
            Audit.objects.filter(verb__startswith="identity.idp")
            .order_by("id")
            .values_list("verb", flat=True)
        )


def test_the_page_says_what_the_provider_needs_and_keeps_what_is_typed(cast: Cast, hana: Client) -> None:
    page = plain(hana.get(PAGE, HTTP_HOST="localhost"))
    assert f"http://localhost{GO}/back" in page and f"http://localhost{GO}/metadata" in page
    assert save(hana).status_code == 302
    found = idp_of("sevenhills")
    assert (found.protocol, found.issuer, found.secret) == ("oidc", OIDC["issuer"], "s" * 40)
    page = plain(hana.get(PAGE))
    assert "Sevenhills Google" in page and "s" * 40 not in page
    assert save(hana, client_secret="", name="Our Google").status_code == 302
    assert (idp_of("sevenhills").secret, idp_of("sevenhills").name) == ("s" * 40, "Our Google")
    assert verbs() == ["identity.idp_set"] * 2


def test_a_secret_does_not_go_on_to_another_provider(hana: Client) -> None:
    save(hana)
    answer = save(hana, client_secret="", issuer="https://evil.example")
    assert answer.status_code == 422 and "secret is missing" in plain(answer)


@pytest.mark.parametrize(
    ("changed", "says", "where"),
    [
        ({"issuer": "http://idp.example"}, "http:// is not safe", "issuer"),
        ({"issuer": "idp.example"}, "begins with https://", "issuer"),
        ({"issuer": "https://*.example"}, "without *", "issuer"),
        ({"issuer": "https://idp.example/#x"}, "after #", "issuer"),
        ({"issuer": "https://me@idp.example"}, "No user name", "issuer"),
        ({"client_id": ""}, "client id or the secret is missing", "client_id"),
        ({"name": " "}, "name is missing", "name"),
        ({"match": "phone"}, "cannot be found by", "match"),
        ({"protocol": "ldap"}, "No provider speaks", "protocol"),
        ({"protocol": "saml"}, "metadata is missing", "metadata"),
    ],
)
def test_what_cannot_be_used_is_said_where_it_is(
    hana: Client, changed: dict[str, str], says: str, where: str
) -> None:
    answer = save(hana, **changed)
    page = plain(answer)
    assert (
        answer.status_code == 422 and says in page and f'href="#{where}"' in page and f'id="{where}"' in page
    )
    assert verbs() == []


def test_a_saml_provider_is_said_by_its_metadata(hana: Client) -> None:
    assert save(hana, protocol="saml", metadata=upload(metadata())).status_code == 302
    assert (idp_of("sevenhills").issuer, dict(idp_of("sevenhills").details)) == (ISSUER, DETAILS)
    assert save(hana, protocol="saml", name="Other name").status_code == 302, (
        "none chosen keeps what is there"
    )
    assert dict(idp_of("sevenhills").details) == DETAILS
    for wrong in ("<a/>", "no XML", "x" * 600_000):
        assert save(hana, protocol="saml", metadata=upload(wrong)).status_code == 422


def test_a_try_shows_what_it_said_and_signs_nobody_in(cast: Cast, hana: Client) -> None:
    staff(cast)
    set_idp(cast.tenant, name="S", issuer=ISSUER, protocol="saml", details=DETAILS)
    asked = begin(hana, try_it=True)
    page = plain(post(hana, response(asked, signed(assertion(asked)))))
    assert "It named <b>Ben Thistlewick</b> (teacher)" in page and "ben@puddlebrook.example" in page
    assert "Hana Larkspur" in plain(hana.get("/me")), "still the administrator"
    assert verbs() == ["identity.idp_set", "identity.idp_tried"]


def test_whoever_is_no_administrator_here_signs_in_instead_of_trying(cast: Cast) -> None:
    staff(cast)
    set_idp(cast.tenant, name="S", issuer=ISSUER, protocol="saml", details=DETAILS)
    for client in (Client(), desk(cast.other, "administrator", "Otis Quill")):
        asked = begin(client, try_it=True)
        answer = post(client, response(asked, signed(assertion(asked, id=f"_{asked}"))))
        assert answer.status_code == 302
    assert "identity.idp_tried" not in verbs()


def test_stopping_it_signs_out_whoever_came_by_it(cast: Cast, hana: Client) -> None:
    staff(cast)
    set_idp(cast.tenant, name="S", issuer=ISSUER, protocol="saml", details=DETAILS)
    ben = Client()
    asked = begin(ben)
    assert post(ben, response(asked, signed(assertion(asked)))).status_code == 302
    assert ben.get("/me").status_code == 200
    assert hana.post(PAGE, {"do": "stop"}).status_code == 302
    assert ben.get("/me").status_code == 302 and hana.get("/me").status_code == 200
    assert ben.get(GO).status_code == 404
    assert hana.post(PAGE, {"do": "stop"}).status_code == 404, "there is none to stop"


def test_the_page_is_the_administrators_of_this_school(cast: Cast, hana: Client) -> None:
    save(hana)
    assert desk(cast.tenant, "teacher", "Ben T", person_id=cast.ben.id).get(PAGE).status_code == 403
    assert desk(cast.tenant, "dpo", "Femi Ashdown").post(PAGE, OIDC).status_code == 403
    assert Client().get(PAGE).status_code == 302
    assert "Sevenhills Google" not in plain(desk(cast.other, "administrator", "Otis Quill").get(PAGE))
