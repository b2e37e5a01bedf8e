"""The resources that `/scim/v2` serves, and what the service says about itself.

The schemas are smaller than the standard's: an attribute that is not here is neither kept nor stored, so a directory
that sends a photo or a home address leaves nothing behind. What a client sends beyond them is ignored, as the standard
asks; `/Schemas` publishes exactly this.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Filter,
    GroupMembership,
    Meta,
    Mutability,
    Patch,
    Required,
    Resource,
    ResourceType,
    Schema,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models import Group as StandardGroup

MOST = 1000  # rows in one answer
PAGE = 100  # rows in an answer when the client says nothing


class Name(ComplexAttribute):
    """What the person is called."""

    formatted: str | None = None
    family_name: str | None = None
    given_name: str | None = None


class Email(ComplexAttribute):
    """One address."""

    value: str | None = None
    type: str | None = None
    primary: bool | None = None


class RoleAtSchool(ComplexAttribute):
    """What the person is at school, in OneRoster's words."""

    value: Annotated[str | None, Mutability.read_only] = None


class User(Resource[Any]):
    """A person of the roster, or an account that the directory made."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    Name: ClassVar[type[ComplexAttribute]] = Name
    display_name: str | None = None
    user_type: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    Emails: ClassVar[type[ComplexAttribute]] = Email
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None
    Groups: ClassVar[type[ComplexAttribute]] = GroupMembership
    roles: Annotated[list[RoleAtSchool] | None, Mutability.read_only] = None
    Roles: ClassVar[type[ComplexAttribute]] = RoleAtSchool


Group = StandardGroup
MODELS: dict[str, Any] = {"User": User, "Group": Group}
# Clients send what the standard lists and more (Entra sends remove with a value): read what can be read.
POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MOST),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=True),
    etag=ETag(supported=True),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken, name="Bearer token",
            description="The token that `rollbook app create --kind scim` shows once.", primary=True,
        )
    ],
)  # fmt: skip
TYPES = tuple(ResourceType.from_resource(model) for model in (User, Group))
PROVIDER = ScimProvider(
    models=[User, Group, Schema, ResourceType, ServiceProviderConfig],
    resource_types=TYPES,
    config=CONFIG,
    policy=POLICY,
)

__all__ = [
    "CONFIG",
    "MODELS",
    "MOST",
    "PAGE",
    "POLICY",
    "PROVIDER",
    "TYPES",
    "Email",
    "Group",
    "Meta",
    "Name",
    "User",
]
