"""The library: the tenant opens it and says what is in it; a teacher adds an app to a class of hers, and takes it away.

An app of the library has one sharing rule, which follows from the classes that it was added to. It is put in force like
any other, so the gate, the grants, the preview and every door know nothing of libraries.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import apps
from django.db import transaction

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Access, Actor, audit, unguarded
from rollbook.roster import Tenant
from rollbook.sharing.actions import put_in_force
from rollbook.sharing.actions.duties import look_again
from rollbook.sharing.actions.webhooks import tell
from rollbook.sharing.models import Addition, App, Library, SharingRule
from rollbook.sharing.queries.library import class_of_mine, limits_of, offer
from rollbook.sharing.rules.library import MOST, PUPILS, WITH_TEACHERS, library_rule


def set_library(
    tenant: Tenant,
    *,
    open: bool,
    roles: Sequence[str] = PUPILS,
    grades: Sequence[str] = (),
    most: int = 5,
    by: Actor,
) -> None:
    """Open or close a tenant's library and set its limits, which hold at once for what was added before. Closing it
    takes every app away from every class. Raises Invalid that names the part."""
    if tuple(roles) not in (PUPILS, WITH_TEACHERS):
        raise Invalid("Say whom an app sees.", "Pupils, or pupils and the teachers of the class.", "roles")
    if not 1 <= most <= MOST:
        raise Invalid("The most for one class is out of range.", f"From 1 to {MOST}.", "most")
    with transaction.atomic(), unguarded("an administrator sets the library's limits", tenant=tenant.id):
        values = {"open": open, "roles": list(roles), "grades": sorted(set(grades)), "most": most}
        said = {"changed_by": by.name, "changed_by_id": by.id, "changed_at": clock.now()}
        Library.objects.update_or_create(tenant=tenant, defaults={**values, **said})
        audit(tenant.id, by, "library.set", "tenant", tenant.id, tenant.name, **values)
        for app in App.objects.select_for_update().filter(tenant=tenant, in_library=True).order_by("id"):
            if not open:
                _end(Addition.objects.filter(app=app, ended_at=None), by)
            _follow(app, by)


def put_in(app: App, *, by: Actor) -> None:
    """Put an app into the library, so that teachers may add it. Raises Invalid when it has a rule of its own, is not
    an app that people learn with, or nothing could leave to it."""
    with (
        transaction.atomic(),
        unguarded("an administrator puts an app into the library", tenant=app.tenant_id),
    ):
        held = App.objects.select_for_update().get(id=app.id)
        if held.in_library:
            return
        if held.kind != "oneroster":
            raise Invalid(f"{app.name} is a directory.", "Teachers add apps alone.", "apps")
        if SharingRule.objects.filter(app=app, ended_at=None).exists():
            raise Invalid(
                f"{app.name} has a rule of its own.",
                "Stop sharing with it first; in the library its rule follows from what teachers add.",
                "apps",
            )
        App.objects.filter(id=app.id).update(in_library=True, stopped_at=None)
        offer(app.tenant_id, app.slug, closed=True)  # or the reason why nothing could leave
        audit(app.tenant_id, by, "library.put_in", "app", app.id, app.name)


def take_out(app: App, *, by: Actor) -> None:
    """Take an app out of the library, and away from every class that it was added to."""
    with (
        transaction.atomic(),
        unguarded("an administrator takes an app out of the library", tenant=app.tenant_id),
    ):
        held = App.objects.select_for_update().get(id=app.id)
        if held.in_library:
            count = _end(Addition.objects.filter(app=app, ended_at=None), by)
            _follow(held, by)
            App.objects.filter(id=app.id).update(in_library=False)
            audit(app.tenant_id, by, "library.taken_out", "app", app.id, app.name, count=count)


def add(access: Access, slug: str, klass: int) -> None:
    """A teacher adds an app of the library to a class that she teaches. Raises NotFound for another's class and for an
    app that is not in the library, Invalid beyond the tenant's limits."""
    mine, by, tenant = class_of_mine(access, klass), access.actor, access.tenant
    found = offer(tenant, slug)
    with transaction.atomic(), unguarded("a teacher adds an app of the library to her class", tenant=tenant):
        app = App.objects.select_for_update().get(id=found.app_id)
        if not app.in_library:
            raise NotFound("There is no such app in the library.")
        here = Addition.objects.filter(tenant_id=tenant, klass_id=mine.id, ended_at=None)
        if here.filter(app=app).exists():
            return
        most = limits_of(tenant).most
        if here.count() >= most:
            raise Invalid(
                f"{mine.title} has {most} app{'s' if most > 1 else ''} of the library, the most that your school allows.",
                "Take one away first, or ask your administrator.",
                "klass",
            )
        Addition.objects.create(
            tenant_id=tenant,
            app=app,
            klass_id=mine.id,
            added_by=by.name,
            added_by_id=by.id,
            added_at=clock.now(),
        )
        audit(tenant, by, "library.added", "app", app.id, app.name, klass=mine.title)
        _follow(app, by)


def take_away(access: Access, slug: str, klass: int) -> None:
    """A teacher of the class takes an app away from it; an administrator from any. Raises NotFound."""
    by, tenant = access.actor, access.tenant
    whole = by.role in ("administrator", "dpo")
    rows = access.select(apps.get_model("roster", "Class")).filter(id=klass).values_list("title", flat=True)
    title = str(rows.first() or "") if whole else class_of_mine(access, klass).title
    with transaction.atomic(), unguarded("an app of the library is taken away from a class", tenant=tenant):
        app = App.objects.select_for_update().filter(tenant_id=tenant, slug=slug).first()
        if app is None or not _end(
            Addition.objects.filter(tenant_id=tenant, app=app, klass_id=klass, ended_at=None), by
        ):
            raise NotFound("This app was not added to this class, or was taken away already.")
        audit(tenant, by, "library.taken_away", "app", app.id, app.name, klass=title)
        _follow(app, by)


def _end(which: object, by: Actor) -> int:
    return int(which.update(ended_at=clock.now(), ended_by=by.name, ended_by_id=by.id))  # type: ignore[attr-defined]  # a query set


def _follow(app: App, by: Actor) -> None:
    """Put the rule in force that follows from what was added: none, where nothing stands any more."""
    added = list(Addition.objects.filter(app=app, ended_at=None).values_list("klass_id", flat=True))
    rows = apps.get_model("roster", "Class").objects.filter(tenant_id=app.tenant_id, id__in=added)
    classes = list(rows.values_list("sourced_id", flat=True))
    if classes:
        limits = limits_of(app.tenant_id)
        put_in_force(app, library_rule(classes, limits.roles, limits.grades), by)
    elif SharingRule.objects.filter(app=app, ended_at=None).update(ended_at=clock.now()):
        audit(app.tenant_id, by, "sharing.rule_changed", "app", app.id, app.name, people="nobody", fields=[])
        tell(app.tenant_id)
        look_again(app.tenant_id)
