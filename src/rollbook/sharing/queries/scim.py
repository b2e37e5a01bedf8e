"""What a directory reads over SCIM: the accounts and groups it made, then the people, classes and schools of its rule.

Its own come first, newest first; the school's follow in the order of their ids, so that a page is a slice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.apps import apps

from rollbook.kernel.ids import moment_of
from rollbook.policy import unguarded
from rollbook.sharing.models import ScimGroup, ScimUser
from rollbook.sharing.queries.audience import audience
from rollbook.sharing.queries.grants import Grant, Standing
from rollbook.sharing.rules import seal

OWN = "a directory reads what it wrote itself"


@dataclass(frozen=True)
class Row:
    """One row to answer with: `kind` is own, person, group, class or org; `id` is the row's."""

    kind: str
    id: int


@dataclass
class UserRecord:
    """A user as the directory may see it. Texts that are not shared are empty."""

    row: Row
    created: datetime
    changed: datetime
    user_name: str = ""
    external_id: str = ""
    formatted: str = ""
    given: str = ""
    family: str = ""
    display: str = ""
    user_type: str = ""
    active: bool | None = None
    emails: list[dict[str, Any]] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    groups: list[tuple[Row, str]] = field(default_factory=list)


@dataclass
class GroupRecord:
    """A group. `members` of its own groups are as the directory gave them; `people` are of the roster."""

    row: Row
    created: datetime
    changed: datetime
    display: str = ""
    external_id: str = ""
    members: list[dict[str, Any]] = field(default_factory=list)
    people: list[int] = field(default_factory=list)


@dataclass
class Found:
    """Records in the order that was asked, with what the disclosure log must say about them."""

    records: list[Any]
    people: set[int]
    columns: set[tuple[Any, str]]


# Field of the rule -> column of the person, for what SCIM says about somebody.
_SAID = {
    "users.username": "username",
    "users.givenName": "given_name",
    "users.familyName": "family_name",
    "users.email": "email",
}


def user_rows(standing: Standing) -> list[Row]:
    """Every user that the directory sees."""
    own = _own_ids(standing, ScimUser.objects, person_id=None)
    return [Row("own", i) for i in own] + [Row("person", i) for i in _reached(standing, "person")]


def group_rows(standing: Standing) -> list[Row]:
    """Every group that the directory sees: its own, the schools, the classes."""
    own = _own_ids(standing, ScimGroup.objects)
    return [
        *(Row("group", i) for i in own),
        *(Row("org", i) for i in _reached(standing, "org")),
        *(Row("class", i) for i in _reached(standing, "class")),
    ]


def sees(standing: Standing, row: Row) -> bool:
    """Whether the directory sees this row."""
    if row.kind == "own":
        return bool(_own_ids(standing, ScimUser.objects, id=row.id, person_id=None))
    if row.kind == "group":
        return bool(_own_ids(standing, ScimGroup.objects, id=row.id))
    ids = _reached(standing, row.kind)
    place = bisect_left(ids, row.id)
    return place < len(ids) and ids[place] == row.id


def users(standing: Standing, rows: Sequence[Row]) -> Found:
    """The users of these rows, in this order."""
    own = [r.id for r in rows if r.kind == "own"]
    people = [r.id for r in rows if r.kind == "person"]
    found = Found([], set(), set())
    made = {**_own_users(standing, own), **_people(standing, people, found)}
    _own_groups_of(standing, made)
    found.records = [made[r] for r in rows if r in made]
    return found


def groups(standing: Standing, rows: Sequence[Row]) -> Found:
    """The groups of these rows, in this order."""
    found = Found([], set(), set())
    made = {
        **_own_groups(standing, [r.id for r in rows if r.kind == "group"]),
        **_schools(standing, [r.id for r in rows if r.kind == "org"], found),
        **_classes(standing, [r.id for r in rows if r.kind == "class"], found),
    }
    found.records = [made[r] for r in rows if r in made]
    return found


def named(standing: Standing, user_name: str) -> list[Row]:
    """The users with this user name, whatever its case: what a directory asks most."""
    own = _own_ids(standing, ScimUser.objects, user_key=user_name.lower())
    rows = [Row("own", i) for i in own]
    grant = standing.grant
    if grant and "users.username" in grant.fields and user_name.isascii():
        select = grant.access.select(_model("Person")).filter(username__iexact=user_name)
        rows += [Row("person", i) for i in sorted(select.values_list("id", flat=True))]
    return rows


# ---- Parts.


def _model(name: str) -> Any:
    return apps.get_model("roster", name)


def _reached(standing: Standing, label: str) -> Sequence[int]:
    return audience(standing.grant, label).active if standing.grant else ()


def _own_ids(standing: Standing, manager: Any, **where: Any) -> list[int]:
    with unguarded(OWN, tenant=standing.tenant_id):
        rows = manager.filter(tenant_id=standing.tenant_id, app_id=standing.app_id, **where)
        return list(rows.order_by("-id").values_list("id", flat=True))


def _own_users(standing: Standing, ids: list[int]) -> dict[Row, UserRecord]:
    if not ids:
        return {}
    with unguarded(OWN, tenant=standing.tenant_id):
        rows = list(
            ScimUser.objects.filter(tenant_id=standing.tenant_id, app_id=standing.app_id, id__any=ids)
        )
    return {
        Row("own", r.id): UserRecord(
            Row("own", r.id), r.created_at, r.changed_at, r.user_name, r.external_id, r.formatted_name, r.given_name,
            r.family_name, r.display_name, r.user_type, r.active, r.emails,
        )
        for r in rows
    }  # fmt: skip


def _people(standing: Standing, ids: list[int], found: Found) -> dict[Row, UserRecord]:
    grant = standing.grant
    if not ids or grant is None:
        return {}
    person, role, enrollment = _model("Person"), _model("Role"), _model("Enrollment")
    columns = [column for name, column in _SAID.items() if name in grant.fields]
    with unguarded(OWN, tenant=standing.tenant_id):
        mine = ScimUser.objects.filter(
            tenant_id=standing.tenant_id, app_id=standing.app_id, person_id__any=ids
        )
        external = dict(mine.values_list("person_id", "external_id"))
    made: dict[Row, UserRecord] = {}
    by_id: dict[int, UserRecord] = {}
    rows = grant.access.select(person).filter(id__any=ids)
    for id_, enabled, changed, *values in rows.values_list(
        "id", "enabled_user", "date_last_modified", *columns
    ):
        said = dict(zip(columns, values, strict=True))
        given, family = said.get("given_name", ""), said.get("family_name", "")
        full = " ".join(filter(None, [given, family]))
        email = said.get("email", "")
        record = UserRecord(
            Row("person", id_), _made_at(id_), changed, said.get("username", ""), external.get(id_, ""), full, given,
            family, full, "", enabled, [{"value": email, "type": "work", "primary": True}] if email else [],
        )  # fmt: skip
        made[record.row] = by_id[id_] = record
    roles = grant.access.select(role).filter(person_id__any=ids)
    places: dict[int, list[Row]] = {}
    for id_, word, org in roles.order_by("id").values_list("person_id", "role", "org_id"):
        if id_ in by_id:
            by_id[id_].roles.append(word)
            places.setdefault(id_, []).append(Row("org", org))
    links = grant.access.select(enrollment).filter(person_id__any=ids)
    for id_, klass in links.order_by("id").values_list("person_id", "klass_id"):
        places.setdefault(id_, []).append(Row("class", klass))
    titles = _titles(grant, {row for rows in places.values() for row in rows})
    for id_, record in by_id.items():
        record.roles = list(dict.fromkeys(record.roles))
        record.user_type = record.roles[0] if record.roles else ""
        named_places = dict.fromkeys(places.get(id_, []))
        record.groups = [(row, titles[row]) for row in named_places if row in titles]
    found.people |= set(by_id)
    found.columns |= {(person, c) for c in columns} | {
        (role, "role"),
        (role, "org_id"),
        (enrollment, "klass_id"),
    }
    return made


def _titles(grant: Grant, rows: set[Row]) -> dict[Row, str]:
    made: dict[Row, str] = {}
    for kind, model, column in (("org", "Org", "name"), ("class", "Class", "title")):
        ids = [r.id for r in rows if r.kind == kind]
        if ids:
            select = grant.access.select(_model(model)).filter(id__any=ids)
            made |= {Row(kind, i): title for i, title in select.values_list("id", column)}
    return made


def _own_groups_of(standing: Standing, made: dict[Row, UserRecord]) -> None:
    """Add the directory's own groups that name these users. It made them, so it has few enough to read through."""
    if not made:
        return
    with unguarded(OWN, tenant=standing.tenant_id):
        mine = list(
            ScimGroup.objects.filter(tenant_id=standing.tenant_id, app_id=standing.app_id)
            .exclude(members=[])
            .values_list("id", "display_name", "members")
        )
    if not mine:
        return
    rows = list(made)
    names: dict[str, Row] = {}
    for kind in ("own", "person"):
        of_kind = [r for r in rows if r.kind == kind]
        names |= dict(zip(seal(standing.id_key, kind, [r.id for r in of_kind]), of_kind, strict=True))
    for id_, title, members in mine:
        for member in members:
            row = names.get(str(member.get("value", "")))
            if row is not None:
                made[row].groups.append((Row("group", id_), title))


def _own_groups(standing: Standing, ids: list[int]) -> dict[Row, GroupRecord]:
    if not ids:
        return {}
    with unguarded(OWN, tenant=standing.tenant_id):
        rows = list(
            ScimGroup.objects.filter(tenant_id=standing.tenant_id, app_id=standing.app_id, id__any=ids)
        )
    return {
        Row("group", r.id): GroupRecord(
            Row("group", r.id), r.created_at, r.changed_at, r.display_name, r.external_id, r.members
        )
        for r in rows
    }


def _schools(standing: Standing, ids: list[int], found: Found) -> dict[Row, GroupRecord]:
    return _places(standing, ids, found, "org", ("Org", "name"), ("Role", "org_id"))


def _classes(standing: Standing, ids: list[int], found: Found) -> dict[Row, GroupRecord]:
    return _places(standing, ids, found, "class", ("Class", "title"), ("Enrollment", "klass_id"))


def _places(
    standing: Standing, ids: list[int], found: Found, kind: str, named_by: tuple[str, str], joined_by: tuple[str, str]
) -> dict[Row, GroupRecord]:  # fmt: skip
    grant = standing.grant
    if not ids or grant is None:
        return {}
    titles = grant.access.select(_model(named_by[0])).filter(id__any=ids)
    made = {
        id_: GroupRecord(Row(kind, id_), _made_at(id_), changed, title)
        for id_, title, changed in titles.values_list("id", named_by[1], "date_last_modified")
    }
    link = _model(joined_by[0])
    links = grant.access.select(link).filter(**{f"{joined_by[1]}__any": ids})
    for place, person in links.order_by("id").values_list(joined_by[1], "person_id"):
        if place in made:
            made[place].people.append(person)
    for record in made.values():
        record.people = list(dict.fromkeys(record.people))
        found.people.update(record.people)
    found.columns |= {(link, joined_by[1]), (link, "person_id")}
    return {record.row: record for record in made.values()}


def _made_at(id_: int) -> datetime:
    return datetime.fromtimestamp(moment_of(id_), UTC)
