"""A developer's listing and the schools that named it: which they are, what they share, how they answered. No people.

The link is the school's: its administrator enters the listing's code. A listing that no school named reaches none.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Bundle, bundle_for, unguarded
from rollbook.roster import Tenant
from rollbook.sharing.models import Agreement, App, FieldRequest, SharingRule
from rollbook.sharing.queries.grants import may, shareable
from rollbook.sharing.rules import FIELDS, Field

PURPOSE = "learning-app"  # of an app whose school has not said yet


def listed_as(code: str) -> App:
    """The listing with this code, which is a sandbox app's client id. Raises Invalid."""
    with unguarded("a school names the listing of an app's maker"):
        found: App | None = App.objects.filter(
            client_id=code.strip(), tenant__sandbox=True, stopped_at=None
        ).first()
    if found is None:
        raise Invalid(
            "No maker has that listing code.", "Ask them for it; it is on their app’s page.", "listing"
        )
    return found


def listing_of(app: App) -> App | None:
    """The listing that a school's app is said to be, or None."""
    if app.listing_id is None:
        return None
    with unguarded("a school looks at whom it named as an app's maker"):
        found: App | None = App.objects.filter(id=app.listing_id).first()
    return found


@dataclass(frozen=True)
class SchoolLine:
    """A school that named a listing: its app's id there, its name, and how many details are shared, asked and refused."""

    app_id: int
    school: str
    stopped: bool
    shared: int
    waiting: int
    refused: int


def schools_of(listing: App) -> list[SchoolLine]:
    """The schools that named this listing, by name."""
    lines = []
    for app, tenant in _apps(listing):
        asked = asked_of(app)
        lines.append(
            SchoolLine(
                app.id, tenant.name, app.stopped_at is not None, len(shared_by(app)),
                sum(not one.answer for one in asked), sum(one.answer == "refused" for one in asked),
            )
        )  # fmt: skip
    return sorted(lines, key=lambda line: line.school)


def _apps(listing: App) -> list[tuple[App, Tenant]]:
    with unguarded("which schools named a developer's listing"):
        found = list(
            App.objects.filter(listing_id=listing.id, tenant__sandbox=False).select_related("tenant")
        )
    return [(app, app.tenant) for app in found]


def school_named(listing: App, app_id: int) -> tuple[App, Tenant]:
    """One school's app that is said to be this listing. Raises NotFound for any other app."""
    for app, tenant in _apps(listing):
        if app.id == app_id:
            return app, tenant
    raise NotFound("There is no such school.")


def can_be_asked(listing: App, app_id: int) -> App:
    """A school's app that may ask for details. Raises NotFound, and Invalid where sharing was stopped."""
    app, tenant = school_named(listing, app_id)
    if app.stopped_at is not None:
        raise Invalid(f"{tenant.name} has stopped sharing with {app.name}.", "Talk to them first.", "fields")
    return app


def asked_of(app: App) -> list[FieldRequest]:
    """What the app has asked its school for, the newest first."""
    with unguarded("a developer sees how a school answered the requests of their app", tenant=app.tenant_id):
        return list(FieldRequest.objects.filter(app=app).order_by("-id"))


def shared_by(app: App) -> dict[str, str]:
    """field -> the reason, of what the school shares with the app now."""
    bundle, purpose = _policy(app)
    with unguarded("a developer sees which details a school shares with their app", tenant=app.tenant_id):
        rule = SharingRule.objects.filter(app=app, ended_at=None).order_by("-id").first()
    if rule is None or app.stopped_at is not None:
        return {}
    if rule.fields == "all":
        return dict.fromkeys(sorted(shareable(bundle, purpose)), str(bundle.purposes[purpose]["title"]))
    return {item["field"]: item["reason"] for item in rule.fields}


def askable(app: App) -> list[Field]:
    """The details that the app could still be given, in the order of the page."""
    bundle, purpose = _policy(app)
    taken = {*shared_by(app), *(one.field for one in asked_of(app) if not one.answer)}
    return [
        field for name, field in FIELDS.items()
        if not field.structural and name not in taken and may(bundle, purpose, name) != "never"
    ]  # fmt: skip


def _policy(app: App) -> tuple[Bundle, str]:
    bundle = bundle_for(Tenant.objects.get(id=app.tenant_id).policy)
    with unguarded("what a school agreed that an app is for", tenant=app.tenant_id):
        agreed = Agreement.objects.filter(app=app, ended_at=None).order_by("-id").first()
    return bundle, agreed.purpose if agreed else PURPOSE
