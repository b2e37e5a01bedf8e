"""SAML 2.0 as pysaml2 speaks it, signed by xmlsec1: our metadata, an app's request read, a signed assertion about one
person. Each school is an identity provider of its own, as makers of apps know many schools by one entity id of theirs.
"""

from __future__ import annotations

import base64
import binascii
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import quoteattr

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, SAMLError, samlp
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import (
    NAMEID_FORMAT_EMAILADDRESS,
    NAMEID_FORMAT_PERSISTENT,
    NAMEID_FORMAT_UNSPECIFIED,
    NameID,
)
from saml2.server import Server
from saml2.time_util import str_to_time

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.saml import RSA_SHA256, certificates_in, key_descriptors, key_files, read_metadata
from rollbook.sharing.actions import keys
from rollbook.sharing.queries.sign_on import Relying, Seen

LARGEST = 64_000  # bytes of a request; a real one has a few thousand
SKEW = timedelta(minutes=5)  # how far an app's clock may be off, and how old its request may be
LIVES = 5  # minutes of an assertion
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
CONTEXTS = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
# attribute -> the claim of `queries.sign_on` that it is.
ATTRIBUTES = {
    "displayName": "name", "givenName": "given_name", "sn": "family_name", "uid": "preferred_username", "mail": "email",
    "role": "roles", "grade": "grades",
}  # fmt: skip


class Fault(Exception):
    """A request that is not answered. code: the last word of SAML's status; told: whether the app may be told, at the
    address that is its own."""

    def __init__(self, code: str, says: str, asked: Asked | None = None) -> None:
        self.code, self.says, self.asked = code, says, asked
        super().__init__(says)


@dataclass(frozen=True)
class Asked:
    """An app's request to sign somebody in. acs: the app's own address to which the answer is posted."""

    id: str
    acs: str
    relay: str
    issued: datetime
    force: bool
    passive: bool
    format: str


def unpacked(text: str, deflated: bool) -> bytes:
    """The XML of a message as it was sent. Raises Fault.

    deflated: by the redirect binding. What is posted should not be packed; some libraries pack it all the same.
    """
    try:
        raw = base64.b64decode(text, validate=True)
        if deflated or not raw.lstrip().startswith(b"<"):
            packer = zlib.decompressobj(-15)
            raw = packer.decompress(raw, LARGEST)
            if packer.unconsumed_tail:
                raise ValueError("too large")
    except (binascii.Error, zlib.error, ValueError):
        raw = b""
    if not 0 < len(raw) <= LARGEST:
        raise Fault("Requester", "This is no request to sign in.")
    return raw


def sender(xml: bytes) -> str:
    """The entity id of whoever sent a request, believed or not. Raises Fault."""
    try:
        found = samlp.authn_request_from_string(xml)
    except (ValueError, SyntaxError, SAMLError):
        found = None
    if found is None or found.issuer is None or not found.issuer.text:
        raise Fault("Requester", "This is no request to sign in.")
    return str(found.issuer.text).strip()


def read_request(site: str, school: str, to: Relying, sent: Mapping[str, str], posted: bool) -> Asked:
    """An app's request, checked: its form, signature (where the app signs), address, age. Raises Fault."""
    binding = BINDING_HTTP_POST if posted else BINDING_HTTP_REDIRECT
    try:
        read = provider(site, school, to).parse_authn_request(
            sent["SAMLRequest"], binding, relay_state=sent.get("RelayState"), sigalg=sent.get("SigAlg"),
            signature=sent.get("Signature"),
        )  # fmt: skip
    except Exception as error:  # pysaml2 raises errors of many kinds, some of Python's own
        raise Fault("Requester", f"The request cannot be believed: {type(error).__name__}.") from None
    if read is None or read.message is None:
        raise Fault("Requester", "The request cannot be read.")
    asked = read.message
    acs = asked.assertion_consumer_service_url or to.redirect_uris[0]
    if acs not in to.redirect_uris:
        raise Fault("Requester", "The address for the answer is not one that the app’s maker gave us.")
    if asked.protocol_binding not in (None, "", BINDING_HTTP_POST):
        raise Fault("UnsupportedBinding", "Answers are posted, in no other way.")
    policy = asked.name_id_policy
    issued = datetime.fromtimestamp(_seconds(asked.issue_instant), UTC)
    found = Asked(
        str(asked.id), acs, sent.get("RelayState", "")[:1024], issued, asked.force_authn in ("true", "1"),
        asked.is_passive in ("true", "1"), (policy.format if policy is not None else "") or "",
    )  # fmt: skip
    if abs(clock.now() - issued) > SKEW:
        raise Fault("RequestDenied", "The request is too old, or the app’s clock is wrong.", found)
    return found


def _seconds(instant: str) -> float:
    import calendar

    return float(calendar.timegm(str_to_time(instant)))


def name_format(to: Relying, found: Seen, asked: Asked | None) -> str:
    """How the person is named: by the code that this app alone knows, or by email where that is asked for and shared.
    Raises Fault."""
    wanted = asked.format if asked else ""
    if wanted in ("", NAMEID_FORMAT_UNSPECIFIED, NAMEID_FORMAT_PERSISTENT):
        return str(NAMEID_FORMAT_PERSISTENT)
    if wanted == NAMEID_FORMAT_EMAILADDRESS and found.claims(["email"]):
        return str(NAMEID_FORMAT_EMAILADDRESS)
    raise Fault("InvalidNameIDPolicy", "The school does not name people to this app in that way.", asked)


def claims_of(found: Seen) -> dict[str, Any]:
    """The claims that an assertion about this person holds."""
    return found.claims(dict.fromkeys(ATTRIBUTES.values()))


def assertion(
    site: str, school: str, to: Relying, found: Seen, who: Any, asked: Asked | None, acs: str
) -> str:
    """A signed answer for the app, as the form field holds it. asked: None for a launch from the portal."""
    format, idp = name_format(to, found, asked), provider(site, school, to)
    claims = claims_of(found)
    text = found.sub if format == NAMEID_FORMAT_PERSISTENT else claims["email"]
    values = {name: claims[c] for name, c in ATTRIBUTES.items() if c in claims}
    name = NameID(
        format=format, text=text, name_qualifier=idp.config.entityid,
        sp_name_qualifier=str(to.details["entity_id"]),
    )  # fmt: skip
    by = "PasswordProtectedTransport" if "pwd" in who.amr else "unspecified"
    made = idp.create_authn_response(
        {key: value if isinstance(value, list) else [value] for key, value in values.items()},
        in_response_to=asked.id if asked else None, destination=acs, sp_entity_id=to.details["entity_id"],
        name_id=name, sign_assertion=True, sign_response=False, sign_alg=RSA_SHA256, digest_alg=SHA256,
        authn={
            "class_ref": CONTEXTS + by, "authn_auth": idp.config.entityid,
            "authn_instant": int((who.since or clock.now()).timestamp()),
        },
    )  # fmt: skip
    return base64.b64encode(str(made).encode()).decode()


def refusal(site: str, school: str, to: Relying, fault: Fault) -> str:
    """SAML's own answer to a request that was refused, as the form field holds it."""
    assert fault.asked is not None
    status = f"urn:oasis:names:tc:SAML:2.0:status:{fault.code}"
    made = provider(site, school, to).create_error_response(
        fault.asked.id,
        fault.asked.acs,
        (status, fault.says),
        sign=True,
        sign_alg=RSA_SHA256,
        digest_alg=SHA256,
    )
    return base64.b64encode(str(made).encode()).decode()


def metadata(site: str, school: str) -> str:
    """Our metadata for one school, for the apps' makers."""
    made = entity_descriptor(_config(site, school, "", False, *key_files(*keys.saml_key())))
    made.extensions = None  # xmlsec1 could do more than we do, MD5 among it
    return str(made)


def details_of(text: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """(addresses for answers, details) from an app's own metadata. Raises Invalid."""
    found = read_metadata(text)
    if found is None or not found.spsso_descriptor:
        raise Invalid(
            "This is not the metadata of an app.",
            "Its maker gives it, as an XML file with an SPSSODescriptor.",
            "metadata",
        )
    sp = found.spsso_descriptor[0]
    acs = [str(a.location) for a in sp.assertion_consumer_service if a.binding == BINDING_HTTP_POST]
    if not acs:
        raise Invalid(
            "The app takes no answers by POST.", "Ask its maker for metadata with that binding.", "metadata"
        )
    signs = sp.authn_requests_signed in ("true", "1")
    return tuple(acs), {
        "entity_id": str(found.entity_id),
        "certificates": certificates_in(sp),
        "signs": signs,
    }


# ---- pysaml2's own object, which is dear to make: one for each school, app and key.


def provider(site: str, school: str, to: Relying) -> Server:
    """The identity provider that this school is for this app."""
    key, certificate = keys.saml_key()
    signs = bool(to.details.get("signs"))
    return _provider(site, school, _app_metadata(to), signs, key, certificate)


@lru_cache(maxsize=100)
def _provider(site: str, school: str, app: str, signs: bool, key: str, certificate: str) -> Server:
    return Server(config=_config(site, school, app, signs, *key_files(key, certificate)))


def _config(site: str, school: str, app: str, signs: bool, key: str, certificate: str) -> IdPConfig:
    where = f"{site}/saml/{school}"
    sso = [(f"{where}/sso", BINDING_HTTP_REDIRECT), (f"{where}/sso", BINDING_HTTP_POST)]
    return IdPConfig().load(
        {
            "entityid": f"{where}/metadata",
            "service": {
                "idp": {
                    "name": "Rollbook",
                    "endpoints": {"single_sign_on_service": sso},
                    "name_id_format": [NAMEID_FORMAT_PERSISTENT],
                    "want_authn_requests_signed": signs,
                    "policy": {
                        "default": {
                            "lifetime": {"minutes": LIVES},
                            "attribute_restrictions": None,
                            "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
                        }
                    },
                }
            },
            "key_file": key,
            "cert_file": certificate,
            "xmlsec_binary": shutil.which("xmlsec1"),
            "accepted_time_diff": int(SKEW.total_seconds()),
            "metadata": {"inline": [app]} if app else {},
        }
    )


def _app_metadata(to: Relying) -> str:
    """What we know of an app, as SAML metadata."""
    places = "".join(
        f'<AssertionConsumerService index="{n}" Binding="{BINDING_HTTP_POST}" Location={quoteattr(acs)}/>'
        for n, acs in enumerate(to.redirect_uris)
    )
    certificates = key_descriptors(to.details.get("certificates", ()))
    return (
        f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID={quoteattr(to.details["entity_id"])}>'
        '<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol" WantAssertionsSigned="true">'
        f"{certificates}{places}</SPSSODescriptor></EntityDescriptor>"
    )
