"""Secrets of other systems that we must show again (a directory's password): sealed, so that a copy of the database
alone opens nothing. The key comes from this installation's secret key; where that changes, they are asked for anew."""

from __future__ import annotations

import base64
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from rollbook.kernel.errors import Invalid


def seal(secret: str, purpose: str) -> str:
    """The secret as text for the database. purpose: opens only what was sealed for the same."""
    nonce = os.urandom(12)
    return base64.b64encode(nonce + _box().encrypt(nonce, secret.encode(), purpose.encode())).decode()


def unseal(sealed: str, purpose: str) -> str:
    """The secret. Raises Invalid when it was sealed with another key or for another purpose."""
    try:
        data = base64.b64decode(sealed)
        return _box().decrypt(data[:12], data[12:], purpose.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise Invalid(
            "A stored secret cannot be opened: it was sealed with another secret key.", "Enter it again."
        ) from error


def _box() -> AESGCM:
    return AESGCM(sha256(b"rollbook.sealing:" + settings.SECRET_KEY.encode()).digest())
