"""Messages to webhooks: that there are new events, how many of which kind, and where to read them. They name nobody;
what the app then reads is cut by its rule as every reading is. Signed, over https, to public addresses only."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
from django.conf import settings

from rollbook.kernel import clock
from rollbook.kernel.http import site
from rollbook.kernel.jobs import job
from rollbook.sharing.actions.feed import advance
from rollbook.sharing.actions.webhooks import (
    DELIVER,
    DUTY,
    FEED,
    apps_to_tell,
    give_up,
    id_key_of,
    make_deliveries,
    note_try,
    secret_of,
    waiting,
)
from rollbook.sharing.connectors.clever.events import step_id
from rollbook.sharing.queries import Grant, Withheld, grant_for
from rollbook.sharing.rules import seal_short
from rollbook.sharing.rules.webhooks import refused, signature

SECONDS = 10  # for the whole of one try


@job(FEED)
def feed(tenant_id: int) -> None:
    """Bring the logs of the apps that have a webhook up to now, and make the messages."""
    for app in apps_to_tell(tenant_id):
        try:
            grant = grant_for(app)
        except Withheld:
            continue  # the app gets nothing, so it hears nothing; when it gets something again, it hears of it
        make_deliveries(grant, advance(grant))


@job(DELIVER)
def deliver(tenant_id: int, *, delivery_id: str) -> None:
    """One try to send one message. A try that was cut off is made again, so a message may come twice, under one id."""
    found = waiting(tenant_id, int(delivery_id))
    if found is None:
        return
    delivery, webhook = found
    if DUTY in delivery.counts:  # an app that gets nothing any more must hear of what it has to delete
        key = id_key_of(delivery)
        said = duty_message(key, delivery)
    else:
        try:
            grant = grant_for(delivery.app_id)
        except Withheld as withheld:
            give_up(delivery, withheld.reason)
            return
        key, said = grant.id_key, message(grant, delivery)
    body = orjson.dumps(said)
    moment = int(clock.now().timestamp())
    headers = {
        "Content-Type": "application/json", "User-Agent": "Rollbook",
        "Rollbook-Delivery": seal_short(key, "delivery", [delivery.id])[0],
        "Rollbook-Signature": signature(secret_of(webhook), moment, body),
    }  # fmt: skip
    note_try(delivery, *send(webhook.url, body, headers))


def message(grant: Grant, delivery: Any) -> dict[str, Any]:
    """What is sent."""
    before = step_id(grant.id_key, delivery.after_step)
    return {
        "id": seal_short(grant.id_key, "delivery", [delivery.id])[0], "type": "events.available",
        "created": delivery.created_at.isoformat(timespec="milliseconds"),
        "district": seal_short(grant.id_key, "district", [grant.tenant_id])[0], "counts": delivery.counts,
        "events": f"{site()}/v3.1/events?starting_after={before}",
    }  # fmt: skip


def duty_message(key: bytes, delivery: Any) -> dict[str, Any]:
    """What is sent when there is something to delete."""
    return {
        "id": seal_short(key, "delivery", [delivery.id])[0], "type": "duties.available",
        "created": delivery.created_at.isoformat(timespec="milliseconds"),
        "district": seal_short(key, "district", [delivery.tenant_id])[0], "counts": delivery.counts,
        "duties": f"{site()}/sharing/v1/duties",
    }  # fmt: skip


def send(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """(status, what went wrong). Calls the very address that was looked at, follows nothing, reads no answer."""
    import httpx  # here, because every process that could send loads this file

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return 0, "The name of the address is not known."
    addresses = [str(info[4][0]) for info in found]
    for address in addresses:
        if why := refused(address, settings.ROLLBOOK_WEBHOOK_LOOPBACK):
            return 0, why
    named = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    target = urlunsplit((parts.scheme, f"{named}:{port}", parts.path or "/", parts.query, ""))
    try:
        with httpx.Client(timeout=SECONDS, follow_redirects=False, trust_env=False) as client:
            asked = client.build_request(
                "POST", target, content=body, headers={**headers, "Host": parts.netloc},
                extensions={"sni_hostname": host},
            )  # fmt: skip
            answer = client.send(asked, stream=True)  # whatever it says beside its code is not read
            answer.close()
    except httpx.TimeoutException:
        return 0, f"No answer came in {SECONDS} seconds."
    except httpx.HTTPError as error:
        return 0, f"The connection failed ({type(error).__name__})."
    if answer.is_redirect:
        return answer.status_code, "It answered with another address; that is not followed."
    return answer.status_code, "" if answer.is_success else f"It answered {answer.status_code}."
