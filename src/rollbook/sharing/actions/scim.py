"""What a directory may write here: accounts and groups of its own, and its own id for people of the roster.

What the school's information system says is never written here: its people are read-only but for `externalId`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from rollbook.identity import directory_says, names_staff, set_directory
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant
from rollbook.sharing.models import App, ScimGroup, ScimUser
from rollbook.sharing.queries import Standing

MOST = 100_000  # accounts or groups that one directory may make: far above any school, far below what hurts


@dataclass
class UserFields:
    """A directory's own account, as it writes it."""

    user_name: str
    external_id: str = ""
    formatted_name: str = ""
    given_name: str = ""
    family_name: str = ""
    display_name: str = ""
    user_type: str = ""
    active: bool | None = None
    emails: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class GroupFields:
    """A directory's own group, as it writes it."""

    display_name: str
    external_id: str = ""
    members: list[dict[str, Any]] = field(default_factory=list)


def save_user(standing: Standing, fields: UserFields, id_: int | None = None) -> int:
    """Make an account of the directory's own, or change one. Raises Invalid (field userName) when the name is taken."""
    values = {**vars(fields), "user_key": fields.user_name.lower()}
    with transaction.atomic():
        saved = _save(standing, ScimUser, values, id_, "user", f"The user name {fields.user_name} is taken.")
        _tell_identity(standing.tenant_id, standing.app_id, saved, fields, _actor(standing))
    return saved


def let_staff_in(app: App, on: bool, by: Actor | None) -> None:
    """Let teachers of the roll whom this directory names sign in by the school's own sign-in, or no longer.

    Raises Invalid for an app that is no directory, and where the school has no sign-in of its own.
    """
    if app.kind != "scim":
        raise Invalid(
            f"{app.name} writes no accounts here.", "Only a SCIM directory can name staff.", "staff"
        )
    with transaction.atomic():
        set_directory(Tenant.objects.get(id=app.tenant_id), app.id if on else None, by)
        if not on:
            return
        with unguarded("a directory's word begins to count for what it wrote before", tenant=app.tenant_id):
            rows = list(ScimUser.objects.filter(tenant_id=app.tenant_id, app=app, person_id=None))
        for row in rows:
            _tell_identity(app.tenant_id, app.id, row.id, row, Actor("app", "app", app.id, app.name))


def _tell_identity(tenant_id: int, app_id: int, entry: int, fields: Any, by: Actor) -> None:
    """Say what a directory's account is now; only an account that it calls active counts as one."""
    if names_staff(tenant_id) != app_id:
        return
    mails = [e for e in fields.emails if isinstance(e, dict) and isinstance(e.get("value"), str)]
    first = next((e for e in mails if e.get("primary") is True), mails[0] if len(mails) == 1 else {})
    name = fields.display_name or f"{fields.given_name} {fields.family_name}".strip() or fields.formatted_name
    directory_says(
        Tenant.objects.get(id=tenant_id), app_id, entry, email=str(first.get("value", "")), name=name[:200],
        active=fields.active is True, by=by,
    )  # fmt: skip


def save_group(standing: Standing, fields: GroupFields, id_: int | None = None) -> int:
    """Make a group of the directory's own, or change one."""
    return _save(standing, ScimGroup, vars(fields), id_, "group", "The group cannot be written.")


def name_person(standing: Standing, person: int, external_id: str) -> None:
    """Keep the directory's own id for somebody of the roster: all that it may write about them."""
    moment = clock.now()
    with (
        transaction.atomic(),
        unguarded("a directory keeps its own id for a person", tenant=standing.tenant_id),
    ):
        mine = ScimUser.objects.filter(tenant_id=standing.tenant_id, app_id=standing.app_id, person_id=person)
        if not external_id:
            mine.delete()
        elif not mine.update(external_id=external_id, changed_at=moment):
            ScimUser.objects.create(
                tenant_id=standing.tenant_id, app_id=standing.app_id, person_id=person, external_id=external_id,
                created_at=moment, changed_at=moment,
            )  # fmt: skip
        audit(standing.tenant_id, _actor(standing), "scim.person_named", "person", person)


def remove(standing: Standing, kind: str, id_: int) -> None:
    """Delete an account or a group that the directory made. kind: user or group. Raises NotFound."""
    model: Any = ScimUser if kind == "user" else ScimGroup
    with transaction.atomic(), unguarded("a directory deletes what it made", tenant=standing.tenant_id):
        gone, _ = model.objects.filter(tenant_id=standing.tenant_id, app_id=standing.app_id, id=id_).delete()
        if not gone:
            raise NotFound(f"There is no such {kind}.")
        if kind == "user":
            _tell_identity(
                standing.tenant_id, standing.app_id, id_, UserFields("", active=False), _actor(standing)
            )
        audit(standing.tenant_id, _actor(standing), f"scim.{kind}_deleted", f"scim {kind}", id_)


def _save(
    standing: Standing, model: Any, values: dict[str, Any], id_: int | None, kind: str, taken: str
) -> int:
    moment = clock.now()
    try:
        with (
            transaction.atomic(),
            unguarded("a directory writes what it keeps here", tenant=standing.tenant_id),
        ):
            mine = model.objects.filter(tenant_id=standing.tenant_id, app_id=standing.app_id)
            if id_ is None:
                if mine.count() >= MOST:
                    raise Invalid(
                        f"There are {MOST:,} of them already.", "Delete what is not needed.", "count"
                    )
                made = model.objects.create(
                    tenant_id=standing.tenant_id,
                    app_id=standing.app_id,
                    created_at=moment,
                    changed_at=moment,
                    **values,
                )
                id_, verb = int(made.id), "created"
            elif mine.filter(id=id_).update(changed_at=moment, **values):
                verb = "changed"
            else:
                raise NotFound(f"There is no such {kind}.")
            audit(standing.tenant_id, _actor(standing), f"scim.{kind}_{verb}", f"scim {kind}", id_)
    except IntegrityError as error:
        raise Invalid(taken, "Choose another, or change the account that has it.", "userName") from error
    return id_


def _actor(standing: Standing) -> Actor:
    return Actor("app", "app", standing.app_id, standing.app_name)
