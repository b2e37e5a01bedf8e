"""Staff and pupils of the cast's tenants as signed-in browsers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.test import Client

from rollbook.identity.actions import (
    SWITCHES,
    SessionStore,
    accounts_for,
    add_membership,
    begin,
    create_account,
    direct,
    issue,
    print_run,
)
from rollbook.identity.queries import person_is, who_is
from rollbook.policy import Actor
from rollbook.roster.models import Tenant


def desk(tenant: Tenant, role: str, name: str = "Hana Larkspur", **where: Any) -> Client:
    """A browser in which somebody with this role is signed in. where: person_id for a teacher, org_id for a head."""
    account = create_account(f"{name.split()[0].lower()}.{role}@{tenant.slug}.example", name)
    membership = add_membership(account, tenant, role, **where)
    who = who_is(account.id, membership)
    assert who is not None
    session = SessionStore()
    begin(session, who, "the tests", "passkey")
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return client


def plain(answer: Any) -> str:
    """A page's text in one line, without the token and the challenge that differ in each answer."""
    text = " ".join(answer.content.decode().split())
    return re.sub(r'name="(csrfmiddlewaretoken|challenge)" value="[^"]*"|data-options="[^"]*"', "", text)


def put_off(client: Client, answer: Any) -> Any:
    """Where a password led, the second step put off within the days of grace."""
    if answer.status_code != 302 or not answer["Location"].startswith("/second-step"):
        return answer
    wanted = parse_qs(urlsplit(answer["Location"]).query)["next"][0]
    return client.post("/second-step", {"do": "later", "next": wanted})


def let_in(tenant: Tenant, **more: bool) -> None:
    """The school directs that its pupils sign in by badge and picture code, and its guardians by link."""
    by = Actor("staff", "administrator", 1, "Hana Larkspur")
    on = {name: more.get(name, True) for name in SWITCHES}
    direct(tenant, by, "public task", "letter of 1 September", **on)


def token_of(tenant: Tenant, person: int) -> str:
    """What this pupil's badge says; one is issued if they have none."""
    by = Actor("staff", "administrator", 1, "Hana Larkspur")
    issue(tenant, [person], by)
    return print_run(tenant, [person], by, "the tests")[person]


def pupil(tenant: Tenant, person: int) -> Client:
    """A browser in which this pupil has shown their badge."""
    client = Client()
    answer = client.post("/badge", {"token": token_of(tenant, person)}, REMOTE_ADDR="10.9.9.9")
    assert answer.status_code == 302, answer.content
    return client


def guardian(tenant: Tenant, person: int) -> Client:
    """A browser in which this guardian has used a one-time link."""
    account = accounts_for(
        tenant.id, [person], "guardian", Actor("staff", "administrator", 1, "Hana Larkspur")
    )
    who = person_is(next(iter(account.values())).id, None)
    assert who is not None
    session = SessionStore()
    begin(session, who, "the tests", "link")
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return client
