"""The 41 operations of the rostering service, one row each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rollbook.sharing.queries.collections import Ask

PREFIX = "/ims/oneroster/rostering/v1p2"
SCOPE = "https://purl.imsglobal.org/spec/or/v1p2/scope/"
ROSTER, CORE, DEMOGRAPHICS = (
    f"{SCOPE}roster.readonly",
    f"{SCOPE}roster-core.readonly",
    f"{SCOPE}roster-demographics.readonly",
)
SCOPES = {
    ROSTER: "Read everything that the school shares, apart from demographics.",
    CORE: "Read the whole collections and single objects, apart from demographics.",
    DEMOGRAPHICS: "Read the demographics that the school shares.",
}
SINGULAR = {
    "academicSessions": "academicSession", "classes": "class", "courses": "course", "demographics": "demographics",
    "enrollments": "enrollment", "orgs": "org", "users": "user",
}  # fmt: skip
SUBSET_OF = {
    "gradingPeriods": "academicSessions", "terms": "academicSessions", "schools": "orgs",
    "students": "users", "teachers": "users",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One operation. parents: for each id in the path before the last word, the list in which it must stand.

    relation: how the last parents choose the rows (a key of queries.collections.RELATIONS). single: one object by id.
    """

    name: str
    path: str
    collection: str
    scopes: tuple[str, ...]
    subset: str = ""
    relation: str = ""
    parents: tuple[Ask, ...] = ()
    single: bool = False

    @property
    def ids(self) -> list[str]:
        """The names of the ids in the path."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def pattern(self) -> tuple[str | None, ...]:
        """The path's parts, None for an id."""
        return tuple(None if part.startswith("{") else part for part in self.path.strip("/").split("/"))


def _whole(word: str, one: str, many: str) -> Iterator[Operation]:
    """A whole collection, and one object of it."""
    collection = SUBSET_OF.get(word, word)
    subset = word if word in SUBSET_OF else ""
    scopes = (DEMOGRAPHICS,) if word == "demographics" else (ROSTER, CORE)
    yield Operation(f"getAll{many}", f"/{word}", collection, scopes, subset)
    yield Operation(f"get{one}", f"/{word}/{{sourcedId}}", collection, scopes, subset, single=True)


def _under(name: str, path: str, relation: str, *parents: Ask) -> Operation:
    word = path.rsplit("/", 1)[1]
    subset = word if word in ("terms", "gradingPeriods") else ""
    return Operation(name, path, SUBSET_OF.get(word, word), (ROSTER,), subset, relation, parents)


_SCHOOL, _CLASS, _COURSE, _TERM = (
    Ask("orgs", "schools"),
    Ask("classes"),
    Ask("courses"),
    Ask("academicSessions", "terms"),
)
_USER, _STUDENT, _TEACHER = Ask("users"), Ask("users", "students"), Ask("users", "teachers")
_CLASS_IN_SCHOOL = Ask("classes", relation="classes of school")

OPERATIONS: tuple[Operation, ...] = (
    *_whole("academicSessions", "AcademicSession", "AcademicSessions"),
    *_whole("classes", "Class", "Classes"),
    *_whole("courses", "Course", "Courses"),
    *_whole("demographics", "Demographics", "Demographics"),
    *_whole("enrollments", "Enrollment", "Enrollments"),
    *_whole("gradingPeriods", "GradingPeriod", "GradingPeriods"),
    *_whole("orgs", "Org", "Orgs"),
    *_whole("schools", "School", "Schools"),
    *_whole("students", "Student", "Students"),
    *_whole("teachers", "Teacher", "Teachers"),
    *_whole("terms", "Term", "Terms"),
    *_whole("users", "User", "Users"),
    _under("getStudentsForClass", "/classes/{classSourcedId}/students", "students of class", _CLASS),
    _under("getTeachersForClass", "/classes/{classSourcedId}/teachers", "teachers of class", _CLASS),
    _under("getClassesForCourse", "/courses/{courseSourcedId}/classes", "classes of course", _COURSE),
    _under("getClassesForSchool", "/schools/{schoolSourcedId}/classes", "classes of school", _SCHOOL),
    _under("getEnrollmentsForClassInSchool", "/schools/{schoolSourcedId}/classes/{classSourcedId}/enrollments",
           "enrollments of class", _SCHOOL, _CLASS_IN_SCHOOL),
    _under("getStudentsForClassInSchool", "/schools/{schoolSourcedId}/classes/{classSourcedId}/students",
           "students of class", _SCHOOL, _CLASS_IN_SCHOOL),
    _under("getTeachersForClassInSchool", "/schools/{schoolSourcedId}/classes/{classSourcedId}/teachers",
           "teachers of class", _SCHOOL, _CLASS_IN_SCHOOL),
    _under("getCoursesForSchool", "/schools/{schoolSourcedId}/courses", "courses of school", _SCHOOL),
    _under("getEnrollmentsForSchool", "/schools/{schoolSourcedId}/enrollments", "enrollments of school", _SCHOOL),
    _under("getStudentsForSchool", "/schools/{schoolSourcedId}/students", "students of school", _SCHOOL),
    _under("getTeachersForSchool", "/schools/{schoolSourcedId}/teachers", "teachers of school", _SCHOOL),
    _under("getTermsForSchool", "/schools/{schoolSourcedId}/terms", "terms of school", _SCHOOL),
    _under("getClassesForStudent", "/students/{studentSourcedId}/classes", "classes of student", _STUDENT),
    _under("getClassesForTeacher", "/teachers/{teacherSourcedId}/classes", "classes of teacher", _TEACHER),
    _under("getClassesForTerm", "/terms/{termSourcedId}/classes", "classes of term", _TERM),
    _under("getGradingPeriodsForTerm", "/terms/{termSourcedId}/gradingPeriods", "gradingPeriods of term", _TERM),
    _under("getClassesForUser", "/users/{userSourcedId}/classes", "classes of user", _USER),
)  # fmt: skip
_BY_PATTERN = {operation.pattern: operation for operation in OPERATIONS}


def find_operation(path: str) -> tuple[Operation, list[str]] | None:
    """The operation of a path below the prefix, with the ids in it, or None."""
    parts = path.split("/")
    found = _BY_PATTERN.get(tuple(None if n % 2 else part for n, part in enumerate(parts)))
    return (found, parts[1::2]) if found and all(parts) else None
