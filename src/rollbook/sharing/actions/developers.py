"""What a developer does with the apps of the own sandbox: make one that reads at once, and try it; and ask a school."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant
from rollbook.sharing.actions import NewApp, agree, ask_field, create_app, share
from rollbook.sharing.actions.renewal import digest
from rollbook.sharing.models import App, FieldRequest, Token
from rollbook.sharing.queries.listings import asked_of, can_be_asked, listed_as, shared_by
from rollbook.sharing.rules import FIELDS

TRIAL, YEAR = timedelta(minutes=1), timedelta(days=365)
REASON = 80  # characters of a reason that a parent reads
MOST_OPEN, AGAIN = 12, timedelta(days=30)  # requests that wait at one school; how long a "no" stands


def create_sandbox_app(tenant: Tenant, name: str, about: str, contact: str, *, by: Actor) -> NewApp:
    """An app in a sandbox, with an agreement and a rule that shares all that "all" stands for: nobody there is real.

    Raises Invalid as `create_app` does, NotFound for a tenant that is no sandbox: at a school these two are its own act.
    """
    if not tenant.sandbox:
        raise NotFound("There is no such sandbox.")
    with transaction.atomic():
        made = create_app(tenant, name, vendor=by.name, about=about, contact=contact, by=by)
        agree(
            made.app, purpose="learning-app", region=tenant.region, retention_days=90, contact=contact,
            ends_on=clock.today() + YEAR, read_policy=True, by=by,
        )  # fmt: skip
        share(made.app, {"people": "all", "fields": "all"}, by=by)
    return made


def trial_token(app: App, scopes: Iterable[str], *, by: Actor) -> str:
    """A token of a minute, with which a developer's own page asks for the app. Raises NotFound outside a sandbox."""
    if not Tenant.objects.filter(id=app.tenant_id, sandbox=True).exists():
        raise NotFound("There is no such sandbox.")
    moment, token = clock.now(), secrets.token_urlsafe(32)
    with transaction.atomic(), unguarded("a developer tries an app of the own sandbox", tenant=app.tenant_id):
        Token.objects.create(
            digest=digest(token), tenant_id=app.tenant_id, app=app, scopes=" ".join(sorted(scopes)), issued_at=moment,
            expires_at=moment + TRIAL,
        )  # fmt: skip
        audit(app.tenant_id, by, "app.tried", "app", app.id, app.name)
    return token


# ---- A school's app and its maker's listing.


def name_maker(app: App, code: str, *, by: Actor) -> None:
    """Say who makes a school's app, by the code of the maker's listing. Raises Invalid for a code that is none.

    It is the school's own act, and gives the maker one thing: to send requests for details and see how they were
    answered.
    """
    listing = listed_as(code)
    with transaction.atomic(), unguarded("a school says who makes an app", tenant=app.tenant_id):
        App.objects.filter(id=app.id).update(listing_id=listing.id)
        audit(app.tenant_id, by, "sharing.maker_named", "app", app.id, app.name, maker=listing.vendor)


def forget_maker(app: App, *, by: Actor) -> None:
    """End what `name_maker` began: the maker sees nothing of this school from now on."""
    with transaction.atomic(), unguarded("a school says no more who makes an app", tenant=app.tenant_id):
        App.objects.filter(id=app.id).update(listing_id=None)
        audit(app.tenant_id, by, "sharing.maker_taken_away", "app", app.id, app.name)


def ask_school(
    listing: App, school_app: int, wanted: Mapping[str, str], *, only_check: bool = False
) -> list[FieldRequest]:
    """Ask a school for details, each with the reason that a parent will read. All of them are sent, or none.

    only_check: send nothing, and say what would be refused.

    Raises NotFound for a school that did not name this listing, Invalid naming the detail that cannot be asked for.
    """
    app = can_be_asked(listing, school_app)
    if not wanted:
        raise Invalid("No detail is ticked.", "Tick what your app needs, and say why.", "fields")
    shared, asked = shared_by(app), asked_of(app)
    waiting = {one.field for one in asked if not one.answer}
    refused = {
        one.field
        for one in asked
        if one.answer == "refused" and one.answered_at and one.answered_at > clock.now() - AGAIN
    }
    for name, reason in wanted.items():
        title = FIELDS[name].title if name in FIELDS else name
        if name not in FIELDS or FIELDS[name].structural:
            raise Invalid(f"{title} cannot be asked for.", "Tick one of the list.", "fields")
        if name in shared or name in waiting:
            raise Invalid(f"{title} is shared, or was asked for already.", "Leave it out.", f"reason.{name}")
        if name in refused:
            raise Invalid(
                f"The school said no to {title.lower()} less than {AGAIN.days} days ago.",
                "Talk to them first. A no stands for a while.",
                f"reason.{name}",
            )
        if not reason.strip():
            raise Invalid(
                f"{title} has no reason.", "Write the one that a parent will read.", f"reason.{name}"
            )
        if len(reason) > REASON:
            raise Invalid(
                f"The reason for {title.lower()} is {len(reason)} characters long.",
                f"Say it in at most {REASON}.",
                f"reason.{name}",
            )
    if len(waiting) + len(wanted) > MOST_OPEN:
        raise Invalid(
            "That is too much at once for one school.",
            f"At most {MOST_OPEN} requests may wait. Ask for what you need first.",
            "fields",
        )
    if only_check:
        return []
    with transaction.atomic():
        return [ask_field(app, name, reason.strip()) for name, reason in wanted.items()]
