"""An app's log as Clever's events. Each is cut by what the app gets when it reads: an object that it reaches no more is
not shown, whatever the log says; that it left is, by its id alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rollbook.kernel.errors import Invalid
from rollbook.sharing.connectors.clever.plans import plan_for
from rollbook.sharing.connectors.clever.shapes import KIND, Made, Shaper, iso
from rollbook.sharing.queries import Grant, audience
from rollbook.sharing.queries.collections import Ask, Page, links_of, listing, page, within
from rollbook.sharing.queries.feed import StepRow, page_before, roles_when, steps
from rollbook.sharing.rules import seal_number, seal_short, unseal_number

SHAPES = {"session": "terms", "org": "schools", "course": "courses", "person": "users", "class": "sections"}
# Version 2.0 has a kind of event for each kind of person; the place in this list is a part of the event's id.
PEOPLE_2 = ("students", "teachers", "contacts", "district_admins", "school_admins")
_SUBSETS_2 = {**{s: s for s in PEOPLE_2}, "school_admins": "staff"}
_TAG = 0x5E
_ROLES_2 = {"student": 0, "teacher": 1, "contact": 2, "district_admin": 3, "staff": 4}


@dataclass(frozen=True)
class Event:
    """One event: a row of a step, in the words of one of Clever's shapes. slot: its place in PEOPLE_2, or 0."""

    step: StepRow
    index: int
    slot: int
    shape: str

    @property
    def row(self) -> int:
        return self.step.ids[self.index]

    @property
    def type(self) -> str:
        return f"{self.shape.replace('_', '')}.{self.step.action}"

    @property
    def place(self) -> tuple[int, int, int]:
        return self.step.id, self.index, self.slot


def event_ids(key: bytes, events: Sequence[Event]) -> list[str]:
    """The ids by which the app knows these events."""
    return seal_number(key, [(_TAG << 88) | (e.step.id << 24) | (e.index << 3) | e.slot for e in events])


def step_id(key: bytes, step: int) -> str:
    """An id that stands in the log after everything of this step and before the next."""
    return seal_number(key, [(_TAG << 88) | (step << 24) | 0xFFFFFF])[0]


def place_of(key: bytes, text: str) -> tuple[int, int, int] | None:
    """(step, index, slot) of an event's id, or None for another text."""
    number = unseal_number(key, text)
    if number is None or number >> 88 != _TAG:
        return None
    return (number >> 24) & ((1 << 64) - 1), (number & 0xFFFFFF) >> 3, number & 7


class Log:
    """One app's log in one version of the API. types: record types that are asked for, none for all. school: an id."""

    def __init__(
        self, grant: Grant, version: str, shaper: Shaper, types: Sequence[str] = (), school: int | None = None
    ) -> None:
        self.grant, self.version, self.shaper, self.types = grant, version, shaper, frozenset(types)
        self.active = {kind: audience(grant, kind).active for kind in SHAPES if kind != "org"} | {
            "org": shaper.schools
        }
        self.old = version == "v2.0"
        self.school = school
        if school is not None:
            self.of_school = {
                "org": {school},
                "person": set(listing(grant, Ask("users", "", "users of school", (school,))).ids),
                "class": set(listing(grant, Ask("classes", "", "classes of school", (school,))).ids),
            }
        if self.old:
            self.kinds = [listing(grant, Ask("users", _SUBSETS_2[shape])).here for shape in PEOPLE_2]

    def after(self, place: tuple[int, int, int] | None) -> Iterator[Event]:
        """The events after a place, in order; from the beginning without one."""
        for step in steps(self.grant, after=place[0] if place else 0):
            start = place[1] if place and step.id == place[0] else 0
            for event in self._of(step, range(start, len(step.ids))):
                if place is None or event.place > place:
                    yield event

    def before(self, place: tuple[int, int, int]) -> Iterator[Event]:
        """The events before a place, latest first."""
        for step in steps(self.grant, before=place[0]):
            last = min(place[1], len(step.ids) - 1) if step.id == place[0] else len(step.ids) - 1
            for event in self._of(step, range(last, -1, -1), backwards=True):
                if event.place < place:
                    yield event

    def at(self, place: tuple[int, int, int]) -> Event | None:
        """The event at a place, if it is shown."""
        for event in self.after((place[0], place[1], place[2] - 1)):
            return event if event.place == place else None
        return None

    def _of(self, step: StepRow, indexes: range, backwards: bool = False) -> Iterator[Event]:
        gone, active = step.action == "deleted", self.active[step.kind]
        slots: Callable[[int], list[int]] = lambda _: [0]  # noqa: E731  # one of two ways, chosen once
        if self.old and step.kind == "person":
            roles = roles_when(self.grant, step) if gone else {}
            slots = self._left_slots(roles) if gone else self._slots
        of_school = self.of_school.get(step.kind, set()) if self.school is not None else None
        for index in indexes:
            row = step.ids[index]
            if not (gone or within(active, row)) or (of_school is not None and row not in of_school):
                continue
            for slot in reversed(slots(row)) if backwards else slots(row):
                shape = PEOPLE_2[slot] if self.old and step.kind == "person" else SHAPES[step.kind]
                event = Event(step, index, slot, shape)
                if not self.types or event.type in self.types or event.type.partition(".")[0] in self.types:
                    yield event

    def _slots(self, row: int) -> list[int]:
        return [slot for slot, ids in enumerate(self.kinds) if within(ids, row)]

    def _left_slots(self, roles: dict[int, set[str]]) -> Callable[[int], list[int]]:
        def slots(row: int) -> list[int]:
            known = sorted({_ROLES_2[kind] for role in roles.get(row, ()) if (kind := KIND.get(role))})
            return known or list(range(len(PEOPLE_2)))  # nobody knows any more: whichever the app had is gone

        return slots

    # ---- What is sent.

    def bodies(self, events: Sequence[Event]) -> tuple[list[Made], set[int], set[str]]:
        """The events as they are sent, the people whose data they hold, and the columns. One whose row just left is
        left out."""
        people: set[int] = set()
        columns: set[str] = set()
        objects: dict[tuple[str, int], Made] = {}
        before: dict[tuple[int, str, int], Made] = {}
        kept = [e for e in events if e.step.action != "deleted"]
        for shape, group in groupby(sorted(kept, key=lambda e: e.shape), key=lambda e: e.shape):
            mine = list(group)
            rows = sorted({e.row for e in mine})
            plan = plan_for(shape, self.version, self.grant.fields)
            found = page(self.grant, plan, rows)
            people |= {p for p in found.people if within(self.shaper.people, p)}
            columns.update(plan.logged.split(","))
            made = self.shaper.objects(shape, plan, found, rows)
            objects.update(
                {(shape, i): o for i, o in zip([i for i in rows if i in found.rows], made, strict=True)}
            )
            self._add_before(mine, shape, found, before)
        sent = []
        for event, id in zip(events, event_ids(self.grant.id_key, events), strict=True):
            body: Made = {"id": id, "type": event.type, "created": iso(event.step.at)}
            if event.step.action == "deleted":
                [text] = seal_short(self.grant.id_key, event.step.kind, [event.row])
                body["data"] = {"object": {"id": text}}
                if event.step.kind == "person":
                    people.add(event.row)
                    columns.add("roster_person.id")
            elif (event.shape, event.row) in objects:
                body["data"] = {"object": objects[event.shape, event.row]}
                if event.step.action == "updated":
                    old = before.get((event.step.id, event.shape, event.row))
                    body["previous_attributes"] = differs(old, body["data"]["object"]) if old else {}
            else:
                continue
            sent.append(body)
        return sent, people, columns

    def _add_before(
        self, events: Sequence[Event], shape: str, found: Page, before: dict[tuple[int, str, int], Made]
    ) -> None:
        plan = plan_for(shape, self.version, self.grant.fields)
        changed = sorted((e for e in events if e.step.action == "updated"), key=lambda e: e.step.id)
        for step, group in groupby(changed, key=lambda e: e.step.id):
            mine = list(group)
            rows = [e.row for e in mine if e.row in found.rows]
            here = Page(rows, {i: found.rows[i] for i in rows}, {}, found.parts)
            links = links_of(self.grant, plan, rows)
            old = page_before(
                self.grant, plan, here, mine[0].step.after_event, mine[0].step.upto_event, links
            )
            if old is not None:
                made = self.shaper.objects(shape, plan, old, rows)
                before.update({(step, shape, i): o for i, o in zip(rows, made, strict=True)})


_NEVER = frozenset({"last_modified", "created"})


def differs(old: Made, new: Made) -> Made:
    """What of the old object is another in the new: attribute -> what it was, None where it was not there."""
    found: Made = {}
    for name in [*old, *(n for n in new if n not in old)]:
        was, now = old.get(name), new.get(name)
        if name in _NEVER or was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            if inner := differs(was, now):
                found[name] = inner
        else:
            found[name] = was
    return found


def cursor(key: bytes, text: str, name: str) -> tuple[int, int, int]:
    """The place that a parameter names. Raises Invalid."""
    place = place_of(key, text)
    if place is None:
        raise Invalid(f"{name} is no id of an event.", "Follow a link of the answer before.", name)
    return place
