"""Secrets that Rollbook itself must be able to read again (a signing key, its secret at another system): sealed under
the deployment's own key, so that a copy of the database opens nothing."""

from __future__ import annotations

import base64
import secrets
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


def _box(purpose: str) -> AESGCM:
    return AESGCM(sha256(f"{purpose}:{settings.SECRET_KEY}".encode()).digest())


def seal(purpose: str, secret: bytes) -> str:
    """The secret as text that opens with the same purpose, in this deployment alone."""
    nonce = secrets.token_bytes(12)
    return base64.b64encode(nonce + _box(purpose).encrypt(nonce, secret, None)).decode()


def unseal(purpose: str, text: str) -> bytes:
    """What `seal` sealed. Raises cryptography's InvalidTag for what was sealed elsewhere or for something else."""
    data = base64.b64decode(text)
    return _box(purpose).decrypt(data[:12], data[12:], None)
