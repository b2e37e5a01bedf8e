"""What sources do in the gradebook. Each act is one transaction with its line of the audit: a fact that came from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.learning.models import LineItem, Result
from rollbook.learning.rules import Item, Score
from rollbook.policy import Actor, audit, unguarded

MOST = 1000  # line items of one source in one class


class Older(Exception):
    """A score is older than the one that is kept. at: when that one was given."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        super().__init__(f"A score of {at.isoformat()} is kept already.")


def add_line_item(by: Actor, tenant: int, klass: int, said: Item) -> LineItem:
    """Make a line item of a source in a class that the source reaches. Raises Invalid."""
    said.check()
    with transaction.atomic(), unguarded("a source makes a line item", tenant=tenant):
        mine = LineItem.objects.filter(tenant_id=tenant, klass_id=klass, source_id=by.id, status="active")
        if mine.count() >= MOST:
            raise Invalid(
                f"There are {MOST} line items of this app in this class.", "Take away what nobody needs."
            )
        item = LineItem.objects.create(
            tenant_id=tenant, klass_id=klass, source_id=by.id, source=by.name, date_last_modified=clock.now(),
            resource_link=said.resource_link, **_words(said),
        )  # fmt: skip
        audit(tenant, by, "learning.line_item_added", "line_item", item.id, item.title, klass=klass)
    return item


def change_line_item(by: Actor, tenant: int, id: int, said: Item) -> LineItem:
    """Say a line item anew. Where it is worked on (its link) stays. Raises Invalid, and NotFound for another's."""
    said.check()
    with transaction.atomic(), unguarded("a source changes its line item", tenant=tenant):
        item = _mine(by, tenant, id)
        for name, value in _words(said).items():
            setattr(item, name, value)
        item.date_last_modified = clock.now()
        item.save()
        audit(tenant, by, "learning.line_item_changed", "line_item", item.id, item.title)
    return item


def remove_line_item(by: Actor, tenant: int, id: int) -> None:
    """Take a line item away, and its results with it: nobody is shown them any more. Raises NotFound for another's."""
    with transaction.atomic(), unguarded("a source takes its line item away", tenant=tenant):
        item, moment = _mine(by, tenant, id), clock.now()
        gone: dict[str, Any] = {"status": "tobedeleted", "date_last_modified": moment}
        LineItem.objects.filter(tenant_id=tenant, id=id).update(**gone)
        results = Result.objects.filter(tenant_id=tenant, line_item_id=id, status="active").update(**gone)
        audit(tenant, by, "learning.line_item_removed", "line_item", id, item.title, results=results)


def take_score(by: Actor, tenant: int, id: int, person: int, said: Score) -> None:
    """Keep what a source says about a pupil's work in place of what it said before. The caller has seen that the pupil
    is one of its own. Raises Invalid, NotFound for another's line item, and Older; then nothing has changed.

    The audit says that a score came, when and for what; the score itself stands in one place.
    """
    said.check()
    with transaction.atomic(), unguarded("a source sends a score", tenant=tenant):
        item = _mine(by, tenant, id)  # locked: of two scores at once the second sees the first
        kept = Result.objects.filter(tenant_id=tenant, line_item_id=id, person_id=person).first()
        words: dict[str, Any] = {
            "score": said.given, "score_maximum": said.of, "score_status": said.status, "score_date": said.at,
            "comment": said.comment, "activity_progress": said.activity, "grading_progress": said.grading,
        }  # fmt: skip
        if kept is not None and kept.score_date >= said.at:
            if all(getattr(kept, name) == value for name, value in words.items()):
                return  # sent twice
            raise Older(kept.score_date)
        result = kept or Result(tenant_id=tenant, line_item_id=id, klass_id=item.klass_id, person_id=person)
        for name, value in words.items():
            setattr(result, name, value)
        result.status, result.date_last_modified = "active", clock.now()
        result.save()
        audit(
            tenant, by, "learning.score_received", "person", person, item.title, line_item=id,
            at=said.at.isoformat(), status=said.status,
        )  # fmt: skip


def _mine(by: Actor, tenant: int, id: int) -> LineItem:
    rows = LineItem.objects.select_for_update().filter(tenant_id=tenant, id=id, source_id=by.id)
    found: LineItem | None = rows.filter(status="active").first()
    if found is None:
        raise NotFound("There is no such line item.")
    return found


def _words(said: Item) -> dict[str, Any]:
    return {
        "title": said.title.strip(), "result_value_max": said.maximum, "resource_id": said.resource_id, "tag": said.tag,
        "assign_date": said.begins, "due_date": said.due, "released": said.released,
    }  # fmt: skip
