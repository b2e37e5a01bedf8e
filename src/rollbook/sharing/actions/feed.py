"""The log of what each app could read, brought up to now. Made of the difference between what it could read at the last
step and what it can read now, so that a changed rule, a moved pupil and a sync all come out right; and of the roster's
own log, which says what changed in between."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from django.apps import apps
from django.db import transaction

from rollbook.kernel import clock, idset
from rollbook.policy import unguarded
from rollbook.roster import changes, last_change
from rollbook.sharing.models import Feed, Seen, Step
from rollbook.sharing.queries.audience import audience
from rollbook.sharing.queries.collections import Ask, listing
from rollbook.sharing.queries.grants import Grant

# In the order in which an app can use them: a section names its people, its course, its school and its term.
KINDS = ("session", "org", "course", "person", "class")
STEP_IDS = 1_000_000  # in one step: an event's id has room for the place of one of so many
# A link of the roster, and whom a change of it changes for an app.
_SUBJECT = {
    "role": ("Role", "person_id", "person"), "demographics": ("Demographics", "person_id", "person"),
    "ethnicity": ("Ethnicity", "person_id", "person"), "guardianship": ("Guardianship", "guardian_id", "person"),
    "enrollment": ("Enrollment", "klass_id", "class"),
}  # fmt: skip
_NAMES = {"academicsession": "session"}  # as a change by hand writes it


def advance(grant: Grant) -> int:
    """Write the steps that are missing. Answers the id of the last step; 0 when nothing was ever shared."""
    with unguarded("an app's log says how far it has come", tenant=grant.tenant_id):
        found = Feed.objects.filter(tenant_id=grant.tenant_id, app_id=grant.app_id).first()
        if found is None:
            found, _ = Feed.objects.get_or_create(
                app_id=grant.app_id, defaults={"tenant_id": grant.tenant_id}
            )
    if not _current(found, grant):
        upto = last_change(grant.tenant_id)
        reached = {kind: _reached(grant, kind) for kind in KINDS}
        touched = _touched(grant, found.roster_event_id, upto) if found.roster_version >= 0 else {}
        _write(grant, upto, reached, touched)
    return last_step(grant)


def last_step(grant: Grant) -> int:
    """The id of the last step of the app's log."""
    with unguarded("an app's log says how far it has come", tenant=grant.tenant_id):
        steps = Step.objects.filter(tenant_id=grant.tenant_id, app_id=grant.app_id).order_by("-id")
        return int(steps.values_list("id", flat=True).first() or 0)


def _current(feed: Feed, grant: Grant) -> bool:
    mine = (grant.roster_version, grant.rule_id, grant.access.bundle.hash)
    return mine == (feed.roster_version, feed.rule_id, feed.bundle)


def _reached(grant: Grant, kind: str) -> array[int]:
    """The rows of this kind that the app reads now. Of orgs, schools alone: the events know no other."""
    return listing(grant, Ask("orgs", "schools")).here if kind == "org" else audience(grant, kind).active


def _touched(grant: Grant, after: int, upto: int) -> dict[str, set[int]]:
    """kind -> rows that changed in between, themselves or by a link of theirs."""
    found: dict[str, set[int]] = {kind: set() for kind in KINDS}
    for change in changes(grant.tenant_id, after, upto):
        entity = _NAMES.get(change.entity, change.entity)
        if entity in found:
            found[entity].update(change.ids)
        elif entity in _SUBJECT:
            model, column, kind = _SUBJECT[entity]
            rows = grant.gone.select(apps.get_model("roster", model)).filter(id__any=change.ids)
            found[kind].update(rows.values_list(column, flat=True).iterator())
    return found


def _write(grant: Grant, upto: int, reached: dict[str, array[int]], touched: dict[str, set[int]]) -> None:
    tenant, app, now = grant.tenant_id, grant.app_id, clock.now()
    with unguarded("an app's log grows by a step", tenant=tenant), transaction.atomic():
        feed = Feed.objects.select_for_update().get(app_id=app)
        if _current(feed, grant) or feed.roster_version > grant.roster_version:
            return  # another request was first
        seen = dict(Seen.objects.filter(tenant_id=tenant, app_id=app).values_list("kind", "ids"))
        before = {kind: set(idset.unpack(bytes(seen[kind]))) if kind in seen else set() for kind in KINDS}
        now_seen = {kind: set(reached[kind]) for kind in KINDS}
        lost = [(kind, "deleted", before[kind] - now_seen[kind]) for kind in reversed(KINDS)]
        new = [(kind, "created", now_seen[kind] - before[kind]) for kind in KINDS]
        same = [(kind, "updated", touched.get(kind, set()) & before[kind] & now_seen[kind]) for kind in KINDS]
        for kind, action, ids in (*lost, *new, *same):
            for part in _parts(ids):
                Step.objects.create(
                    tenant_id=tenant, app_id=app, at=now, kind=kind, action=action, ids=idset.pack(part), count=len(part),
                    after_event=feed.roster_event_id, upto_event=upto,
                )  # fmt: skip
        for kind in KINDS:
            if before[kind] != now_seen[kind] or kind not in seen:
                Seen.objects.update_or_create(
                    tenant_id=tenant, app_id=app, kind=kind, defaults={"ids": idset.pack(now_seen[kind])}
                )
        Feed.objects.filter(app_id=app).update(
            roster_version=grant.roster_version, rule_id=grant.rule_id, bundle=grant.access.bundle.hash,
            roster_event_id=upto,
        )  # fmt: skip


def _parts(ids: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), STEP_IDS):
        yield ordered[start : start + STEP_IDS]
