"""From rows to Clever's JSON. A shaper is made once for an app's fields and the roster's version, then only fills."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from rollbook.kernel.ids import EPOCH_MS, LOW_BITS
from rollbook.kernel.recent import Recent
from rollbook.sharing.connectors.clever import words
from rollbook.sharing.queries import Grant, audience
from rollbook.sharing.queries.collections import (
    DISTRICT_ADMINS,
    GROWN_UPS,
    STAFF,
    Ask,
    Page,
    Plan,
    listing,
    stamp,
    within,
)
from rollbook.sharing.rules import seal_short

KIND = {
    "student": "student", "teacher": "teacher", **dict.fromkeys(STAFF, "staff"),
    **dict.fromkeys(DISTRICT_ADMINS, "district_admin"), **dict.fromkeys(GROWN_UPS, "contact"),
}  # fmt: skip
_LABELS = {
    "users": "person",
    "orgs": "org",
    "academicSessions": "session",
    "courses": "course",
    "classes": "class",
}
Made = dict[str, Any]


def iso(moment: datetime | str) -> str:
    """A moment as the database gives it, as Clever writes it."""
    if isinstance(moment, str):  # as SQLite keeps it, in UTC
        return f"{moment[:10]}T{moment[11:23]}Z" if len(moment) > 19 else f"{moment[:10]}T{moment[11:]}.000Z"
    return stamp(moment)


def born(row: int) -> str:
    """When a row was made: its id says so."""
    return _at(row >> LOW_BITS)


@lru_cache(maxsize=10_000)  # rows of one sync were made in the same few milliseconds
def _at(milliseconds: int) -> str:
    return stamp(datetime.fromtimestamp((milliseconds + EPOCH_MS) / 1000, UTC))


class Shaper:
    """Fills Clever's objects for one app under one grant, in one version of the API."""

    def __init__(self, grant: Grant, version: str) -> None:
        self.key, self.old, self.latest = grant.id_key, version == "v2.0", version == "v3.1"
        self.district = seal_short(grant.id_key, "district", [grant.tenant_id])[0]
        self.people = audience(grant, "person").active
        self.reach = {label: audience(grant, label).active for label in ("session", "course", "class")}
        self.schools = listing(grant, Ask("orgs", "schools")).here
        self.reach["org"] = self.schools  # Clever knows no org that is not a school
        self.kinds: dict[Any, dict[str, Made]] = {}
        self.texts: dict[str, dict[int, str | None]] = {label: {} for label in self.reach}

    # ---- Ids.

    def id_of(self, label: str, row: int | None) -> str | None:
        """The id of a school, term, course or section; None for one that the app does not reach."""
        if row is None:
            return None
        known = self.texts[label]
        if row not in known:
            known[row] = seal_short(self.key, label, [row])[0] if within(self.reach[label], row) else None
        return known[row]

    def person_ids(self, rows: Iterable[int]) -> dict[int, str]:
        """The ids of those of these people whom the app reaches."""
        reached = sorted({i for i in rows if within(self.people, i)})
        return dict(zip(reached, seal_short(self.key, "person", reached), strict=True))

    # ---- Answers.

    def objects(self, shape: str, plan: Plan, page: Page, ids: Sequence[int]) -> list[Made]:
        """The objects of these rows of the page, in order; a row that just left is left out."""
        here = [i for i in ids if i in page.rows]
        names = dict(zip(here, seal_short(self.key, _LABELS[plan.collection], here), strict=True))
        return _SHAPES[shape](self, plan, page, names)

    def _plain(
        self, plan: Plan, page: Page, names: dict[int, str], fill: Callable[[Made, Made, Any], None]
    ) -> list[Made]:
        at = [(c.name, n) for n, c in enumerate(plan.own, start=2)]
        made = []
        for i, name in names.items():
            row = page.rows[i]
            found: Made = {"id": name}
            fill(found, {field: row[n] for field, n in at}, (i, row))
            made.append(found)
        return made

    def schools_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        def fill(found: Made, has: Made, source: Any) -> None:
            found |= {
                "district": self.district,
                "created": born(source[0]),
                "last_modified": iso(source[1][0]),
            }
            _texts(found, has, (("name", "name"), ("school_number", "identifier"), ("sis_id", "identifier")))
            _ext(found, has)

        return self._plain(plan, page, names, fill)

    def courses_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        def fill(found: Made, has: Made, source: Any) -> None:
            if not self.old:
                found["district"] = self.district
            _texts(found, has, (("name", "title"), ("number", "courseCode")))

        return self._plain(plan, page, names, fill)

    def terms_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        def fill(found: Made, has: Made, source: Any) -> None:
            if not self.old:
                found["district"] = self.district
            _texts(found, has, (("name", "title"), ("start_date", "startDate"), ("end_date", "endDate")))

        return self._plain(plan, page, names, fill)

    def sections_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        members = page.parts.get("members and primary") or page.parts.get("members") or {}
        known = self.person_ids(row[0] for rows in members.values() for row in rows)
        terms = page.parts.get("terms", {})

        def fill(found: Made, has: Made, source: Any) -> None:
            i, row = source
            found |= {"district": self.district, "created": born(i), "last_modified": iso(row[0])}
            _texts(found, has, (("name", "title"), ("section_number", "classCode")))
            if has.get("periods"):
                found["period"] = has["periods"].split(",")[0]
            _put(found, "grade", words.grade(has["grades"], self.old))
            _put(found, "subject", words.subject(has["subjects"], has["classType"]))
            _put(found, "course", self.id_of("course", has["course"]))
            _put(found, "school", self.id_of("org", has["school"]))
            runs = [text for (s,) in sorted(terms.get(i, ())) if (text := self.id_of("session", s))]
            _put(found, "term_id", runs[0] if runs else None)
            _ext(found, has)
            pupils: dict[str, None] = {}
            teachers: dict[str, bool] = {}
            for person, role, *primary in members.get(i, ()):
                text = known.get(person)
                if text and role == "student":
                    pupils[text] = None
                elif text and role == "teacher":
                    teachers[text] = teachers.get(text, False) or bool(
                        primary and _TRUE.get(str(primary[0]).lower())
                    )
            found["students"], found["teachers"] = (
                list(pupils),
                sorted(teachers, key=lambda t: not teachers[t]),
            )
            if teachers:
                found["teacher"] = found["teachers"][0]

        return self._plain(plan, page, names, fill)

    def users_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        return [self._user(known) for known in self._people(plan, page, names)]

    def _people(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        """What there is to say about each person, before it is put in a version's form."""
        at = [(c.name, n) for n, c in enumerate(plan.own, start=2)]
        roles, parts = page.parts.get("roles", {}), page.parts
        births = [c.name for c in plan.beside.get("demographics", ())]
        races = [c.name for c in plan.beside.get("Ethnicity", ())]
        children = parts.get("children of", {})
        known = self.person_ids(child for rows in children.values() for child, _ in rows) if children else {}
        made = []
        for i, name in names.items():
            row = page.rows[i]
            has: Made = {field: value for field, n in at if (value := row[n])}
            has |= {
                "id": name,
                "created": born(i),
                "modified": iso(row[0]),
                "kinds": self._kinds(has, roles.get(i, ())),
            }
            if births and (beside := parts["demographics"].get(i)):
                has |= {field: value for field, value in zip(births, beside[0], strict=True) if value}
            if races and (beside := parts["Ethnicity"].get(i)):
                has |= _races(dict(zip(races, beside[0], strict=True)))
            if i in children:
                has["children"] = [(known[child], text) for child, text in children[i] if child in known]
            made.append(has)
        return made

    def _kinds(self, has: Made, roles: Sequence[Any]) -> dict[str, Made]:
        """Kind -> the role's words, its schools (the primary one first) and the days at each. Many people have the same."""
        key = (has.get("primaryOrg"), *roles)
        found = self.kinds.get(key)
        if found is None:
            if len(self.kinds) > 10_000:
                self.kinds.clear()
            found = self.kinds[key] = self._kinds_of(has, roles)
        return found

    def _kinds_of(self, has: Made, roles: Sequence[Any]) -> dict[str, Made]:
        kinds: dict[str, Made] = {}
        for org, _, role, begins, ends in (
            sorted(roles, key=lambda r: r[1] != "primary") if len(roles) > 1 else roles
        ):
            kind = KIND.get(role)
            if kind is None:
                continue
            found = kinds.setdefault(kind, {"words": {}, "schools": {}})
            found["words"][role] = None
            if text := self.id_of("org", org):
                found["schools"].setdefault(text, (begins, ends))
        home = self.id_of("org", has.get("primaryOrg"))
        for found in kinds.values():
            schools = found["schools"]
            found["school"] = home if home in schools else next(iter(schools), None)
        return kinds

    def _user(self, has: Made) -> Made:
        """Version 3: one user with the roles that they have."""
        name, stamps = _name(has), {"created": has["created"], "last_modified": has["modified"]}
        made: Made = {"id": has["id"], "district": self.district, **stamps}
        if "email" in has:
            made["email"] = has["email"]
        if name:
            made["name"] = name
        roles: Made = {}
        for kind, found in has["kinds"].items():
            role: Made = {"legacy_id": has["id"]}
            if kind == "student":
                role |= stamps | self._pupil(has, found)
                days = [
                    {k: v for k, v in (("school", s), ("start_date", begins), ("end_date", ends)) if v}
                    for s, (begins, ends) in found["schools"].items()
                ]
                if days:
                    role["enrollments"] = days
                if self.latest and (preferred := _name(has, _PREFERRED)):
                    role["preferred_name"] = preferred
            elif kind == "teacher":
                role |= stamps | {"district": self.district} | self._teacher(has, found)
                if name:
                    role["name"] = name
            elif kind == "staff":
                role |= self._staff(has, found)
                role["roles"] = list(found["words"])
            elif kind == "contact":
                role |= _contact(has)
                role["student_relationships"] = [
                    {
                        "student": child,
                        **dict(zip(("relationship", "type"), words.relationship(text), strict=True)),
                    }
                    for child, text in has.get("children", ())
                ]
            if kind in ("student", "teacher", "staff"):
                _ext(role, has)
            roles[kind] = role
        made["roles"] = roles
        return made

    def _pupil(self, has: Made, found: Made) -> Made:
        made = _numbers(has, "student_number")
        made |= _at_schools(found)
        _put(made, "grade", words.grade(has.get("grades", ""), self.old))
        if "birthDate" in has:
            made["dob"] = words.day(has["birthDate"])
        _put(made, "gender", words.gender(has.get("sex", ""), self.old))
        for field in ("race", "hispanic_ethnicity"):
            _put(made, field, has.get(field))
        return made

    def _teacher(self, has: Made, found: Made) -> Made:
        return _numbers(has, "teacher_number") | _at_schools(found)

    def _staff(self, has: Made, found: Made) -> Made:
        made: Made = {"schools": list(found["schools"])}
        if "identifier" in has:
            made["staff_id"] = has["identifier"]
        if "username" in has:
            made["credentials"] = {"district_username": has["username"]}
        return made

    # ---- Version 2.0: a list for each kind of person.

    def _old_people(
        self, plan: Plan, page: Page, names: dict[int, str], fill: Callable[[Made, Made], None]
    ) -> list[Made]:
        made = []
        for has in self._people(plan, page, names):
            found: Made = {"id": has["id"], "district": self.district}
            if "email" in has:
                found["email"] = has["email"]
            fill(found, has)
            made.append(found)
        return made

    def students_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        def fill(found: Made, has: Made) -> None:
            found |= {"created": has["created"], "last_modified": has["modified"], "name": _name(has)}
            found |= self._pupil(has, has["kinds"].get("student", _NO_ROLE))

        return self._old_people(plan, page, names, fill)

    def teachers_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        def fill(found: Made, has: Made) -> None:
            found |= {"created": has["created"], "last_modified": has["modified"], "name": _name(has)}
            found |= self._teacher(has, has["kinds"].get("teacher", _NO_ROLE))

        return self._old_people(plan, page, names, fill)

    def contacts_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        def fill(found: Made, has: Made) -> None:
            children = has.get("children", [])
            found |= _contact(has) | {"students": [child for child, _ in children]}
            if said := " ".join(_name(has).values()):
                found["name"] = said
            if children:
                found["relationship"], found["type"] = words.relationship(children[0][1])

        return self._old_people(plan, page, names, fill)

    def district_admins_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        def fill(found: Made, has: Made) -> None:
            found["name"] = _name(has, _TWO_NAMES)

        return self._old_people(plan, page, names, fill)

    def school_admins_of(self, plan: Plan, page: Page, names: dict[int, str]) -> list[Made]:
        def fill(found: Made, has: Made) -> None:
            found |= {"name": _name(has, _TWO_NAMES), **self._staff(has, has["kinds"].get("staff", _NO_ROLE))}

        return self._old_people(plan, page, names, fill)


_SHAPES: dict[str, Callable[[Shaper, Plan, Page, dict[int, str]], list[Made]]] = {
    "users": Shaper.users_of, "students": Shaper.students_of, "teachers": Shaper.teachers_of,
    "contacts": Shaper.contacts_of, "district_admins": Shaper.district_admins_of,
    "school_admins": Shaper.school_admins_of, "schools": Shaper.schools_of, "sections": Shaper.sections_of,
    "courses": Shaper.courses_of, "terms": Shaper.terms_of,
}  # fmt: skip
_NO_ROLE: Made = {"words": {}, "schools": {}, "school": None}
_NAMES = (("first", "givenName"), ("middle", "middleName"), ("last", "familyName"))
_TWO_NAMES = (("first", "givenName"), ("last", "familyName"))
_PREFERRED = (
    ("first", "preferredFirstName"),
    ("middle", "preferredMiddleName"),
    ("last", "preferredLastName"),
)


def _put(found: Made, field: str, value: Any) -> None:
    if value is not None:
        found[field] = value


def _texts(found: Made, has: Made, pairs: Sequence[tuple[str, str]]) -> None:
    for field, source in pairs:
        if has.get(source):
            found[field] = has[source]


def _ext(found: Made, has: Made) -> None:
    """What else the school's system says, where the rule shares it."""
    if has.get("metadata"):
        held = orjson.loads(has["metadata"])
        if isinstance(held, dict) and held:
            found["ext"] = held


def _name(has: Made, fields: Sequence[tuple[str, str]] = _NAMES) -> Made:
    return {field: has[source] for field, source in fields if source in has}


def _numbers(has: Made, number: str) -> Made:
    made = {
        field: has[source]
        for field, source in (
            ("sis_id", "identifier"),
            (number, "identifier"),
            ("state_id", "userMasterIdentifier"),
        )
        if source in has
    }
    if "username" in has:
        made["credentials"] = {"district_username": has["username"]}
    return made


def _at_schools(found: Made) -> Made:
    made: Made = {"schools": list(found["schools"])}
    _put(made, "school", found["school"])
    return made


def _contact(has: Made) -> Made:
    made: Made = {}
    if "identifier" in has:
        made["sis_id"] = has["identifier"]
    if "phone" in has:
        made["phone"] = has["phone"]
    elif "sms" in has:
        made |= {"phone": has["sms"], "phone_type": "Cell"}
    return made


_TRUE = {"1": True, "true": True}


def _races(held: dict[str, Any]) -> Made:
    flags = {name: _TRUE.get(value or "", False) for name, value in held.items()}
    made: Made = {}
    if words.MANY_RACES in flags:
        made["race"] = words.race([flags[name] for name in words.RACES], flags[words.MANY_RACES])
    if held.get("hispanicOrLatinoEthnicity") is not None:
        made["hispanic_ethnicity"] = "Y" if flags["hispanicOrLatinoEthnicity"] else "N"
    return made


_shapers: Recent[Shaper] = Recent(200)


def shaper_for(grant: Grant, version: str) -> Shaper:
    """The shaper for a grant, kept for as long as the roster's version and the rule stand."""
    return _shapers.get((*grant.version, version), lambda: Shaper(grant, version))
