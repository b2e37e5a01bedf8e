"""Between what we keep and SCIM's resources."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson
from scim2_models import GroupMember, Meta, MutabilityException

from rollbook.sharing.actions.scim import GroupFields, UserFields
from rollbook.sharing.connectors.scim.resources import Email, Group, Name, User
from rollbook.sharing.queries import Standing
from rollbook.sharing.queries.scim import GroupRecord, Row, UserRecord
from rollbook.sharing.rules import seal, unseal

USER_KINDS, GROUP_KINDS = ("own", "person"), ("group", "org", "class")


class Shapes:
    """Makes resources for one directory; `base` is the address of the service."""

    def __init__(self, standing: Standing, base: str) -> None:
        self.standing, self.base = standing, base

    def id_of(self, row: Row) -> str:
        return seal(self.standing.id_key, row.kind, [row.id])[0]

    def row_of(self, text: str, kinds: tuple[str, ...]) -> Row | None:
        """The row that an id of this directory names, or None."""
        for kind in kinds:
            found = unseal(self.standing.id_key, kind, text)
            if found is not None:
                return Row(kind, found)
        return None

    def location(self, endpoint: str, id_: str) -> str:
        return f"{self.base}/{endpoint}/{id_}"

    def user(self, record: UserRecord) -> User:
        id_ = self.id_of(record.row)
        name = Name(
            formatted=record.formatted or None,
            family_name=record.family or None,
            given_name=record.given or None,
        )
        made = User(
            id=id_, external_id=record.external_id or None, user_name=record.user_name or id_,
            name=name if record.formatted or record.family or record.given else None,
            display_name=record.display or None, user_type=record.user_type or None, active=record.active,
            emails=[Email(**e) for e in record.emails] or None,
        )  # fmt: skip
        body = made.model_dump(exclude_none=True)
        if record.roles:
            body["roles"] = [{"value": word} for word in record.roles]
        if record.groups:
            groups = ((self.id_of(row), title) for row, title in record.groups)
            body["groups"] = [
                {"value": g, "$ref": self.location("Groups", g), "display": title, "type": "direct"}
                for g, title in groups
            ]
        made = User.model_validate(body)
        made.meta = self._meta("User", "Users", id_, record, body)
        return made

    def group(self, record: GroupRecord) -> Group:
        id_ = self.id_of(record.row)
        people = seal(self.standing.id_key, "person", record.people)
        named = [{"value": p, "$ref": self.location("Users", p), "type": "User"} for p in people]
        members = [GroupMember.model_validate(m) for m in [*record.members, *named]]
        made = Group(
            id=id_,
            external_id=record.external_id or None,
            display_name=record.display,
            members=members or None,
        )
        made.meta = self._meta("Group", "Groups", id_, record, made.model_dump())
        return made

    def _meta(self, kind: str, endpoint: str, id_: str, record: Any, body: Any) -> Meta:
        digest = blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=9).hexdigest()
        return Meta(
            resource_type=kind, created=record.created, last_modified=record.changed,
            location=self.location(endpoint, id_), version=f'W/"{digest}"',
        )  # fmt: skip


def user_fields(user: User) -> UserFields:
    """What to keep of an account that a directory wrote."""
    name = user.name or Name()
    return UserFields(
        user_name=str(user.user_name), external_id=user.external_id or "", formatted_name=name.formatted or "",
        given_name=name.given_name or "", family_name=name.family_name or "", display_name=user.display_name or "",
        user_type=user.user_type or "", active=user.active,
        emails=[e.model_dump(exclude_none=True) for e in user.emails or []],
    )  # fmt: skip


def group_fields(group: Group) -> GroupFields:
    """What to keep of a group that a directory wrote."""
    members = [m.model_dump(exclude_none=True) for m in group.members or []]
    return GroupFields(str(group.display_name), group.external_id or "", [m for m in members if m])


def only_external_id(before: User, after: User) -> str:
    """The directory's own id from a change to somebody of the roster. Raises MutabilityException for anything else."""
    kept = ("schemas", "id", "meta", "externalId", "groups", "roles")
    old, new = ({k: v for k, v in u.model_dump().items() if k not in kept} for u in (before, after))
    changed = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
    if changed:
        raise MutabilityException(
            detail=f"{', '.join(changed)}: the school's own records say this. Only externalId can be written here; "
            "what the school says is changed in its information system."
        )
    return after.external_id or ""
