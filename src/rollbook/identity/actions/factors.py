"""The second factor of staff: passkeys, recovery codes, the days of grace to set one up, and word of a new device."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import transaction
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from rollbook.identity import rules
from rollbook.identity.actions.sessions import SessionStore, begin, digest, end_sign_ins
from rollbook.identity.actions.tries import TooMany, Tries
from rollbook.identity.models import Account, KnownDevice, Passkey, RecoveryCode, Session
from rollbook.identity.queries import Who, passkeys_of, places_of, who_is
from rollbook.kernel import clock, limits
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import site
from rollbook.kernel.jobs import enqueue
from rollbook.kernel.mail import can_mail, mail
from rollbook.policy import Actor, audit, unguarded

SALT = "rollbook.passkey"
NEW_DEVICE = """\
{browser}, on {at}: your account was signed in to on a device that it was not used on before.

Was that you? Then do nothing.

Was it not you? Open {site}/me, press “Sign out everywhere” and change your password. Then tell your administrator.
"""
FITS_NOT = "That passkey does not open anything here."


def _challenge() -> tuple[bytes, str]:
    """A challenge, and the sealed form that comes back with the answer: no row waits for a stranger."""
    made = secrets.token_bytes(32)
    return made, signing.dumps(bytes_to_base64url(made), salt=SALT)


def _asked(sealed: str) -> bytes:
    """The challenge of a sealed form, once and for five minutes. Raises Invalid."""
    try:
        made: str = signing.loads(sealed, salt=SALT, max_age=rules.CHALLENGE_SECONDS)
    except signing.BadSignature:
        raise Invalid("This page was open for too long.", "Try again.") from None
    if limits.count(f"passkey:{made}", 2 * rules.CHALLENGE_SECONDS).count > 1:
        raise Invalid("This answer was used before.", "Try again.")
    return base64url_to_bytes(made)


def offer_registration(who: Who, host: str) -> tuple[str, str]:
    """What the browser needs to make a passkey, as JSON, and the sealed challenge."""
    challenge, sealed = _challenge()
    options = generate_registration_options(
        rp_id=host, rp_name="Rollbook", user_id=str(who.account_id).encode(), user_name=who.email, user_display_name=who.name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(p.credential)) for p in passkeys_of(who.account_id)
        ],
    )  # fmt: skip
    return options_to_json(options), sealed


def offer_sign_in(host: str) -> tuple[str, str]:
    """What the browser needs to use a passkey, as JSON, and the sealed challenge. It names nobody."""
    challenge, sealed = _challenge()
    options = generate_authentication_options(
        rp_id=host, challenge=challenge, user_verification=UserVerificationRequirement.REQUIRED
    )
    return options_to_json(options), sealed


def add_passkey(
    session: SessionStore, who: Who, answer: str, sealed: str, host: str, origin: str, name: str
) -> list[str]:
    """Keep a new passkey; this sign-in then has two factors. Returns recovery codes when they are the first ones.

    Raises Invalid for an answer that does not hold, and for somebody who has a passkey and did not use it.
    """
    _sure(who)
    try:
        made = verify_registration_response(
            credential=answer, expected_challenge=_asked(sealed), expected_rp_id=host, expected_origin=origin,
            require_user_verification=True,
        )  # fmt: skip
    except (WebAuthnException, ValueError, KeyError) as error:
        raise Invalid("The passkey was not made.", "Try again, or use another device.") from error
    credential, name = bytes_to_base64url(made.credential_id), " ".join(name.split())[:80] or "Passkey"
    with unguarded("people add a passkey to their own account"), transaction.atomic():
        if Passkey.objects.filter(credential=credential).exists():
            raise Invalid("That passkey is in use already.", "Choose another one.")
        Passkey.objects.create(
            account_id=who.account_id, credential=credential, public_key=bytes_to_base64url(made.credential_public_key),
            sign_count=made.sign_count, name=name, created_at=clock.now(),
        )  # fmt: skip
        _everywhere(who.account_id, who.actor, "identity.passkey_added", who.name, passkey=name)
        first = not RecoveryCode.objects.filter(account_id=who.account_id).exists()
    codes = new_codes(who) if first else []
    if who.trust != "two":
        _begin_again(session, who, "password+passkey")
    return codes


def _sure(who: Who) -> None:
    """A stolen password, or a browser left open, must not change what guards the account."""
    if who.trust != "two" and passkeys_of(who.account_id):
        raise Invalid("Sign in with the passkey that you have first.", "Then you can change this.")


def remove_passkey(who: Who, passkey_id: int) -> None:
    """Take one's own passkey away. Raises NotFound, or Invalid for the last one of somebody who needs two factors."""
    _sure(who)
    with unguarded("people take a passkey from their own account"), transaction.atomic():
        mine = list(Passkey.objects.filter(account_id=who.account_id))
        found = next((p for p in mine if p.id == passkey_id), None)
        if found is None:
            raise NotFound("There is no such passkey.")
        needed = any(place.role in rules.NEEDS_TWO for place in who.memberships)
        if needed and len(mine) == 1:
            raise Invalid("This is your last passkey, and your role needs one.", "Add another first.")
        Passkey.objects.filter(id=found.id).delete()
        _everywhere(who.account_id, who.actor, "identity.passkey_removed", who.name, passkey=found.name)


def sign_in_passkey(
    session: SessionStore, answer: str, sealed: str, host: str, origin: str, address: str, device: str, agent: str = "",
) -> Who | None:  # fmt: skip
    """Sign in by a passkey, or give the second factor of the sign-in that has begun. None when it does not fit.

    Raises TooMany after too many failures, Invalid for a page that was open too long.
    """
    tries = Tries("passkey", address, device)
    tries.check()
    challenge, who = _asked(sealed), None
    try:
        found = _verified(answer, challenge, host, origin)
    except (WebAuthnException, ValueError, KeyError):
        found = None
    if found is not None:
        who = who_is(found.account_id, session.get("membership", 0))
    if found is None or who is None:
        tries.failed()
        return None
    second = session.get("account") == found.account_id and session.kind == "staff"
    begin(session, who, agent, "password+passkey" if second and session.how == "password" else "passkey")
    audit(who.tenant.id, who.actor, "identity.signed_in", "account", who.account_id, who.name, by="passkey",
          browser=session.browser)  # fmt: skip
    return who


def _verified(answer: str, challenge: bytes, host: str, origin: str) -> Passkey | None:
    """The passkey that gave this answer to the challenge. Raises when the answer does not hold."""
    credential = parse_authentication_credential_json(answer)
    with unguarded("a passkey is known by its id before anybody is"), transaction.atomic():
        found: Passkey | None = Passkey.objects.filter(
            credential=bytes_to_base64url(credential.raw_id)
        ).first()
        if found is None:
            return None
        held = verify_authentication_response(
            credential=credential, expected_challenge=challenge, expected_rp_id=host, expected_origin=origin,
            credential_public_key=base64url_to_bytes(found.public_key), credential_current_sign_count=found.sign_count,
            require_user_verification=True,
        )  # fmt: skip
        Passkey.objects.filter(id=found.id).update(sign_count=held.new_sign_count, used_at=clock.now())
    return found


def _begin_again(session: SessionStore, who: Who, how: str) -> None:
    """The same sign-in with more trust, under a new key."""
    browser = session.browser
    begin(session, who, "", how)
    session.browser = browser
    session.save()


# ---- Recovery codes.


def _code_digest(account_id: int, code: str) -> str:
    plain = "".join(code.upper().split()).replace("-", "")
    return hmac.new(
        settings.SECRET_KEY.encode(), f"recovery:{account_id}:{plain}".encode(), sha256
    ).hexdigest()


def renew_codes(who: Who) -> list[str]:
    """New recovery codes. Raises Invalid for somebody who has a passkey and did not use it."""
    _sure(who)
    return new_codes(who)


def new_codes(who: Who) -> list[str]:
    """Ten recovery codes, shown this once; older ones stop."""
    plain = [b32encode(secrets.token_bytes(8)).decode()[:12] for _ in range(rules.RECOVERY_CODES)]
    with unguarded("people take new recovery codes"), transaction.atomic():
        RecoveryCode.objects.filter(account_id=who.account_id).delete()
        moment = clock.now()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(account_id=who.account_id, digest=_code_digest(who.account_id, c), created_at=moment) for c in plain
        )  # fmt: skip
        _everywhere(who.account_id, who.actor, "identity.recovery_codes_made", who.name)
    return [f"{c[:4]}-{c[4:8]}-{c[8:]}" for c in plain]


def use_code(session: SessionStore, who: Who, code: str) -> bool:
    """Give a recovery code as the second factor. False when it does not fit. Raises TooMany."""
    key = f"recovery:account:{who.account_id}"
    use = limits.count(key, rules.WINDOW, add=0)
    if use.count >= rules.PER_ACCOUNT:
        raise TooMany(use.seconds_left)
    with unguarded("a recovery code works once"), transaction.atomic():
        mine = RecoveryCode.objects.filter(
            digest=_code_digest(who.account_id, code), account_id=who.account_id, used_at=None
        )
        fits = bool(mine.update(used_at=clock.now()))
        _everywhere(
            who.account_id, who.actor, "identity.recovery_code_" + ("used" if fits else "refused"), who.name
        )
    if not fits:
        limits.count(key, rules.WINDOW)
        return False
    _begin_again(session, who, "password+recovery")
    return True


# ---- Grace, and what an administrator mends.


def begin_grace(who: Who) -> datetime:
    """When the days to set up a second factor end; they begin when it is first asked for."""
    with unguarded("the days of grace of an account begin once"), transaction.atomic():
        Account.objects.filter(id=who.account_id, grace_until=None).update(
            grace_until=clock.now() + rules.GRACE
        )
        ends: datetime = Account.objects.get(id=who.account_id).grace_until
    return ends


def put_off(session: SessionStore, who: Who) -> None:
    """Go on without a second factor, within the days of grace. Raises Invalid once they are over or one is set up."""
    if passkeys_of(who.account_id) or begin_grace(who) <= clock.now():
        raise Invalid("A second step is needed now.", "Add a passkey, or use the one you have.")
    session["grace"] = True
    audit(who.tenant.id, who.actor, "identity.second_step_put_off", "account", who.account_id, who.name)


def set_grace(account: Account, until: datetime) -> None:
    """Give an account other days of grace: the demo's accounts, and a colleague whose passkey is lost."""
    with unguarded("an operator sets the days of grace"):
        Account.objects.filter(id=account.id).update(grace_until=until)


def forget_factors(account: Account, by: Actor | None) -> None:
    """Take every passkey and code from an account whose holder lost them; its sign-ins end, the days of grace begin anew."""
    with unguarded("the factors of an account are taken away"), transaction.atomic():
        Passkey.objects.filter(account_id=account.id).delete()
        RecoveryCode.objects.filter(account_id=account.id).delete()
        end_sign_ins(Session.objects.filter(account_id=account.id, kind="staff"), [account.id])
        Account.objects.filter(id=account.id).update(grace_until=clock.now() + rules.GRACE)
        _everywhere(account.id, by, "identity.factors_removed", account.name)


def notice_device(who: Who, device: str, browser: str) -> bool:
    """Remember the device; True (and in the audit, and a mail) when the account was never used on it, but was on
    another."""
    if not device:
        return False
    with unguarded("a new device of an account is noticed"), transaction.atomic():
        known = KnownDevice.objects.filter(account_id=who.account_id)
        others = known.exists()
        row, new = KnownDevice.objects.get_or_create(
            account_id=who.account_id,
            digest=digest(device),
            defaults={"browser": browser, "first_at": clock.now()},
        )
        if new and others:
            _everywhere(who.account_id, who.actor, "identity.new_device", who.name, browser=browser)
            enqueue("identity.tell_device", who.tenant.id, device_id=row.id)
    return new and others


def tell_device(device_id: int) -> None:
    """Mail the holder of an account that a new device signed in to it; run by the worker, safe to run twice.

    It says the browser and when, for they must know whether it was they; no name, no school and no link that signs in.
    """
    if not can_mail():
        return
    with unguarded("the holder of an account is told of a new device"):
        open_ = KnownDevice.objects.filter(id=device_id, told_at=None, account__closed_at=None)
        found = open_.select_related("account").first()
        if found is None:
            return
        mail(
            found.account.email,
            "A new device signed in to your Rollbook account",
            NEW_DEVICE.format(
                browser=found.browser or "A browser", at=f"{found.first_at:%-d %B %Y at %H:%M} UTC",
                site=site(),
            ),
        )  # fmt: skip
        KnownDevice.objects.filter(id=device_id).update(told_at=clock.now())


def _everywhere(account_id: int, by: Actor | None, verb: str, name: str, **details: Any) -> None:
    for tenant in sorted({place.tenant.id for place in places_of(account_id)}):
        audit(tenant, by, verb, "account", account_id, name, **details)
