"""Signing in by the school's own SAML provider: npm's samlp, started by the test, and a forger who has its key."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.conf import settings
from django.test import Client
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from rollbook.identity.actions import key_for, set_idp
from rollbook.identity.connectors.saml import details_of
from rollbook.identity.models import Session
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.saml import key_descriptors, self_signed
from rollbook.policy import unguarded
from tests.cast import Cast
from tests.identity.idp.test_school_idp import free_port, pupil, refusals, staff
from tests.outside import npm

pytestmark = pytest.mark.skipif(
    shutil.which("xmlsec1") is None, reason="xmlsec1 is not here: SAML signs with it"
)
GO, BACK = "/sign-in/with/sevenhills", "/sign-in/with/sevenhills/back"


def asked_in(location: str) -> str:
    """The request that a redirect carries, as XML."""
    [packed] = parse_qs(urlsplit(location).query)["SAMLRequest"]
    return zlib.decompress(base64.b64decode(packed), -15).decode()


# ---- npm's samlp.


@dataclass
class School:
    """A browser that goes through samlp, whose pages post themselves."""

    site: str
    port: int

    def sign_in(self, name: str, where: str = "/me", way: str = "") -> tuple[httpx.Response, httpx.Response]:
        """(the page that the post from elsewhere meets, what Rollbook answers when it is sent on)."""
        with httpx.Client(timeout=30) as browser:
            begun = browser.get(f"{self.site}{GO}", params={"next": where})
            assert begun.status_code == 302, begun.text
            there = browser.get(f"{begun.headers['location']}&as={name}", headers={"x-way": way})
            fields = dict(re.findall(r'name="([^"]+)"\s+value="([^"]*)"', there.text))
            assert "SAMLResponse" in fields, there.text
            # From the provider's page: a browser sends no cookie of ours along.
            met = httpx.post(f"{self.site}{BACK}", data=fields)
            again = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', met.text))
            return met, browser.post(f"{self.site}{BACK}", data=again)


@pytest.fixture
def school(cast: Cast, live_server: Any, tmp_path: Path) -> Iterator[School]:
    folder, port = npm("samlp@8.0.0"), free_port()
    script = Path(__file__).with_name("samlp.mjs")
    (folder / script.name).write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    for name, text in zip(("key", "cert"), self_signed(), strict=True):
        (tmp_path / name).write_text(text, encoding="ascii")
    site = live_server.url
    ours = httpx.get(f"{site}{GO}/metadata").text
    [certificate] = set(re.findall(r"X509Certificate>([^<]+)<", ours))
    body = "\n".join(re.findall(".{1,64}", "".join(certificate.split())))
    said = {
        "port": port, "back": site + BACK, "entity": f"{site}{GO}/metadata", "key": str(tmp_path / "key"),
        "cert": str(tmp_path / "cert"), "sp": f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n",
    }  # fmt: skip
    started = subprocess.Popen(
        ["node", script.name], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "SAID": json.dumps(said)},
    )  # fmt: skip
    try:
        assert started.stdout is not None and started.stdout.readline().strip() == "ready"
        issuer, details = details_of(httpx.get(f"http://localhost:{port}/metadata").text)
        set_idp(cast.tenant, name="Sevenhills", issuer=issuer, protocol="saml", details=details)
        yield School(site, port)
    finally:
        started.kill()
        started.wait()
        if started.stdout is not None:
            started.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["", "both"], ids=["assertion signed", "both signed"])
def test_staff_sign_in_by_samlp_and_land_where_they_wanted(school: School, cast: Cast, way: str) -> None:
    staff(cast)
    met, answer = school.sign_in("ben", "/classes", way)
    assert met.status_code == 200 and settings.SESSION_COOKIE_NAME not in met.cookies, "nobody is known yet"
    assert (answer.status_code, answer.headers.get("location")) == (302, "/classes"), refusals()
    key = answer.cookies[settings.SESSION_COOKIE_NAME]
    mine = httpx.get(f"{school.site}/me", headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={key}"})
    assert mine.status_code == 200 and "Ben Thistlewick" in mine.text


@pytest.mark.slow
def test_samlp_checks_our_request_and_its_unsigned_assertion_is_refused(school: School, cast: Cast) -> None:
    staff(cast)
    with httpx.Client(timeout=30) as browser:
        asked = browser.get(f"{school.site}{GO}").headers["location"]
        changed = re.sub(r"Signature=[^&]{20}", "Signature=" + "A" * 20, asked)
        assert httpx.get(changed).status_code == 500, "samlp believes our signature alone"
    assert school.sign_in("ben", way="unsigned")[1].status_code == 403 and refusals() == ["signature"]


@pytest.mark.slow
def test_a_pupil_is_found_by_an_attribute_that_the_school_names(school: School, cast: Cast) -> None:
    issuer, details = details_of(httpx.get(f"http://localhost:{school.port}/metadata").text)
    set_idp(
        cast.tenant, name="Sevenhills", issuer=issuer, protocol="saml", details=details, match="username",
        claim="http://schemas.passportjs.com/username",
    )  # fmt: skip
    assert school.sign_in("ada")[1].status_code == 403, "no account is made of what a provider says"
    pupil(cast)
    assert school.sign_in("ada")[1].status_code == 302 and refusals() == ["unknown_person"]


# ---- A forger: everything right but for one thing.

KEY, CERTIFICATE = self_signed()
ISSUER, OURS = "https://idp.puddlebrook.example/saml", f"http://localhost{GO}/metadata"
AT = f"http://localhost{BACK}"
BEN = "ben@puddlebrook.example"
DETAILS: dict[str, Any] = {
    "sso": "https://idp.puddlebrook.example/sso",
    "certificates": ["".join(CERTIFICATE.splitlines()[1:-1])],
}
SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#sha1"
SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"
Change = Callable[[str], str]


def stamp(minutes: float = 0) -> str:
    return (clock.now() + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def assertion(
    asked: str, *, email: str = BEN, id: str = "_a1", issuer: str = ISSUER, audience: str = OURS, to: str = AT,
    begins: float = -1, ends: float = 5, name: str = "", format: str = "persistent", method: str = "bearer",
    way: str = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
) -> str:  # fmt: skip
    """An assertion as a provider makes it, not yet signed."""
    heard = f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>"
    return (
        f'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}" Version="2.0" '
        f'IssueInstant="{stamp()}"><saml:Issuer>{issuer}</saml:Issuer><saml:Subject>'
        f'<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:{format}">{name or "77"}</saml:NameID>'
        f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:{method}"><saml:SubjectConfirmationData '
        f'InResponseTo="{asked}" NotOnOrAfter="{stamp(ends)}" Recipient="{to}"/></saml:SubjectConfirmation></saml:Subject>'
        f'<saml:Conditions NotBefore="{stamp(begins)}" NotOnOrAfter="{stamp(ends)}">{heard if audience else ""}'
        f'</saml:Conditions><saml:AuthnStatement AuthnInstant="{stamp()}" SessionIndex="s1"><saml:AuthnContext>'
        f"<saml:AuthnContextClassRef>{way}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
        '<saml:AttributeStatement><saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3" FriendlyName="mail">'
        f"<saml:AttributeValue>{email}</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"
    )


def signed(xml: str, key: str = KEY, how: tuple[str, str] = SHA256) -> str:
    made = OneLogin_Saml2_Utils.add_sign(
        xml, key, CERTIFICATE, sign_algorithm=how[0], digest_algorithm=how[1]
    )
    text = made.decode() if isinstance(made, bytes) else str(made)
    return re.sub(r"^<\?xml[^>]*\?>\s*", "", text)


def response(
    asked: str, inside: str, *, to: str = AT, issuer: str = ISSUER, status: str = "Success", before: str = ""
) -> str:
    return (
        '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        f'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r1" Version="2.0" IssueInstant="{stamp()}" '
        f'Destination="{to}" InResponseTo="{asked}"><saml:Issuer>{issuer}</saml:Issuer>{before}<samlp:Status>'
        f'<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{status}"/></samlp:Status>{inside}</samlp:Response>'
    )


@pytest.fixture
def wired(cast: Cast) -> None:
    staff(cast)
    set_idp(cast.tenant, name="S", issuer=ISSUER, protocol="saml", details=DETAILS)


def begin(browser: Client, try_it: bool = False) -> str:
    """The id of the request that this browser is sent to the provider with."""
    begun = browser.get(GO + ("?try=1" if try_it else ""), HTTP_HOST="localhost")
    assert begun["Location"].startswith(DETAILS["sso"])
    [asked] = re.findall(r' ID="([^"]+)"', asked_in(begun["Location"]))
    return asked


def post(browser: Client, xml: str) -> Any:
    return browser.post(
        BACK, {"SAMLResponse": base64.b64encode(xml.encode()).decode()}, HTTP_HOST="localhost"
    )


def test_a_right_answer_signs_in_and_works_once(wired: None) -> None:
    browser = Client()
    asked = begin(browser)
    cookie = browser.cookies["rollbook-idp"].value
    xml = response(asked, signed(assertion(asked)))
    assert post(browser, xml).status_code == 302, refusals()
    assert browser.get("/me").status_code == 200
    thief = Client()
    thief.cookies["rollbook-idp"] = cookie
    assert post(thief, xml).status_code == 403 and refusals() == ["replay"]


def test_our_request_says_where_and_for_whom_and_is_signed(wired: None, cast: Cast) -> None:
    location = Client().get(GO, HTTP_HOST="localhost")["Location"]
    xml, query = asked_in(location), urlsplit(location).query
    assert f'AssertionConsumerServiceURL="{AT}"' in xml and f">{OURS}<" in xml
    assert f'Destination="{DETAILS["sso"]}"' in xml
    sent = {name: values[0] for name, values in parse_qs(query).items()}
    assert sent["SigAlg"].endswith("#rsa-sha256")
    held, _, _ = query.partition("&Signature=")
    assert OneLogin_Saml2_Utils.validate_binary_sign(
        held.encode(), base64.b64decode(sent["Signature"]), key_for(cast.tenant)[1], sent["SigAlg"]
    )


WRONG: dict[str, tuple[Callable[[str], str], str]] = {
    "no signature": (lambda a: response(a, assertion(a)), "signature"),
    "only the answer signed": (lambda a: signed(response(a, assertion(a))), "signature"),
    "another's key": (lambda a: response(a, signed(assertion(a), self_signed()[0])), "signature"),
    "SHA-1": (lambda a: response(a, signed(assertion(a), how=SHA1)), "signature"),
    "changed after signing": (lambda a: response(a, signed(assertion(a)).replace("ben@", "hana@")), "signature"),
    "another audience": (lambda a: response(a, signed(assertion(a, audience="https://x.example"))), "audience"),
    "no audience": (lambda a: response(a, signed(assertion(a, audience=""))), "audience"),
    "another recipient": (
        lambda a: response(a, signed(assertion(a, to="https://x.example/acs"))),
        "signature destination",
    ),
    "another destination": (lambda a: response(a, signed(assertion(a)), to="https://x.example"), "destination"),
    "another issuer": (lambda a: response(a, signed(assertion(a, issuer="https://x.example"))), "issuer signature"),
    "another sender": (lambda a: response(a, signed(assertion(a)), issuer="https://x.example"), "issuer"),
    "for another request": (lambda a: response("id-2", signed(assertion("id-2"))), "state"),
    "asserted for another request": (lambda a: response(a, signed(assertion("id-2"))), "state"),
    "too late": (lambda a: response(a, signed(assertion(a, begins=-20, ends=-2))), "time signature"),
    "too early": (lambda a: response(a, signed(assertion(a, begins=3, ends=9))), "time signature"),
    "held by a sender": (
        lambda a: response(a, signed(assertion(a, method="sender-vouches"))),
        "destination signature",
    ),
    "they said no": (lambda a: response(a, "", status="Requester"), "status"),
    "no statement": (lambda a: response(a, ""), "wrapping"),
    "encrypted": (lambda a: response(a, "<saml:EncryptedAssertion/>"), "encrypted"),
    "a document type": (lambda a: "<!DOCTYPE x []>" + response(a, signed(assertion(a))), "answer"),
    "no XML": (lambda a: "answer", "answer"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "errors"), list(WRONG.values()), ids=list(WRONG))
def test_a_wrong_answer_signs_nobody_in(wired: None, make: Change, errors: str) -> None:
    browser = Client()
    answer = post(browser, make(begin(browser)))
    assert answer.status_code == 403
    [error] = refusals()
    assert error in errors.split()
    assert browser.get("/me").status_code == 302


# One true answer, about Ada, and a forged part about Ben beside, around or within it (Somorovsky et al., 2012).


def true(asked: str) -> str:
    return signed(assertion(asked, email="nobody@puddlebrook.example"))


def forged(asked: str, id: str = "_evil") -> str:
    return assertion(asked, id=id)


def signature_of(xml: str) -> str:
    found = re.search(r"<ds:Signature .*</ds:Signature>", xml, re.S)
    assert found
    return found[0]


def within(xml: str, part: str, before: str) -> str:
    return xml.replace(before, part + before, 1)


WRAPPED: dict[str, Change] = {
    "before the true one": lambda a: response(a, forged(a) + true(a)),
    "after the true one": lambda a: response(a, true(a) + forged(a)),
    "with the same name": lambda a: response(a, forged(a, "_a1") + true(a)),
    "around the true one": lambda a: response(a, within(forged(a), true(a), "</saml:Assertion>")),
    "around it, with its signature": lambda a: response(
        a, within(within(forged(a), signature_of(true(a)), "<saml:Subject>"), true(a), "</saml:Assertion>")
    ),
    "the signature moved": lambda a: response(
        a,
        within(forged(a), signature_of(true(a)), "<saml:Subject>")
        + true(a).replace(signature_of(true(a)), ""),
    ),
    "the true one in the signature": lambda a: response(
        a,
        within(
            forged(a),
            within(signature_of(true(a)), f"<ds:Object>{true(a)}</ds:Object>", "</ds:Signature>"),
            "<saml:Subject>",
        ),
    ),
    "the true one among extensions": lambda a: response(
        a,
        within(forged(a), signature_of(true(a)), "<saml:Subject>"),
        before=f"<samlp:Extensions>{true(a)}</samlp:Extensions>",
    ),
    "an answer around the answer": lambda a: response(
        a, forged(a), before=f"<samlp:Extensions>{response(a, true(a))}</samlp:Extensions>"
    ),
    "a signature without its part": lambda a: response(
        a, within(forged(a), signature_of(true(a)), "<saml:Subject>")
    ),
}


@pytest.mark.parametrize("make", list(WRAPPED.values()), ids=list(WRAPPED))
def test_a_wrapped_answer_signs_nobody_in(wired: None, make: Change) -> None:
    browser = Client()
    assert post(browser, make(begin(browser))).status_code == 403
    assert refusals()[0] in ("wrapping", "signature")
    assert browser.get("/me").status_code == 302


def test_a_remark_inside_a_name_does_not_shorten_it(wired: None) -> None:
    browser = Client()
    asked = begin(browser)
    xml = response(asked, signed(assertion(asked, email=f"{BEN}.evil.example")))
    assert post(browser, xml.replace(f"{BEN}.evil", f"{BEN}<!-- -->.evil")).status_code == 403
    assert refusals()[0] in ("unknown_person", "signature")


def test_another_browser_cannot_use_an_answer(wired: None) -> None:
    asked, other = begin(Client()), Client()
    begin(other)
    assert post(other, response(asked, signed(assertion(asked)))).status_code == 403
    fresh = Client()
    page = post(fresh, response(asked, signed(assertion(asked))))
    assert page.status_code == 200 and 'name="again"' in page.content.decode()
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page.content.decode()))
    assert fresh.post(BACK, fields, HTTP_HOST="localhost").status_code == 403
    assert refusals() == ["state", "state"]


def test_a_clock_a_little_off_does_no_harm(wired: None) -> None:
    browser = Client()
    asked = begin(browser)
    assert post(browser, response(asked, signed(assertion(asked, begins=0.8)))).status_code == 302, refusals()


def test_an_email_as_its_name_is_enough_but_a_name_that_changes_is_none(wired: None, cast: Cast) -> None:
    email = ("email", BEN, "emailAddress", 302), ("sub", "77", "transient", 403)
    for claim, name, format, status in email:
        set_idp(
            cast.tenant,
            name="S",
            issuer=ISSUER,
            protocol="saml",
            details=DETAILS,
            match="identifier",
            claim=claim,
        )
        browser = Client()
        asked = begin(browser)
        made = assertion(asked, id=f"_{format}", email="", name=name, format=format)
        made = made.replace("2.0:nameid-format:emailAddress", "1.1:nameid-format:emailAddress")
        assert post(browser, response(asked, signed(made))).status_code == status


def test_its_word_for_two_factors_counts_where_the_school_says_so(wired: None, cast: Cast) -> None:
    for n, (trusts, how) in enumerate(((False, "idp"), (True, "idp+mfa"))):
        set_idp(cast.tenant, name="S", issuer=ISSUER, protocol="saml", details=DETAILS, trusts_mfa=trusts)
        browser = Client()
        asked = begin(browser)
        made = signed(assertion(asked, id=f"_{n}", way="https://refeds.org/profile/mfa"))
        assert post(browser, response(asked, made)).status_code == 302
        with unguarded("a test looks at a sign-in"):
            assert Session.objects.latest("created_at").how == how


def test_our_metadata_is_there_before_the_school_says_anything(cast: Cast) -> None:
    page = Client().get("/sign-in/with/otherside/metadata", HTTP_HOST="localhost")
    xml = page.content.decode()
    assert 'entityID="http://localhost/sign-in/with/otherside/metadata"' in xml
    assert 'AuthnRequestsSigned="true"' in xml and 'WantAssertionsSigned="true"' in xml
    assert "PRIVATE" not in xml and "X509Certificate" in xml
    assert Client().get("/sign-in/with/nowhere/metadata").status_code == 404


def metadata(
    sso: str = DETAILS["sso"], binding: str = "HTTP-Redirect", keys: Any = DETAILS["certificates"]
) -> str:
    return (
        f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ISSUER}"><IDPSSODescriptor '
        f'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{key_descriptors(keys)}<SingleSignOnService '
        f'Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}" Location="{sso}"/></IDPSSODescriptor></EntityDescriptor>'
    )


def test_a_provider_is_made_known_by_its_metadata(cast: Cast) -> None:
    assert details_of(metadata()) == (ISSUER, DETAILS)
    for wrong in ("<a/>", "", metadata(binding="HTTP-POST"), metadata(keys=["AAAA"]), metadata(keys=[]),
                  '<!DOCTYPE x [<!ENTITY a "b">]>' + metadata()):  # fmt: skip
        with pytest.raises(Invalid):
            details_of(wrong)
    issuer, details = details_of(metadata(sso="http://idp.example/sso"))
    with pytest.raises(Invalid, match="not a safe web address"):
        set_idp(cast.tenant, name="S", issuer=issuer, protocol="saml", details=details)
