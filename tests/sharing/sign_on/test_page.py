"""The administrator says on a page how people sign in to an app; a bad address is named, and why it will not do."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from joserfc.jwk import RSAKey

from rollbook.kernel.errors import Invalid
from rollbook.policy import Audit, unguarded
from rollbook.sharing.actions.sign_on import set_sign_on
from rollbook.sharing.queries.sign_on import relying_app
from tests.sharing.sign_on.conftest import AFTER, BACK, Yard
from tests.staff import desk, plain

PAGE = "/apps/numberyard/sign-on"
GOOD = {"do": "save", "protocol": "oidc", "redirect_uris": BACK}
LTI = {
    "protocol": "lti", "login_url": "https://numberyard.example/lti/login", "jwks_url": "https://numberyard.example/jwks",
}  # fmt: skip
XML = (
    '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://numberyard.example/saml">'
    '<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><AssertionConsumerService index="0" '
    'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="{acs}"/></SPSSODescriptor></EntityDescriptor>'
)


@pytest.fixture
def hana(yard: Yard) -> Client:
    return desk(yard.cast.tenant, "administrator")


def save(client: Client, **changed: Any) -> Any:
    return client.post(PAGE, {**GOOD, **changed}, HTTP_HOST="localhost")


def now(yard: Yard) -> Any:
    return relying_app(yard.cast.tenant.id, "numberyard")


def test_what_is_saved_holds_from_the_next_sign_in_on(yard: Yard, hana: Client) -> None:
    other = "https://numberyard.example/other"
    assert save(hana, redirect_uris=f"{BACK}\n\n {other} ", logout_uris=AFTER).status_code == 302
    assert (now(yard).redirect_uris, now(yard).logout_uris) == ((BACK, other), (AFTER,))
    assert yard.ask(redirect_uri=other).status_code == 302
    save(hana)
    assert yard.ask(redirect_uri=other).status_code == 400
    with unguarded("a test reads the audit"):
        row = Audit.objects.filter(verb="sign_on.set").latest("id")
    assert row.actor == "Hana Larkspur" and row.details["redirect_uris"] == [BACK]


BAD = {
    "http://numberyard.example/back": "http:// is not safe",
    "numberyard.example/back": "begins with https://",
    "javascript:alert(1)": "begins with https://",
    "https:///back": "names a site",
    "https://*.numberyard.example/back": "without *",
    "https://numberyard.example/back#here": "after #",
    "https://me:pw@numberyard.example/back": "No user name",
    "https://numberyard.example/a b": "no blanks",
    "https://nümberyard.example/back": "plain letters",
    "https://numberyard.example:99999/back": "not a safe web address",
}


@pytest.mark.parametrize("field", ["redirect_uris", "logout_uris", "launch_url"])
@pytest.mark.parametrize("address", list(BAD))
def test_a_bad_address_is_named_with_what_is_wrong(
    yard: Yard, hana: Client, field: str, address: str
) -> None:
    answer = save(hana, **{field: address})
    page = plain(answer)
    assert answer.status_code == 422 and BAD[address] in page and address.split(":")[0] in page
    assert f'href="#{field}"' in page and f'id="{field}"' in page
    assert now(yard).redirect_uris == (BACK,), "what was there stays"
    said: dict[str, Any] = {"redirect_uris": [BACK], field: address if field == "launch_url" else [address]}
    with pytest.raises(Invalid, match=re.escape(BAD[address])):
        set_sign_on(yard.made.app, **said)


def test_http_is_for_this_machine_alone(yard: Yard, hana: Client) -> None:
    assert save(hana, redirect_uris="http://localhost:5000/back\nhttp://127.0.0.1/back").status_code == 302
    assert save(hana, redirect_uris="http://localhost.evil.example/back").status_code == 422


@pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not here: SAML signs with it")
def test_saml_comes_from_metadata_or_is_typed(yard: Yard, hana: Client) -> None:
    file = SimpleUploadedFile("sp.xml", XML.format(acs="https://numberyard.example/acs").encode(), "text/xml")
    assert save(hana, protocol="saml", redirect_uris="", metadata=file).status_code == 302
    assert now(yard).redirect_uris == ("https://numberyard.example/acs",)
    assert now(yard).details["entity_id"] == "https://numberyard.example/saml"
    assert "/saml/sevenhills/metadata" in plain(hana.get(PAGE))
    typed = {
        "protocol": "saml",
        "redirect_uris": "https://numberyard.example/acs2",
        "entity_id": "urn:numberyard",
    }
    assert save(hana, **typed).status_code == 302
    assert now(yard).details == {"entity_id": "urn:numberyard"}
    assert save(hana, **{**typed, "entity_id": ""}).status_code == 422
    for wrong in ("<a/>", "<!DOCTYPE x []>" + XML, XML.format(acs="http://numberyard.example/acs")):
        answer = save(
            hana, protocol="saml", metadata=SimpleUploadedFile("sp.xml", wrong.encode(), "text/xml")
        )
        assert answer.status_code == 422, wrong


def test_lti_needs_where_a_launch_begins_and_the_tools_keys(yard: Yard, hana: Client) -> None:
    assert save(hana, **LTI).status_code == 302
    page = plain(hana.get(PAGE))
    assert f"d{yard.made.app.id}" in page and "Deployment id" in page
    key = RSAKey.generate_key(2048, private=True)
    public = json.dumps({"keys": [key.as_dict(private=False)]})
    assert save(hana, **{**LTI, "jwks_url": "", "jwks": public}).status_code == 302
    assert now(yard).details["jwks"]["keys"][0]["kty"] == "RSA"
    for changed in (
        {"login_url": ""}, {"jwks_url": ""}, {"jwks_url": "http://numberyard.example/jwks"}, {"jwks": "nothing"},
        {"jwks": '{"keys": []}'}, {"jwks": json.dumps({"keys": [key.as_dict(private=True)]})},
    ):  # fmt: skip
        assert save(hana, **{**LTI, **changed}).status_code == 422, changed


def test_ending_it_ends_what_the_app_got(yard: Yard, hana: Client) -> None:
    tokens = yard.tokens(scope="openid profile offline_access")
    assert hana.post(PAGE, {"do": "clear"}).status_code == 302
    assert yard.ask().status_code in (400, 404) and yard.userinfo(tokens["access_token"]).status_code == 401
    save(hana)
    assert yard.refresh(tokens["refresh_token"]).status_code == 400, "a new beginning revives nothing"


def test_the_data_protection_officer_reads_and_others_are_refused(yard: Yard, hana: Client) -> None:
    officer = desk(yard.cast.tenant, "dpo", "Femi Ashdown")
    page = plain(officer.get(PAGE))
    assert "OpenID Connect" in page and "<textarea" not in page
    assert officer.post(PAGE, GOOD).status_code == 403
    assert yard.ben.get(PAGE).status_code == 403 and Client().get(PAGE).status_code == 302
    assert desk(yard.cast.other, "administrator", "Otis Quill").get(PAGE).status_code == 404
