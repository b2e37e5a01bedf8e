"""Webhooks: where an app hears that there are new events; each message, its tries, and once more by hand."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Any

from django.conf import settings
from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.jobs import enqueue
from rollbook.policy import Actor, audit, unguarded
from rollbook.sharing.models import App, Delivery, Step, Webhook
from rollbook.sharing.queries.grants import Grant
from rollbook.sharing.rules.webhooks import WAITS, read_url, secret_text

FEED, DELIVER = "sharing.feed", "sharing.deliver"
DUTY = "duties.created"  # what is counted in a message of something to delete
MOST = 5  # webhooks of one app
WORDS = {"person": "users", "class": "sections", "org": "schools", "course": "courses", "session": "terms"}


def secret_of(webhook: Webhook) -> str:
    """What a message to this webhook is signed with."""
    return secret_text(settings.SECRET_KEY.encode(), webhook.id, webhook.nonce)


def add_webhook(app: App, url: str, by: Actor | None) -> tuple[Webhook, str]:
    """A webhook and its secret, which is shown this once. It hears of events from now on. Raises Invalid."""
    address = read_url(url, settings.ROLLBOOK_WEBHOOK_LOOPBACK)
    with (
        transaction.atomic(),
        unguarded("an administrator names where an app is told of events", tenant=app.tenant_id),
    ):
        mine = Webhook.objects.filter(tenant_id=app.tenant_id, app_id=app.id, ended_at=None)
        if mine.filter(url=address).exists():
            raise Invalid(
                "This app has that address already.", "End the one there is, or give another.", "url"
            )
        if mine.count() >= MOST:
            raise Invalid(f"This app has {MOST} addresses already.", "End one of them first.", "url")
        made = Webhook.objects.create(
            tenant_id=app.tenant_id,
            app_id=app.id,
            url=address,
            nonce=secrets.token_hex(16),
            created_at=clock.now(),
        )
        audit(app.tenant_id, by, "sharing.webhook_added", "app", app.id, app.name, url=address)
        enqueue(FEED, app.tenant_id)
    return made, secret_of(made)


def end_webhook(app: App, webhook: int, by: Actor | None) -> None:
    """No more messages to it; those that wait are given up. Raises NotFound."""
    with transaction.atomic(), unguarded("an administrator ends an app's webhook", tenant=app.tenant_id):
        mine = Webhook.objects.filter(tenant_id=app.tenant_id, app_id=app.id, id=webhook, ended_at=None)
        if not mine.update(ended_at=clock.now()):
            raise NotFound("There is no such webhook.")
        Delivery.objects.filter(tenant_id=app.tenant_id, webhook_id=webhook, state="waiting").update(
            state="given up", error="The webhook was ended.", next_at=None
        )
        audit(app.tenant_id, by, "sharing.webhook_ended", "app", app.id, app.name)


def apps_to_tell(tenant: int) -> list[int]:
    """Ids of the apps of a tenant that have a webhook."""
    with unguarded("which apps are told of events", tenant=tenant):
        hooks = Webhook.objects.filter(tenant_id=tenant, ended_at=None)
        return sorted(set(hooks.values_list("app_id", flat=True)))


def tell(tenant: int) -> None:
    """Something changed: let the worker see what each app with a webhook is to be told. Part of the transaction."""
    if apps_to_tell(tenant):
        enqueue(FEED, tenant)


def make_deliveries(grant: Grant, upto: int) -> list[int]:
    """A message for each webhook of the app that has not heard of the steps up to this one. The first message of a
    webhook is of what comes after it was added. Answers their ids."""
    made = []
    with transaction.atomic(), unguarded("an app is told that there are events", tenant=grant.tenant_id):
        hooks = Webhook.objects.select_for_update().filter(
            tenant_id=grant.tenant_id, app_id=grant.app_id, ended_at=None
        )
        for hook in hooks.order_by("id"):
            sent = Delivery.objects.filter(tenant_id=grant.tenant_id, webhook_id=hook.id).order_by(
                "-upto_step"
            )
            last = sent.values_list("upto_step", flat=True).first() or hook.id
            steps = Step.objects.filter(
                tenant_id=grant.tenant_id, app_id=grant.app_id, id__gt=last, id__lte=upto
            )
            counts: Counter[str] = Counter()
            for kind, action, count in steps.values_list("kind", "action", "count"):
                counts[f"{WORDS[kind]}.{action}"] += count
            if counts:
                moment = clock.now()
                one = Delivery.objects.create(
                    tenant_id=grant.tenant_id, app_id=grant.app_id, webhook=hook, after_step=last, upto_step=upto,
                    counts=dict(counts), created_at=moment, next_at=moment,
                )  # fmt: skip
                enqueue(DELIVER, grant.tenant_id, dedupe=f"{one.id}:0", delivery_id=str(one.id))
                made.append(int(one.id))
    return made


def waiting(tenant: int, delivery: int) -> tuple[Delivery, Webhook] | None:
    """A message that is due, with its webhook; None when it was sent, given up, or is not due yet."""
    with unguarded("a message to a webhook is sent", tenant=tenant):
        found = Delivery.objects.filter(tenant_id=tenant, id=delivery, state="waiting").first()
        if found is None or found.next_at is None or found.next_at > clock.now():
            return None
        return found, Webhook.objects.get(tenant_id=tenant, id=found.webhook_id)


def note_try(delivery: Delivery, status: int, error: str) -> None:
    """Write down how a try went. One that failed is tried again later, until there are no more waits."""
    moment, tried = clock.now(), delivery.attempts + 1
    done = 200 <= status < 300
    wait = None if done or tried > len(WAITS) else WAITS[tried - 1]
    with transaction.atomic(), unguarded("a try to tell an app is written down", tenant=delivery.tenant_id):
        Delivery.objects.filter(tenant_id=delivery.tenant_id, id=delivery.id, state="waiting").update(
            attempts=tried, status=status, error="" if done else error, tried_at=moment,
            state="delivered" if done else "waiting" if wait else "given up",
            next_at=moment + wait if wait else None,
        )  # fmt: skip
        if wait:
            enqueue(DELIVER, delivery.tenant_id, f"{delivery.id}:{tried}", wait, delivery_id=str(delivery.id))


def tell_of_duty(app: App) -> None:
    """A message for each webhook of the app that there is something to delete. Part of the transaction."""
    for hook in Webhook.objects.filter(tenant_id=app.tenant_id, app_id=app.id, ended_at=None):
        moment = clock.now()
        one = Delivery.objects.create(
            tenant_id=app.tenant_id, app_id=app.id, webhook=hook, after_step=0, upto_step=0, counts={DUTY: 1},
            created_at=moment, next_at=moment,
        )  # fmt: skip
        enqueue(DELIVER, app.tenant_id, dedupe=f"{one.id}:0", delivery_id=str(one.id))


def id_key_of(delivery: Delivery) -> bytes:
    """What the ids in a message are sealed with, for an app that may get nothing any more."""
    with unguarded("a message to a webhook is sent", tenant=delivery.tenant_id):
        return bytes.fromhex(App.objects.get(tenant_id=delivery.tenant_id, id=delivery.app_id).id_key)


def give_up(delivery: Delivery, why: str) -> None:
    """This message is not sent."""
    with unguarded("a message is not sent any more", tenant=delivery.tenant_id):
        Delivery.objects.filter(tenant_id=delivery.tenant_id, id=delivery.id).update(
            state="given up", error=why, next_at=None
        )


def resend(app: App, delivery: int, by: Actor | None) -> None:
    """Send a message again, now. Raises NotFound for one that is not the app's, or whose webhook has ended."""
    with transaction.atomic(), unguarded("an administrator sends a message again", tenant=app.tenant_id):
        found = Delivery.objects.filter(tenant_id=app.tenant_id, app_id=app.id, id=delivery).first()
        hook: Any = (
            found
            and Webhook.objects.filter(id=found.webhook_id, tenant_id=app.tenant_id, ended_at=None).first()
        )
        if found is None or hook is None:
            raise NotFound("There is no such message to send.")
        Delivery.objects.filter(id=found.id, tenant_id=app.tenant_id).update(
            state="waiting", attempts=0, next_at=clock.now()
        )
        enqueue(
            DELIVER, app.tenant_id, dedupe=f"{found.id}:{secrets.token_hex(4)}", delivery_id=str(found.id)
        )
        audit(app.tenant_id, by, "sharing.webhook_resent", "app", app.id, app.name, delivery=str(found.id))
