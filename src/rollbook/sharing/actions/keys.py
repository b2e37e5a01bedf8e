"""Keys that Rollbook signs with: for tokens, changed every 90 days, and for SAML, where apps keep our certificate."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from joserfc.jwk import RSAKey

from rollbook.kernel import clock
from rollbook.kernel.saml import self_signed
from rollbook.kernel.sealed import seal, unseal
from rollbook.policy import unguarded
from rollbook.sharing.models import SigningKey

PURPOSE = "signing keys"
LIVES = timedelta(days=90)  # then the next one is made
SHOWN_FIRST = timedelta(days=1)  # published so long before it signs: apps keep our key set for a while
SHOWN_AFTER = timedelta(days=7)  # and so long after the next one signs


def signing_key() -> RSAKey:
    """The private key that signs tokens now. The first use makes one."""
    moment, keys = clock.now(), _keys("jwt")
    if not keys or keys[0].made_at + LIVES <= moment:
        keys = [_make_jwt(), *keys]
    ready = [k for k in keys if k.made_at + SHOWN_FIRST <= moment and _is_shown(k)]
    found = ready[0] if ready else keys[0]
    return _private(found.kid, found.sealed)


def public_keys() -> list[dict[str, Any]]:
    """The key set that apps check signatures against."""
    signing_key()
    return [json.loads(k.public) for k in _keys("jwt") if _is_shown(k)]


def _is_shown(key: SigningKey) -> bool:
    return bool(key.made_at > clock.now() - LIVES - SHOWN_FIRST - SHOWN_AFTER)


def rotate() -> str:
    """Make the next key now; it signs after a day. Returns its id."""
    return _make_jwt().kid


def saml_key() -> tuple[str, str]:
    """(private key, certificate), both PEM, that sign SAML assertions. The first use makes them."""
    keys = _keys("saml")
    found = keys[-1] if keys else _make_saml()
    return unseal(PURPOSE, found.sealed).decode(), found.public


def _keys(use: str) -> list[SigningKey]:
    """Newest first."""
    with unguarded("Rollbook reads its own signing keys"):
        return list(SigningKey.objects.filter(use=use).order_by("-made_at", "-kid"))


def _save(kid: str, use: str, private: bytes, public: str, made_at: datetime) -> SigningKey:
    with unguarded("Rollbook makes a signing key"):
        made: SigningKey = SigningKey.objects.create(
            kid=kid, use=use, sealed=seal(PURPOSE, private), public=public, made_at=made_at
        )
    return made


def _make_jwt() -> SigningKey:
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, private=True)
    kid = key.thumbprint()
    public = {**key.as_dict(private=False), "kid": kid}
    return _save(kid, "jwt", key.as_pem(private=True), json.dumps(public), clock.now())


def _make_saml() -> SigningKey:
    private, public = self_signed()
    return _save(sha256(public.encode()).hexdigest()[:43], "saml", private.encode(), public, clock.now())


@lru_cache(maxsize=16)
def _private(kid: str, sealed: str) -> RSAKey:
    return RSAKey.import_key(unseal(PURPOSE, sealed), {"kid": kid, "use": "sig", "alg": "RS256"})
