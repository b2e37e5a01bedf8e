"""What the engine keeps: bundles in force, who received what, what was done, what nobody has decided, restrictions.

Tenants and people are named by id, without foreign keys: policy lies below the roster on the map.
"""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy.gate import Guarded, Open
from rollbook.policy.words import BOOKKEEPING, LINK, not_personal, personal


class BundleRecord(Open):
    """A compiled policy that was in force. Every decision and disclosure cites its hash."""

    hash = not_personal(models.CharField(max_length=64, primary_key=True), BOOKKEEPING)
    profile = not_personal(models.CharField(max_length=64), BOOKKEEPING)
    text = not_personal(models.TextField(), BOOKKEEPING)
    effective_from = not_personal(models.DateField(), BOOKKEEPING)
    recorded_at = not_personal(models.DateTimeField(), BOOKKEEPING)


class Disclosure(Guarded):
    """One answer that showed people's data: to whom, why, which columns, under which policy, about which people.

    `people` is a packed set of ids (`kernel.idset`). Rows are only ever added.
    """

    only_grows = written_for_many = True

    id = not_personal(IdField(), LINK)
    tenant_id = not_personal(models.BigIntegerField(), LINK)
    at = not_personal(models.DateTimeField(), BOOKKEEPING)
    recipient_kind = not_personal(models.CharField(max_length=8), BOOKKEEPING)  # app | staff | outside
    recipient_id = not_personal(models.BigIntegerField(), LINK)
    recipient = personal(
        models.TextField(), "record.disclosure", about="recipient_id"
    )  # the name as it was then
    authorised_by = not_personal(
        models.BigIntegerField(default=0), LINK
    )  # the sharing rule that an app's answer rests on
    purpose = not_personal(models.TextField(), BOOKKEEPING)
    door = not_personal(models.TextField(), BOOKKEEPING)  # which page or operation
    scope = not_personal(
        models.TextField(blank=True, default=""), BOOKKEEPING
    )  # what of an app's token opened the door
    columns = not_personal(models.TextField(), BOOKKEEPING)  # comma-separated, "roster_person.given_name,..."
    bundle = not_personal(models.CharField(max_length=64), BOOKKEEPING)
    people = personal(models.BinaryField(), "record.disclosure", about="recipient_id")
    people_count = not_personal(models.IntegerField(), BOOKKEEPING)
    first_id = not_personal(models.BigIntegerField(), LINK)
    last_id = not_personal(models.BigIntegerField(), LINK)
    reason = personal(models.TextField(blank=True, default=""), "record.disclosure", about="recipient_id")

    class Meta(Guarded.Meta):
        indexes = [
            models.Index(fields=["tenant_id", "id"], name="disclosure_feed"),
            models.Index(fields=["tenant_id", "recipient_id", "id"], name="disclosure_recipient"),
        ]


class HandedOver(Guarded):
    """What the disclosure log cannot know by itself: information that somebody handed to people outside, by hand.

    Its people, details and recipient stand in the disclosure `disclosure_id`, beside all others; here is the ground with its
    evidence. Rows are only ever added: `corrects` names the entry that this one puts right.
    """

    only_grows = True

    id = not_personal(IdField(), LINK)
    tenant_id = not_personal(models.BigIntegerField(), LINK)
    disclosure_id = not_personal(models.BigIntegerField(), LINK)
    corrects = not_personal(models.BigIntegerField(default=0), LINK)
    why_corrected = personal(
        models.TextField(blank=True, default=""), "record.disclosure", about="disclosure_id"
    )
    at = not_personal(models.DateTimeField(), BOOKKEEPING)  # when it was written down
    released_on = not_personal(models.DateField(), BOOKKEEPING)
    ground = not_personal(models.CharField(max_length=16), BOOKKEEPING)
    evidence = personal(models.JSONField(default=dict), "record.disclosure", about="disclosure_id")
    told = not_personal(models.BooleanField(), BOOKKEEPING)  # whether the people were told
    why_not_told = personal(
        models.TextField(blank=True, default=""), "record.disclosure", about="disclosure_id"
    )
    approved_by = personal(models.TextField(), "staff.act", about="entered_by_id")
    entered_by = personal(models.TextField(), "staff.act", about="entered_by_id")
    entered_by_id = not_personal(models.BigIntegerField(default=0), LINK)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant_id", "id"], name="handed_feed")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "corrects"],
                condition=models.Q(corrects__gt=0),
                name="handed_corrected_once",
            )
        ]


class Audit(Guarded):
    """One thing that somebody did: verb, to what. Rows are only ever added."""

    only_grows = True

    id = not_personal(IdField(), LINK)
    tenant_id = not_personal(models.BigIntegerField(), LINK)
    at = not_personal(models.DateTimeField(), BOOKKEEPING)
    actor_kind = not_personal(models.CharField(max_length=8), BOOKKEEPING)  # staff | app | system
    actor_id = not_personal(models.BigIntegerField(default=0), LINK)
    actor = personal(models.TextField(), "staff.act", about="actor_id")
    verb = not_personal(models.TextField(), BOOKKEEPING)  # "sync.applied", "sharing.rule_changed", ...
    object_kind = not_personal(models.TextField(blank=True, default=""), BOOKKEEPING)
    object_id = not_personal(models.BigIntegerField(default=0), LINK)
    object = personal(models.TextField(blank=True, default=""), "staff.act", about="actor_id")
    details = personal(models.JSONField(default=dict), "staff.act", about="actor_id")

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant_id", "id"], name="audit_feed")]


class Gap(Guarded):
    """A question that nobody has decided: it was refused, and waits on the desk's list."""

    id = not_personal(IdField(), LINK)
    tenant_id = not_personal(models.BigIntegerField(), LINK)
    what = not_personal(models.TextField(), BOOKKEEPING)
    because = not_personal(models.TextField(), BOOKKEEPING)
    first_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    last_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    times = not_personal(models.IntegerField(default=1), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant_id", "what", "because"], name="gap_once")]


class Restriction(Guarded):
    """A person's data is kept but not used (GDPR art. 18), or not for one purpose (art. 21)."""

    id = not_personal(IdField(), LINK)
    tenant_id = not_personal(models.BigIntegerField(), LINK)
    person_id = not_personal(models.BigIntegerField(), LINK)
    purpose = not_personal(models.TextField(blank=True, default=""), BOOKKEEPING)  # "" = every purpose
    because = personal(models.TextField(), "record.disclosure", about="person_id")
    began_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    ended_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant_id", "person_id"], name="restriction_person")]
