"""SAML: service providers that others wrote accept our assertion; what is wrong is refused by SAML's own status."""

from __future__ import annotations

import base64
import re
import shutil
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.test import Client
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.sharing.actions.sign_on import set_sign_on
from tests.outside import node, npm
from tests.sharing.sign_on.conftest import Yard, cookie, disclosures, refusals, signed_in_pupil
from tests.staff import plain

pytestmark = pytest.mark.skipif(
    shutil.which("xmlsec1") is None, reason="xmlsec1 is not here: SAML signs with it"
)
ENTITY, ACS = "https://numberyard.example/saml", "https://numberyard.example/acs"
SSO = "/saml/sevenhills/sso"


@pytest.fixture
def saml(yard: Yard) -> Yard:
    set_sign_on(yard.made.app, protocol="saml", redirect_uris=[ACS], details={"entity_id": ENTITY})
    return yard


def settings_for(metadata: str) -> dict[str, Any]:
    """python3-saml's settings, of our metadata and the app's own."""
    found = OneLogin_Saml2_IdPMetadataParser.parse(metadata)
    own = {
        "strict": True,
        "sp": {
            "entityId": ENTITY, "assertionConsumerService": {"url": ACS},
            "NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        },
        "security": {"wantAssertionsSigned": True, "wantNameId": True, "requestedAuthnContext": False},
    }  # fmt: skip
    return dict(OneLogin_Saml2_IdPMetadataParser.merge_settings(found, own))


def app(metadata: str, **post: str) -> Any:
    here = {
        "https": "on",
        "http_host": "numberyard.example",
        "script_name": "/acs",
        "get_data": {},
        "post_data": post,
    }
    return OneLogin_Saml2_Auth(here, settings_for(metadata))


def field(page: str, name: str = "SAMLResponse") -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, page
    return found[1]


def status_of(response: str) -> str:
    found = re.findall(r'StatusCode Value="([^"]+)"', base64.b64decode(response).decode())
    return str(found[-1]).rsplit(":", 1)[1]


def request(**changed: Any) -> dict[str, str]:
    """An app's request as the redirect binding carries it, with what is changed."""
    moment = changed.pop("at", clock.now())
    asked = {
        "ID": "id-1", "Version": "2.0", "IssueInstant": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "AssertionConsumerServiceURL": ACS, "Destination": f"http://localhost{SSO}", **changed,
    }  # fmt: skip
    issuer, inner = asked.pop("issuer", ENTITY), asked.pop("inner", "")
    xml = (
        '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
        ' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" '
        + " ".join(f'{k}="{v}"' for k, v in asked.items() if v)
        + f"><saml:Issuer>{issuer}</saml:Issuer>{inner}</samlp:AuthnRequest>"
    )
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(xml.encode()) + packer.flush()
    return {"SAMLRequest": base64.b64encode(packed).decode(), "RelayState": "r1"}


def go(saml: Yard, browser: Client | None = None, **changed: Any) -> Any:
    return (browser or saml.ben).get(SSO, request(**changed), HTTP_HOST="localhost")


@pytest.mark.slow
def test_python3_saml_accepts_our_assertion(saml: Yard, live_server: Any) -> None:
    metadata = httpx.get(f"{live_server.url}/saml/sevenhills/metadata").text
    asking = app(metadata)
    answer = httpx.get(asking.login("https://numberyard.example/home"), headers={"cookie": cookie(saml.ben)})
    assert (
        f'action="{ACS}"' in answer.text
        and field(answer.text, "RelayState") == "https://numberyard.example/home"
    )
    taking = app(metadata, SAMLResponse=field(answer.text))
    taking.process_response(request_id=asking.get_last_request_id())
    assert taking.get_errors() == [], taking.get_last_error_reason()
    assert taking.get_nameid_format() == "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    assert {name: values for name, values in taking.get_friendlyname_attributes().items() if values} == {
        "displayName": ["Ben Thistlewick"], "givenName": ["Ben"], "sn": ["Thistlewick"], "uid": ["ben.ben"],
        "mail": ["ben@puddlebrook.example"],
    }  # fmt: skip
    assert taking.get_attributes()["role"] == ["teacher"]
    other = app(metadata, SAMLResponse=field(answer.text))
    other.process_response(request_id="another-request")
    assert other.get_errors() == ["invalid_response"]


@pytest.mark.slow
def test_node_saml_accepts_our_assertion(saml: Yard, live_server: Any) -> None:
    where = f"{live_server.url}/saml/sevenhills"
    told = node(
        Path(__file__).with_name("node_saml.mjs"), npm("@node-saml/node-saml@5.1.0"), metadata=f"{where}/metadata",
        sso=f"{where}/sso", acs=ACS, entity=ENTITY, cookie=cookie(saml.ben),
    )  # fmt: skip
    assert told["redirect"]["nameID"] == told["post"]["nameID"]
    assert told["redirect"]["attributes"]["urn:oid:2.5.4.42"] == "Ben"
    assert (told["replayed"], told["forged"], told["again"]) == ("refused", "refused", "accepted")


def test_a_launch_from_the_portal_is_an_assertion_that_nobody_asked_for(saml: Yard) -> None:
    pupil = signed_in_pupil(saml.cast.tenant, saml.cast.ada)
    page = pupil.get("/launch/numberyard", HTTP_HOST="localhost")
    metadata = Client().get("/saml/sevenhills/metadata", HTTP_HOST="localhost").content.decode()
    taking = app(metadata, SAMLResponse=field(page.content.decode()))
    taking.process_response()
    assert taking.get_errors() == [], taking.get_last_error_reason()
    assert taking.get_attributes()["role"] == ["student"] and taking.get_attributes()["grade"] == ["02"]
    assert "form-action https:" in page["Content-Security-Policy"]


@pytest.mark.commitment("CLEV-2.6")
def test_an_assertion_holds_what_is_shared_and_is_written_down(
    saml: Yard, narrowed: Callable[..., None]
) -> None:
    narrowed(fields=[{"field": "users.givenName", "reason": "To greet"}])
    xml = base64.b64decode(field(go(saml).content.decode())).decode()
    assert "Ben" in xml and "Thistlewick" not in xml and "puddlebrook" not in xml
    [row] = disclosures()
    assert (row.door, row.first_id) == ("sign-in saml", saml.cast.ben.id)
    assert row.columns == "roster_person.given_name,roster_person.id,roster_role.role"


def test_a_request_is_answered_once(saml: Yard) -> None:
    assert status_of(field(go(saml).content.decode())) == "Success"
    assert status_of(field(go(saml).content.decode())) == "RequestDenied"
    assert refusals() == [("saml", "RequestDenied")]


@pytest.mark.parametrize("minutes", [-6, 6], ids=["late", "early"])
def test_a_clock_that_is_wrong_is_refused(saml: Yard, minutes: int) -> None:
    answer = go(saml, at=clock.now() + timedelta(minutes=minutes))
    assert status_of(field(answer.content.decode())) == "RequestDenied"


@pytest.mark.parametrize(
    "changed",
    [
        {"AssertionConsumerServiceURL": "https://evil.example/acs"},
        {"AssertionConsumerServiceURL": ACS + "/"},
        {"Destination": "https://elsewhere.example/sso"},
        {"issuer": "https://unknown.example"},
        {"ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"},
        {"Version": "1.1"},
    ],
    ids=[
        "another address",
        "nearly the address",
        "not for us",
        "unknown app",
        "other binding",
        "old version",
    ],
)
def test_a_wrong_request_is_answered_on_a_page_and_to_nobody_else(
    saml: Yard, changed: dict[str, Any]
) -> None:
    answer = go(saml, **changed)
    assert answer.status_code == 400 and "SAMLResponse" not in answer.content.decode()
    assert "This sign-in cannot go on" in plain(answer)
    [(door, _)] = refusals()
    assert door == "saml"


@pytest.mark.parametrize(
    "sent",
    ["", "%%%", base64.b64encode(b"<a/>").decode(), base64.b64encode(zlib.compress(b"0" * 9**6)).decode()],
)
def test_what_is_no_request_is_refused(saml: Yard, sent: str) -> None:
    answer = saml.ben.get(SSO, {"SAMLRequest": sent}, HTTP_HOST="localhost")
    assert answer.status_code == 400 and refusals() == [("saml", "Requester")]


def test_an_app_that_signs_its_requests_must(saml: Yard) -> None:
    set_sign_on(
        saml.made.app, protocol="saml", redirect_uris=[ACS], details={"entity_id": ENTITY, "signs": True}
    )
    assert go(saml).status_code == 400


def test_a_name_by_email_needs_that_it_is_shared(saml: Yard, narrowed: Callable[..., None]) -> None:
    wants = '<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"/>'
    xml = base64.b64decode(field(go(saml, inner=wants).content.decode())).decode()
    assert ">ben@puddlebrook.example</" in xml
    narrowed(fields=[])
    answer = go(saml, inner=wants, ID="id-2")
    assert status_of(field(answer.content.decode())) == "InvalidNameIDPolicy"


def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(saml: Yard) -> None:
    answer = go(saml, Client())
    parts = urlsplit(answer["Location"])
    assert parts.path == "/sign-in"
    [back] = parse_qs(parts.query)["next"]
    assert status_of(field(saml.ben.get(back, HTTP_HOST="localhost").content.decode())) == "Success"


def test_a_passive_request_asks_nobody(saml: Yard) -> None:
    answer = go(saml, Client(), IsPassive="true")
    assert status_of(field(answer.content.decode())) == "NoPassive"


def test_a_forced_request_needs_a_fresh_sign_in(saml: Yard) -> None:
    assert go(saml, ForceAuthn="true", at=clock.now() + timedelta(minutes=1))["Location"].startswith(
        "/sign-in?next="
    )
    assert saml.ben.get("/me").status_code == 302


def test_whom_the_school_does_not_share_is_told_why(saml: Yard, narrowed: Callable[..., None]) -> None:
    narrowed(people={"roles": ["student"]})
    answer = go(saml)
    assert answer.status_code == 403 and "does not name this person" in plain(answer)
    assert disclosures() == []


def test_a_post_from_the_app_goes_on_as_a_get_with_the_persons_cookie(saml: Yard) -> None:
    answer = Client().post(SSO, {"SAMLRequest": "abc", "RelayState": "r1"}, HTTP_HOST="localhost")
    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer["Location"]).query) == {
        "SAMLRequest": ["abc"],
        "RelayState": ["r1"],
        "posted": ["1"],
    }


def test_an_app_is_made_known_by_its_metadata() -> None:
    from rollbook.sharing.connectors.saml import details_of

    metadata = (
        f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}">'
        '<SPSSODescriptor AuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        '<KeyDescriptor use="signing"><KeyInfo '
        'xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>AAAA</X509Certificate></X509Data></KeyInfo>'
        '</KeyDescriptor><AssertionConsumerService index="0" Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        f'Location="{ACS}"/></SPSSODescriptor></EntityDescriptor>'
    )
    assert details_of(metadata) == ((ACS,), {"entity_id": ENTITY, "certificates": ["AAAA"], "signs": True})
    for wrong in ("<a/>", metadata.replace("HTTP-POST", "HTTP-Artifact")):
        with pytest.raises(Invalid):
            details_of(wrong)


def test_another_schools_address_knows_none_of_its_apps(saml: Yard) -> None:
    answer = saml.ben.get("/saml/otherside/sso", request(Destination=""), HTTP_HOST="localhost")
    assert answer.status_code == 400
    assert Client().get("/saml/nowhere/metadata").status_code == 404
