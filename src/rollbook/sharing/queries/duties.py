"""What apps must delete, for the app itself, for staff, and for families."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rollbook.kernel import clock, idset
from rollbook.kernel.errors import NotFound
from rollbook.policy import Access, held, unguarded
from rollbook.roster import explains_deletion
from rollbook.sharing.models import App, Duty, Received

CAUSES = {
    "left": "they left",
    "rule": "the school no longer shares them",
    "stopped": "the school stopped sharing",
    "agreement": "the agreement ended",
}


@dataclass(frozen=True)
class DutyLine:
    """One duty as people read it."""

    id: int
    app: str
    slug: str
    cause: str
    because: str
    began_on: date
    due_on: date
    state: str
    count: int
    confirmed_at: datetime | None
    statement: str
    chases: int

    @property
    def late(self) -> bool:
        return self.state == "open" and self.due_on < clock.today()


def _line(duty: Any, app: App) -> DutyLine:
    return DutyLine(
        duty.id, app.name, app.slug, duty.cause, CAUSES.get(duty.cause, duty.cause), duty.began_on, duty.due_on, duty.state,
        duty.count, duty.confirmed_at, duty.statement, duty.chases,
    )  # fmt: skip


SHOWN = 50


def duties_of(access: Access, app: App) -> list[DutyLine]:
    """The app's duties, the open ones first, then the latest."""
    rows = access.select(Duty).filter(app_id=app.id).exclude(state="void")
    found = [
        *rows.filter(state="open").order_by("due_on", "id")[:SHOWN],
        *rows.exclude(state="open").order_by("-id")[:SHOWN],
    ]
    return [_line(duty, app) for duty in found]


@dataclass(frozen=True)
class Owes:
    """An app that owes deletions."""

    name: str
    slug: str
    people: int
    due_on: date
    late: bool


def owing(access: Access) -> list[Owes]:
    """The apps that owe a deletion, the most urgent first."""
    names = {i: (name, slug) for i, name, slug in access.select(App).values_list("id", "name", "slug")}
    found: dict[int, Owes] = {}
    rows = access.select(Duty).filter(state="open").order_by("due_on", "id")
    for app, count, due in rows.values_list("app_id", "count", "due_on"):
        name, slug = names[app]
        first = found.get(app)
        found[app] = Owes(
            name, slug, count + (first.people if first else 0), first.due_on if first else due,
            (first.due_on if first else due) < clock.today(),
        )  # fmt: skip
    return sorted(found.values(), key=lambda owes: (owes.due_on, owes.name))


def owing_after_end(tenant: int) -> list[Owes]:
    """The same for an operator who ends a school's account."""
    with unguarded("which apps owe a deletion when a school's account ends", tenant=tenant):
        names = dict(App.objects.filter(tenant_id=tenant).values_list("id", "name"))
        rows = list(
            Duty.objects.filter(tenant_id=tenant, state="open")
            .order_by("due_on", "id")
            .values_list("app_id", "count", "due_on")
        )
    return [Owes(names[app], "", count, due, due < clock.today()) for app, count, due in rows]


# ---- One person.


@dataclass(frozen=True)
class Deletion:
    """Where one app stands with one person's data. state: shared | open | confirmed | asked (the next run makes it a duty)."""

    app: str
    state: str
    due_on: date | None = None
    confirmed_at: datetime | None = None
    because: str = ""
    late: bool = False

    @property
    def sentence(self) -> str:
        """In plain words."""
        said = f"{self.app} received data about this person"
        if self.state == "confirmed" and self.confirmed_at:
            return f"{said}, and confirmed on {_day(self.confirmed_at)} that it has deleted it."
        if self.state == "open" and self.due_on:
            late = " It is late, and is reminded every week." if self.late else ""
            return f"{said}, and must delete it by {_day(self.due_on)}, because {self.because}.{late}"
        return f"{said}. It may keep it while it is shared, and must then delete it."


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def deletions(tenant: int, people: Collection[int]) -> list[Deletion]:
    """Every app that received one person's data, and where its deletion stands. people: the ids of that one human.

    Which app received what about somebody is theirs to know and their school's; who asks was let to that person's page.
    """
    mine = set(people)
    with unguarded("which apps hold the data of a person whose page is open", tenant=tenant):
        apps = {app.id: app for app in App.objects.filter(tenant_id=tenant)}
        duties = Duty.objects.filter(held(people), tenant_id=tenant).exclude(state="void").order_by("id")
        last: dict[int, Any] = {}
        for duty in duties:
            if not mine.isdisjoint(idset.unpack(bytes(duty.ids))):
                last[duty.app_id] = duty
        holds = {
            app
            for app, ids in Received.objects.filter(tenant_id=tenant).values_list("app_id", "ids")
            if not mine.isdisjoint(idset.unpack(bytes(ids)))
        }
    found = []
    for app in apps.values():
        done = last.get(app.id)
        if done is not None and (done.state == "open" or app.id not in holds):
            line = _line(done, app)
            found.append(
                Deletion(app.name, line.state, line.due_on, line.confirmed_at, line.because, line.late)
            )
        elif app.id in holds:
            found.append(Deletion(app.name, "shared"))
    return sorted(found, key=lambda d: d.app.casefold())


@explains_deletion
def deletion_sentences(access: Access, people: Collection[int]) -> list[tuple[str, str]]:
    """For a person's page: (state, sentence) of each app that received their data, for those who may see the record."""
    if not access.decide(Duty, "statement").allowed:
        return []
    return [("late" if d.late else d.state, d.sentence) for d in deletions(access.tenant, people)]


# ---- The app itself.


def app_by_secret(client_id: str, digest: str) -> App | None:
    """The app with this client id and hash of a secret, stopped or not; None for a wrong pair."""
    with unguarded("an app that was stopped still has to know what it must delete"):
        found: App | None = App.objects.filter(client_id=client_id).first()
    right = hmac.compare_digest(found.secret_hash if found else "0" * 64, digest)
    return found if right else None


def app_by_id(tenant: int, app: int) -> App:
    """The app behind a token."""
    with unguarded("an app reads what it must delete", tenant=tenant):
        return App.objects.get(tenant_id=tenant, id=app)


def duties_for(tenant: int, app: int) -> list[Duty]:
    """The app's own duties, the newest last."""
    with unguarded("an app reads what it must delete", tenant=tenant):
        return list(Duty.objects.filter(tenant_id=tenant, app_id=app).exclude(state="void").order_by("id"))


def duty_for(tenant: int, app: int, number: int) -> Duty:
    """One of them. Raises NotFound, for another app's too."""
    with unguarded("an app reads what it must delete", tenant=tenant):
        found: Duty | None = Duty.objects.filter(tenant_id=tenant, app_id=app, id=number).first()
    if found is None:
        raise NotFound("There is no such duty.")
    return found


def people_of(duty: Duty, start: int, limit: int) -> list[int]:
    """A part of the people whom a duty is about."""
    return idset.unpack(bytes(duty.ids))[start : start + limit]
