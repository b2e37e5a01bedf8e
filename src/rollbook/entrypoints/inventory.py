"""What is held, from where, for which purposes and recipients: made of the words beside the columns and of policy.toml alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps

from rollbook.entrypoints.cli.export import AS_TEXT, STUDENT
from rollbook.policy import SOURCES, Bundle, Guarded, unguarded, word_of
from rollbook.roster import Tenant, kept_until
from rollbook.sharing import apps_getting

GIVEN = frozenset({"school", "parent", "student", "developer"})  # by whom, for it to be Student Data
APPS = {"may": "with a reason", "named": "only if a rule names it", "never": "never"}


@dataclass(frozen=True)
class Row:
    """One category. label: "Student Data" where it is about people of the roll and was given by somebody.

    uses: (role, purpose in words). apps_now: apps that get it. columns: "roster_person.email".
    """

    category: str
    title: str
    kind: str
    label: str
    sources: tuple[str, ...]
    uses: tuple[tuple[str, str], ...]
    apps: str
    apps_now: tuple[str, ...]
    kept: str
    columns: tuple[str, ...]

    @property
    def source_titles(self) -> list[str]:
        return [SOURCES[s][0] for s in self.sources]

    @property
    def given_by(self) -> frozenset[str]:
        """Whose word it is: school, parent, student, developer, account, or use."""
        return frozenset(SOURCES[s][1] for s in self.sources)

    @property
    def apps_words(self) -> str:
        return APPS[self.apps]


def inventory(bundle: Bundle, tenant: Tenant | None = None) -> list[Row]:
    """Each category that columns hold. tenant: only those of which it holds anything, with the apps that get them now."""
    columns: dict[str, list[tuple[Any, Any]]] = {}
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            word = word_of(field)
            if word and word.category:
                columns.setdefault(word.category, []).append((model, field))
    getting = apps_getting(tenant.id) if tenant else {}
    rows = []
    for name, category in bundle.categories.items():
        mine = columns.get(name, [])
        if tenant is not None and not any(_filled(tenant, model, field) for model, field in mine):
            continue
        given = {SOURCES[s][1] for s in category["source"]}
        on_the_roll = any(_about_somebody(model, field) for model, field in mine)
        rows.append(
            Row(
                name, category["title"], category["kind"], STUDENT if on_the_roll and given <= GIVEN else "",
                tuple(category["source"]),
                tuple((role, bundle.purposes[p]["title"]) for (role, p), r in sorted(bundle.rules.items()) if name in r.allow),
                category["apps"], tuple(sorted(app for app, gets in getting.items() if name in gets)),
                kept_until(category["retention"]), tuple(f"{m._meta.db_table}.{f.column}" for m, f in mine),
            )
        )  # fmt: skip
    return rows


def _about_somebody(model: Any, field: Any) -> bool:
    """Whether a column is about somebody of the roll: its word names them, or its rows are a source's own text."""
    about = getattr(word_of(field), "about", "")
    if model._meta.label in AS_TEXT or about == "person_id":
        return True
    subject = next((f for f in model._meta.concrete_fields if about in (f.attname, f.name)), None)
    whose = subject.related_model if subject is not None and subject.is_relation else model
    return bool(getattr(whose, "data_subject", False))


def _filled(tenant: Tenant, model: Any, field: Any) -> bool:
    """Whether the tenant has a row that says anything in this column. No value is read."""
    if not issubclass(model, Guarded) or "tenant_id" not in {f.attname for f in model._meta.concrete_fields}:
        return False
    with unguarded("which kinds of details a school holds at all", tenant=tenant.id):
        rows = model.objects.filter(tenant_id=tenant.id).exclude(**{f"{field.attname}__isnull": True})
        if field.get_internal_type() in ("TextField", "CharField"):
            rows = rows.exclude(**{field.attname: ""})
        return bool(rows.exists())
