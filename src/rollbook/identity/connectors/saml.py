"""Rollbook as the relying party of a school's own SAML 2.0 provider: a signed request, and an answer checked twice.

pysaml2 (with xmlsec1) checks the signature and the standard's rules; it lets some things pass that are optional in the
standard, so the form of the document and each condition are held here too (`_alone`, `_for_us`).
"""

from __future__ import annotations

import base64
import binascii
import logging
import secrets
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import quoteattr

from cryptography import x509
from defusedxml import ElementTree  # type: ignore[import-untyped]  # it has no types
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]  # likewise
from django.utils.dateparse import parse_datetime
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, SAMLError
from saml2.cache import Cache
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NAMEID_FORMAT_TRANSIENT, SCM_BEARER

from rollbook.identity import actions
from rollbook.identity.connectors import Refused
from rollbook.identity.queries.idp import Idp
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.saml import RSA_SHA256, certificates_in, key_descriptors, key_files, read_metadata

LARGEST = 200_000  # bytes of an answer; a real one has some ten thousand
SKEW = timedelta(seconds=60)  # that the provider's clock may be off
SAML, PROTOCOL, DSIG = (
    "{urn:oasis:names:tc:SAML:2.0:assertion}", "{urn:oasis:names:tc:SAML:2.0:protocol}",
    "{http://www.w3.org/2000/09/xmldsig#}",
)  # fmt: skip
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
TRANSFORMS = {
    "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
}
STRONG = ("sha256", "sha384", "sha512", "sha224")  # SHA-1 and MD5 can be forged
# What providers call the details that we look for; the first that is there counts.
NAMES = {
    "email": (
        "email", "mail", "urn:oid:0.9.2342.19200300.100.1.3",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    ),
    "preferred_username": (
        "preferred_username", "uid", "urn:oid:0.9.2342.19200300.100.1.1", "eduPersonPrincipalName",
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    ),
}  # fmt: skip
# Ways of signing in over there that are two factors: REFEDS, SAML's own, Microsoft's.
TWO = {
    "https://refeds.org/profile/mfa", "http://schemas.microsoft.com/claims/multipleauthn",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered",
}  # fmt: skip
WAYS_CLAIM = "http://schemas.microsoft.com/claims/authnmethodsreferences"
logging.getLogger("saml2").setLevel(logging.CRITICAL)  # its lines name people


class _Nothing(Cache):  # type: ignore[misc]  # pysaml2 has no types
    """Keeps nothing of whoever signs in, where pysaml2 would keep all for as long as the process lives."""

    def set(self, *_: Any, **__: Any) -> None:
        """Forget at once."""


def details_of(text: str) -> tuple[str, dict[str, Any]]:
    """(entity id, details) from a provider's own metadata. Raises Invalid."""
    found = read_metadata(text)
    if found is None or not found.idpsso_descriptor:
        raise Invalid(
            "This is not the metadata of a sign-in.",
            "Your provider gives it, as an XML file with one EntityDescriptor that has an IDPSSODescriptor.",
            "metadata",
        )
    role = found.idpsso_descriptor[0]
    sso = [str(s.location) for s in role.single_sign_on_service if s.binding == BINDING_HTTP_REDIRECT]
    if not sso:
        raise Invalid(
            "The provider cannot be asked by redirect.",
            "Its metadata needs a SingleSignOnService with the HTTP-Redirect binding.",
            "metadata",
        )
    certificates = certificates_in(role)
    try:
        for certificate in certificates:
            x509.load_der_x509_certificate(base64.b64decode(certificate, validate=True))
    except ValueError:
        certificates = []
    if not certificates:
        raise Invalid(
            "The metadata has no certificate to check signatures with.",
            "Ask for metadata with a KeyDescriptor for signing.",
            "metadata",
        )
    return str(found.entity_id), {"sso": sso[0], "certificates": certificates}


def metadata(back: str, key: tuple[str, str]) -> str:
    """Our metadata for one school, for its provider. back: where answers are posted. key: with its certificate."""
    made = entity_descriptor(_config(back, key, ""))
    made.extensions = None  # xmlsec1 could do more than we do, MD5 among it
    return str(made)


def begin(idp: Idp, back: str) -> tuple[str, dict[str, str]]:
    """Where to send the browser, and what it keeps until it comes back. Raises Refused."""
    client = _client(idp, back)
    asked = f"id-{secrets.token_hex(20)}"
    try:
        _, sent = client.prepare_for_authenticate(
            idp.issuer, binding=BINDING_HTTP_REDIRECT, sign=True, sigalg=RSA_SHA256, message_id=asked
        )
    except SAMLError:
        raise Refused("request", "Your school’s sign-in cannot be asked.") from None
    return str(dict(sent["headers"])["Location"]), {"id": asked}


def finish(idp: Idp, back: str, kept: dict[str, str], said: dict[str, str]) -> dict[str, Any]:
    """The claims of whoever came back with `said`, checked; an answer works once. Raises Refused."""
    if not kept.get("id"):
        raise Refused("state", "This sign-in was not begun in this browser, or is too old.")
    xml = _unpacked(said.get("SAMLResponse", ""))
    _alone(idp, back, kept["id"], xml)
    try:
        found = _client(idp, back).parse_authn_request_response(
            base64.b64encode(xml).decode(), BINDING_HTTP_POST, outstanding={kept["id"]: "/"}
        )
    except Exception as error:  # pysaml2 raises errors of many kinds, some of Python's own
        code, says = _why(error)
        raise Refused(code, says) from None
    if found is None or found.assertion is None or found.assertion.signature is None:
        raise Refused("signature", "The answer is not signed by your school’s sign-in.")
    ends = _for_us(idp, back, kept["id"], found.assertion)
    if not actions.take_answer(idp, str(found.assertion.id), ends + SKEW):
        raise Refused("replay", "This answer was used before. Begin again.")
    return _claims(found.assertion)


def _why(error: Exception) -> tuple[str, str]:
    name, text = type(error).__name__, str(error)
    if name.startswith("Status"):
        return "status", "Your school’s sign-in said no."
    if name in ("ResponseLifetimeExceed", "ToEarly"):
        return "time", "The answer has ended, or a clock is wrong."
    if name == "UnsolicitedResponse":
        return "state", "The answer belongs to another sign-in."
    if "AudienceRestriction" in text:
        return "audience", "The answer was made for another."
    if "recipient" in text:
        return "destination", "The answer was meant for another address."
    return "signature", "The answer is not signed by your school’s sign-in."


def _unpacked(text: str) -> bytes:
    try:
        xml = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        xml = b""
    if not 0 < len(xml) <= LARGEST:
        raise Refused("answer", "Your school’s sign-in gave an answer that cannot be read.")
    return xml


def _alone(idp: Idp, back: str, asked: str, xml: bytes) -> None:
    """The form that leaves nothing to choose: one answer with one assertion, itself signed, and no second anywhere.

    A forger who holds one true answer wraps it in another document; what is signed and what is read must be one.
    Raises Refused.
    """
    try:
        root: Element = ElementTree.fromstring(xml, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        raise Refused("answer", "Your school’s sign-in gave an answer that cannot be read.") from None
    if root.tag != f"{PROTOCOL}Response":
        raise Refused("answer", "Your school’s sign-in gave an answer that cannot be read.")
    issuer = root.find(f"{SAML}Issuer")
    if issuer is not None and "".join(issuer.itertext()).strip() != idp.issuer:
        raise Refused("issuer", "The answer is from another provider.")
    if root.get("InResponseTo") != asked:
        raise Refused("state", "The answer belongs to another sign-in.")
    if root.get("Destination") != back:
        raise Refused("destination", "The answer was meant for another address.")
    status = root.find(f"{PROTOCOL}Status/{PROTOCOL}StatusCode")
    if status is None or status.get("Value") != SUCCESS:
        raise Refused("status", "Your school’s sign-in said no.")
    assertions = [e for e in root.iter() if _local(e) in ("Assertion", "EncryptedAssertion")]
    if len(assertions) != 1 or assertions[0] not in list(root):
        raise Refused("wrapping", "The answer holds more, or less, than one statement.")
    ids = [e.get(name) for e in root.iter() for name in ("ID", "Id", "id") if e.get(name) is not None]
    if len(ids) != len(set(ids)) or any(_local(e) in ("Object", "Extensions") for e in root.iter()):
        raise Refused("wrapping", "The answer names two parts alike.")
    [only] = assertions
    if only.tag != f"{SAML}Assertion":
        raise Refused("encrypted", "The answer is encrypted, which we did not ask for.")
    signed = [parent for parent in root.iter() for child in parent if _local(child) == "Signature"]
    if only not in signed or any(parent not in (root, only) for parent in signed) or len(signed) > 2:
        raise Refused("signature", "The answer is not signed by your school’s sign-in.")
    for parent in signed:
        _covers(parent)


def _covers(parent: Element) -> None:
    """That the signature in `parent` is of all of it, by a method that still holds. Raises Refused."""
    [signature] = [e for e in parent if _local(e) == "Signature"] if _count(parent) == 1 else [None]
    references = list(signature.iter(f"{DSIG}Reference")) if signature is not None else []
    methods = [
        str(e.get("Algorithm")).lower()
        for name in ("SignatureMethod", "DigestMethod")
        for e in (signature.iter(f"{DSIG}{name}") if signature is not None else ())
    ]
    transforms = {str(e.get("Algorithm")) for r in references for e in r.iter(f"{DSIG}Transform")}
    if (
        len(references) != 1 or not parent.get("ID") or references[0].get("URI") != f"#{parent.get('ID')}"
        or not transforms <= TRANSFORMS or len(methods) != 2
        or not all(any(strong in method for strong in STRONG) for method in methods)
        or any("hmac" in method for method in methods)
    ):  # fmt: skip
        raise Refused("signature", "The answer is not signed as we ask: all of it, with SHA-256 or better.")


def _count(parent: Element) -> int:
    return sum(_local(e) == "Signature" for e in parent)


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _for_us(idp: Idp, back: str, asked: str, assertion: Any) -> datetime:
    """When a signed assertion ends, which is by this provider, for us, for this sign-in, now. Raises Refused."""
    if assertion.issuer is None or str(assertion.issuer.text).strip() != idp.issuer:
        raise Refused("issuer", "The answer is from another provider.")
    conditions = assertion.conditions
    restrictions = conditions.audience_restriction if conditions is not None else []
    ours = entity_of(back)
    if not restrictions or not all(
        any(str(a.text).strip() == ours for a in restriction.audience) for restriction in restrictions
    ):
        raise Refused("audience", "The answer was made for another.")
    bearers = [c for c in assertion.subject.subject_confirmation if c.method == SCM_BEARER]
    held = [c.subject_confirmation_data for c in bearers if c.subject_confirmation_data is not None]
    held = [d for d in held if d.recipient == back]
    if not held:
        raise Refused("destination", "The answer was meant for another address.")
    if not all(d.in_response_to == asked for d in held):
        raise Refused("state", "The answer belongs to another sign-in.")
    if not assertion.authn_statement:
        raise Refused("answer", "The answer does not say that anybody signed in.")
    return min(_within(part) for part in (conditions, *held))


def _within(part: Any) -> datetime:
    """When a part of an assertion ends, which must be good now. Raises Refused."""
    ends, begins, moment = _moment(part.not_on_or_after), _moment(part.not_before), clock.now()
    if ends is None:
        raise Refused("time", "The answer does not say how long it is good.")
    if ends + SKEW <= moment or (begins is not None and begins - SKEW > moment):
        raise Refused("time", "The answer has ended, or a clock is wrong.")
    return ends


def _moment(text: str | None) -> datetime | None:
    try:
        found = parse_datetime(text) if text else None
    except ValueError:
        found = None
    return found if found is not None and found.tzinfo is not None else None


def _claims(assertion: Any) -> dict[str, Any]:
    """What an assertion says of whoever signed in, in the words that `queries.idp.named_by` reads."""
    held: dict[str, list[str]] = {}
    for name, values in _attributes(assertion):
        held.setdefault(name, values)
    claims: dict[str, Any] = {name: values[0] for name, values in held.items() if values}
    for claim, names in NAMES.items():
        found = next((claims[n] for n in names if claims.get(n)), None)
        if found:
            claims[claim] = found
    name = assertion.subject.name_id
    # A NameID that changes each time names nobody.
    claims.pop("sub", None)
    if name is not None and name.text and name.format != NAMEID_FORMAT_TRANSIENT:
        claims["sub"] = str(name.text).strip()
        if name.format == NAMEID_FORMAT_EMAILADDRESS:
            claims.setdefault("email", claims["sub"])
    ways = {
        str(s.authn_context.authn_context_class_ref.text).strip()
        for s in assertion.authn_statement
        if s.authn_context is not None and s.authn_context.authn_context_class_ref is not None
    }
    claims["amr"] = ["mfa"] if (ways | set(held.get(WAYS_CLAIM, []))) & TWO else []
    return claims


def _attributes(assertion: Any) -> Iterator[tuple[str, list[str]]]:
    for statement in assertion.attribute_statement:
        for attribute in statement.attribute:
            values = [
                str(v.text).strip() for v in attribute.attribute_value if v.text and str(v.text).strip()
            ]
            for name in (attribute.name, attribute.friendly_name):
                if name:
                    yield str(name), values


def entity_of(back: str) -> str:
    """Our entity id for one school, where our metadata is too. back: where answers are posted."""
    return back.removesuffix("/back") + "/metadata"


def _client(idp: Idp, back: str) -> Saml2Client:
    assert idp.key is not None
    theirs = (
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" '
        f"entityID={quoteattr(idp.issuer)}>"
        '<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        f"{key_descriptors(idp.details['certificates'])}"
        f'<SingleSignOnService Binding="{BINDING_HTTP_REDIRECT}" Location={quoteattr(idp.details["sso"])}/>'
        "</IDPSSODescriptor></EntityDescriptor>"
    )
    return Saml2Client(config=_config(back, idp.key, theirs), identity_cache=_Nothing())


def _config(back: str, key: tuple[str, str], theirs: str) -> SPConfig:
    file, certificate = key_files(*key)
    return SPConfig().load(
        {
            "entityid": entity_of(back),
            "service": {
                "sp": {
                    "name": "Rollbook",
                    "endpoints": {"assertion_consumer_service": [(back, BINDING_HTTP_POST)]},
                    "authn_requests_signed": True,
                    "want_assertions_signed": True,
                    "want_response_signed": False,
                    "allow_unsolicited": False,
                    "allow_unknown_attributes": True,
                }
            },
            "key_file": file,
            "cert_file": certificate,
            "xmlsec_binary": shutil.which("xmlsec1"),
            "accepted_time_diff": int(SKEW.total_seconds()),
            "metadata": {"inline": [theirs]} if theirs else {},
        }
    )
