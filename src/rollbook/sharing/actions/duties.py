"""What apps must delete: found from the disclosure log and the live rules, confirmed by the app, chased when late.

An app owes deletion of everybody whose data it received and whom it reaches no more. That is a difference of two sets, so a
run may be killed at any line and made again: what it finds is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import F, Q

from rollbook.kernel import clock, idset
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.ids import LOW_BITS
from rollbook.kernel.jobs import enqueue
from rollbook.policy import Actor, Disclosure, audit, unguarded
from rollbook.sharing.actions.webhooks import tell_of_duty
from rollbook.sharing.models import Agreement, App, Duty, Received
from rollbook.sharing.queries.audience import audience
from rollbook.sharing.queries.grants import Withheld, grant_for

DUTIES = "sharing.duties"
# A disclosure is numbered before its row is there: the last hour of the log is read again each time.
AGAIN = 3_600_000 << LOW_BITS
CHASE_EVERY = timedelta(days=7)
LONGEST = 2000
# Why an app gets nothing -> why it must delete. What holds it back for another reason may end tomorrow.
ENDS = {"stopped": "stopped", "no_rule": "stopped", "no_agreement": "agreement", "expired": "agreement"}


def look_again(tenant: int) -> None:
    """Something changed that may end what an app gets: let the worker see. Part of the transaction."""
    with unguarded("whether a school has apps at all", tenant=tenant):
        if not App.objects.filter(tenant_id=tenant).exists():
            return
    enqueue(DUTIES, tenant)


def look_everywhere() -> None:
    """When a worker starts: see that each school with apps is looked at, also one where nothing changes."""
    with unguarded("which schools have apps at all, when a worker starts"):
        tenants = sorted(set(App.objects.values_list("tenant_id", flat=True)))
    for tenant in tenants:
        enqueue(DUTIES, tenant)


def look_tomorrow(tenant: int) -> None:
    """Agreements end and clocks run out without anybody's doing: look once a day."""
    enqueue(DUTIES, tenant, f"{clock.today() + timedelta(days=1)}", timedelta(days=1))


def find_duties(tenant: int) -> list[int]:
    """Write the duties that are missing, and take people out of open ones whom the app reaches again. Answers new ids."""
    with unguarded("which apps a school has", tenant=tenant):
        found = list(App.objects.filter(tenant_id=tenant).order_by("id"))
    return [number for app in found for number in _duties_of(app)]


def _duties_of(app: App) -> list[int]:
    """One app, in one transaction."""
    try:
        reached = set(audience(grant_for(app.id), "person").active)
        ended = ""
    except Withheld as withheld:
        reached, ended = set(), ENDS.get(withheld.code, "")
        if not ended:
            return []
    with transaction.atomic(), unguarded("what an app must delete is worked out", tenant=app.tenant_id):
        received = _received(app)
        if received is None:
            return []
        owed: set[int] = set()
        for duty in Duty.objects.filter(tenant_id=app.tenant_id, app_id=app.id, state="open"):
            people = set(idset.unpack(bytes(duty.ids)))
            if people & reached:
                people -= reached
                Duty.objects.filter(id=duty.id).update(
                    state="open" if people else "void", **(_set(people) if people else {})
                )
            owed |= people
        lapsed = set(idset.unpack(bytes(received.ids))) - reached - owed
        if not lapsed:
            return []
        agreement = Agreement.objects.filter(tenant_id=app.tenant_id, app_id=app.id).order_by("-id").first()
        made = []
        for cause, began, people in _causes(app, agreement, ended, lapsed):
            due = began + timedelta(days=agreement.retention_days if agreement else 0)
            made.append(_owe(app, cause, began, due, people))
        return [number for number in made if number]


def _received(app: App) -> Any:
    """Whose data the app holds, brought up to now and held for this transaction; None for an app that received nothing."""
    rows = Disclosure.objects.filter(tenant_id=app.tenant_id, recipient_kind="app", recipient_id=app.id)
    kept = Received.objects.select_for_update().filter(tenant_id=app.tenant_id, app_id=app.id).first()
    if kept is None:
        if not rows.exists():
            return None
        Received.objects.get_or_create(
            app_id=app.id, defaults={"tenant_id": app.tenant_id, "ids": idset.pack([])}
        )
        kept = Received.objects.select_for_update().get(app_id=app.id)
    people, upto = set(idset.unpack(bytes(kept.ids))), kept.upto
    new = rows.filter(id__gt=max(kept.settled, kept.upto - AGAIN)).order_by("id").values_list("id", "people")
    for number, packed in new.iterator(chunk_size=500):
        people.update(idset.unpack(bytes(packed)))
        upto = max(upto, number)
    kept.ids, kept.upto = idset.pack(people), upto
    kept.save(update_fields=["ids", "upto"])
    return kept


def _causes(
    app: App, agreement: Agreement | None, ended: str, lapsed: set[int]
) -> Iterable[tuple[str, date, set[int]]]:
    """(cause, day from which the clock runs, people) of those whom the app reaches no more."""
    today = clock.today()
    if ended:
        day = today
        if ended == "stopped" and app.stopped_at:
            day = app.stopped_at.date()
        elif ended == "agreement" and agreement and agreement.ends_on < today:
            day = agreement.ends_on
        yield ended, day, lapsed
        return
    # Only of those who are still on the roll it can be the rule: all others left, each on a day of their own.
    people = apps.get_model("roster", "Person").objects.filter(
        tenant_id=app.tenant_id, id__any=sorted(lapsed)
    )
    gone = people.exclude(status="active").order_by("date_last_modified", "id")
    here = set(people.filter(status="active").values_list("id", flat=True))
    left: set[int] = set()
    for day, rows in groupby(
        gone.values_list("date_last_modified", "id").iterator(), key=lambda row: min(row[0].date(), today)
    ):
        those = {number for _, number in rows}
        left |= those
        yield "left", day, those
    if here:
        yield "rule", today, here
    if lapsed - here - left:
        yield "left", today, lapsed - here - left


def _owe(app: App, cause: str, began: date, due: date, people: set[int]) -> int:
    """The duty to delete these people. They join one of the same cause and day that nobody has read. Answers a new id, or 0."""
    same = Duty.objects.filter(
        tenant_id=app.tenant_id, app_id=app.id, cause=cause, due_on=due, state="open", read_at=None
    ).first()
    if same is not None:
        Duty.objects.filter(id=same.id).update(**_set(people | set(idset.unpack(bytes(same.ids)))))
        return 0
    made = Duty.objects.create(
        tenant_id=app.tenant_id, app_id=app.id, cause=cause, began_on=began, due_on=due, made_at=clock.now(), **_set(people)
    )  # fmt: skip
    audit(
        app.tenant_id,
        None,
        "duty.made",
        "app",
        app.id,
        app.name,
        cause=cause,
        due=str(due),
        people=len(people),
    )
    tell_of_duty(app)
    return int(made.id)


def _set(people: set[int]) -> dict[str, Any]:
    return {"ids": idset.pack(people), "count": len(people), "first_id": min(people), "last_id": max(people)}


# ---- The app reads and confirms.


@dataclass(frozen=True)
class Owing:
    """An app at the door of its duties. It may have been stopped: it still has to know what it must delete."""

    tenant_id: int
    app_id: int
    app_name: str
    id_key: bytes

    @property
    def actor(self) -> Actor:
        return Actor("app", "app", self.app_id, self.app_name)


def note_reading(owing: Owing, duty: int) -> None:
    """The app has read whom a duty is about; from now on nobody joins it."""
    with transaction.atomic(), unguarded("an app has read whom a duty is about", tenant=owing.tenant_id):
        mine = Duty.objects.filter(tenant_id=owing.tenant_id, app_id=owing.app_id, id=duty, read_at=None)
        if mine.update(read_at=clock.now()):
            audit(owing.tenant_id, owing.actor, "duty.read", "app", owing.app_id, owing.app_name)


def confirm(owing: Owing, duty: int, statement: str) -> Duty:
    """The app says that it has deleted. Said again it changes nothing: the first word and its moment stay.

    Raises NotFound for what is not the app's, Invalid without a statement or before the app read whom it is about.
    """
    said = " ".join(statement.split())[:LONGEST]
    with transaction.atomic(), unguarded("an app confirms a deletion", tenant=owing.tenant_id):
        received = _received(App.objects.get(tenant_id=owing.tenant_id, id=owing.app_id))
        mine = Duty.objects.filter(tenant_id=owing.tenant_id, app_id=owing.app_id, id=duty)
        found: Duty | None = mine.first()
        if found is None or received is None:
            raise NotFound("There is no such duty.")
        if found.state == "confirmed":
            return found
        if found.state == "void":
            raise Invalid(
                "This duty is not owed any more.", "The school shares these people with the app again.", "id"
            )
        if found.read_at is None:
            raise Invalid(
                "Read first whom this duty is about.", "GET its people, delete, then confirm.", "id"
            )
        if not said:
            raise Invalid(
                "The statement is missing.", "Say what was deleted, where, and by whom.", "statement"
            )
        mine.update(state="confirmed", confirmed_at=clock.now(), statement=said)
        held = set(idset.unpack(bytes(received.ids))) - set(idset.unpack(bytes(found.ids)))
        # What was sent up to here is settled, and is not counted again.
        received.ids, received.settled = idset.pack(held), received.upto
        received.save(update_fields=["ids", "settled"])
        audit(
            owing.tenant_id, owing.actor, "duty.confirmed", "app", owing.app_id, owing.app_name, people=found.count,
            reason=said,
        )  # fmt: skip
        return Duty.objects.get(id=duty)


# ---- Chasing.


def overdue(tenant: int) -> list[tuple[App, list[Duty], str]]:
    """Apps with duties past their day that were not chased lately: the app, its duties, whom to write to."""
    moment = clock.now()
    with unguarded("who is late with a deletion", tenant=tenant):
        late = Duty.objects.filter(tenant_id=tenant, state="open", due_on__lt=clock.today())
        late = late.filter(Q(chased_at=None) | Q(chased_at__lt=moment - CHASE_EVERY)).order_by(
            "app_id", "due_on"
        )
        found = []
        for app_id, rows in groupby(late, key=lambda duty: duty.app_id):
            app = App.objects.get(id=app_id)
            agreement = Agreement.objects.filter(tenant_id=tenant, app_id=app_id).order_by("-id").first()
            found.append((app, list(rows), (agreement.contact if agreement else "") or app.contact))
    return found


def note_chase(app: App, duties: Iterable[Duty], mailed: bool) -> None:
    """The app was reminded, by mail or not."""
    with transaction.atomic(), unguarded("an app that is late is reminded", tenant=app.tenant_id):
        ids = [duty.id for duty in duties]
        Duty.objects.filter(tenant_id=app.tenant_id, id__in=ids).update(
            chased_at=clock.now(), chases=F("chases") + 1
        )
        audit(app.tenant_id, None, "duty.chased", "app", app.id, app.name, duties=len(ids), mailed=mailed)
