"""Staff of the cast's tenants as signed-in browsers."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.test import Client

from rollbook.identity.actions import SessionStore, add_membership, begin, create_account
from rollbook.identity.queries import who_is
from rollbook.roster.models import Tenant


def desk(tenant: Tenant, role: str, name: str = "Hana Larkspur", **where: Any) -> Client:
    """A browser in which somebody with this role is signed in. where: person_id for a teacher, org_id for a head."""
    account = create_account(f"{name.split()[0].lower()}.{role}@{tenant.slug}.example", name)
    membership = add_membership(account, tenant, role, **where)
    who = who_is(account.id, membership)
    assert who is not None
    session = SessionStore()
    begin(session, who, "the tests")
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return client


def plain(answer: Any) -> str:
    """A page's text in one line, without the token that differs in each answer."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", " ".join(answer.content.decode().split()))
