"""From rows to OneRoster's JSON. A shaper is made once for an app's fields and the roster's version, then only fills.

It works on tuples, and references are kept as finished JSON: the same few schools, courses and terms stand in every
row. A test validates the bytes of every operation against the official schemas.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from orjson import Fragment

from rollbook.sharing.connectors.oneroster.operations import PREFIX, SINGULAR
from rollbook.sharing.queries import Grant, audience
from rollbook.sharing.queries.collections import (
    OBJECTS,
    ROLE_COLUMNS,
    Column,
    Page,
    Plan,
    code_pairs,
    stamp,
    stand_in_session,
    within,
)
from rollbook.sharing.rules import seal

HOME = {
    "org": "orgs", "session": "academicSessions", "course": "courses", "class": "classes", "person": "users",
}  # fmt: skip
REF_TYPE = {
    "org": "org",
    "session": "academicSession",
    "course": "course",
    "class": "class",
    "person": "user",
}
WORDS: dict[str, tuple[str, ...]] = {
    "orgs.type": ("department", "district", "local", "national", "school", "state"),
    "academicSessions.type": ("gradingPeriod", "semester", "schoolYear", "term"),
    "classes.classType": ("homeroom", "scheduled"),
    "enrollments.role": ("administrator", "proctor", "student", "teacher"),
    "demographics.sex": ("male", "female", "unspecified", "other"),
    "users.roles.role": (
        "aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor", "relative",
        "siteAdministrator", "student", "systemAdministrator", "teacher",
    ),
}  # fmt: skip
WITHHELD, UNKNOWN = "ext:withheld", "ext:unknown"
FIRST_DAY, LAST_DAY = "1970-01-01", "9999-12-31"
# What the standard requires of each object beside sourcedId, status and dateLastModified, and what is sent in a gap.
REQUIRED: dict[str, dict[str, str]] = {
    "orgs": {"name": "", "type": UNKNOWN, "identifier": ""},
    "academicSessions": {
        "title": "",
        "startDate": FIRST_DAY,
        "endDate": LAST_DAY,
        "type": UNKNOWN,
        "schoolYear": "",
    },
    "courses": {"title": "", "courseCode": ""},
    "classes": {"title": ""},
    "users": {"enabledUser": "false", "givenName": "", "familyName": ""},
    "enrollments": {"role": UNKNOWN},
    "demographics": {},
}
REQUIRED_REFS = {"classes": ("course", "school"), "enrollments": ("user", "class", "school")}
REQUIRED_LISTS = {"users": "roles", "classes": "terms"}
KEPT_REFS = 20_000


def vocabulary(name: str) -> Callable[[str], str]:
    """A function from a word of the source to a word of the standard: as listed, or `ext:` and the word."""
    listed = {word.lower(): word for word in WORDS[name]}
    known: dict[str, str] = {}

    def word(text: str) -> str:
        found = known.get(text)
        if found is None:
            plain = re.sub(r"[^a-zA-Z0-9.\-_]+", "_", text.removeprefix("ext:"))
            found = listed.get(text.lower()) or f"ext:{plain or 'unknown'}"
            if len(known) < 1000:
                known[text] = found
        return found

    return word


class Shaper:
    """Fills the shape of one collection for one app, under one grant, at one address.

    base: the address before the prefix, `https://host`. asked: the `fields` selection, or None for all.
    """

    def __init__(self, grant: Grant, plan: Plan, base: str, asked: frozenset[str] | None) -> None:
        self.key, self.plan, self.collection = grant.id_key, plan, plan.collection
        self.home = orjson.dumps(base + PREFIX)[1:-1].decode()
        self.reach: dict[str, array[int]] = {}
        self.refs: dict[str, dict[int, Fragment | None]] = {}
        self.voids: dict[str, Fragment] = {}
        self.moments: dict[datetime | str, str] = {}
        self.roles: dict[Any, Fragment | None] = {}
        self.wanted: Callable[[str], bool] = asked.__contains__ if asked is not None else lambda _: True
        self.own = OBJECTS[plan.collection].sealed_as or OBJECTS[plan.collection].label
        required = REQUIRED[plan.collection]
        given = {c.name for c in plan.own}
        # What stands in an object before its own values: the gaps that must be filled.
        self.blank = {
            name: (WITHHELD if text == UNKNOWN and name not in given else text)
            for name, text in required.items()
            if self.wanted(name)
        }
        self.left_blank = {
            name: (WITHHELD if text == UNKNOWN else text)
            for name, text in required.items()
            if self.wanted(name)
        }
        self.must_refs = [name for name in REQUIRED_REFS.get(plan.collection, ()) if self.wanted(name)]
        self.columns = [(n, c) for n, c in enumerate((*plan.own, *plan.also), start=2)]
        # Texts stand first (see `plan`), so that one pass takes them all.
        self.texts = [c.name for _, c in self.columns if c.kind == "text"]
        self.made = [(c.name, n, self._maker(c)) for n, c in self.columns if c.kind not in ("text", "ref")]
        self.ref_columns = [(c.name, n, c.to) for n, c in self.columns if c.kind == "ref"]
        self.stand_in = stand_in_session(grant) if "terms" in plan.parts else None
        needs = {c.to for _, c in self.columns if c.kind == "ref"} | {c.to for c in plan.kept}
        needs |= {"org"} if plan.collection == "users" else set()
        for part in plan.parts:
            needs |= {"roles": {"org"}, "agents": {"person"}, "terms": {"session"}, "children": {self.own}}[
                part
            ]
        for label in needs:
            self.reach[label] = audience(grant, label).all
            self.refs[label] = {}
        self.role_word = vocabulary("users.roles.role")

    def _maker(self, column: Column) -> Callable[[Any], Any]:
        if column.kind == "word":
            word = vocabulary(f"{self.collection}.{column.name}")
            return lambda value: word(value) if value else None
        return _MAKERS[column.kind]

    # ---- References.

    def _learn(self, label: str, ids: Iterable[int | None]) -> dict[int, Fragment | None]:
        """Finished references to these rows: None for one that the app does not reach."""
        known, asked = self.refs[label], {i for i in ids if i is not None}
        fresh = [i for i in asked if i not in known]
        if fresh:
            if len(known) > KEPT_REFS:  # begin again; others may still hold the old one
                known = self.refs[label] = {i: ref for i in asked if (ref := known.get(i)) is not None}
            reach, home, kind = self.reach[label], f'{{"href":"{self.home}/{HOME[label]}/', REF_TYPE[label]
            for i, text in zip(fresh, seal(self.key, label, fresh), strict=True):
                known[i] = (
                    Fragment(f'{home}{text}","sourcedId":"{text}","type":"{kind}"}}')
                    if within(reach, i)
                    else None
                )
        return known

    def _void(self, label: str) -> Fragment:
        """A reference of the right form to nothing."""
        found = self.voids.get(label)
        if found is None:
            [text] = seal(self.key, label, [0])
            found = Fragment(
                f'{{"href":"{self.home}/{HOME[label]}/{text}","sourcedId":"{text}","type":"{REF_TYPE[label]}"}}'
            )
            self.voids[label] = found
        return found

    def _moment(self, moment: datetime | str) -> str:
        found = self.moments.get(moment)
        if found is None:
            if len(self.moments) > 10_000:
                self.moments.clear()
            if not isinstance(moment, str):
                found = stamp(moment)
            else:  # as SQLite keeps it, in UTC
                found = f"{moment[:10]}T{moment[11:23] if len(moment) > 19 else moment[11:] + '.000'}Z"
            self.moments[moment] = found
        return found

    # ---- Objects.

    def objects(self, page: Page, ids: Sequence[int]) -> list[dict[str, Any]]:
        """The objects of these rows of the page, in order; a row that is not on it any more is left out."""
        rows, left = page.rows, page.left
        here = (
            [(i, rows[i]) for i in ids if i in rows]
            if not left
            else [(i, r) for i in ids if (r := rows.get(i) or left.get(i))]
        )
        names = seal(
            self.key,
            self.own,
            [row[1] for _, row in here] if self.collection == "demographics" else [i for i, _ in here],
        )
        refs = [
            (field, n, self._learn(to, {row[n] for i, row in here if i in rows}))
            for field, n, to in self.ref_columns
        ]
        blank, texts, made_of = self.blank, self.texts, self.made
        with_id, with_status, with_date = map(self.wanted, ("sourcedId", "status", "dateLastModified"))
        moments, with_all = self.moments, with_id and with_status and with_date
        found = []
        for name, (i, row) in zip(names, here, strict=True):
            if with_all and (not left or i in rows):
                moment = moments.get(row[0]) or self._moment(row[0])
                made: dict[str, Any] = {
                    "sourcedId": name, "status": "active", "dateLastModified": moment, **blank,
                }  # fmt: skip
                found.append(made)
            else:
                made = {"sourcedId": name} if with_id else {}
                found.append(made)
                if left and i not in rows:
                    self._fill_left(made, page, i, row)
                    continue
                if with_status:
                    made["status"] = "active"
                if with_date:
                    made["dateLastModified"] = self._moment(row[0])
                made.update(blank)
            for field, value in zip(texts, row[2:], strict=False):
                if value:
                    made[field] = value
            for field, n, make in made_of:
                value = make(row[n])
                if value is not None:
                    made[field] = value
            for field, n, known in refs:
                value = row[n]
                if value is not None and (ref := known[value]) is not None:
                    made[field] = ref
        self._add_parts(page, here, found)
        for field in self.must_refs:
            for made in found:
                if field not in made:
                    made[field] = self._void(_TO[field])
        return found

    def _fill_left(self, made: dict[str, Any], page: Page, i: int, row: tuple[Any, ...]) -> None:
        if self.wanted("status"):
            made["status"] = "tobedeleted"
        if self.wanted("dateLastModified"):
            made["dateLastModified"] = self._moment(row[0])
        made.update(self.left_blank)
        for n, column in enumerate(self.plan.kept, start=2):
            ref = self._learn(column.to, (row[n],)).get(row[n])
            if self.wanted(column.name) and ref is not None:
                made[column.name] = ref

    def _add_parts(self, page: Page, here: Sequence[tuple[int, Any]], found: list[dict[str, Any]]) -> None:
        collection = self.collection
        if collection == "users" and self.wanted("roles"):
            self._add_roles(page, here, found)
        if "agents" in self.plan.parts:
            agents = page.parts.get("agents", {})
            known = self._learn("person", [agent for pairs in agents.values() for (agent,) in pairs])
            for (i, _), made in zip(here, found, strict=True):
                if i in agents and (
                    refs := [ref for (agent,) in agents[i] if (ref := known[agent]) is not None]
                ):
                    made["agents"] = refs
        if collection == "classes" and self.wanted("terms"):
            terms = page.parts.get("terms", {})
            known = self._learn("session", [*(s for rows in terms.values() for (s,) in rows), self.stand_in])
            instead = known.get(self.stand_in) if self.stand_in else None
            instead = instead or self._void("session")
            for (i, _), made in zip(here, found, strict=True):
                made["terms"] = [ref for (s,) in terms.get(i, ()) if (ref := known[s]) is not None] or [
                    instead
                ]
        if "children" in self.plan.parts:
            children = page.parts.get("children", {})
            known = self._learn(self.own, (c for rows in children.values() for (c,) in rows))
            for (i, _), made in zip(here, found, strict=True):
                if i in page.rows and (
                    refs := [ref for (c,) in children.get(i, ()) if (ref := known[c]) is not None]
                ):
                    made["children"] = refs

    def _add_roles(self, page: Page, here: Sequence[tuple[int, Any]], found: list[dict[str, Any]]) -> None:
        roles = page.parts.get("roles", {})
        orgs = self._learn("org", [row[0] for rows in roles.values() for row in rows])
        known = self.roles
        for (i, _), made in zip(here, found, strict=True):
            refs: list[Any] = []
            for row in roles.get(i, ()):
                ref = known[row] if row in known else self._role(row, orgs)
                if ref is not None:
                    refs.append(ref)
            if not refs:
                org = made.get("primaryOrg") or self._void("org")
                refs = [{"roleType": "primary", "role": WITHHELD, "org": org}]
            made["roles"] = refs

    def _role(self, row: tuple[Any, ...], orgs: dict[int, Fragment | None]) -> Fragment | None:
        org, values = orgs[row[0]], dict(zip(ROLE_COLUMNS, row[1:], strict=True))
        made = None
        if org is not None:
            role = {
                "roleType": "secondary" if values["role_type"] == "secondary" else "primary",
                "role": self.role_word(values["role"]),
                "org": org,
            }
            role |= {
                name: values[c]
                for name, c in (("beginDate", "begin_date"), ("endDate", "end_date"))
                if values[c]
            }
            made = Fragment(orjson.dumps(role))
        if len(self.roles) < 10_000:
            self.roles[row] = made
        return made

    # ---- Answers.

    def single(self, page: Page) -> bytes | None:
        """The answer that holds one object, or None if the row is gone."""
        found = self.objects(page, page.ids)
        return orjson.dumps({SINGULAR[self.collection]: found[0]}) if found else None

    def whole(self, page: Page) -> bytes:
        """The answer that holds a list."""
        return orjson.dumps({self.collection: self.objects(page, page.ids)})

    def stream(self, page: Page, size: int = 1000) -> Iterator[bytes]:
        """The same answer, so many rows at a time."""
        yield b'{"%s":[' % self.collection.encode()
        between = b""
        for start in range(0, len(page.ids), size):
            body = orjson.dumps(self.objects(page, page.ids[start : start + size]))[1:-1]
            if body:
                yield between + body
                between = b","
        yield b"]}"


_TO = {"course": "course", "school": "org", "user": "person", "class": "class"}


def _codes(value: str) -> list[dict[str, str]] | None:
    if not value:
        return None
    kind, _, code = value[1:-1].partition(":")
    if kind and code and "},{" not in code:  # one code, as nearly always
        return [{"type": kind, "identifier": code}]
    return [{"type": kind, "identifier": code} for kind, code in code_pairs(value)] or None


def _meta(value: str) -> dict[str, Any] | None:
    if not value:
        return None
    found = orjson.loads(value)
    return found if isinstance(found, dict) and found else None


@lru_cache(maxsize=4096)
def _list(value: str) -> list[str] | None:
    return value.split(",") if value else None


_flag = {"1": "true", "0": "false", "true": "true", "false": "false"}.get  # as each database writes a flag


def _same(value: str | None) -> str | None:
    return value or None


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "codes": _codes,
    "meta": _meta,
    "list": _list,
    "flag": _flag,
    "date": _same,
}
