"""The library: apps that teachers may add to their own classes, within limits that the tenant sets."""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, Guarded, not_personal, personal
from rollbook.sharing.models.apps import App, tenant


class Library(Guarded):
    """A tenant's library. Without a row, or while it is not open, nobody adds anything."""

    tenant = not_personal(
        models.OneToOneField("roster.Tenant", on_delete=models.CASCADE, related_name="+", primary_key=True),
        LINK,
    )
    open = not_personal(models.BooleanField(default=False), BOOKKEEPING)
    roles = not_personal(models.JSONField(default=list), BOOKKEEPING)  # of the people that an app then sees
    grades = not_personal(models.JSONField(default=list), BOOKKEEPING)  # none sets no limit
    most = not_personal(models.IntegerField(default=5), BOOKKEEPING)  # apps at one class
    changed_by = personal(models.TextField(), "staff.act", about="changed_by_id")
    changed_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    changed_at = not_personal(models.DateTimeField(), BOOKKEEPING)


class Addition(Guarded):
    """A teacher added an app of the library to a class. The app's rule follows from those that have not ended."""

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    klass = not_personal(
        models.ForeignKey(
            "roster.Class",
            on_delete=models.DO_NOTHING,
            db_constraint=False,
            db_column="class_id",
            related_name="+",
        ),
        LINK,
    )
    added_by = personal(models.TextField(), "staff.act", about="added_by_id")
    added_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    added_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    ended_by = personal(models.TextField(blank=True, default=""), "staff.act", about="ended_by_id")
    ended_by_id = not_personal(models.BigIntegerField(default=0), LINK)
    ended_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [
            models.UniqueConstraint(
                "tenant", "klass", "app", condition=models.Q(ended_at=None), name="addition_once"
            )
        ]
        indexes = [models.Index(fields=["tenant", "app", "-id"], name="addition_app")]
