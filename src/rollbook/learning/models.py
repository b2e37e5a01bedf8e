"""The gradebook, in OneRoster 1.2's words: line items (what is worked on) and results (how it went for one pupil).

A source is whoever made a line item: an app, by its id, for apps lie above on the map. Nothing is deleted under a
reference; what is taken away is a tombstone, as in the roster.
"""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, ORGANISATION, Guarded, not_personal, personal


def _tenant() -> models.ForeignKey[object, object]:
    return not_personal(models.ForeignKey("roster.Tenant", on_delete=models.CASCADE, related_name="+"), LINK)


def _link(to: str, column: str) -> models.ForeignKey[object, object]:
    """A row of the roster: it is never deleted, so nothing has to be checked or carried along."""
    return not_personal(
        models.ForeignKey(
            to, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+",
            db_column=column,
        ),
        LINK,
    )  # fmt: skip


class LineItem(Guarded):
    """One piece of work of a class. A result for it lies between min and max, or above where the source gives more."""

    id = not_personal(IdField(), LINK)
    tenant = _tenant()
    status = not_personal(
        models.CharField(max_length=11, default="active"), BOOKKEEPING
    )  # active | tobedeleted
    date_last_modified = not_personal(models.DateTimeField(), BOOKKEEPING)
    klass = _link("roster.Class", "class_id")
    title = not_personal(models.TextField(), ORGANISATION)
    assign_date = not_personal(models.DateTimeField(null=True), ORGANISATION)
    due_date = not_personal(models.DateTimeField(null=True), ORGANISATION)
    result_value_min = not_personal(models.FloatField(default=0.0), ORGANISATION)
    result_value_max = not_personal(models.FloatField(), ORGANISATION)
    # Whether the source lets pupils and families see the results already.
    released = not_personal(models.BooleanField(default=True), ORGANISATION)
    source_id = not_personal(models.BigIntegerField(), LINK)
    source = not_personal(models.TextField(), ORGANISATION)  # its name when it made this
    # By what the source finds it again: the link that opens the work (LTI), and two words of its own.
    resource_link = not_personal(models.TextField(blank=True, default=""), LINK)
    resource_id = not_personal(models.TextField(blank=True, default=""), LINK)
    tag = not_personal(models.TextField(blank=True, default=""), ORGANISATION)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "klass", "source_id", "id"], name="line_item_class")]


class Result(Guarded):
    """How one piece of work went for one pupil, as its source said last."""

    id = not_personal(IdField(), LINK)
    tenant = _tenant()
    status = not_personal(
        models.CharField(max_length=11, default="active"), BOOKKEEPING
    )  # active | tobedeleted
    date_last_modified = not_personal(models.DateTimeField(), BOOKKEEPING)
    line_item = not_personal(models.ForeignKey(LineItem, on_delete=models.CASCADE, related_name="+"), LINK)
    klass = _link("roster.Class", "class_id")  # of the line item
    person = _link("roster.Person", "person_id")  # the pupil
    # The score and of how many, both as the source gave them; `rules.scaled` makes of them what the line item counts in.
    score = personal(models.FloatField(null=True), "attainment.result", about="person_id")
    score_maximum = personal(models.FloatField(null=True), "attainment.result", about="person_id")
    score_status = personal(models.CharField(max_length=16), "attainment.result", about="person_id")
    score_date = personal(models.DateTimeField(), "attainment.result", about="person_id")
    comment = personal(models.TextField(blank=True, default=""), "attainment.result", about="person_id")
    activity_progress = personal(models.CharField(max_length=16), "attainment.result", about="person_id")
    grading_progress = personal(models.CharField(max_length=16), "attainment.result", about="person_id")

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "line_item", "person", name="result_once")]
        indexes = [
            models.Index(fields=["tenant", "person"], name="result_person"),
            models.Index(fields=["tenant", "klass"], name="result_class"),
        ]
