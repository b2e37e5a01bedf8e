"""A developer's sandbox: a tenant of its own whose people are invented, made by the generator and the real sync."""

from __future__ import annotations

import secrets
from datetime import date, timedelta
from typing import Any

from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import NotFound
from rollbook.kernel.jobs import enqueue
from rollbook.policy import Actor, Restriction, audit, bundle_for, unguarded
from rollbook.roster.models import Person, Tenant
from rollbook.roster.rules.sandbox import RESTRICTED

FILL = "roster.fill_sandbox"
PUPILS, SCHOOLS, SEED = 120, 2, 20
A_DAY_ON: dict[str, Any] = {"changed": 0.05, "removed": 0.05, "added": 0.05}
REGION = "GB"


def make_sandbox(name: str) -> Tenant:
    """A new, empty sandbox, and the job that fills it."""
    bundle = bundle_for("default")
    with transaction.atomic():
        made = Tenant.objects.create(
            slug=f"sandbox-{secrets.token_hex(6)}", name=name, kind="partner", region=REGION, policy=bundle.profile,
            created_at=clock.now(), sandbox=True,
        )  # fmt: skip
        audit(made.id, None, "tenant.created", "tenant", made.id, made.name, region=REGION, sandbox=True)
        enqueue(FILL, made.id, dedupe="fill", a_day_on=False)
    return made


def must_be(tenant: Tenant) -> None:
    """Raise NotFound for a tenant that is no sandbox."""
    if not tenant.sandbox:
        raise NotFound("There is no such sandbox.")


def ask_to_fill(tenant: Tenant, by: Actor, *, a_day_on: bool) -> None:
    """Ask the worker to make the sandbox's people as they were on the first day, or as they are a day later.

    Raises NotFound for a tenant that is no sandbox: nobody else's roll is ever made new.
    """
    must_be(tenant)
    with transaction.atomic():
        verb = "sandbox.day_asked" if a_day_on else "sandbox.new_asked"
        audit(tenant.id, by, verb, "tenant", tenant.id, tenant.name)
        enqueue(FILL, tenant.id, dedupe="fill", a_day_on=a_day_on)


def school_year(today: date) -> tuple[int, date]:
    """The year in which the school year of this day began, and yesterday, within it."""
    begins = date(today.year - (today.month < 9), 9, 1)
    return begins.year, max(today - timedelta(days=1), begins)


def restrict_one(tenant: Tenant) -> None:
    """One pupil's data is kept and not used, as a family may ask. No app sees this pupil."""
    with transaction.atomic(), unguarded("a sandbox has a pupil whose data is restricted", tenant=tenant.id):
        person = (
            Person.objects.filter(tenant=tenant, sourced_id=RESTRICTED).values_list("id", flat=True).first()
        )
        if person is not None:
            Restriction.objects.get_or_create(
                tenant_id=tenant.id,
                person_id=person,
                ended_at=None,
                defaults={"because": "the family asked", "began_at": clock.now()},
            )
