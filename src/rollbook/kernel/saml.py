"""What both sides of SAML need: a key with its own certificate, the key as a file for xmlsec1, certificates in metadata."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from defusedxml import ElementTree  # type: ignore[import-untyped]  # it has no types
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]  # likewise

from rollbook.kernel import clock

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
CERTIFICATE_LIVES = timedelta(days=3650)  # whoever keeps the certificate must be told of another by hand


def self_signed() -> tuple[str, str]:
    """A new key and its certificate, both PEM."""
    moment = clock.now()
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rollbook sign-in")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + CERTIFICATE_LIVES).sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


@lru_cache(maxsize=100)
def key_files(key: str, certificate: str) -> tuple[str, str]:
    """xmlsec1 reads the key from a file: one that only this process's user may open, gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="rollbook-saml-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, text in (("key.pem", key), ("certificate.pem", certificate)):
        (folder / name).touch(0o600)
        (folder / name).write_text(text, encoding="ascii")
    return str(folder / "key.pem"), str(folder / "certificate.pem")


def read_metadata(text: str) -> Any:
    """Somebody's metadata as pysaml2 reads it: one entity with a name. None for anything else."""
    from saml2 import SAMLError
    from saml2.md import entity_descriptor_from_string

    try:
        ElementTree.fromstring(text.encode(), forbid_dtd=True)
        found = entity_descriptor_from_string(text)
    except (ValueError, SyntaxError, SAMLError, DefusedXmlException):
        return None
    return found if found is not None and found.entity_id else None


def certificates_in(descriptor: Any) -> list[str]:
    """The certificates, base64, that a role of somebody's metadata (as pysaml2 read it) signs with."""
    return [
        "".join(str(data.x509_certificate.text).split())
        for key in descriptor.key_descriptor
        if key.use in (None, "signing") and key.key_info is not None
        for data in key.key_info.x509_data
        if data.x509_certificate is not None
    ]


def key_descriptors(certificates: Iterable[str]) -> str:
    """Certificates as metadata holds them."""
    return "".join(
        '<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>'
        f"{''.join(c.split())}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
        for c in certificates
    )
