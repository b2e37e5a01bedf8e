"""Staff: passwords, accounts, roles and the links that set a password."""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from rollbook.identity import rules
from rollbook.identity.actions.sessions import SessionStore, begin, digest, end_sign_ins
from rollbook.identity.actions.tries import TooMany
from rollbook.identity.models import Account, Membership, ResetLink, Session
from rollbook.identity.queries import Who, account_by_email, breached, places_of, who_is
from rollbook.kernel import clock, limits
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.http import site
from rollbook.kernel.jobs import enqueue
from rollbook.kernel.mail import can_mail, mail
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant

# ---- Sign-in.


@lru_cache(maxsize=1)
def _nobody() -> str:
    """A hash that no password fits: an unknown email costs as much work as a known one."""
    return make_password(secrets.token_urlsafe(32))


def sign_in(session: SessionStore, email: str, password: str, address: str, agent: str = "") -> Who | None:
    """Sign in with email and password. Returns who it is, or None when the two do not fit together.

    address: of the browser, for the limit. agent: its User-Agent. Raises TooMany after too many failures.
    """
    nobody = _nobody()
    keys = {
        f"sign-in:account:{digest(email.strip().lower())}": rules.PER_ACCOUNT,
        f"sign-in:address:{address}": rules.PER_ADDRESS,
    }
    for key, most in keys.items():
        use = limits.count(key, rules.WINDOW, add=0)
        if use.count >= most:
            raise TooMany(use.seconds_left)
    account = account_by_email(email)
    fits = check_password(
        password[: rules.PASSWORD_MOST], account.password if account and account.password else nobody
    )
    who = who_is(account.id, 0) if account and fits else None
    if who is None or account is None:
        uses = [limits.count(key, rules.WINDOW) for key in keys]
        if account is not None:
            for place in _one_a_tenant(account.id):
                audit(
                    place,
                    None,
                    "identity.sign_in_failed",
                    "account",
                    account.id,
                    account.name,
                    tries=uses[0].count,
                )
        return None
    SessionStore.clear_expired()
    begin(session, who, agent)
    audit(
        who.tenant.id,
        who.actor,
        "identity.signed_in",
        "account",
        account.id,
        account.name,
        browser=session.browser,
    )
    return who


# ---- Names and passwords.


def rename(who: Who, name: str) -> None:
    """Change one's own name. Raises Invalid when it is empty or too long."""
    name = " ".join(name.split())
    if not name or len(name) > 200:
        raise Invalid("Enter your name.", "Use what colleagues call you, up to 200 characters.", "name")
    with unguarded("people change their own name"), transaction.atomic():
        Account.objects.filter(id=who.account_id).update(name=name)
        _audit_everywhere(who.account_id, who.actor, "identity.renamed", name, before=who.name)


def change_password(who: Who, current: str, new: str, session: SessionStore) -> None:
    """Change one's own password. All other sign-ins end and this one takes a new key.

    Raises Invalid naming the field that is wrong, TooMany after too many wrong tries.
    """
    key = f"sign-in:account:{digest(who.email)}"
    use = limits.count(key, rules.WINDOW, add=0)
    if use.count >= rules.PER_ACCOUNT:
        raise TooMany(use.seconds_left)
    with unguarded("people change their own password"):
        account = Account.objects.get(id=who.account_id)
    if not check_password(current[: rules.PASSWORD_MOST], account.password):
        limits.count(key, rules.WINDOW)
        raise Invalid("That is not your password now.", "Enter the one you signed in with.", "current")
    set_password(account, new, who.actor)
    browser, grace = session.browser, session.get("grace")
    begin(session, who, "", who.how)
    session.browser = browser
    if grace:
        session["grace"] = True


def set_password(account: Account, new: str, by: Actor | None = None) -> None:
    """Set a password and end every sign-in of the account; a mail tells its holder, unless it is their first. Raises
    Invalid when it is too easy."""
    problem = _problem(new, account.email, account.name)
    if problem:
        raise Invalid("That password is too easy to guess.", problem, "password")
    hashed = make_password(new)
    with unguarded("a password is set for one account"), transaction.atomic():
        had = Account.objects.filter(id=account.id).exclude(password="").exists()
        Account.objects.filter(id=account.id).update(password=hashed)
        end_sign_ins(Session.objects.filter(account_id=account.id), [account.id])
        ResetLink.objects.filter(account_id=account.id, used_at=None).delete()
        _audit_everywhere(account.id, by, "identity.password_set", account.name)
        tenants = _one_a_tenant(account.id)
        if had and tenants:
            at = f"{clock.now():%-d %B %Y at %H:%M} UTC"
            enqueue("identity.tell_password", tenants[0], account_id=account.id, at=at)


CHANGED = """\
On {at} the password of your account was changed. Every sign-in with the old one has ended.

Was that you? Then do nothing.

Was it not you? Tell your administrator now: they make a link that sets a new one.

{site}
"""


def tell_password(account_id: int, at: str) -> None:
    """Mail the holder of an account that its password was changed; run by the worker. No name, no link that signs in."""
    if not can_mail():
        return
    with unguarded("the holder of an account is told of a new password"):
        email = Account.objects.filter(id=account_id, closed_at=None).values_list("email", flat=True).first()
    if email:
        said = CHANGED.format(at=at, site=site())
        mail(email, "The password of your Rollbook account was changed", said)


def _problem(password: str, email: str, name: str) -> str | None:
    """Why this password will not do, or None."""
    if breached(password):
        return "This password was in a breach, so others know it. Choose words that do not belong together."
    return rules.password_problem(password, email, name)


def make_reset_link(account: Account, by: Actor | None = None) -> str:
    """A token for `/reset/<token>`, good once within 24 hours; older ones of the account stop working."""
    token = secrets.token_urlsafe(32)
    moment = clock.now()
    with unguarded("a reset link is made for one account"), transaction.atomic():
        ResetLink.objects.filter(account_id=account.id, used_at=None).delete()
        ResetLink.objects.create(
            account_id=account.id,
            digest=digest(token),
            created_at=moment,
            expires_at=moment + rules.RESET_LASTS,
        )
        _audit_everywhere(account.id, by, "identity.reset_link_made", account.name)
    return token


def find_reset(token: str) -> Account:
    """The account that a token sets the password of. Raises NotFound when it is unknown, used, late or closed."""
    with unguarded("a reset link is read before anybody is known"):
        found = ResetLink.objects.filter(
            digest=digest(token), used_at=None, expires_at__gt=clock.now(), account__closed_at=None
        ).select_related("account").first()  # fmt: skip
    if found is None:
        raise NotFound("This link has been used or is too old.")
    account: Account = found.account
    return account


def use_reset_link(session: SessionStore, token: str, password: str, agent: str = "") -> Who | None:
    """Set the password by a link and sign in. Returns None for an account without a role in force.

    Raises NotFound for a link that does not work, Invalid for a password that is too easy.
    """
    account = find_reset(token)
    with unguarded("a reset link works once"), transaction.atomic():
        if not ResetLink.objects.filter(digest=digest(token), used_at=None).update(used_at=clock.now()):
            raise NotFound("This link has been used or is too old.")
        set_password(account, password, None)  # an easy password undoes the use of the link
    who = who_is(account.id, 0)
    if who is not None:
        begin(session, who, agent)
        audit(who.tenant.id, who.actor, "identity.signed_in", "account", account.id, account.name, by="link")
    return who


# ---- Accounts.


def create_account(email: str, name: str, password: str = "") -> Account:
    """A staff account, without a role until `add_membership`. Without a password it needs a reset link.

    Raises Invalid for an email that is none or is taken, an empty name, an easy password.
    """
    email, name = email.strip().lower(), " ".join(name.split())
    if (
        len(email) > 254
        or email.count("@") != 1
        or email.startswith("@")
        or "." not in email.split("@")[1]
        or " " in email
    ):
        raise Invalid("That is not an email address.", "It looks like name@school.example.", "email")
    if not name or len(name) > 200:
        raise Invalid("Enter a name.", "Use what colleagues call them, up to 200 characters.", "name")
    problem = _problem(password, email, name) if password else None
    if problem:
        raise Invalid("That password is too easy to guess.", problem, "password")
    with unguarded("an account is made before it belongs anywhere"), transaction.atomic():
        if Account.objects.filter(email=email).exists():
            raise Invalid(
                "There is an account with this email already.", "Give that one another role.", "email"
            )
        made: Account = Account.objects.create(
            email=email,
            name=name,
            password=make_password(password) if password else "",
            created_at=clock.now(),
        )
    return made


def add_membership(
    account: Account,
    tenant: Tenant,
    role: str,
    by: Actor | None = None,
    reason: str = "",
    person_id: int | None = None,
    org_id: int | None = None,
    until: datetime | None = None,
) -> int:
    """Give an account a role in a tenant, for a reason and until a date (13 months unless named). Returns its id.

    person_id: their row in the roster; a teacher's classes are found by it. org_id: the school of a head.
    A role that was given before is renewed. Raises Invalid for an unknown role or one that lacks its person or org.
    """
    if role not in rules.ROLES:
        raise Invalid(f"There is no role “{role}”.", f"There are {', '.join(rules.ROLES)}.", "role")
    if tenant.sandbox:
        raise Invalid(
            "A sandbox is its developer’s alone.", "Colleagues sign up for one of their own.", "tenant"
        )
    if role == "teacher" and person_id is None:
        raise Invalid("A teacher needs a person of the roster.", "Their classes are found by it.", "person")
    if role == "head" and org_id is None:
        raise Invalid("A head needs a school.", "They see the people of that one.", "org")
    moment = clock.now()
    with unguarded("a role is given to an account", tenant=tenant.id), transaction.atomic():
        made, _ = Membership.objects.update_or_create(
            tenant=tenant, account=account, role=role,
            defaults={"person_id": person_id, "org_id": org_id, "reason": reason or f"works as {rules.ROLES[role].title}",
                      "expires_at": until or moment + rules.GRANT_LASTS},
            create_defaults={"person_id": person_id, "org_id": org_id, "reason": reason or f"works as {rules.ROLES[role].title}",
                             "created_at": moment, "expires_at": until or moment + rules.GRANT_LASTS},
        )  # fmt: skip
        audit(
            tenant.id, by, "identity.role_given", "account", account.id, account.name,
            role=role, reason=made.reason, until=made.expires_at.date().isoformat(),
        )  # fmt: skip
    return int(made.id)


def end_membership(tenant: Tenant, membership_id: int, by: Actor | None) -> None:
    """Take a role away; it ends now. Raises NotFound for another tenant's, Invalid for the last administrator."""
    with unguarded("a role is taken from an account", tenant=tenant.id), transaction.atomic():
        found = Membership.objects.filter(tenant=tenant, id=membership_id).select_related("account").first()
        if found is None:
            raise NotFound("There is no such role.")
        if found.role == "administrator":
            others = Membership.objects.filter(
                tenant=tenant, role="administrator", expires_at__gt=clock.now(), account__closed_at=None
            ).exclude(id=found.id)  # fmt: skip
            if not others.exists():
                raise Invalid("This is the last administrator.", "Make somebody else administrator first.")
        Membership.objects.filter(id=found.id).update(expires_at=clock.now())
        if tenant.id not in _one_a_tenant(found.account_id):
            rules.sign_ins_ended.send(Session, handles=[], accounts=[found.account_id])
        audit(
            tenant.id,
            by,
            "identity.role_ended",
            "account",
            found.account_id,
            found.account.name,
            role=found.role,
        )


def link_for_colleague(tenant: Tenant, membership_id: int, by: Actor) -> tuple[Account, str]:
    """A reset link for somebody who works for this tenant alone: (account, token).

    Raises NotFound for another tenant's membership. Raises Invalid for an account that works for another tenant too:
    a link opens everything that the account opens, and this administrator answers for one tenant.
    """
    account = _colleague(tenant, membership_id)
    if any(place.tenant.id != tenant.id for place in places_of(account.id)):
        raise Invalid(
            "This account works for somebody else too.", "Ask whoever runs Rollbook for you to make the link."
        )
    if account.closed_at is not None:
        raise Invalid("This account is closed.", "Make a new one.")
    return account, make_reset_link(account, by)


def _colleague(tenant: Tenant, membership_id: int) -> Account:
    with unguarded("an administrator looks after a colleague's account", tenant=tenant.id):
        found = Membership.objects.filter(tenant=tenant, id=membership_id).select_related("account").first()
    if found is None:
        raise NotFound("There is no such role.")
    account: Account = found.account
    return account


def invite(
    tenant: Tenant, email: str, name: str, role: str, by: Actor, reason: str,
    person_id: int | None = None, org_id: int | None = None,
) -> tuple[Account, int]:  # fmt: skip
    """Give a colleague a role, with a new account unless there is one with the email. Returns (account, membership).

    Raises Invalid as `create_account` and `add_membership` do, and for a role without a reason.
    """
    if not reason.strip():
        raise Invalid("Say what they need it for.", "A few words are enough.", "reason")
    with transaction.atomic():
        account = account_by_email(email) or create_account(email, name)
        return account, add_membership(account, tenant, role, by, reason.strip()[:300], person_id, org_id)


def close_account(account: Account, by: Actor | None) -> None:
    """Close an account: no sign-in works any more, and those that are open end."""
    with unguarded("an account is closed"), transaction.atomic():
        Account.objects.filter(id=account.id, closed_at=None).update(closed_at=clock.now(), password="")
        end_sign_ins(Session.objects.filter(account_id=account.id), [account.id])
        ResetLink.objects.filter(account_id=account.id).delete()
        _audit_everywhere(account.id, by, "identity.account_closed", account.name)


def _one_a_tenant(account_id: int) -> list[int]:
    return sorted({place.tenant.id for place in places_of(account_id)})


def _audit_everywhere(account_id: int, by: Actor | None, verb: str, name: str, **details: Any) -> None:
    """Each tenant that the account works for keeps its own record of what happened to it."""
    for tenant in _one_a_tenant(account_id):
        audit(tenant, by, verb, "account", account_id, name, **details)
