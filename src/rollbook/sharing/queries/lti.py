"""Classes as the contexts of LTI: which one a person opens an app from, and who is in it, as the app may know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps

from rollbook.kernel.errors import NotFound
from rollbook.policy import Access, unguarded
from rollbook.sharing.models import ChosenLink
from rollbook.sharing.queries.grants import Grant
from rollbook.sharing.queries.sign_on import Seen
from rollbook.sharing.rules import seal, unseal


@dataclass(frozen=True)
class Context:
    """A class that an app is opened from. `id` is the code by which the app knows it."""

    row: int
    id: str
    title: str
    label: str


@dataclass(frozen=True)
class Member:
    """Somebody in a class, as the app may know them."""

    seen: Seen
    role: str  # in this class: student, teacher, ...


def _model(name: str) -> Any:
    return apps.get_model("roster", name)


def context(grant: Grant, row: int) -> Context:
    """A class that the app reaches. Raises NotFound."""
    found = grant.access.select(_model("Class")).filter(id=row).values("title", "class_code").first()
    if found is None:
        raise NotFound("There is no such class for this app.")
    [code] = seal(grant.id_key, "class", [row])
    return Context(row, code, found["title"] or "", found["class_code"] or "")


def context_named(grant: Grant, code: str) -> Context:
    """The class that an app names by its code. Raises NotFound."""
    row = unseal(grant.id_key, "class", code)
    if row is None:
        raise NotFound("There is no such class for this app.")
    return context(grant, row)


def role_in(grant: Grant, person: int, klass: int) -> str:
    """What a person is in a class. Raises NotFound when they are not in it, or the app does not reach that."""
    rows = grant.access.select(_model("Enrollment")).filter(person_id=person, klass_id=klass)
    found = rows.values_list("role", flat=True).first()
    if found is None:
        raise NotFound("There is no such class of yours.")
    return str(found)


def only_class(grant: Grant, person: int) -> int | None:
    """The class that a person opens the app from when they named none: theirs, if there is just one."""
    rows = grant.access.select(_model("Enrollment")).filter(person_id=person)
    found = set(rows.values_list("klass_id", flat=True)[:3])
    return int(found.pop()) if len(found) == 1 else None


def members(grant: Grant, of: Context) -> list[Member]:
    """Everybody in the class whom the rule names, in a stable order, each with the shared columns."""
    access: Access = grant.access
    rows = access.select(_model("Enrollment")).filter(klass_id=of.row).order_by("person_id", "id")
    roles = dict(rows.values_list("person_id", "role"))
    model = _model("Person")
    columns = [c for c in access.columns(model) if c not in ("metadata", "user_ids")]
    people = {row["id"]: row for row in access.select(model).filter(id__any=list(roles)).values(*columns)}
    here = [p for p in roles if p in people]
    subs = seal(grant.id_key, "person", here)
    return [
        Member(Seen(grant, p, sub, people[p], (roles[p],)), roles[p])
        for p, sub in zip(here, subs, strict=True)
    ]


@dataclass(frozen=True)
class Link:
    """What a teacher chose in an app for a class."""

    id: int
    class_id: int
    title: str
    url: str
    custom: Mapping[str, Any] = field(hash=False)


def links_of(grant: Grant, klass: int) -> list[Link]:
    """What was chosen for a class, the oldest first."""
    with unguarded("what was chosen in an app for a class holds nobody's data", tenant=grant.tenant_id):
        rows = ChosenLink.objects.filter(tenant_id=grant.tenant_id, app_id=grant.app_id, class_id=klass)
        return [Link(r.id, r.class_id, r.title, r.url, r.custom) for r in rows.order_by("id")]


def link_of(grant: Grant, id: int) -> Link:
    """One thing that was chosen. Raises NotFound."""
    with unguarded("one thing chosen in an app holds nobody's data", tenant=grant.tenant_id):
        row = ChosenLink.objects.filter(tenant_id=grant.tenant_id, app_id=grant.app_id, id=id).first()
    if row is None:
        raise NotFound("There is no such link.")
    return Link(row.id, row.class_id, row.title, row.url, row.custom)
