"""What a rule can be made of: the schools, roles, years, courses and classes that there are; and one pupil at a time:
finding them by name, and why an app does not see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps

from rollbook.kernel.errors import NotFound
from rollbook.policy import Access, Restriction, raw, unguarded
from rollbook.sharing.models import Agreement, App, FieldRequest, SharingRule
from rollbook.sharing.queries.facts import agreement_of, locked_because, purpose_of, role_word
from rollbook.sharing.queries.grants import Grant, category_of, may, shareable
from rollbook.sharing.queries.reach import reaches, values
from rollbook.sharing.rules import FIELDS, GROUPS, LISTS, STRUCTURAL_REASON, Field, People

SHOWN = 40  # of a long list; a search finds the others


@dataclass(frozen=True)
class Option:
    """One thing to choose. value: as a rule names it. hint: what tells it from others of the same name."""

    value: str
    title: str
    hint: str
    chosen: bool


@dataclass(frozen=True)
class Choice:
    """One list to narrow by. total: how many there are that fit the search; options holds the chosen and the first of them."""

    name: str
    title: str
    options: tuple[Option, ...]
    total: int
    sought: str = ""

    @property
    def long(self) -> bool:
        return self.total > SHOWN or bool(self.sought)

    @property
    def chosen(self) -> int:
        return sum(o.chosen for o in self.options)

    @property
    def shown(self) -> int:
        return sum(not o.chosen for o in self.options)


TITLES = {
    "orgs": "Schools",
    "roles": "Roles",
    "grades": "School years",
    "courses": "Courses",
    "classes": "Classes",
}
_NAMED = {
    "orgs": ("Org", "name", "type"),
    "courses": ("Course", "title", "course_code"),
    "classes": ("Class", "title", "class_code"),
}


def choices(access: Access, people: People, sought: dict[str, str]) -> list[Choice]:
    """Every list a rule can narrow by, live. sought: list -> text that its titles must hold."""
    made = []
    for name in LISTS:
        chosen, text = getattr(people, name), sought.get(name, "").strip()
        made.append(_named(access, name, chosen, text) if name in _NAMED else _words(access, name, chosen))
    return made


def _named(access: Access, name: str, chosen: Sequence[str], text: str) -> Choice:
    model, title, hint = _NAMED[name]
    rows = access.select(apps.get_model("roster", model)).filter(status="active")
    columns = ("sourced_id", title, hint)
    mine = (
        list(rows.filter(sourced_id__in=list(chosen)).order_by(title).values_list(*columns)) if chosen else []
    )
    gone = [
        (value, value, "no longer on the roster") for value in chosen if value not in {m[0] for m in mine}
    ]
    found = rows.filter(**{f"{title}__icontains": text}) if text else rows
    others = found.order_by(title, "id").values_list(*columns)[: SHOWN + len(mine)]
    picked = {m[0] for m in mine}
    options = [Option(value, name_, hint_, True) for value, name_, hint_ in [*mine, *gone]]
    options += [Option(value, name_, hint_, False) for value, name_, hint_ in others if value not in picked][
        :SHOWN
    ]
    return Choice(name, TITLES[name], tuple(options), found.count(), text)


def _words(access: Access, name: str, chosen: Sequence[str]) -> Choice:
    if name == "roles":
        rows = access.select(apps.get_model("roster", "Role")).filter(status="active")
        there = set(rows.order_by().values_list("role", flat=True).distinct())
    else:
        rows = access.select(apps.get_model("roster", "Person")).filter(status="active").exclude(grades="")
        lists = rows.order_by().values_list("grades", flat=True).distinct()
        there = {grade for text in lists for grade in text.split(",")}
    options = [
        Option(
            word,
            role_word(word).capitalize() if name == "roles" else word.lstrip("0") or word,
            "",
            word in chosen,
        )
        for word in sorted(
            there | set(chosen), key=lambda w: (not w.lstrip("0").isdigit(), len(w.lstrip("0")), w)
        )
    ]
    return Choice(name, TITLES[name], tuple(options), len(options))


@dataclass(frozen=True)
class FieldChoice:
    """One detail on the rule's form. locked: why no app gets it; by_name: only when the rule names it."""

    field: Field
    ticked: bool
    reason: str
    locked: str
    by_name: bool
    sensitive: bool
    asked: str


def field_choices(
    access: Access, app: App, fields: Any, reasons: dict[str, str]
) -> list[tuple[str, list[FieldChoice]]]:
    """Every detail by its group. fields: as a rule has them. reasons: those typed beside details, ticked or not."""
    bundle, agreement = access.bundle, agreement_of(access, app)
    purpose = purpose_of(bundle, agreement)
    given = {item["field"]: item["reason"] for item in fields} if fields != "all" else {}
    asked = dict(access.select(FieldRequest).filter(app_id=app.id, answer="").values_list("field", "reason"))
    title = str(bundle.purposes[purpose]["title"])
    whole = shareable(bundle, purpose) if fields == "all" else set()
    found: dict[str, list[FieldChoice]] = {group: [] for group in GROUPS}
    for name, field in FIELDS.items():
        allowed = may(bundle, purpose, name)
        ticked = field.structural or name in given or name in whole
        reason = reasons.get(name) or given.get(name) or (title if fields == "all" and ticked else "")
        found[field.group].append(
            FieldChoice(
                field, ticked, STRUCTURAL_REASON if field.structural else reason,
                locked_because(bundle, purpose, name) if allowed == "never" else "", allowed == "named",
                bundle.categories[category_of(name)]["kind"] == "special", asked.get(name, ""),
            )
        )  # fmt: skip
    return list(found.items())


# ---- History.


def rules_of(access: Access, app: App) -> list[SharingRule]:
    """Every rule the app stood under, the newest first."""
    return list(access.select(SharingRule).filter(app_id=app.id).order_by("-id"))


def agreements_of(access: Access, app: App) -> list[Agreement]:
    """Every agreement with the app's maker, the newest first."""
    return list(access.select(Agreement).filter(app_id=app.id).order_by("-id"))


def request_of(access: Access, app: App, request_id: int) -> FieldRequest:
    """One request of this app. Raises NotFound for any other."""
    found: FieldRequest | None = access.select(FieldRequest).filter(app_id=app.id, id=request_id).first()
    if found is None:
        raise NotFound("There is no such request.")
    return found


# ---- One pupil.


@dataclass(frozen=True)
class Named:
    """A person as a list names them."""

    id: int
    name: str
    status: str
    grades: str


def people_matching(access: Access, text: str, limit: int = 12) -> list[Named]:
    """People whose name holds every word of `text`, first those in force."""
    rows = access.select(apps.get_model("roster", "Person"))
    for word in text.lower().split()[:5]:
        rows = rows.filter(name_key__contains=word)
    found = rows.order_by("status", "name_key", "id").values_list(
        "id", "given_name", "family_name", "status", "grades"
    )[:limit]
    return [
        Named(i, f"{given} {family}".strip() or "(no name)", status, grades)
        for i, given, family, status, grades in found
    ]


def person_named(access: Access, person_id: int) -> Named:
    """One person of the tenant. Raises NotFound, for another tenant's too."""
    rows = access.select(apps.get_model("roster", "Person")).filter(id=person_id)
    for i, given, family, status, grades in rows.values_list(
        "id", "given_name", "family_name", "status", "grades"
    ):
        return Named(i, f"{given} {family}".strip() or "(no name)", status, grades)
    raise NotFound("There is no such person.")


def rows_about(grant: Grant, label: str, person: int) -> list[int]:
    """Ids of the rows of one kind (Enrollment, Demographics) that the grant reaches and that are about a person."""
    rows = grant.access.select(apps.get_model("roster", label)).filter(person_id=person)
    return list(rows.order_by("id").values_list("id", flat=True))


def why_not(access: Access, grant: Grant, person: Named) -> str:
    """Why an app that gets something does not see this person."""
    if person.status != "active":
        return f"{person.name} is not on the roll any more."
    held = access.select(Restriction).filter(
        person_id=person.id, ended_at=None, purpose__in=["", grant.access.purpose]
    )
    if held.exists():
        return f"The use of {person.name}’s data is restricted. It is kept, and no app gets it."
    failed = [name for name in LISTS if getattr(grant.people, name) and not _fits(grant, name, person.id)]
    if not failed:
        return f"No single role of {person.name} fits every part of the rule."
    words = [_FAILED[name] for name in failed]
    return f"{person.name} {words[0] if len(words) == 1 else ', '.join(words[:-1]) + ' and ' + words[-1]}."


_FAILED = {
    "orgs": "is at none of the schools that the rule names", "roles": "has none of the roles that it names",
    "grades": "is in none of the school years that it names", "courses": "takes none of the courses that it names",
    "classes": "is in none of the classes that it names",
}  # fmt: skip


def _fits(grant: Grant, name: str, person: int) -> bool:
    """Whether a person meets one list of the rule, taken alone."""
    alone = People(**{name: getattr(grant.people, name)})
    reach = reaches(alone)["roster.Person"]
    if reach is None:
        return True
    asked: dict[str, Any] = {**values(alone), "tenant": grant.tenant_id}
    with (
        unguarded("which part of a rule leaves a person out", tenant=grant.tenant_id),
        raw("one part of a rule") as cursor,
    ):
        cursor.execute(reach.select.replace("{row}", "%s"), [person, *(asked[n] for n in reach.names)])
        return cursor.fetchone() is not None
