"""The school directs who of its roster may sign in; accounts of pupils and guardians are made by its act alone."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction

from rollbook.identity.actions.sessions import end_sign_ins
from rollbook.identity.models import Badge, PersonAccount, PictureCode, Session, SignInRules
from rollbook.identity.queries import sign_in_rules
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant, standing

SWITCHES = ("students", "badges", "picture_codes", "guardians")


def key_of(tenant_id: int) -> bytes:
    """The key that this tenant's badges and picture codes are made with."""
    return hmac.digest(settings.SECRET_KEY.encode(), f"rollbook.badge.1:{tenant_id}".encode(), "sha256")


def direct(tenant: Tenant, by: Actor | None, ground: str, parents_told: str, **on: bool) -> SignInRules:
    """Say how people of the roster may sign in (`SWITCHES`). What is switched off ends at once.

    ground: what the school rests it on; parents_told: when and how. Raises Invalid where pupils or guardians are let
    in without the two, or without anybody who says so.
    """
    ground, parents_told = " ".join(ground.split())[:500], " ".join(parents_told.split())[:500]
    wanted = {name: bool(on.get(name)) for name in SWITCHES}
    if any(wanted.values()):
        if not ground:
            raise Invalid(
                "Say what the school rests this on.", "Its public task, or consents that it holds.", "ground"
            )
        if not parents_told:
            raise Invalid("Say how parents were told.", "When, and by what letter or page.", "parents_told")
        if by is None or not by.name:
            raise Invalid("Nobody is named who directs this.", "An administrator signs in and does it.")
    if (wanted["badges"] or wanted["picture_codes"]) and not wanted["students"]:
        raise Invalid("Badges and picture codes are for pupils.", "Let pupils sign in too.", "students")
    with transaction.atomic(), unguarded("an administrator directs how people sign in", tenant=tenant.id):
        rules, _ = SignInRules.objects.update_or_create(
            tenant=tenant,
            defaults={**wanted, "ground": ground, "parents_told": parents_told, "authorised_by": by.name if by else "",
                      "authorised_by_id": by.id if by else 0, "authorised_at": clock.now()},
        )  # fmt: skip
        shut = [kind for kind in ("student", "guardian") if not wanted[f"{kind}s"]]
        accounts = PersonAccount.objects.filter(tenant=tenant, kind__in=shut).values_list("id", flat=True)
        end_sign_ins(Session.objects.filter(kind="person", account_id__in=accounts), accounts)
        if not wanted["badges"]:
            mine = Badge.objects.filter(tenant=tenant).values("id")
            end_sign_ins(Session.objects.filter(kind="person", badge_id__in=mine))
        audit(tenant.id, by, "identity.sign_in_directed", "tenant", tenant.id, tenant.name, **wanted, ground=ground,
              parents_told=parents_told)  # fmt: skip
    return rules


def accounts_for(tenant_id: int, people: Iterable[int], kind: str, by: Actor) -> dict[int, PersonAccount]:
    """The accounts of people of the roster, made where they have none: person id -> account.

    Raises Invalid where the school has not directed that this kind signs in, or for somebody who is not on the roll
    as that kind. Runs in the caller's transaction.
    """
    rules = sign_in_rules(tenant_id)
    if rules.authorised_at is None or not (rules.students if kind == "student" else rules.guardians):
        raise Invalid(
            f"Your school has not let {kind}s sign in.", "An administrator does that on the page Sign-in."
        )
    wanted = []
    for person in dict.fromkeys(people):
        found = standing(tenant_id, person)
        if found is None or not found.here or kind not in found.kinds:
            raise Invalid(f"One of them is not a {kind} on the roll.", "Look at the list again.")
        wanted.append(found.id)
    with unguarded("accounts are made for people of the roster", tenant=tenant_id):
        mine = PersonAccount.objects.filter(tenant_id=tenant_id, kind=kind, person_id__in=wanted)
        have = {a.person_id: a for a in mine}
        PersonAccount.objects.filter(id__in=[a.id for a in have.values() if a.closed_at]).update(
            closed_at=None
        )
        moment = clock.now()
        new = [
            PersonAccount(tenant_id=tenant_id, person_id=p, kind=kind, made_by=by.name, made_by_id=by.id, made_at=moment)
            for p in wanted
            if p not in have
        ]  # fmt: skip
        PersonAccount.objects.bulk_create(new)
    if new:
        audit(
            tenant_id,
            by,
            "identity.accounts_made",
            kind=kind,
            count=len(new),
            people=[a.person_id for a in new],
        )
    return {**have, **{a.person_id: a for a in new}}


def close_person(tenant_id: int, person: int, by: Actor | None) -> None:
    """Close the accounts of one person: nothing of theirs signs in any more."""
    with transaction.atomic(), unguarded("the account of one person is closed", tenant=tenant_id):
        mine = PersonAccount.objects.filter(tenant_id=tenant_id, person_id=person, closed_at=None)
        ids = list(mine.values_list("id", flat=True))
        mine.update(closed_at=clock.now())
        Badge.objects.filter(account_id__in=ids, stopped_at=None).update(stopped_at=clock.now())
        PictureCode.objects.filter(account_id__in=ids, used_at=None).delete()
        end_sign_ins(Session.objects.filter(kind="person", account_id__in=ids), ids)
        if ids:
            audit(tenant_id, by, "identity.account_closed", "person", person)
