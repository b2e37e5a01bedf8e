"""What stands in the library, what a teacher added where, and what adding an app would share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.apps import apps
from django.db.models import Count

from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Access, bundle_for, unguarded
from rollbook.roster import Tenant
from rollbook.sharing.models import Addition, Agreement, App, Library, SignOn
from rollbook.sharing.queries.grants import Withheld, grant_as_if
from rollbook.sharing.queries.preview import Change, change
from rollbook.sharing.rules import FIELDS, STRUCTURAL, Field
from rollbook.sharing.rules.library import PUPILS, REASONS, library_rule


@dataclass(frozen=True)
class Limits:
    """What a tenant lets its teachers do. grades: none sets no limit. most: apps at one class."""

    open: bool = False
    roles: tuple[str, ...] = PUPILS
    grades: tuple[str, ...] = ()
    most: int = 5


def limits_of(tenant: int) -> Limits:
    """A tenant's limits; a library that nobody opened is closed."""
    with unguarded("the limits of a tenant's library hold nobody's data", tenant=tenant):
        row = Library.objects.filter(tenant_id=tenant).first()
    return Limits(row.open, tuple(row.roles), tuple(row.grades), row.most) if row else Limits()


@dataclass(frozen=True)
class Shared:
    """One detail that an app of the library gets, and why."""

    field: Field
    reason: str


SHARED = tuple(Shared(field, REASONS[name]) for name, field in FIELDS.items() if name in REASONS)
# Of every person, because no person can be named without it.
ALSO = tuple(FIELDS[name] for name in sorted(STRUCTURAL - REASONS.keys()))


@dataclass(frozen=True)
class Offer:
    """An app of the library as a teacher reads about it: what its maker promised stands in the agreement."""

    app_id: int
    slug: str
    name: str
    vendor: str
    about: str
    privacy_url: str
    opens: bool
    purpose: str
    basis: str
    region: str
    retention_days: int
    sub_processors: tuple[dict[str, str], ...]
    advertising: bool
    sells_data: bool
    ends_on: date


def offers(tenant: int) -> list[Offer]:
    """The apps of the library that a teacher can add now, by name. None while it is closed."""
    if not limits_of(tenant).open:
        return []
    with unguarded("a teacher reads what is in the library", tenant=tenant):
        found = list(App.objects.filter(tenant_id=tenant, in_library=True).order_by("name", "id"))
    return [_offer(app) for app in found if not _withheld(app)]


def offer(tenant: int, slug: str, *, closed: bool = False) -> Offer:
    """One app of the library; of a closed one too where an administrator asks. Raises NotFound when it is not there,
    and Invalid with the reason when nothing could leave to it."""
    with unguarded("a teacher reads about an app of the library", tenant=tenant):
        app = App.objects.filter(tenant_id=tenant, slug=slug, in_library=True).first()
    if app is None or not (closed or limits_of(tenant).open):
        raise NotFound("There is no such app in the library.")
    if why := _withheld(app):
        raise Invalid(f"{app.name} cannot be added. {why}", "Your administrator can put that right.", "apps")
    return _offer(app)


def _withheld(app: App) -> str:
    """Why nothing could leave to an app if it were added; empty when something could."""
    rule = library_rule(["-"], PUPILS, ())
    try:
        granted = grant_as_if(app.id, rule["people"], rule["fields"]).fields
    except Withheld as withheld:
        return withheld.reason
    missing = [FIELDS[name].title for name in REASONS if name not in granted]
    return f"The policy does not let it have {missing[0].lower()}." if missing else ""


def _offer(app: App) -> Offer:
    with unguarded("what an app's maker promised is read before it is added", tenant=app.tenant_id):
        agreement = Agreement.objects.filter(app=app, ended_at=None).order_by("-id").first()
        opens = SignOn.objects.filter(app=app).exclude(protocol="oidc", launch_url="").exists()
        policy = Tenant.objects.filter(id=app.tenant_id).values_list("policy", flat=True).first()
    if agreement is None:
        raise NotFound("There is no such app in the library.")
    purpose = bundle_for(str(policy)).purposes[agreement.purpose]
    return Offer(
        app.id, app.slug, app.name, app.vendor, app.about, app.privacy_url, opens, str(purpose["title"]),
        str(purpose["basis"]), agreement.region, agreement.retention_days, tuple(agreement.sub_processors),
        agreement.advertising, agreement.sells_data, agreement.ends_on,
    )  # fmt: skip


# ---- A teacher's own classes.


@dataclass(frozen=True)
class Mine:
    """A class that somebody teaches, and the apps of the library that stand at it."""

    id: int
    title: str
    code: str
    sourced_id: str


def classes_of_mine(access: Access) -> list[Mine]:
    """The classes that this teacher teaches, by title, through the gate."""
    if access.actor.role != "teacher" or access.actor.person is None:
        return []
    with access.open():
        rows = (
            access.select(apps.get_model("roster", "Class")).filter(status="active").order_by("title", "id")
        )
        return [Mine(*row) for row in rows.values_list("id", "title", "class_code", "sourced_id")]


def class_of_mine(access: Access, klass: int) -> Mine:
    """One class that this teacher teaches. Raises NotFound for any other."""
    found = next((c for c in classes_of_mine(access) if c.id == klass), None)
    if found is None:
        raise NotFound("There is no such class of yours.")
    return found


@dataclass(frozen=True)
class Added:
    """An app at a class."""

    slug: str
    name: str
    klass: int
    title: str
    at: datetime
    mine: bool


def added_here(access: Access, classes: list[Mine]) -> list[Added]:
    """The apps of the library at these classes of a teacher's own. mine: she added it herself."""
    titles = {c.id: c.title for c in classes}
    with unguarded("which apps stand at a teacher's own classes", tenant=access.tenant):
        rows = Addition.objects.filter(tenant_id=access.tenant, klass_id__in=list(titles), ended_at=None)
        found = [
            Added(
                r.app.slug,
                r.app.name,
                r.klass_id,
                titles[r.klass_id],
                r.added_at,
                r.added_by_id == access.actor.id,
            )
            for r in rows.select_related("app")
        ]
    return sorted(found, key=lambda a: (a.title, a.name.casefold()))


def would_share(tenant: int, app_id: int, klass: Mine) -> Change:
    """What adding the app to this class would do, counted as for any rule."""
    limits = limits_of(tenant)
    with unguarded("what adding an app to one more class would share", tenant=tenant):
        app = App.objects.get(id=app_id)
        standing = Addition.objects.filter(app=app, ended_at=None).values_list("klass_id", flat=True)
        rows = apps.get_model("roster", "Class").objects.filter(tenant_id=tenant, id__in=list(standing))
        classes = {*rows.values_list("sourced_id", flat=True), klass.sourced_id}
    rule = library_rule(classes, limits.roles, limits.grades)
    return change(app, rule["people"], rule["fields"])


# ---- For the administrator, and for those whom it is about.


@dataclass(frozen=True)
class Stands:
    """An addition as an administrator sees it."""

    klass: int
    title: str
    by: str
    at: datetime


def additions_of(access: Access, app: App) -> list[Stands]:
    """Where teachers added an app, by class, through the gate."""
    rows = access.select(Addition).filter(app_id=app.id, ended_at=None).order_by("-id")
    found = list(rows.values_list("klass_id", "added_by", "added_at"))
    titles = access.select(apps.get_model("roster", "Class")).filter(id__any=[k for k, _, _ in found])
    named = dict(titles.values_list("id", "title"))
    made = [Stands(k, named.get(k, "a class that has ended"), by, at) for k, by, at in found]
    return sorted(made, key=lambda s: s.title)


@dataclass(frozen=True)
class Shelf:
    """An app on the administrator's page. why: what keeps it from being in the library, or from being added."""

    app: Any
    classes: int
    why: str


def shelf(access: Access) -> list[Shelf]:
    """Every app that could be in the library, by name."""
    rows = access.select(Addition).filter(ended_at=None).order_by().values_list("app_id")
    counts = dict(rows.annotate(n=Count("id")))
    own = {*_with_rules(access)}
    return [
        Shelf(
            app,
            counts.get(app.id, 0),
            "It has a rule of its own." if app.id in own and not app.in_library else _withheld(app),
        )
        for app in access.select(App).filter(kind="oneroster").order_by("name")
    ]


def _with_rules(access: Access) -> list[int]:
    rows = access.select(apps.get_model("sharing", "SharingRule")).filter(ended_at=None)
    return list(rows.values_list("app_id", flat=True))


def added_for(tenant: int, person: int) -> dict[int, list[str]]:
    """App -> the classes of a pupil for which a teacher added it."""
    with unguarded("a pupil and a guardian are told for which class a teacher added an app", tenant=tenant):
        places = apps.get_model("roster", "Enrollment").objects.filter(
            tenant_id=tenant, person_id=person, status="active"
        )
        rows = Addition.objects.filter(
            tenant_id=tenant, klass_id__in=list(places.values_list("klass_id", flat=True)), ended_at=None
        )
        pairs = list(rows.order_by("klass__title").values_list("app_id", "klass__title"))
    found: dict[int, list[str]] = {}
    for app, title in pairs:
        found.setdefault(app, []).append(str(title))
    return found
