"""Reads for directories: the people of a rule as facts for their accounts, what a directory holds, plans and steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Q

from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Access, Restriction, unguarded
from rollbook.sharing.models import Directory, Holding, Push, PushStep
from rollbook.sharing.queries.grants import Grant
from rollbook.sharing.rules import FIELDS, seal
from rollbook.sharing.rules.accounts import Facts, Key, Record, Settings
from rollbook.sharing.rules.pushing import Step, membership

_COLUMNS = {
    "users.givenName": ("given_name", "given"),
    "users.familyName": ("family_name", "family"),
    "users.username": ("username", "username"),
    "users.email": ("email", "email"),
    "users.identifier": ("identifier", "code"),
    "users.grades": ("grades", "grades"),
}
KEEPS = "a directory is kept by what it holds already"


@dataclass(frozen=True)
class Roster:
    """What the rule gives of the roster for accounts."""

    people: list[Facts]
    orgs: dict[int, str]
    classes: dict[int, str]


def facts(grant: Grant, settings: Settings) -> Roster:
    """The people whom the directory's rule names. Raises Invalid when a pattern needs what the rule does not share."""
    for name, token in settings.needs().items():
        if name not in grant.fields:
            raise Invalid(
                f"The directory's patterns use {{{token}}}, but its rule does not share {FIELDS[name].title.lower()}.",
                "Add it to the rule with a reason, or change the pattern.",
                "settings",
            )
    person, role, enrollment = (_model(n) for n in ("Person", "Role", "Enrollment"))
    columns = _wanted(grant, settings)
    people: dict[int, Facts] = {}
    with grant.access.open():
        rows = grant.access.select(person).order_by("id").values_list("id", *(c for c, _ in columns))
        for id_, *values in rows.iterator():
            said = {a: v for (_, a), v in zip(columns, values, strict=True)}
            grades = tuple(filter(None, str(said.pop("grades", "")).split(",")))
            people[id_] = Facts(id_, "", grades=grades, **said)
        for id_, word, org in grant.access.select(role).values_list("person_id", "role", "org_id").iterator():
            if id_ in people:
                people[id_].roles.append((word, org))
        if "class" in settings.groups:
            links = grant.access.select(enrollment).values_list("person_id", "klass_id")
            for id_, klass in links.iterator():
                if id_ in people:
                    people[id_].classes.append(klass)
        orgs = dict(grant.access.select(_model("Org")).values_list("id", "name").iterator())
        classes = _class_titles(grant, orgs) if "class" in settings.groups else {}
    for found, external in zip(people.values(), seal(grant.id_key, "person", list(people)), strict=True):
        found.external_id = external
        found.classes.sort()
    return Roster(list(people.values()), orgs, classes)


def _wanted(grant: Grant, settings: Settings) -> list[tuple[str, str]]:
    """The columns of a person that accounts are made of, and what the facts call them."""
    needed = {*settings.needs(), "users.givenName", "users.familyName"}
    return [(c, a) for name, (c, a) in _COLUMNS.items() if name in grant.fields and name in needed]


def account_columns(grant: Grant, settings: Settings) -> list[tuple[Any, str]]:
    """What accounts are made of, for the disclosure log."""
    person, role, enrollment = (_model(n) for n in ("Person", "Role", "Enrollment"))
    said = [(person, c) for c, _ in _wanted(grant, settings)]
    return [*said, (role, "role"), (role, "org_id"), (enrollment, "klass_id")]


def _class_titles(grant: Grant, orgs: dict[int, str]) -> dict[int, str]:
    rows = grant.access.select(_model("Class")).values_list("id", "title", "school_id").iterator()
    return {i: f"{title} ({orgs[school]})" if school in orgs else title for i, title, school in rows}


def _model(name: str) -> Any:
    return apps.get_model("roster", name)


def holdings(directory: Directory) -> tuple[dict[Key, Record], dict[Key, str]]:
    """What a directory holds by our hand, and its ids there."""
    with unguarded(KEEPS, tenant=directory.tenant_id):
        rows = list(
            Holding.objects.filter(tenant_id=directory.tenant_id, directory=directory).values_list(
                "kind", "key", "record", "remote_id"
            )
        )
    return {(k, key): record for k, key, record, _ in rows}, {(k, key): remote for k, key, _, remote in rows}


def resting(directory: Directory, purpose: str) -> list[int]:
    """The people whose account a directory holds and the use of whose data is restricted: it stays as it is."""
    with unguarded(
        "whose account stays as it is, because the use of their data is restricted",
        tenant=directory.tenant_id,
    ):
        held = Restriction.objects.filter(
            tenant_id=directory.tenant_id, ended_at=None, purpose__in=["", purpose]
        )
        people = set(held.values_list("person_id", flat=True))
        keys = Holding.objects.filter(tenant_id=directory.tenant_id, directory=directory, kind="user")
        mine = keys.filter(key__in=[str(p) for p in people]).values_list("key", flat=True)
        return sorted(int(key) for key in mine)


def find_directory(tenant_id: int, name: str) -> Directory:
    """The directory of a tenant by its short name or name. Raises NotFound."""
    with unguarded("an administrator names a directory", tenant=tenant_id):
        rows = Directory.objects.select_related("app").filter(tenant_id=tenant_id)
        found: Directory | None = rows.filter(Q(app__slug=name) | Q(app__name=name)).first()
    if found is None:
        raise NotFound(f"There is no directory “{name}”.")
    return found


def directories_of(tenant_id: int) -> list[Directory]:
    """The directories of a tenant, by name."""
    with unguarded("an administrator lists the directories", tenant=tenant_id):
        return list(Directory.objects.select_related("app").filter(tenant_id=tenant_id).order_by("app__name"))


def pushes(directory: Directory, limit: int = 50) -> list[Push]:
    """The plans of a directory, newest first."""
    with unguarded("an administrator looks at a directory's plans", tenant=directory.tenant_id):
        return list(
            Push.objects.filter(tenant_id=directory.tenant_id, directory=directory).order_by("-id")[:limit]
        )


def held(directory: Directory) -> int:
    """How many accounts a directory holds by our hand."""
    with unguarded("an administrator lists the directories", tenant=directory.tenant_id):
        rows = Holding.objects.filter(tenant_id=directory.tenant_id, directory=directory, kind="user")
        return int(rows.count())


def undoable(directory: Directory) -> Push | None:
    """The latest plan that changed the directory, where it can be undone."""
    with unguarded("a plan is undone", tenant=directory.tenant_id):
        rows = Push.objects.filter(tenant_id=directory.tenant_id, directory=directory, done__gt=0)
        found: Push | None = rows.order_by("-id").first()
    past = found is None or found.undoes_id or found.state in ("undone", "approved", "running")
    return None if past else found


def find_push(directory: Directory, push_id: int) -> Push:
    """One plan of a directory. Raises NotFound."""
    with unguarded("an administrator looks at a plan", tenant=directory.tenant_id):
        found: Push | None = Push.objects.filter(
            tenant_id=directory.tenant_id, directory=directory, id=push_id
        ).first()
    if found is None:
        raise NotFound("There is no such plan.")
    return found


def steps(access: Access, push: Push, before: int = 0, limit: int = 100, **where: Any) -> list[PushStep]:
    """Steps of a plan in order, after number `before`, through the gate: the access must reach what accounts hold."""
    rows = access.select(PushStep).filter(push_id=push.id, number__gt=before, **where)
    return list(rows.order_by("number")[:limit])


def all_steps(push: Push, **where: Any) -> Iterator[PushStep]:
    """Every step of a plan, for the operator's command line."""
    with unguarded("an operator reads a plan", tenant=push.tenant_id):
        rows = PushStep.objects.filter(tenant_id=push.tenant_id, push=push, **where)
        yield from rows.order_by("number").iterator()


def waiting(push: Push, limit: int) -> list[PushStep]:
    """The next steps to do."""
    with unguarded("the next steps of a plan are read", tenant=push.tenant_id):
        rows = PushStep.objects.filter(tenant_id=push.tenant_id, push=push, state="waiting")
        return list(rows.order_by("number")[:limit])


def done_steps(push: Push) -> list[Step]:
    """What a plan did, for undo."""
    with unguarded("a plan is undone", tenant=push.tenant_id):
        rows = PushStep.objects.filter(tenant_id=push.tenant_id, push=push, state="done").order_by("number")
        return [Step(r.kind, r.key, r.before, r.after) for r in rows]


def step_of(row: PushStep) -> Step:
    """A row as the rules speak of it."""
    return Step(row.kind, row.key, row.before, row.after)


def people_of(rows: Iterable[PushStep], by_name: Mapping[str, str]) -> set[int]:
    """The people whom steps are about; of a group, those who join or leave. by_name: user name -> key of the person."""
    found: set[int] = set()
    for row in rows:
        if row.person_id:
            found.add(row.person_id)
        if row.kind == "group":
            joined, left = membership(step_of(row))
            keys = (by_name.get(r[0], "") if isinstance(r, list) else r for r in (*joined, *left))
            found |= {int(key) for key in keys if key}
    return found


def directory_of_push(tenant_id: int, push_id: int) -> tuple[Directory, Push] | None:
    """A plan and its directory, for the worker."""
    with unguarded("the worker takes up a plan", tenant=tenant_id):
        push = Push.objects.filter(tenant_id=tenant_id, id=push_id).first()
        if push is None:
            return None
        return Directory.objects.select_related("app").get(id=push.directory_id), push
