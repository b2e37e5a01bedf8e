"""Webhooks: how a message is signed, which addresses may be called, when it is tried again. Pure."""

from __future__ import annotations

import base64
import hmac
import ipaddress
from datetime import timedelta
from urllib.parse import urlsplit

from rollbook.kernel.errors import Invalid

# After each failed try the next comes so much later; after the last there is none.
WAITS = (
    timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2),
    timedelta(hours=6), timedelta(hours=12), timedelta(hours=24),
)  # fmt: skip


def read_url(text: str, loopback: bool) -> str:
    """An address that messages may go to, as it is written. loopback: this machine may be named, and over http.

    Raises Invalid. What the name stands for is looked at again before each try (`refused`).
    """
    parts = urlsplit(text.strip())
    try:
        port = parts.port
    except ValueError:
        port = -1
    if (
        not parts.hostname
        or port == -1
        or parts.username is not None
        or parts.password is not None
        or parts.fragment
    ):
        raise Invalid(
            "This is no web address that can be called.", "It looks like https://app.example/hook", "url"
        )
    named = parts.hostname == "localhost" or _is_loopback(parts.hostname)
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback and named):
        raise Invalid(
            "The address does not begin with https://", "Messages go over an encrypted line only.", "url"
        )
    private = refused(parts.hostname, loopback) if _is_address(parts.hostname) else ""
    if private or (named and not loopback):
        raise Invalid(
            private or "The address lies in a private network.",
            "Give an address that the whole internet can reach.",
            "url",
        )
    return parts.geturl()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def refused(address: str, loopback: bool) -> str:
    """Why an address (of numbers) must not be called; empty when it may: a webhook is no way into our own network."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or found
    if found.is_loopback and loopback:
        return ""
    if not found.is_global or found.is_multicast:
        return "The address lies in a private network."
    return ""


def secret_text(master: bytes, webhook: int, nonce: str) -> str:
    """A webhook's secret, made of this site's key: nothing of it is kept."""
    digest = hmac.digest(master, f"rollbook.webhook:{webhook}:{nonce}".encode(), "sha256")
    return "whsec_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def signature(secret: str, moment: int, body: bytes) -> str:
    """The header that says when a message was sent and proves by whom: t=<seconds>,v1=<HMAC of "t.body">."""
    proof = hmac.new(secret.encode(), f"{moment}.".encode() + body, "sha256").hexdigest()
    return f"t={moment},v1={proof}"
