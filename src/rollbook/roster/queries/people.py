"""People and classes as an access may see them: lists with keyset paging, for pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from rollbook.kernel.errors import NotFound
from rollbook.policy import Access
from rollbook.roster.models import Class, Course, Enrollment, Guardianship, Org, Person, Role
from rollbook.roster.rules.people import SEARCH_ROLES, fold, full_name, role_name

PAGE = 50
COUNTED = 10_000  # beyond, a list says "more than"

NAMES = ("given_name", "family_name", "preferred_first_name", "preferred_last_name")
FIRST = ("given_name", "preferred_first_name")
FIRST_NAMES = tuple((Person, column) for column in FIRST)  # for the disclosure log
CODES = ("sourced_id", "identifier", "username")


@dataclass(frozen=True)
class PeopleFilter:
    """What a list of people is narrowed to. Empty means no condition. left: those who left instead of those here."""

    q: str = ""
    role: str = ""
    org: int | None = None
    grade: str = ""
    klass: int | None = None
    left: bool = False


@dataclass(frozen=True)
class PersonLine:
    """One line of a list of people."""

    id: int
    name: str
    code: str
    roles: tuple[str, ...]
    grades: str
    left: bool


@dataclass(frozen=True)
class Page:
    """One page of a list. total is None when there are more than COUNTED. next: the id to go on after, or None."""

    rows: tuple[Any, ...]
    total: int | None
    next: int | None
    columns: tuple[tuple[Any, str], ...] = field(repr=False)  # shown, for the disclosure log
    people: tuple[int, ...] = ()  # whose names are on the page


def shows_codes(access: Access) -> bool:
    """Whether the access sees the codes that a school gave."""
    return "sourced_id" in access.columns(Person)


def granted(access: Access, model: Any, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the columns that the access may see."""
    may = set(access.columns(model))
    return tuple(n for n in names if n in may)


def names_of(access: Access, ids: Iterable[int]) -> dict[int, str]:
    """The names of people, of those that the access may see."""
    columns = granted(access, Person, NAMES)
    rows = access.select(Person).filter(id__any=list(ids)).values_list("id", *columns)
    return {row[0]: _name(dict(zip(columns, row[1:], strict=True))) for row in rows}


def first_names(access: Access, ids: Iterable[int]) -> dict[int, str]:
    """What people are called by, of those that the access may see."""
    rows = access.select(Person).filter(id__any=list(ids)).values_list("id", *FIRST)
    return {person: preferred or given for person, given, preferred in rows}


def taught_in(access: Access, ids: Iterable[int]) -> list[tuple[int, str, tuple[int, ...]]]:
    """Where these pupils are taught: (pupil, class title, who teaches it), by title."""
    ids = list(ids)
    inside = access.select(Enrollment).filter(status="active")
    mine = list(
        inside.filter(person_id__any=ids).exclude(role="teacher").values_list("person_id", "klass_id")
    )
    classes = {klass for _, klass in mine}
    titles = dict(access.select(Class).filter(id__any=classes, status="active").values_list("id", "title"))
    teach: dict[int, list[int]] = {}
    for klass, person in (
        inside.filter(klass_id__any=classes, role="teacher")
        .order_by("id")
        .values_list("klass_id", "person_id")
    ):
        teach.setdefault(klass, []).append(person)
    found = [(person, titles[k], tuple(teach.get(k, ()))) for person, k in mine if k in titles]
    return sorted(found, key=lambda line: (line[1], line[0]))


def children_of(access: Access) -> list[int]:
    """Whom a guardian answers for."""
    links = access.select(Guardianship).filter(status="active").order_by("id")
    return list(dict.fromkeys(links.values_list("child_id", flat=True)))


def org_names(access: Access, ids: Iterable[int | None]) -> dict[int, str]:
    """The names of orgs by id."""
    wanted = [i for i in set(ids) if i is not None]
    return dict(access.select(Org).filter(id__any=wanted).values_list("id", "name"))


def _name(values: dict[str, Any]) -> str:
    return full_name(
        values.get("given_name", ""), values.get("family_name", ""),
        values.get("preferred_first_name", ""), values.get("preferred_last_name", ""),
    )  # fmt: skip


def find_people(access: Access, narrow: PeopleFilter, after: int | None = None, limit: int = PAGE) -> Page:
    """The people that fit, by family name, a page at a time. after: the last id of the page before."""
    found = access.select(Person).filter(status="tobedeleted" if narrow.left else "active")
    words = fold(narrow.q).split()
    if words:
        by_name = Q(*(Q(name_key__contains=word) for word in words))
        by_code = Q()
        for column in granted(access, Person, CODES):
            by_code |= Q(**{column: narrow.q.strip()})
        found = found.filter(by_name | by_code) if by_code else found.filter(by_name)
    if narrow.role or narrow.org:
        roles = access.select(Role).filter(status="tobedeleted" if narrow.left else "active")
        roles = roles.filter(role=narrow.role) if narrow.role else roles
        roles = roles.filter(org_id=narrow.org) if narrow.org else roles
        found = found.filter(id__in=roles.values("person_id"))
    if narrow.grade:
        g = narrow.grade
        listed = Q(grades__startswith=f"{g},") | Q(grades__endswith=f",{g}") | Q(grades__contains=f",{g},")
        found = found.filter(Q(grades=g) | listed)
    if narrow.klass:
        inside = access.select(Enrollment).filter(klass_id=narrow.klass, status="active")
        found = found.filter(id__in=inside.values("person_id"))
    total = found[: COUNTED + 1].count()
    if after:
        last = access.select(Person).filter(id=after).values_list("name_key", flat=True).first()
        if last is not None:
            found = found.filter(Q(name_key__gt=last) | Q(name_key=last, id__gt=after))
    columns = granted(access, Person, (*NAMES, "sourced_id", "grades"))
    rows = list(found.order_by("name_key", "id").values_list("id", *columns)[: limit + 1])
    people = {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows[:limit]}
    roles_of = _roles(access, people, narrow.left)
    lines = tuple(
        PersonLine(
            i, _name(v), v.get("sourced_id", ""), roles_of.get(i, ()), v.get("grades", ""), narrow.left
        )
        for i, v in people.items()
    )
    shown = (*((Person, c) for c in columns), (Role, "role"))
    following = rows[limit - 1][0] if len(rows) > limit else None
    return Page(lines, total if total <= COUNTED else None, following, shown, tuple(people))


def _roles(access: Access, people: Iterable[int], left: bool) -> dict[int, tuple[str, ...]]:
    """What each person is where, in words."""
    rows = list(
        access.select(Role)
        .filter(person_id__any=list(people), status="tobedeleted" if left else "active")
        .order_by("role_type", "id")
        .values_list("person_id", "role", "org_id")
    )
    orgs = org_names(access, (r[2] for r in rows))
    found: dict[int, list[str]] = {}
    for person, role, org in rows:
        words = f"{role_name(role)}, {orgs[org]}" if org in orgs else role_name(role)
        found.setdefault(person, []).append(words)
    return {person: tuple(dict.fromkeys(words)) for person, words in found.items()}


@dataclass(frozen=True)
class Choices:
    """What the filters of a list offer."""

    orgs: tuple[tuple[int, str], ...]
    grades: tuple[str, ...]
    roles: tuple[tuple[str, str], ...]


def choices(access: Access) -> Choices:
    """Orgs and school years that the access can filter by, and the roles that OneRoster has."""
    orgs = access.select(Org).filter(status="active")
    if access.actor.org:
        orgs = orgs.filter(Q(id=access.actor.org) | Q(parent_id=access.actor.org))
    taught = access.select(Class).filter(status="active").order_by()
    grades = {g for (text,) in taught.values_list("grades").distinct()[:200] for g in text.split(",") if g}
    return Choices(
        tuple(orgs.order_by("name", "id").values_list("id", "name")[:500]),
        tuple(sorted(grades, key=_grade_order)),
        tuple((r, role_name(r)) for r in SEARCH_ROLES),
    )


def class_choices(access: Access) -> list[tuple[int, str]]:
    """Classes to choose from, each with its school: (id, words)."""
    rows = list(
        access.select(Class)
        .filter(status="active")
        .order_by("title", "id")
        .values_list("id", "title", "school_id")[:1000]
    )
    orgs = org_names(access, (r[2] for r in rows))
    return [(i, f"{title}, {orgs[school]}" if school in orgs else title) for i, title, school in rows]


def school_choices(access: Access) -> list[tuple[int, str]]:
    """Schools to choose from: (id, name)."""
    return list(
        access.select(Org)
        .filter(status="active", type="school")
        .order_by("name", "id")
        .values_list("id", "name")[:500]
    )


def _grade_order(grade: str) -> tuple[int, str]:
    return (int(grade), "") if grade.isdigit() else (-1, grade)


# ---- Classes.


@dataclass(frozen=True)
class ClassLine:
    """One line of a list of classes."""

    id: int
    title: str
    code: str
    school: str
    course: str
    grades: str
    students: int
    teachers: tuple[str, ...]


def find_classes(
    access: Access, q: str = "", org: int | None = None, after: int | None = None, limit: int = PAGE
) -> Page:
    """The classes that fit, by title, a page at a time, each with its teachers' names and the number of students."""
    found = access.select(Class).filter(status="active")
    for word in q.split():
        found = found.filter(Q(title__icontains=word) | Q(class_code__icontains=word))
    if org:
        found = found.filter(school_id=org)
    total = found[: COUNTED + 1].count()
    if after:
        last = access.select(Class).filter(id=after).values_list("title", flat=True).first()
        if last is not None:
            found = found.filter(Q(title__gt=last) | Q(title=last, id__gt=after))
    columns = ("id", "title", "class_code", "school_id", "course_id", "grades")
    rows = list(found.order_by("title", "id").values_list(*columns)[: limit + 1])
    shown = rows[:limit]
    orgs = org_names(access, (r[3] for r in shown))
    courses = dict(
        access.select(Course).filter(id__any=[r[4] for r in shown if r[4]]).values_list("id", "title")
    )
    inside = list(
        access.select(Enrollment)
        .filter(klass_id__any=[r[0] for r in shown], status="active")
        .values_list("klass_id", "person_id", "role")
    )
    teachers = names_of(access, {person for _, person, role in inside if role == "teacher"})
    lines = []
    for i, title, code, school, course, grades in shown:
        mine = [(person, role) for klass, person, role in inside if klass == i]
        names = sorted(teachers[p] for p, role in mine if role == "teacher" and p in teachers)
        count = sum(role == "student" for _, role in mine)
        lines.append(
            ClassLine(
                i, title, code, orgs.get(school, ""), courses.get(course, ""), grades, count, tuple(names)
            )
        )
    named = granted(access, Person, NAMES)
    return Page(
        tuple(lines), total if total <= COUNTED else None, rows[limit - 1][0] if len(rows) > limit else None,
        (*((Person, n) for n in named), (Enrollment, "role")), tuple(teachers),
    )  # fmt: skip


def class_title(access: Access, klass: int) -> str:
    """The title of a class. Raises NotFound for one that is not there or not theirs."""
    title = access.select(Class).filter(id=klass).values_list("title", flat=True).first()
    if title is None:
        raise NotFound("There is no such class.")
    return str(title)


@dataclass(frozen=True)
class RegisterLine:
    """One person in a class."""

    id: int
    name: str
    code: str
    role: str
    grades: str
    primary: bool
    begins: Any
    ends: Any


@dataclass(frozen=True)
class Register:
    """One class with everybody in it."""

    id: int
    title: str
    code: str
    kind: str
    location: str
    school: str
    school_id: int
    course: str
    subjects: str
    grades: str
    periods: str
    left: bool
    teachers: tuple[RegisterLine, ...]
    students: tuple[RegisterLine, ...]
    columns: tuple[tuple[Any, str], ...]

    @property
    def people(self) -> list[int]:
        """Ids of everybody on the page."""
        return [line.id for line in (*self.teachers, *self.students)]


def register(access: Access, klass: int) -> Register:
    """One class and who is in it, staff first. Raises NotFound for a class that is not there or not theirs."""
    found = access.select(Class).filter(id=klass).first()
    if found is None:
        raise NotFound("There is no such class.")
    inside = list(
        access.select(Enrollment)
        .filter(klass_id=klass, status="active")
        .values_list("person_id", "role", "primary", "begin_date", "end_date")
    )
    columns = granted(access, Person, (*NAMES, "sourced_id", "grades"))
    rows = (
        access.select(Person).filter(id__any=[r[0] for r in inside]).values_list("id", "name_key", *columns)
    )
    people = {row[0]: (row[1], dict(zip(columns, row[2:], strict=True))) for row in rows}
    lines = []
    for person, role, primary, begins, ends in inside:
        if person in people:
            key, v = people[person]
            line = RegisterLine(
                person,
                _name(v),
                v.get("sourced_id", ""),
                role,
                v.get("grades", ""),
                bool(primary),
                begins,
                ends,
            )
            lines.append((key, line))
    ordered = [line for _, line in sorted(lines, key=lambda pair: (not pair[1].primary, pair[0], pair[1].id))]
    course = access.select(Course).filter(id=found.course_id).values_list("title", flat=True).first()
    return Register(
        found.id, found.title, found.class_code, found.class_type, found.location,
        org_names(access, [found.school_id]).get(found.school_id, ""), found.school_id, course or "",
        found.subjects, found.grades, found.periods, found.status != "active",
        tuple(line for line in ordered if line.role != "student"), tuple(line for line in ordered if line.role == "student"),
        (*((Person, c) for c in columns), (Enrollment, "role"), (Enrollment, "primary"),
         (Enrollment, "begin_date"), (Enrollment, "end_date")),
    )  # fmt: skip
