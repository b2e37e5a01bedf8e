"""When an app lost a row: one that is still on the roll but out of the rule's reach did not change itself."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime

from django.db.models import Max

from rollbook.kernel.ids import EPOCH_MS, LOW_BITS
from rollbook.sharing.queries.audience import Audience, audience
from rollbook.sharing.queries.collections.objects import model_of
from rollbook.sharing.queries.grants import Grant

_departed: OrderedDict[tuple[int, str], tuple[Audience, dict[int, datetime]]] = OrderedDict()


def departures(grant: Grant, label: str) -> dict[int, datetime]:
    """id -> when the app lost it: the row's own change, or that of the link or rule that led to it."""
    whole = audience(grant, label)
    held = _departed.get((grant.app_id, label))
    if held is not None and held[0] is whole:
        return held[1]
    found: dict[int, datetime] = {}
    rows = grant.gone.select(model_of(label)).filter(id__any=whole.gone)
    person = {"person": "id", "enrollment": "person_id", "demographics": "person_id"}.get(label)
    narrowed = (
        datetime.fromtimestamp(((grant.rule_id >> LOW_BITS) + EPOCH_MS) / 1000, UTC)
        if grant.earlier
        else None
    )
    ended: dict[int, datetime] = {}
    if person is not None and whole.gone:
        people = audience(grant, "person").gone
        for link in ("role", "enrollment"):
            links = grant.gone.select(model_of(link)).filter(person_id__any=people, status="tobedeleted")
            for who, when in (
                links.order_by()
                .values_list("person_id")
                .annotate(last=Max("date_last_modified"))
                .values_list("person_id", "last")
            ):
                ended[who] = max(when, ended.get(who, when))
    for row, when, status, *who in rows.values_list(
        "id", "date_last_modified", "status", *([person] if person else [])
    ):
        moments = [when]
        if status == "active":
            moments += [m for m in (narrowed, ended.get(who[0]) if who else None) if m is not None]
        found[row] = max(moments)
    _departed[(grant.app_id, label)] = (whole, found)
    while len(_departed) > 64:
        _departed.popitem(last=False)
    return found


def stamp(moment: datetime) -> str:
    """A moment as OneRoster writes it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"
