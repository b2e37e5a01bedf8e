"""What the school's own directory writes here over SCIM: accounts and groups of its own, apart from the roster."""

from __future__ import annotations

from django.db import models

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, Guarded, not_personal, personal
from rollbook.sharing.models.apps import App, tenant


def _text(**more: object) -> models.TextField[str, str]:
    return models.TextField(blank=True, default="", **more)  # type: ignore[arg-type]  # only keywords of a field


class ScimUser(Guarded):
    """An account that a directory made, or, with a person, the directory's own id for somebody of the roster.

    A sync neither reads nor removes these rows. With a person only `external_id` is filled: the rest is the roster's.
    """

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    person_id = not_personal(models.BigIntegerField(null=True), LINK)
    user_key = personal(_text(), "identity.code")  # the user name in lower case, unique for each directory
    user_name = personal(_text(), "identity.code")
    external_id = personal(_text(), "identity.code")
    formatted_name = personal(_text(), "identity.name")
    given_name = personal(_text(), "identity.name")
    family_name = personal(_text(), "identity.name")
    display_name = personal(_text(), "identity.name")
    user_type = personal(_text(), "school.role")
    active = not_personal(models.BooleanField(null=True), BOOKKEEPING)
    emails = personal(models.JSONField(default=list), "contact.email")  # [{"value":, "type":, "primary":}]
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    changed_at = not_personal(models.DateTimeField(), BOOKKEEPING)

    class Meta(Guarded.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "app", "user_key"], condition=~models.Q(user_key=""), name="scim_user_name"
            ),
            models.UniqueConstraint(
                fields=["tenant", "app", "person_id"],
                condition=models.Q(person_id__isnull=False),
                name="scim_person",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "app", "-id"], name="scim_user_latest")]


class ScimGroup(Guarded):
    """A group that a directory made. Its members are whatever the directory names, also ids that nobody here has."""

    id = not_personal(IdField(), LINK)
    tenant = tenant()
    app = not_personal(models.ForeignKey(App, on_delete=models.CASCADE, related_name="+"), LINK)
    external_id = not_personal(_text(), LINK)
    display_name = not_personal(_text(), BOOKKEEPING)
    members = personal(models.JSONField(default=list), "school.class", about="id")
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    changed_at = not_personal(models.DateTimeField(), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "app", "-id"], name="scim_group_latest")]
