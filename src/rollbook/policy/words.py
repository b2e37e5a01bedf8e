"""Words: what each column is, said beside it.

    given_name = personal(models.TextField(), "identity.name")
    person = not_personal(models.ForeignKey(Person, ...), LINK)

A word says only what the column *is* (its data category, or why it is not personal) and whose it is. Who may use
it, why and how long stands in `policies/<profile>/policy.toml`. A column without a word stops the start-up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models

F = TypeVar("F", bound="models.Field[Any, Any]")

LINK = "link"  # joins rows; shows nothing by itself
BOOKKEEPING = "bookkeeping"  # Rollbook's own state
ORGANISATION = "organisation"  # about a school, a course or a term, not about a person
NOT_PERSONAL = frozenset({LINK, BOOKKEEPING, ORGANISATION})


@dataclass(frozen=True)
class Word:
    """What one column is.

    category: the data category of `policy.toml`, or None when the column is not personal.
    about: the column of the same table that holds the person's id ("id" when the row is the person).
    because: for a column that is not personal, one of LINK, BOOKKEEPING, ORGANISATION.
    """

    category: str | None
    about: str | None = None
    because: str | None = None


def personal(field: F, category: str, about: str = "id") -> F:
    """Declare that `field` holds personal data of `category` about the person that column `about` names."""
    field.word = Word(category, about=about)  # type: ignore[attr-defined]  # Django fields carry no such slot
    return field


def not_personal(field: F, because: str) -> F:
    """Declare that `field` is not personal data. `because` is LINK, BOOKKEEPING or ORGANISATION."""
    if because not in NOT_PERSONAL:
        raise ImproperlyConfigured(f"not_personal() takes one of {sorted(NOT_PERSONAL)}, not {because!r}")
    field.word = Word(None, because=because)  # type: ignore[attr-defined]  # as above
    return field


# Tables of modules below policy on the map: their words stand here.
BELOW: dict[str, dict[str, Word]] = {
    "kernel.Job": dict.fromkeys(
        ("id", "name", "tenant_id", "args", "dedupe", "state", "run_after", "attempts", "lease_until", "error",
         "created_at", "finished_at"),
        Word(None, because=BOOKKEEPING),
    )
}  # fmt: skip


def word_of(field: models.Field[Any, Any]) -> Word | None:
    """The word beside a column, or None when nobody has said."""
    word: Word | None = getattr(field, "word", None) or BELOW.get(str(field.model._meta.label), {}).get(
        str(field.attname)
    )
    return word


def declared() -> Iterator[tuple[type[models.Model], models.Field[Any, Any], Word]]:
    """Every concrete column of every table with its word. Raises ImproperlyConfigured at the first without one, and
    at a word here about a column that does not exist."""
    columns: dict[str, set[str]] = {
        str(m._meta.label): {f.attname for f in m._meta.concrete_fields} for m in apps.get_models()
    }
    for label, named in BELOW.items():
        for column in named.keys() - columns.get(label, set()):
            raise ImproperlyConfigured(
                f"policy/words.py has a word for {label}.{column}, but there is no such column."
            )
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            word = word_of(field)
            if word is None:
                raise ImproperlyConfigured(
                    f"{model._meta.label}.{field.name} says nothing about itself. Put personal(...) or "
                    f"not_personal(...) around it in {model.__module__}: a column that is not declared cannot load."
                )
            if word.about and word.about not in {f.attname for f in model._meta.concrete_fields}:
                raise ImproperlyConfigured(
                    f"{model._meta.label}.{field.name} is about {word.about!r}, but the table has no such column."
                )
            yield model, field, word


def inventory() -> dict[str, dict[str, Word]]:
    """The whole inventory: table -> column -> word, in a stable order."""
    found: dict[str, dict[str, Word]] = {}
    for model, field, word in declared():
        found.setdefault(model._meta.db_table, {})[str(field.column)] = word
    return dict(sorted(found.items()))
