"""What somebody of the roster may open: the apps that they can sign in to and whose live rule reaches them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps

from rollbook.policy import Access, Restriction, unguarded
from rollbook.roster import FIRST_NAMES, first_names, names_of, taught_in
from rollbook.sharing.models import App, SignOn
from rollbook.sharing.queries.grants import Withheld, grant_for
from rollbook.sharing.queries.library import added_for
from rollbook.sharing.rules import FIELDS, covered

# A cover and its picture, for a child who does not read yet: always the same for one app.
COVERS = (
    ("maths", "math-operations-bold"), ("phonics", "text-aa-duotone"), ("reading", "book-open-text-duotone"),
    ("science", "plant-duotone"), ("writing", "pencil-simple-duotone"), ("world", "globe-hemisphere-west-duotone"),
    ("music", "music-notes-duotone"), ("art", "palette-duotone"),
)  # fmt: skip
FIRST = 8  # books on the tray; the rest stand behind "More"


@dataclass(frozen=True)
class Book:
    """An app as somebody may open it. sees: the details of them that it gets, in a parent's words."""

    slug: str
    name: str
    about: str
    cover: str
    icon: str
    sees: tuple[str, ...]
    privacy_url: str
    added_for: tuple[str, ...] = ()  # classes for which a teacher added it from the library


def books(tenant_id: int, person: int) -> list[Book]:
    """The apps of a person, always in the same order (by name)."""
    with unguarded(
        "apps that people sign in to are offered to those whom their rule reaches", tenant=tenant_id
    ):
        rows = SignOn.objects.filter(tenant_id=tenant_id).exclude(protocol="oidc", launch_url="")
        # A cover each in the order in which the school met the apps, so that eight of them differ and none changes.
        found = list(enumerate(on.app for on in rows.select_related("app").order_by("app_id")))
    added = added_for(tenant_id, person)
    return [
        _book(app, fields, added, *COVERS[n % len(COVERS)])
        for n, app in sorted(found, key=lambda pair: (pair[1].name.casefold(), pair[0]))
        if app.stopped_at is None and (fields := _reached(app.id, person)) is not None
    ]


def watchers(tenant_id: int, person: int) -> list[Book]:
    """Every app that gets something of a person, by name: those too that nobody opens here."""
    with unguarded("everybody is told which apps get what of them", tenant=tenant_id):
        found = list(App.objects.filter(tenant_id=tenant_id, stopped_at=None).order_by("name", "id"))
    added = added_for(tenant_id, person)
    return [
        _book(app, fields, added, *COVERS[n % len(COVERS)])
        for n, app in enumerate(found)
        if (fields := _reached(app.id, person)) is not None
    ]


def _reached(app_id: int, person: int) -> frozenset[str] | None:
    """What the app gets of this person now; None when its rule does not reach them, or nothing leaves."""
    try:
        grant = grant_for(app_id)
    except Withheld:
        return None
    with grant.access.open():
        reached = (
            grant.access.select(apps.get_model("roster", "Person"))
            .filter(id=person, status="active")
            .exists()
        )
    return grant.fields if reached else None


def _book(app: Any, fields: frozenset[str], added: dict[int, list[str]], cover: str, icon: str) -> Book:
    sees = tuple(
        field.title for name, field in FIELDS.items() if name in fields and not covered(name, fields)
    )
    return Book(
        app.slug, app.name, app.about, cover, icon, sees, app.privacy_url, tuple(added.get(app.id, ()))
    )


def resting(tenant_id: int, person: int, purpose: str) -> bool:
    """Whether the use of somebody's data is restricted (GDPR art. 18): then no page and no app uses it, and they are
    told why their page is empty."""
    with unguarded("somebody is told that the use of their own data is restricted", tenant=tenant_id):
        held = Restriction.objects.filter(tenant_id=tenant_id, person_id=person, ended_at=None)
        return bool(held.filter(purpose__in=["", purpose]).exists())


@dataclass(frozen=True)
class Pupil:
    """A pupil as themselves or their guardian see them: name, classes, and who teaches them there."""

    id: int
    name: str
    classes: tuple[str, ...]
    teachers: tuple[str, ...]


def pupils(access: Access, ids: list[int]) -> tuple[list[Pupil], tuple[tuple[Any, str], ...], set[int]]:
    """These pupils, through the gate; with the columns shown and everybody whose data that is, for the log."""
    with access.open():
        names = first_names(access, ids)
        places = taught_in(access, [i for i in ids if i in names])
        teachers = names_of(access, {t for _, _, ts in places for t in ts})
    made = []
    for person in sorted(names, key=lambda p: (names[p].casefold(), p)):
        mine = [(title, ts) for p, title, ts in places if p == person]
        who = dict.fromkeys(teachers[t] for _, ts in mine for t in ts if t in teachers)
        made.append(Pupil(person, names[person], tuple(title for title, _ in mine), tuple(who)))
    return made, FIRST_NAMES, {*names, *teachers}
