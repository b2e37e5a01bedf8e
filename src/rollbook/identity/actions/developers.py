"""App developers sign up and sign in by a link that is mailed to them: no password, no school.

Who asks learns nothing: for every email the same work is done and the same page answers. A link opens a sandbox, which
is a tenant of the developer's own with invented people. It never opens an account that works for a school.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

from django.conf import settings
from django.db import transaction

from rollbook.identity import rules
from rollbook.identity.actions.accounts import create_account
from rollbook.identity.actions.sessions import SessionStore, begin, digest
from rollbook.identity.models import Account, Membership, SignUpKey
from rollbook.identity.queries import Who, account_by_email, places_of, who_is
from rollbook.kernel import clock, limits
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import site
from rollbook.kernel.ids import new_id
from rollbook.kernel.jobs import enqueue
from rollbook.kernel.mail import mail
from rollbook.policy import audit, unguarded
from rollbook.roster import Tenant, make_sandbox

SUBJECT = "Your link to the Rollbook sandbox"


def _token(key_id: int) -> str:
    made = hmac.digest(settings.SECRET_KEY.encode(), f"rollbook.sign-up.1:{key_id}".encode(), "sha256")
    return urlsafe_b64encode(made[:24]).decode()


def ask_to_sign_up(email: str, address: str) -> None:
    """Ask for a link to this email. Raises Invalid for what is no email, and says nothing else of it."""
    email = email.strip().lower()
    if (
        rules.contact_of(email)[0] != "mail"
        or email.count("@") != 1
        or " " in email
        or "." not in email.split("@")[1]
    ):
        raise Invalid("That is not an email address.", "It looks like name@company.example.", "email")
    sends = {f"sign-up:contact:{digest(email)}": rules.SENDS_A_CONTACT,
             f"sign-up:address:{rules.network(address)}": rules.SENDS_AN_ADDRESS}  # fmt: skip
    uses = [limits.count(key, rules.WINDOW).count <= most for key, most in sends.items()]
    made, moment = new_id(), clock.now()
    with transaction.atomic():
        if all(uses):
            with unguarded("a developer's link is made before anybody is known"):
                SignUpKey.objects.create(
                    id=made, email=email, digest=digest(_token(made)), created_at=moment,
                    expires_at=moment + rules.SIGN_UP_LASTS,
                )  # fmt: skip
        enqueue("identity.send_sign_up", 0, key_id=made)
        enqueue("identity.forget_sign_up", 0, wait=rules.SIGN_UP_LASTS, key_id=made)


def send_sign_up(key_id: int) -> None:
    """Send a link; run by the worker, safe to run twice. Whose account works for a school is told to sign in there."""
    with unguarded("a developer's link is sent before anybody is known"):
        found = SignUpKey.objects.filter(id=key_id, sent_at=None, expires_at__gt=clock.now()).first()
    if found is None:
        return
    base = site()
    if _works_for_a_school(account_by_email(found.email)):
        text = (
            f"Somebody, perhaps you, asked for a developer’s link. This email has an account that works for a school.\n"
            f"A mailed link does not open that. Sign in at {base}/sign-in, or ask again with another email.\n"
        )
    else:
        text = (
            f"Open your sandbox: {base}/developers/link/{_token(key_id)}\n"
            f"The link works once, for {int(rules.SIGN_UP_LASTS.total_seconds() // 60)} minutes.\n\n"
            "You did not ask for this? Then do nothing.\n"
        )
    mail(found.email, SUBJECT, text)
    with unguarded("a developer's link was sent"):
        SignUpKey.objects.filter(id=key_id).update(sent_at=clock.now())


def forget_sign_up(key_id: int) -> None:
    """Forget a link that nobody used in time, and the email with it."""
    with unguarded("a developer's link that nobody used is forgotten"):
        SignUpKey.objects.filter(id=key_id).delete()


def _works_for_a_school(account: Account | None) -> bool:
    return account is not None and any(not place.tenant.sandbox for place in places_of(account.id))


def _sandbox_of(account: Account | None) -> Membership | None:
    """The place of a developer who has one, whether or not its time is over: the next sign-in renews it."""
    if account is None:
        return None
    with unguarded("a developer's sandbox is found by their account"):
        mine = Membership.objects.filter(account=account, role=rules.DEVELOPER.name).order_by("id")
        found: Membership | None = mine.first()
    return found


def open_sign_up(token: str) -> tuple[SignUpKey, bool]:
    """The key of a link, and whether its developer is new. Raises NotFound for one that is unknown, used or late."""
    with unguarded("a developer's link is read before anybody is known"):
        found = SignUpKey.objects.filter(digest=digest(token), expires_at__gt=clock.now()).first()
    account = account_by_email(found.email) if found is not None else None
    if found is None or _works_for_a_school(account):
        raise NotFound("This link has been used or is too old.")
    return found, _sandbox_of(account) is None


def sign_up(session: SessionStore, token: str, name: str, agent: str = "") -> Who:
    """Sign in by a link; who is new gets an account and a sandbox. Raises NotFound, Invalid for a name that is none."""
    key, _ = open_sign_up(token)
    with transaction.atomic():
        with unguarded("a developer's link works once"):
            if not SignUpKey.objects.filter(id=key.id).delete()[0]:
                raise NotFound("This link has been used or is too old.")
        account = account_by_email(key.email)
        place = _sandbox_of(account)
        if account is None or place is None:
            account, _ = new_developer(key.email, name)
        else:
            with unguarded("a developer's time is renewed at each sign-in", tenant=place.tenant_id):
                Membership.objects.filter(id=place.id).update(expires_at=clock.now() + rules.GRANT_LASTS)
        who = who_is(account.id, 0, "link")
        if who is None:
            raise NotFound("This link opens nothing now.")
        begin(session, who, agent, "link")
        audit(who.tenant.id, who.actor, "identity.signed_in", "account", account.id, account.name, by="link",
              browser=session.browser)  # fmt: skip
    return who


def new_developer(email: str, name: str) -> tuple[Account, Tenant]:
    """An account for a developer, with a sandbox and nothing else. Raises Invalid as `create_account` does."""
    with transaction.atomic():
        account = account_by_email(email) or create_account(email, name)
        sandbox = make_sandbox(f"Sandbox of {account.name}")
        moment = clock.now()
        with unguarded("a developer gets the one role that a sandbox has", tenant=sandbox.id):
            Membership.objects.create(
                tenant=sandbox, account=account, role=rules.DEVELOPER.name, reason="signed up as a developer",
                created_at=moment, expires_at=moment + rules.GRANT_LASTS,
            )  # fmt: skip
        audit(sandbox.id, None, "identity.developer_joined", "account", account.id, account.name)
    return account, sandbox
