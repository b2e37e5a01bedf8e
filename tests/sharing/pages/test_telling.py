"""The page of what an app is told: who may look and change, what stands there, and that nobody is named."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel.jobs import run_one
from rollbook.policy import Audit, unguarded
from rollbook.roster import Tenant
from rollbook.sharing import share
from rollbook.sharing.actions import NewApp
from rollbook.sharing.models import Delivery, Webhook
from tests.cast import Cast
from tests.staff import desk, plain

PAGE = "/apps/numberyard/events"


@pytest.fixture
def administrator(cast: Cast, numberyard: NewApp) -> Client:
    share(numberyard.app, {"people": "all", "fields": "all"})
    return desk(cast.tenant, "administrator")


def hooks() -> list[Webhook]:
    with unguarded("a test reads the webhooks"):
        return list(Webhook.objects.order_by("id"))


def sent(cast: Cast) -> Delivery:
    """A message that found nobody: the name of its address is not known."""
    Tenant.objects.filter(id=cast.tenant.id).update(roster_version=cast.tenant.roster_version + 1)
    while run_one():
        pass
    with unguarded("a test reads the messages"):
        return Delivery.objects.get()


def test_an_address_is_added_its_secret_shown_once_and_messages_are_listed(
    administrator: Client, cast: Cast, monkeypatch: Any
) -> None:
    monkeypatch.setattr("rollbook.sharing.connectors.webhooks.send", lambda *_: (503, "It answered 503."))
    made = administrator.post(PAGE, {"do": "add", "url": "https://numberyard.example/hook"})
    [secret] = re.findall(r"whsec_[\w-]{43}", plain(made))
    assert secret not in plain(administrator.get(PAGE))
    row = sent(cast)
    seen = plain(administrator.get(PAGE))
    assert (
        "https://numberyard.example/hook" in seen
        and "Waiting" in seen
        and "answer 503" in seen
        and "1 try" in seen
    )
    assert not any(word in seen for word in ("Ada", "Riverstone", str(cast.ada.id)))
    assert administrator.post(PAGE, {"do": "resend", "number": str(row.id)}).status_code == 302
    assert administrator.post(PAGE, {"do": "end", "number": str(hooks()[0].id)}).status_code == 302
    assert "Given up" in plain(administrator.get(PAGE)) and hooks()[0].ended_at
    with unguarded("a test reads the audit"):
        verbs = set(Audit.objects.filter(verb__startswith="sharing.webhook").values_list("verb", flat=True))
    assert verbs == {"sharing.webhook_added", "sharing.webhook_resent", "sharing.webhook_ended"}


@pytest.mark.parametrize(
    "url", ["", "http://numberyard.example/", "https://10.0.0.1/", "https://localhost:1/"]
)
def test_an_address_that_cannot_be_called_is_refused_with_the_reason(administrator: Client, url: str) -> None:
    answer = administrator.post(PAGE, {"do": "add", "url": url})
    assert answer.status_code == 422 and 'role="alert"' in plain(answer)
    assert hooks() == []


def test_the_officer_looks_and_does_not_change(administrator: Client, cast: Cast) -> None:
    officer = desk(cast.tenant, "dpo", "Femi Inkwell")
    assert officer.get(PAGE).status_code == 200 and "Add this address" not in plain(officer.get(PAGE))
    assert officer.post(PAGE, {"do": "add", "url": "https://numberyard.example/hook"}).status_code == 403
    assert hooks() == []


def test_what_is_another_apps_is_not_there(administrator: Client, cast: Cast) -> None:
    for do in ("end", "resend"):
        assert administrator.post(PAGE, {"do": do, "number": "12345"}).status_code == 404
        assert administrator.post(PAGE, {"do": do, "number": "x"}).status_code == 404
