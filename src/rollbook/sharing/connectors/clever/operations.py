"""What each version of Clever's API answers: one row for each operation on data."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.sharing.connectors.oneroster.operations import DEMOGRAPHICS as DEMOGRAPHICS_SCOPE
from rollbook.sharing.connectors.oneroster.operations import ROSTER
from rollbook.sharing.queries.collections import Ask

# The scope of a district's token (`/oauth/tokens`): all that Clever's API reads.
DISTRICT = "clever.district"
DATA_SCOPES = frozenset({ROSTER, DISTRICT})
BIRTH_SCOPES = frozenset({DEMOGRAPHICS_SCOPE, DISTRICT})
VERSIONS = ("v2.0", "v3.0", "v3.1")
ROLES = {
    "student": "students", "teacher": "teachers", "staff": "staff", "district_admin": "district_admins",
    "contact": "contacts",
}  # fmt: skip
# Clever's word for a collection, and the list of ours.
LISTS = {
    "users": Ask("users"), "students": Ask("users", "students"), "teachers": Ask("users", "teachers"),
    "contacts": Ask("users", "contacts"), "district_admins": Ask("users", "district_admins"),
    "school_admins": Ask("users", "staff"), "schools": Ask("orgs", "schools"), "sections": Ask("classes"),
    "courses": Ask("courses"), "terms": Ask("academicSessions"),
}  # fmt: skip
NONE = ("districts", "resources")  # collections that no list of ours is behind


@dataclass(frozen=True)
class Operation:
    """One operation. shape: which of Clever's objects it answers with. ask: the list, of which `parent` chooses a part
    by `relation` or, for one object, the parent's own attribute `named`. by_role: the relation for a value of `role`."""

    name: str
    shape: str
    ask: Ask | None
    parent: str = ""
    relation: str = ""
    named: str = ""
    single: bool = False
    by_role: tuple[tuple[str, str], ...] = ()
    primary: str = ""  # the relation for primary=true

    def relation_for(self, role: str) -> str:
        return dict(self.by_role).get(role, self.relation)


_Parts = dict[str, str | tuple[str, str]]
# word/part -> (shape, relation), or the parent's attribute that names the one object.
_OLD: _Parts = {
    "contacts/students": ("students", "children of user"),
    "courses/sections": ("sections", "classes of course"),
    "school_admins/schools": ("schools", "schools of staff"),
    "schools/sections": ("sections", "classes of school"),
    "schools/students": ("students", "students of school"),
    "schools/teachers": ("teachers", "teachers of school"),
    "sections/course": "course", "sections/school": "school", "sections/teacher": "teacher", "sections/term": "term_id",
    "sections/students": ("students", "students of class"),
    "sections/teachers": ("teachers", "teachers of class"),
    "students/contacts": ("contacts", "guardians of user"),
    "students/school": "school", "teachers/school": "school",
    "students/schools": ("schools", "schools of student"),
    "students/sections": ("sections", "classes of student"),
    "students/teachers": ("teachers", "teachers of user"),
    "teachers/schools": ("schools", "schools of teacher"),
    "teachers/sections": ("sections", "classes of teacher"),
    "teachers/students": ("students", "students of teacher"),
    "terms/sections": ("sections", "classes of term"),
}  # fmt: skip
_NEW: _Parts = {
    "courses/resources": ("resources", ""),
    "courses/schools": ("schools", "schools of course"),
    "courses/sections": ("sections", "classes of course"),
    "schools/courses": ("courses", "courses taught at school"),
    "schools/sections": ("sections", "classes of school"),
    "schools/terms": ("terms", "terms of school"),
    "schools/users": ("users", "users of school"),
    "sections/course": "course", "sections/school": "school", "sections/term": "term_id",
    "sections/resources": ("resources", ""),
    "sections/users": ("users", "users of class"),
    "terms/schools": ("schools", "schools of term"),
    "terms/sections": ("sections", "classes of term"),
    "users/mycontacts": ("users", "guardians of user"),
    "users/mystudents": ("users", "students of user"),
    "users/myteachers": ("users", "teachers of user"),
    "users/resources": ("resources", ""),
    "users/schools": ("schools", "schools of user"),
    "users/sections": ("sections", "classes of user"),
    "resources/courses": ("courses", ""), "resources/sections": ("sections", ""), "resources/users": ("users", ""),
}  # fmt: skip
_TO = {"course": "courses", "school": "schools", "teacher": "teachers", "term_id": "terms"}
_BY_ROLE = {
    "schools/users": {
        r: f"{word} of school" for r, word in ROLES.items() if r in ("student", "teacher", "staff")
    },
    "sections/users": {"student": "students of class", "teacher": "teachers of class"},
}
_PRIMARY = {"schools/users": "primary users of school", "users/schools": "primary school of user"}
_OLD_WORDS = (
    "contacts", "courses", "district_admins", "districts", "school_admins", "schools", "sections", "students", "teachers",
    "terms",
)  # fmt: skip
_NEW_WORDS = ("courses", "districts", "resources", "schools", "sections", "terms", "users")


def _table(words: tuple[str, ...], parts: _Parts) -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for word in words:
        ask = LISTS.get(word)
        found[word] = Operation(word, word, ask)
        found[f"{word}/*"] = Operation(f"{word}/*", word, ask, single=True)
        if word not in NONE:
            found[f"{word}/*/district"] = Operation(
                f"{word}/*/district", "districts", None, word, single=True
            )
    for path, to in parts.items():
        word, part = path.split("/")
        name = f"{word}/*/{part}"
        if isinstance(to, str):
            found[name] = Operation(name, _TO[to], LISTS[_TO[to]], word, named=to, single=True)
        else:
            shape, relation = to
            by_role = tuple(_BY_ROLE.get(path, {}).items())
            found[name] = Operation(
                name, shape, LISTS.get(shape) if relation else None, word, relation, by_role=by_role,
                primary=_PRIMARY.get(path, ""),
            )  # fmt: skip
    return found


_OLD_TABLE, _NEW_TABLE = _table(_OLD_WORDS, _OLD), _table(_NEW_WORDS, _NEW)
TABLES: dict[str, dict[str, Operation]] = {"v2.0": _OLD_TABLE, "v3.0": _NEW_TABLE, "v3.1": _NEW_TABLE}


def find_operation(version: str, path: str) -> tuple[Operation, str] | None:
    """The operation of a path below the version, with the id in it, or None."""
    parts = path.split("/")
    if not all(parts) or len(parts) > 3:
        return None
    found = TABLES[version].get("/".join("*" if n == 1 else part for n, part in enumerate(parts)))
    return (found, parts[1] if len(parts) > 1 else "") if found else None
