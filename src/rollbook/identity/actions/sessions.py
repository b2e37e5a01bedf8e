"""Sessions: Django's session engine (`SessionStore`), whose a session is, how one begins and ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, transaction

from rollbook.identity import rules
from rollbook.identity.models import Session
from rollbook.identity.queries import Who, handle_of, person_is, who_is
from rollbook.kernel import clock
from rollbook.kernel.errors import NotFound
from rollbook.policy import audit, unguarded

SESSIONS = "a session is found by its key before anybody is known"


def digest(secret: str) -> str:
    """What is kept of a key that opens something: enough to know it again, not enough to use it."""
    return sha256(secret.encode()).hexdigest()


class SessionStore(SessionBase):
    """A session in the database under the hash of its key. The browser alone holds the key."""

    account_id: int | None = None
    kind, how = "staff", "password"
    badge_id: int | None = None
    browser = ""
    began: datetime | None = None
    used: datetime | None = None

    def load(self) -> dict[str, Any]:
        with unguarded(SESSIONS):
            row = Session.objects.filter(
                session_key=digest(self.session_key or ""), expire_date__gt=clock.now()
            ).first()
        if row is None:
            self._session_key = None
            return {}
        self.account_id, self.browser, self.began, self.used = (
            row.account_id,
            row.browser,
            row.created_at,
            row.used_at,
        )
        self.kind, self.how, self.badge_id = row.kind, row.how, row.badge_id
        return dict(self.decode(row.session_data))

    def exists(self, session_key: str) -> bool:
        with unguarded(SESSIONS):
            return bool(Session.objects.filter(session_key=digest(session_key)).exists())

    def create(self) -> None:
        """Take a new key. Never an old one: what a stranger planted in a browser stays worthless."""
        self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]  # the stubs leave it out
        self.used = clock.now()
        self.began = self.began or self.used  # a new key for the same person does not make the day longer
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            return self.create()
        assert self.began and self.used
        values = {
            "session_data": self.encode(self._get_session(no_load=must_create)),  # type: ignore[attr-defined]  # likewise
            "expire_date": rules.ends_at(self.began, self.used, self.how),
            "used_at": self.used,
            "account_id": self.account_id,
            "kind": self.kind,
            "how": self.how,
            "badge_id": self.badge_id,
            "browser": self.browser,
        }
        with unguarded(SESSIONS):
            if must_create:
                try:
                    with transaction.atomic():
                        Session.objects.create(
                            session_key=digest(self.session_key), created_at=self.began, **values
                        )
                except IntegrityError as error:
                    raise CreateError from error
            elif not Session.objects.filter(session_key=digest(self.session_key)).update(**values):
                raise UpdateError  # ended meanwhile, elsewhere: it stays ended

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            with unguarded(SESSIONS):
                end_sign_ins(Session.objects.filter(session_key=digest(key)))

    def touch(self) -> None:
        """Note that the session is in use, at most once a minute."""
        moment = clock.now()
        if self.began and self.used and moment - self.used >= rules.TOUCH:
            self.used = moment
            with unguarded(SESSIONS):
                Session.objects.filter(session_key=digest(self.session_key or "")).update(
                    used_at=moment, expire_date=rules.ends_at(self.began, moment, self.how)
                )

    @classmethod
    def clear_expired(cls) -> None:
        with unguarded(SESSIONS):
            Session.objects.filter(expire_date__lte=clock.now()).delete()


def end_sign_ins(which: Any, accounts: Iterable[int] = ()) -> int:
    """End these sessions, and tell whoever made something of them. accounts: all of whose sign-ins end, so that what
    came of earlier ones ends too. The caller says why it may. Returns how many sessions there were."""
    with transaction.atomic():
        handles = [handle_of(key) for key in which.values_list("session_key", flat=True)]
        ended, _ = which.delete()
        ids = sorted(set(accounts))
        if handles or ids:
            rules.sign_ins_ended.send(Session, handles=handles, accounts=ids)
    return int(ended)


def resume(session: SessionStore) -> Who | None:
    """Who a session belongs to. None when it has ended, its account is closed or has no role left, or the badge that
    began it is stopped."""
    account_id = session.get("account")
    if account_id is None or account_id != session.account_id:
        return None
    if session.kind == "person":
        who = person_is(account_id, session.badge_id)
    else:
        who = who_is(account_id, session.get("membership", 0), session.how)
    if who is None:
        return None
    session.touch()
    handle, grace = handle_of(digest(session.session_key or "")), bool(session.get("grace"))
    return replace(who, how=session.how, since=session.began, handle=handle, grace=grace)


def begin(
    session: SessionStore, who: Who, agent: str, how: str = "password", badge: int | None = None
) -> None:
    """Make the session theirs, under a new key. how: one of `rules.WAYS`; badge: the one that was shown."""
    session.flush()
    session.began = None
    session.account_id, session.browser = who.account_id, rules.browser_name(agent)
    session.kind, session.how, session.badge_id = who.sort, rules.WAYS[how].name, badge
    session["account"], session["membership"] = who.account_id, who.place.id
    session.create()


def sign_out(session: SessionStore, who: Who, not_me: bool = False) -> None:
    """End this session. not_me: because it was somebody else's badge."""
    verb = "identity.not_me" if not_me else "identity.signed_out"
    audit(who.tenant.id, who.actor, verb, "account", who.account_id, who.name)
    session.flush()


def choose(session: SessionStore, who: Who, membership_id: int) -> Who:
    """Go on in another of one's places, under a new key. Raises NotFound when it is not one's own."""
    chosen = who_is(who.account_id, membership_id, who.how)
    if chosen is None or chosen.place.id != membership_id:
        raise NotFound("There is no such place.")
    session["membership"] = membership_id
    session.cycle_key()
    audit(
        chosen.tenant.id,
        chosen.actor,
        "identity.place_chosen",
        "account",
        who.account_id,
        who.name,
        role=chosen.role,
    )
    return chosen


def sign_out_everywhere(who: Who) -> int:
    """End every sign-in of somebody, this one too. Returns how many there were."""
    with unguarded("people end all their own sign-ins"), transaction.atomic():
        mine = Session.objects.filter(account_id=who.account_id, kind=who.sort)
        ended = end_sign_ins(mine, [who.account_id])
        audit(who.tenant.id, who.actor, "identity.signed_out_everywhere", "account", who.account_id, who.name)
    return ended


def end_session(who: Who, handle: str) -> None:
    """End one of one's own sign-ins, named by its handle. Raises NotFound when it is not one's own."""
    with unguarded("people end their own sign-ins"), transaction.atomic():
        keys = Session.objects.filter(account_id=who.account_id).values_list("session_key", flat=True)
        mine = [key for key in keys if handle_of(key) == handle]
        if not mine:
            raise NotFound("There is no such sign-in.")
        end_sign_ins(Session.objects.filter(session_key=mine[0]))
    audit(who.tenant.id, who.actor, "identity.session_ended", "account", who.account_id, who.name)
