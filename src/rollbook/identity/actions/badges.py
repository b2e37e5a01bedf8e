"""Badges: issue, print, stop, start anew each year, and sign in by one."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from rollbook.identity import rules
from rollbook.identity.actions.people import accounts_for, key_of
from rollbook.identity.actions.sessions import SessionStore, begin, digest, end_sign_ins
from rollbook.identity.actions.tries import Tries
from rollbook.identity.models import Badge, PersonAccount, Session, SignInRules
from rollbook.identity.queries import Who, person_is, sign_in_rules
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.ids import new_id
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant


def issue(tenant: Tenant, people: Iterable[int], by: Actor, again: bool = False) -> int:
    """Give each of these pupils a badge, unless they have one in force; `again`: a new one, and the old stops.
    Returns how many were made. Raises Invalid where the school has not directed it, or for whom is no pupil."""
    people = list(people)
    if not sign_in_rules(tenant.id).badges:
        raise Invalid("Badges are off at your school.", "An administrator lets pupils sign in by badge.")
    with transaction.atomic():
        accounts = accounts_for(tenant.id, people, "student", by)
        with unguarded("badges are issued to pupils", tenant=tenant.id):
            generation = SignInRules.objects.get(tenant=tenant).badge_generation
            mine = Badge.objects.filter(
                tenant=tenant, account__in=[a.id for a in accounts.values()], stopped_at=None
            )
            if again:
                _stop(mine.values_list("id", flat=True))
            in_force = mine.filter(generation=generation, ends_on__gte=clock.today())
            have = set(in_force.values_list("account_id", flat=True))
            _stop(mine.exclude(account_id__in=have).values_list("id", flat=True))
            key, moment = key_of(tenant.id), clock.now()
            new = []
            for account in accounts.values():
                if account.id not in have:
                    badge = new_id()
                    token = rules.badge_token(key, badge, generation)
                    new.append(
                        Badge(id=badge, tenant=tenant, account=account, generation=generation, digest=digest(token),
                              issued_by=by.name, issued_by_id=by.id, issued_at=moment, ends_on=rules.year_ends(moment.date()))
                    )  # fmt: skip
            Badge.objects.bulk_create(new)
        if new:
            audit(tenant.id, by, "badge.issued", count=len(new), again=again, people=sorted(accounts))
    return len(new)


def print_run(tenant: Tenant, people: Iterable[int], by: Actor, where: str) -> dict[int, str]:
    """What the badges of these pupils say, to be printed: person id -> token. Each run is in the audit.

    Raises Invalid when the site's key is another than the one they were made with.
    """
    key = key_of(tenant.id)
    with transaction.atomic(), unguarded("badges are printed", tenant=tenant.id):
        rows = Badge.objects.filter(
            tenant=tenant, account__person_id__in=list(people), stopped_at=None, ends_on__gte=clock.today()
        ).select_related("account")  # fmt: skip
        found = {b.account.person_id: (b, rules.badge_token(key, b.id, b.generation)) for b in rows}
        for badge, token in found.values():
            if digest(token) != badge.digest:
                raise Invalid("These badges were made with another key.", "Give new badges, then print them.")
        Badge.objects.filter(id__in=[b.id for b, _ in found.values()]).update(printed_at=clock.now())
        audit(tenant.id, by, "badge.printed", "class", 0, where, count=len(found), people=sorted(found))
    return {person: token for person, (_, token) in found.items()}


def stop(tenant: Tenant, people: Iterable[int], by: Actor | None) -> int:
    """Stop the badges of these people now; what they opened closes. Returns how many."""
    people = list(people)
    with transaction.atomic(), unguarded("badges are stopped", tenant=tenant.id):
        mine = Badge.objects.filter(tenant=tenant, account__person_id__in=people, stopped_at=None)
        stopped = _stop(mine.values_list("id", flat=True))
        audit(tenant.id, by, "badge.stopped", count=stopped, people=people)
    return stopped


def rotate(tenant: Tenant, by: Actor | None) -> int:
    """Stop every badge of the tenant, as at the end of a year. Returns how many were in force."""
    with transaction.atomic(), unguarded("all badges of a tenant are stopped", tenant=tenant.id):
        SignInRules.objects.filter(tenant=tenant).update(badge_generation=F("badge_generation") + 1)
        stopped = _stop(Badge.objects.filter(tenant=tenant, stopped_at=None).values_list("id", flat=True))
        audit(tenant.id, by, "badge.rotated", "tenant", tenant.id, tenant.name, count=stopped)
    return stopped


def _stop(badges: Iterable[int]) -> int:
    ids = list(badges)
    holders = Badge.objects.filter(id__in=ids).values_list("account_id", flat=True)
    end_sign_ins(Session.objects.filter(kind="person", badge_id__in=ids), holders)
    return int(Badge.objects.filter(id__in=ids, stopped_at=None).update(stopped_at=clock.now()))


def sign_in_badge(session: SessionStore, text: str, address: str, device: str, agent: str = "") -> Who | None:
    """Sign in by what a badge says. None for anything that opens nothing: no badge, a stopped one, one of last year,
    of somebody who left, or of a school that lets nobody in by badge; they look the same and are counted.

    Raises TooMany in the pause after too many failures.
    """
    tries = Tries("badge", address, device)
    tries.check()
    found = digest(text if rules.BADGE.match(text) else "")
    with unguarded("a badge is known by what it says before anybody is known"):
        badge = Badge.objects.filter(digest=found).select_related("account").first()
    who = person_is(badge.account_id if badge else 0, badge.id if badge else 0)
    if badge is None or who is None:
        pause = tries.failed()
        if badge is not None:
            _refused(badge.tenant_id, badge.account, pause)
        return None
    with transaction.atomic():
        begin(session, who, agent, "badge", badge.id)
        with unguarded("a badge notes when it was used", tenant=badge.tenant_id):
            Badge.objects.filter(id=badge.id).update(used_at=clock.now())
        _signed_in(who, "badge", session.browser)
    return who


def _refused(tenant_id: int, account: PersonAccount, pause: bool) -> None:
    audit(tenant_id, None, "badge.refused", "person", account.person_id, "", pause=pause)


def _signed_in(who: Who, by: str, browser: str) -> None:
    audit(
        who.tenant.id,
        who.actor,
        "identity.signed_in",
        "person",
        who.person or 0,
        who.name,
        by=by,
        browser=browser,
    )
