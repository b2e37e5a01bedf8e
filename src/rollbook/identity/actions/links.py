"""Guardians sign in by a one-time link or code, sent to the contact that the school holds. Who asks learns nothing: for
a contact that nobody has, the same is looked up, the same page answers, and a job runs that sends nothing."""

from __future__ import annotations

import hmac

import httpx
from django.conf import settings
from django.db import transaction
from django.db.models import F

from rollbook.identity import rules
from rollbook.identity.actions.people import accounts_for, key_of
from rollbook.identity.actions.sessions import SessionStore, begin, digest
from rollbook.identity.actions.tries import Tries
from rollbook.identity.models import OneTimeKey
from rollbook.identity.queries import Who, person_is, sign_in_rules
from rollbook.kernel import clock, limits
from rollbook.kernel.errors import NotFound
from rollbook.kernel.http import site
from rollbook.kernel.ids import new_id
from rollbook.kernel.jobs import enqueue
from rollbook.kernel.mail import can_mail, mail
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant, contacts_of, guardians_by

ROLLBOOK = Actor("system", "system", 0, "Rollbook")


def channels() -> tuple[str, ...]:
    """How this site can reach a guardian: mail, sms, or not at all."""
    return tuple(
        name for name, can in (("mail", can_mail()), ("sms", bool(settings.ROLLBOOK_SMS_URL))) if can
    )


def ask_for_link(tenant: Tenant, contact: str, address: str) -> int:
    """Ask for a link and a code. Returns the id of the key that they belong to, also when nobody was found."""
    channel, contact = rules.contact_of(contact)
    sends = {f"link:contact:{tenant.id}:{digest(contact)}": rules.SENDS_A_CONTACT,
             f"link:address:{rules.network(address)}": rules.SENDS_AN_ADDRESS}  # fmt: skip
    uses = [limits.count(key, rules.WINDOW).count <= most for key, most in sends.items()]
    made, found = new_id(), guardians_by(tenant.id, channel or "mail", contact)
    may = all(uses) and channel in channels() and sign_in_rules(tenant.id).guardians and len(found) == 1
    with transaction.atomic():
        if may:  # two people with one contact: the code would not say whose; the office helps
            account = next(iter(accounts_for(tenant.id, found, "guardian", ROLLBOOK).values()))
            token, _ = rules.one_time(key_of(tenant.id), made)
            moment = clock.now()
            with unguarded("a one-time key is made for a guardian", tenant=tenant.id):
                OneTimeKey.objects.create(
                    id=made, tenant=tenant, account=account, digest=digest(token), channel=channel,
                    created_at=moment, expires_at=moment + rules.KEY_LASTS,
                )  # fmt: skip
        enqueue("identity.send_link", tenant.id, key_id=made if may else 0)
    return made


def send_link(tenant_id: int, key_id: int) -> None:
    """Send a one-time key; run by the worker, safe to run twice. Nothing happens for a key that nobody has."""
    with unguarded("a one-time key is sent", tenant=tenant_id):
        key = OneTimeKey.objects.filter(
            tenant_id=tenant_id, id=key_id, used_at=None, expires_at__gt=clock.now()
        )
        found = key.select_related("account", "tenant").first()
    if found is None or found.sent_at is not None:
        return
    token, code = rules.one_time(key_of(tenant_id), key_id)
    address, number = contacts_of(tenant_id, found.account.person_id)
    base = site()
    text = f"{found.tenant.name}: your code is {code}. Or open {base}/family/link/{token}\nIt works once, for half an hour."
    if found.channel == "mail" and address:
        said = f"{text}\n\nYou did not ask for this? Then do nothing.\n"
        mail(address, f"Sign in to {found.tenant.name}", said)
    elif found.channel == "sms" and number:
        answer = httpx.post(settings.ROLLBOOK_SMS_URL, json={"to": number, "text": text}, timeout=20)
        answer.raise_for_status()
    with unguarded("a one-time key was sent", tenant=tenant_id), transaction.atomic():
        OneTimeKey.objects.filter(id=key_id).update(sent_at=clock.now())
        audit(tenant_id, None, "identity.link_sent", "person", found.account.person_id, channel=found.channel)


def link_of(token: str) -> OneTimeKey:
    """The key that a link belongs to. Raises NotFound for one that is unknown, used or late."""
    with unguarded("a one-time link is read before anybody is known"):
        key = OneTimeKey.objects.filter(digest=digest(token), used_at=None, expires_at__gt=clock.now())
        found: OneTimeKey | None = key.select_related("tenant").first()
    if found is None:
        raise NotFound("This link has been used or is too old.")
    return found


def sign_in_link(session: SessionStore, token: str, agent: str = "") -> Who | None:
    """Sign in by a link. None when the school or the roster no longer lets them. Raises NotFound."""
    return _use(session, link_of(token), agent)


def sign_in_code(
    session: SessionStore, key_id: int, code: str, address: str, device: str, agent: str = ""
) -> Who | None:
    """Sign in by the six digits that were sent. None when they do not fit. Raises TooMany."""
    tries = Tries("code", address, device)
    tries.check()
    with unguarded("a one-time code is read before anybody is known"):
        key = OneTimeKey.objects.filter(id=key_id, used_at=None, expires_at__gt=clock.now()).first()
    _, right = rules.one_time(key_of(key.tenant_id if key else 0), key_id)
    fits = False
    if key is not None:
        with unguarded("a try of a one-time code is counted", tenant=key.tenant_id):
            mine = OneTimeKey.objects.filter(id=key.id, used_at=None, tries__lt=rules.KEY_TRIES)
            fits = bool(mine.update(tries=F("tries") + 1))
        fits = fits and hmac.compare_digest(right.encode(), code.strip().encode())
    who = _use(session, key, agent) if key is not None and fits else None
    if who is None:
        tries.failed()
    return who


def _use(session: SessionStore, key: OneTimeKey, agent: str) -> Who | None:
    with unguarded("a one-time key works once", tenant=key.tenant_id), transaction.atomic():
        if not OneTimeKey.objects.filter(id=key.id, used_at=None).update(used_at=clock.now()):
            return None
    who = person_is(key.account_id, None)
    if who is not None:
        with transaction.atomic():
            begin(session, who, agent, "link")
            audit(who.tenant.id, who.actor, "identity.signed_in", "person", who.person or 0, who.name, by="link",
                  browser=session.browser)  # fmt: skip
    return who
