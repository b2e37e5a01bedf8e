"""What Clever's sign-in says of one person: ids as its data API has them, and what is shared."""

from __future__ import annotations

from typing import Any

from rollbook.sharing.connectors.clever.shapes import KIND
from rollbook.sharing.queries.sign_on import Seen
from rollbook.sharing.rules import seal_short

# What a token says that it opens, in Clever's words.
OF_A_PERSON = ("read:user_id", "read:sis")
OF_A_DISTRICT = (
    "read:district_admins", "read:districts", "read:school_admins", "read:schools", "read:sections", "read:students",
    "read:teachers", "read:terms", "read:courses", "read:contacts", "read:users",
)  # fmt: skip
CLAIMS = ("name", "given_name", "family_name", "email")


def names(found: Seen) -> tuple[str, str, str]:
    """(id of the person, id of the district, Clever's word for what they are)."""
    key = found.grant.id_key
    kind = next((KIND[role] for role in found.roles if role in KIND), "user")
    return (
        seal_short(key, "person", [found.person])[0],
        seal_short(key, "district", [found.grant.tenant_id])[0],
        kind,
    )


def me(found: Seen, version: str) -> dict[str, Any]:
    """`/me`: whose token it is. Before version 3 the type is what they are; since then everybody is a user."""
    person, district, kind = names(found)
    word = kind if version.startswith("v2") else "user"
    plural = "staff" if word == "staff" else f"{word}s"
    return {
        "type": word,
        "data": {"id": person, "district": district, "type": word, "authorized_by": "district"},
        "links": [
            {"rel": "self", "uri": "/me"},
            {"rel": "canonical", "uri": f"/{version}/{plural}/{person}"},
            {"rel": "district", "uri": f"/{version}/districts/{district}"},
        ],
    }


def userinfo(found: Seen) -> dict[str, Any]:
    """`/userinfo`: the ids, the kind, and of name and email what is shared."""
    person, district, kind = names(found)
    return {"sub": person, "user_id": person, "district": district, "user_type": kind, **found.claims(CLAIMS)}
