"""The gradebook as one app sees it: line items by their codes, pupils by theirs. Whatever it may not see is not there."""

from __future__ import annotations

from typing import Any

from django.apps import apps

from rollbook.kernel.errors import NotFound
from rollbook.learning import line_items
from rollbook.sharing.queries.grants import Grant
from rollbook.sharing.queries.lti import Context, link_of
from rollbook.sharing.rules import seal, unseal

KIND = "lineitem"  # of the codes of line items


def item_code(grant: Grant, row: int) -> str:
    """The code by which the app knows a line item."""
    [code] = seal(grant.id_key, KIND, [row])
    return code


def item_row(grant: Grant, code: str) -> int:
    """The line item behind a code; 0, which none has, for a code that the app was not given."""
    return unseal(grant.id_key, KIND, code) or 0


def item_named(grant: Grant, here: Context, code: str) -> Any:
    """The line item of a class that an app names. Raises NotFound."""
    found = line_items(grant.access, here.row, 1, id=item_row(grant, code))
    if not found:
        raise NotFound("There is no such line item.")
    return found[0]


def link_named(grant: Grant, here: Context, text: str) -> str:
    """A resource link of the app in this class: what a teacher chose there, or the class itself. Raises NotFound."""
    if text and text != here.id:
        number = text[1:]
        known = text[:1] == "l" and number.isascii() and number.isdigit() and len(number) < 20
        if not known or link_of(grant, int(number)).class_id != here.row:
            raise NotFound("There is no such resource link in this class.")
    return text


def only_item(grant: Grant, here: Context, link: str) -> str:
    """The code of the one line item of a resource link; "" when it has none, or several."""
    found = line_items(grant.access, here.row, 2, resource_link=link)
    return item_code(grant, found[0].id) if len(found) == 1 else ""


def pupil_named(grant: Grant, here: Context, code: str) -> int | None:
    """The pupil of a class whom an app names by their code: one whom its rule reaches, in the class as a student now."""
    person = unseal(grant.id_key, "person", code)
    if person is None:
        return None
    places = grant.access.select(apps.get_model("roster", "Enrollment"))
    there = places.filter(person_id=person, klass_id=here.row, role="student").exists()
    return person if there else None
