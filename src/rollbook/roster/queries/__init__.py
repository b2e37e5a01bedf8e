"""Reads of the roster, and the relationships that the policy's roles reach people by."""

from __future__ import annotations

from typing import Any

from rollbook.kernel.errors import NotFound
from rollbook.policy import Reach, Relationship, Via, raw, relationship, unguarded
from rollbook.roster.models import Class, Course, Enrollment, Org, Person, SetAside, Sync, Tenant

# A teacher reaches the classes they are enrolled in as a teacher, and everybody in them.
_CLASSES_TAUGHT = (
    "SELECT t.class_id FROM roster_enrollment t"
    " WHERE t.tenant_id = %s AND t.person_id = %s AND t.role = 'teacher' AND t.status = 'active'"
)
_ME = ("tenant", "person")
_IN_THEM = ("roster.Enrollment", "person_id", (("status", "active"),))

TEACHES = relationship(
    Relationship(
        "teaches",
        "the pupils of the classes they teach",
        {
            "roster.Person": Via("id", *_IN_THEM),
            "roster.Enrollment": Reach("klass_id", _CLASSES_TAUGHT, _ME, few=True),
            "roster.Role": Via("person_id", *_IN_THEM),
            "roster.Class": Reach("id", _CLASSES_TAUGHT, _ME, few=True),
            "roster.ClassTerm": Reach("klass_id", _CLASSES_TAUGHT, _ME, few=True),
            "roster.Org": None,
            "roster.Course": None,
            "roster.AcademicSession": None,
        },
    )
)

# A head reaches the people with a role at their org or below it (four levels: trust, school, department, year team).
_ORGS_BELOW = (
    "SELECT o.id FROM roster_org o LEFT JOIN roster_org p ON p.id = o.parent_id LEFT JOIN roster_org q ON q.id = p.parent_id"
    " LEFT JOIN roster_org r ON r.id = q.parent_id"
    " WHERE o.tenant_id = %s AND %s IN (o.id, p.id, q.id, r.id)"
)
_AT_ORG_ROW = (
    "SELECT 1 FROM roster_role s WHERE s.tenant_id = %s AND s.person_id = {row} AND s.status = 'active'"
    f" AND s.org_id IN ({_ORGS_BELOW})"
)
_MINE = ("tenant", "org")

AT_ORG = relationship(
    Relationship(
        "org",
        "everyone at their school",
        {
            "roster.Person": Reach("id", _AT_ORG_ROW, ("tenant", *_MINE)),
            "roster.Role": Reach("org_id", _ORGS_BELOW, _MINE),
            "roster.Enrollment": Reach("school_id", _ORGS_BELOW, _MINE),
            "roster.Class": Reach("school_id", _ORGS_BELOW, _MINE),
            "roster.Guardianship": Reach("child_id", _AT_ORG_ROW, ("tenant", *_MINE)),
            "roster.Demographics": Reach("person_id", _AT_ORG_ROW, ("tenant", *_MINE)),
            "roster.ClassTerm": None,
            "roster.Org": None,
            "roster.Course": None,
            "roster.AcademicSession": None,
        },
    )
)

# A pupil reaches themselves, their classes, and the names of those who teach them; a guardian the same of each child.
_MY_CLASSES = "SELECT s.class_id FROM roster_enrollment s WHERE s.tenant_id = %s AND s.person_id = %s AND s.status = 'active'"
_TAUGHT_BY = (
    "SELECT t.person_id FROM roster_enrollment s JOIN roster_enrollment t ON t.tenant_id = s.tenant_id"
    " AND t.class_id = s.class_id AND t.role = 'teacher' AND t.status = 'active'"
    " WHERE s.tenant_id = %s AND s.status = 'active' AND s.person_id"
)
_TEACHING = _TAUGHT_BY.replace("SELECT t.person_id", "SELECT t.id")
_PLACES = "SELECT s.id FROM roster_enrollment s WHERE s.tenant_id = %s AND s.person_id"
OWN = relationship(
    Relationship(
        "own",
        "themselves and those who teach them",
        {
            "roster.Person": Reach("id", f"SELECT %s UNION {_TAUGHT_BY} = %s", ("person", *_ME), few=True),
            "roster.Enrollment": Reach(
                "id", f"{_PLACES} = %s UNION {_TEACHING} = %s", (*_ME, *_ME), few=True
            ),
            "roster.Class": Reach("id", _MY_CLASSES, _ME, few=True),
            "roster.Org": None,
        },
    )
)
_CHILDREN = "SELECT g.child_id FROM roster_guardianship g WHERE g.tenant_id = %s AND g.guardian_id = %s AND g.status = 'active'"
GUARDS = relationship(
    Relationship(
        "guards",
        "their own children and those who teach them",
        {
            "roster.Person": Reach(
                "id", f"SELECT %s UNION {_CHILDREN} UNION {_TAUGHT_BY} IN ({_CHILDREN})",
                ("person", *_ME, "tenant", *_ME), few=True,
            ),
            "roster.Enrollment": Reach(
                "id", f"{_PLACES} IN ({_CHILDREN}) UNION {_TEACHING} IN ({_CHILDREN})",
                ("tenant", *_ME, "tenant", *_ME), few=True,
            ),
            "roster.Class": Reach(
                "id", f"{_MY_CLASSES.replace('= %s AND s.status', f'IN ({_CHILDREN}) AND s.status')}", ("tenant", *_ME), few=True
            ),
            "roster.Guardianship": Reach("guardian_id", "SELECT %s", ("person",), few=True),
            "roster.Org": None,
        },
    )
)  # fmt: skip


# ---- What an operator asks at the command line.


def find_by_sourced_id(tenant: Tenant, kind: str, sourced_id: str) -> int:
    """The id of a row by the school's own id. kind: person, org, class, course. Raises NotFound."""
    model: Any = {"person": Person, "org": Org, "class": Class, "course": Course}[kind]
    with unguarded("an operator names a row by the school's own id", tenant=tenant.id):
        found = (
            model.objects.filter(tenant=tenant, sourced_id=sourced_id).values_list("id", flat=True).first()
        )
    if found is None:
        raise NotFound(f"{tenant.name} has no {kind} with the id “{sourced_id}”.")
    return int(found)


def last_applied(tenant: Tenant) -> Sync:
    """The latest sync that changed the roster. Raises NotFound when there is none to undo."""
    with unguarded("an operator asks for the latest sync", tenant=tenant.id):
        found = Sync.objects.filter(tenant=tenant, state="applied").order_by("-id").first()
    if found is None:
        raise NotFound(f"No sync of {tenant.name} was applied, so there is nothing to undo.")
    return found


def set_aside_of(tenant: Tenant, sync: Sync, limit: int) -> list[dict[str, Any]]:
    """The first rows that a sync set aside, by file and row."""
    names = ("file", "row", "column", "code", "reason", "mend", "dependents")
    with unguarded("an operator reads what a sync set aside", tenant=tenant.id):
        rows = SetAside.objects.filter(tenant=tenant, sync_id=sync.id).order_by("code", "file", "row")[:limit]
        return [{n: getattr(r, n) for n in names} for r in rows]


_REFERENCES = (
    ("roster_enrollment", "person_id", "roster_person"), ("roster_enrollment", "class_id", "roster_class"),
    ("roster_role", "person_id", "roster_person"), ("roster_role", "org_id", "roster_org"),
    ("roster_class", "school_id", "roster_org"), ("roster_guardianship", "guardian_id", "roster_person"),
    ("roster_guardianship", "child_id", "roster_person"), ("roster_demographics", "person_id", "roster_person"),
)  # fmt: skip


def orphans() -> dict[str, int]:
    """Rows that point at nothing, by column: there are no foreign-key constraints, so `rollbook doctor` counts."""
    found = {}
    with unguarded("the operator checks the references"), raw("count rows that point at nothing") as cursor:
        for table, column, target in _REFERENCES:
            cursor.execute(
                f"SELECT count(*) FROM {table} x WHERE NOT EXISTS (SELECT 1 FROM {target} y WHERE y.id = x.{column})"
            )
            count = cursor.fetchone()[0]
            if count:
                found[f"{table}.{column}"] = int(count)
    return found


def sample_pupils(tenant: Tenant, grade: str) -> list[int]:
    """The pupils of one class with somebody of this grade, for the demo's badges; that pupil first."""
    with unguarded("the demo gives badges to a class", tenant=tenant.id):
        first = Person.objects.filter(tenant=tenant, grades=grade, status="active").order_by("id").first()
        if first is None:
            raise NotFound(f"{tenant.name} has no pupil in grade {grade}.")
        mine = Enrollment.objects.filter(tenant=tenant, status="active", role="student")
        klass = mine.filter(person=first).values_list("klass_id", flat=True).first()
        others = mine.filter(klass_id=klass).exclude(person=first).values_list("person_id", flat=True)
        return [first.id, *others.order_by("id")]


def sample_of(tenant: Tenant) -> tuple[int, int]:
    """A teacher with classes, and their school, for the demo's sign-ins: (person id, org id)."""
    with unguarded("the demo links a sign-in to a teacher", tenant=tenant.id):
        busy = (
            Enrollment.objects.filter(tenant=tenant, role="teacher", status="active").order_by("id").first()
        )
        if busy is None:
            raise NotFound(f"{tenant.name} has no teacher with a class.")
        return int(busy.person_id), int(busy.school_id)
