"""Picture codes: a teacher gives one child a number and four pictures, for a quarter of an hour and one sign-in."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from rollbook.identity import rules
from rollbook.identity.actions.people import accounts_for, key_of
from rollbook.identity.actions.sessions import SessionStore, begin
from rollbook.identity.actions.tries import Tries
from rollbook.identity.models import PictureCode
from rollbook.identity.queries import Who, person_is, sign_in_rules
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.ids import new_id
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant


@dataclass(frozen=True)
class NewCode:
    """A picture code as the teacher's screen shows it, this once."""

    number: str
    pictures: tuple[str, ...]
    ends: datetime


def give_code(tenant: Tenant, person: int, by: Actor) -> NewCode:
    """A picture code for one pupil; their older ones stop. Raises Invalid where the school has not directed it."""
    if not sign_in_rules(tenant.id).picture_codes:
        raise Invalid(
            "Picture codes are off at your school.", "An administrator lets pupils sign in by them."
        )
    taps = tuple(secrets.randbelow(len(rules.PICTURES)) for _ in range(rules.TAPS))
    moment, made = clock.now(), new_id()
    with transaction.atomic():
        account = next(iter(accounts_for(tenant.id, [person], "student", by).values()))
        number = _free_number()
        with unguarded("a teacher gives a child a picture code", tenant=tenant.id):
            PictureCode.objects.filter(account=account, used_at=None).delete()
            PictureCode.objects.create(
                id=made, tenant=tenant, account=account, number=number, made_by=by.name, made_by_id=by.id,
                digest=rules.pictures_digest(key_of(tenant.id), made, taps),
                created_at=moment, expires_at=moment + rules.CODE_LASTS,
            )  # fmt: skip
        audit(tenant.id, by, "picture_code.given", "person", person)
    return NewCode(number, tuple(rules.PICTURES[t] for t in taps), moment + rules.CODE_LASTS)


def _free_number() -> str:
    """A number that no other code in force has: four digits, more only when most of those are taken."""
    with unguarded("a number is chosen that no picture code in force has"):
        live = set(
            PictureCode.objects.filter(expires_at__gt=clock.now(), used_at=None).values_list(
                "number", flat=True
            )
        )
    digits = 4 if len(live) < 5000 else 6
    while True:
        number = str(secrets.randbelow(10**digits)).zfill(digits)
        if number not in live:
            return number


def sign_in_pictures(
    session: SessionStore, number: str, taps: tuple[int, ...], address: str, device: str, agent: str = ""
) -> Who | None:
    """Sign in by a number and four pictures. None when they do not fit, or the code is used, late, or tried too often.

    Raises TooMany in the pause after too many failures.
    """
    tries = Tries("pictures", address, device)
    tries.check()
    moment = clock.now()
    with unguarded("a picture code is found by its number before anybody is known"), transaction.atomic():
        code = PictureCode.objects.filter(number=number, used_at=None, expires_at__gt=moment).first()
    right = rules.pictures_digest(key_of(code.tenant_id if code else 0), code.id if code else 0, taps)
    fits = False
    if code is not None:
        with unguarded("a try of a picture code is counted", tenant=code.tenant_id):
            open_still = PictureCode.objects.filter(id=code.id, used_at=None, tries__lt=rules.CODE_TRIES)
            counted = open_still.update(tries=F("tries") + 1)
            fits = bool(counted) and hmac.compare_digest(right, code.digest)
            fits = fits and bool(PictureCode.objects.filter(id=code.id, used_at=None).update(used_at=moment))
    who = person_is(code.account_id, None) if code is not None and fits else None
    if code is None or who is None or not sign_in_rules(code.tenant_id).picture_codes:
        pause = tries.failed()
        if code is not None:
            with unguarded("a failed picture code is noted", tenant=code.tenant_id):
                person = PictureCode.objects.filter(id=code.id).values_list("account__person_id", flat=True)[
                    0
                ]
            audit(code.tenant_id, None, "picture_code.refused", "person", person, "", pause=pause)
        return None
    with transaction.atomic():
        begin(session, who, agent, "picture")
        audit(who.tenant.id, who.actor, "identity.signed_in", "person", who.person or 0, who.name, by="picture",
              browser=session.browser)  # fmt: skip
    return who
