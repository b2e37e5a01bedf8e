"""Fields that every table shares."""

from __future__ import annotations

from typing import Any

from django.db import models

from rollbook.kernel.ids import new_id


class IdField(models.BigIntegerField):  # type: ignore[type-arg]  # not generic at run time
    """A primary key that grows with time (see `kernel.ids`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("default", new_id)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def db_type(self, connection: Any) -> str | None:
        """On SQLite `integer`, which makes the key the row's own number: one tree to walk, not two."""
        return "integer" if connection.vendor == "sqlite" else super().db_type(connection)

    def rel_db_type(self, connection: Any) -> str | None:
        """A reference to it is a plain bigint."""
        return models.BigIntegerField().db_type(connection)


class Job(models.Model):
    """A piece of work that can be killed at any line and run again. Arguments are JSON that an audit can read:
    ids and settings, never a person's data. Its columns' words stand in `policy.words` (the kernel lies below)."""

    id = IdField()
    name = models.CharField(max_length=64)
    tenant_id = models.BigIntegerField()
    args = models.JSONField(default=dict)
    dedupe = models.CharField(max_length=128, blank=True, default="")
    state = models.CharField(max_length=8, default="queued")  # queued | running | done | failed
    run_after = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name", "tenant_id", "dedupe"],
                condition=models.Q(state__in=["queued", "running"]) & ~models.Q(dedupe=""),
                name="job_once",
            )
        ]
        indexes = [models.Index(fields=["state", "run_after", "id"], name="job_next")]
