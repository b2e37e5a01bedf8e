"""From a sharing rule to the SELECTs that say which rows an app reaches, and the second wall's short form of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollbook.kernel.db import is_postgres, texts
from rollbook.policy import Reach, Relationship, relationship
from rollbook.sharing.rules import People

# The second wall: an app reaches rows of a tenant in which it has an agreement and a rule in force and is not stopped.
# The first wall, the live rule itself, is in `reaches`.
_LIVE = (
    "SELECT r.tenant_id FROM sharing_sharingrule r JOIN sharing_app a ON a.id = r.app_id AND a.stopped_at IS NULL"
    " WHERE r.tenant_id = %s AND r.app_id = %s AND r.ended_at IS NULL"
    " AND EXISTS (SELECT 1 FROM sharing_agreement g WHERE g.app_id = a.id AND g.ended_at IS NULL)"
)
SHAREABLE = (
    "Person", "Role", "Enrollment", "Guardianship", "Demographics", "Ethnicity",
    "Org", "AcademicSession", "Course", "Class", "ClassTerm",
)  # fmt: skip
# Of the gradebook an app reaches what it made itself.
_LIVE_APP = _LIVE.replace("SELECT r.tenant_id", "SELECT r.app_id")
SHARED = relationship(
    Relationship(
        "shared",
        "whom the school's sharing rule names",
        {
            **{f"roster.{model}": Reach("tenant_id", _LIVE, ("tenant", "app")) for model in SHAREABLE},
            "learning.LineItem": Reach("source_id", _LIVE_APP, ("tenant", "app"), few=True),
            "learning.Result": Reach(
                "line_item_id",
                "SELECT l.id FROM learning_lineitem l WHERE l.tenant_id = %s"
                f" AND l.source_id IN ({_LIVE_APP})",
                ("tenant", "tenant", "app"),
            ),
        },
    )
)

ACTIVE = "status = 'active'"
ANY = "1 = 1"


def _among(column: str, n: str) -> str:
    """`column` is one of the texts of the list parameter."""
    return f"{column} = ANY(%s)" if is_postgres() else f"{column} IN (SELECT value FROM json_each(%s))"


class Conditions:
    """SQL conditions of one rule, with the names of their parameters in order.

    links: which of a person's roles and enrollments count: ACTIVE for those in force, ANY to find who has left.
    """

    def __init__(self, people: People, links: str = ACTIVE) -> None:
        self.people, self.links = people, links

    def orgs(self) -> tuple[str, list[str]]:
        """Ids of the orgs that the rule names, and of those below them."""
        return (
            "SELECT o.id FROM roster_org o LEFT JOIN roster_org o1 ON o1.id = o.parent_id"
            " LEFT JOIN roster_org o2 ON o2.id = o1.parent_id LEFT JOIN roster_org o3 ON o3.id = o2.parent_id"
            " WHERE o.tenant_id = %s AND ("
            + " OR ".join(_among(f"{t}.sourced_id", "orgs") for t in ("o", "o1", "o2", "o3"))
            + ")",
            ["tenant", *["orgs"] * 4],
        )

    def classes(self, person: bool = True) -> tuple[str, list[str]]:
        """Ids of the classes that the rule's lists of classes and courses name."""
        sql, names = "SELECT c.id FROM roster_class c WHERE c.tenant_id = %s", ["tenant"]
        if self.people.classes:
            sql, names = f"{sql} AND {_among('c.sourced_id', 'classes')}", [*names, "classes"]
        if self.people.courses:
            named = _among("k.sourced_id", "courses")
            sql += (
                f" AND c.course_id IN (SELECT k.id FROM roster_course k WHERE k.tenant_id = %s AND {named})"
            )
            names += ["tenant", "courses"]
        return sql, names

    @property
    def by_class(self) -> bool:
        return bool(self.people.classes or self.people.courses)

    def person(self, p: str) -> tuple[str, list[str]]:
        """Conditions on a row `p` of roster_person; begins with AND, or is empty."""
        sql = ""
        names: list[str] = []
        if self.people.roles or self.people.orgs:
            sql += (
                f" AND EXISTS (SELECT 1 FROM roster_role r WHERE r.tenant_id = {p}.tenant_id"
                f" AND r.person_id = {p}.id AND {self._link('r')}"
            )
            if self.people.roles:
                sql, names = f"{sql} AND {_among('r.role', 'roles')}", [*names, "roles"]
            if self.people.orgs:
                inner, inner_names = self.orgs()
                sql, names = f"{sql} AND r.org_id IN ({inner})", [*names, *inner_names]
            sql += ")"
        if self.people.grades:
            sql += (
                f" AND ({_overlap(f'{p}.grades')} OR EXISTS (SELECT 1 FROM roster_enrollment t JOIN roster_enrollment s"
                " ON s.tenant_id = t.tenant_id AND s.class_id = t.class_id AND s.role = 'student'"
                f" JOIN roster_person q ON q.id = s.person_id WHERE t.tenant_id = {p}.tenant_id AND t.person_id = {p}.id"
                f" AND t.role <> 'student' AND {self._link('t')} AND {self._link('s')} AND {_overlap('q.grades')}))"
            )
            names += ["grades", "grades"]
        if self.by_class:
            inner, inner_names = self.classes()
            sql += (
                f" AND EXISTS (SELECT 1 FROM roster_enrollment e WHERE e.tenant_id = {p}.tenant_id AND e.person_id = {p}.id"
                f" AND {self._link('e')} AND e.class_id IN ({inner}))"
            )
            names += inner_names
        return sql, names

    def _link(self, alias: str) -> str:
        return self.links if self.links == ANY else f"{alias}.{self.links}"


def _overlap(column: str) -> str:
    if is_postgres():
        return f"string_to_array({column}, ',') && %s::text[]"
    return f"EXISTS (SELECT 1 FROM json_each(%s) g WHERE instr(',' || {column} || ',', ',' || g.value || ',') > 0)"


def reaches(people: People, links: str = ACTIVE, row: str = ACTIVE) -> Mapping[str, Reach | None]:
    """Model label -> which rows a rule reaches. `row` is the condition on the row's own status."""
    rule = Conditions(people, links)
    own = "1 = 1" if row == ANY else "x.status = 'active'"
    who, who_names = rule.person("p")
    alive = "" if row == ANY else " AND p.status = 'active'"
    person = f"SELECT 1 FROM roster_person p WHERE p.id = {{row}} AND p.tenant_id = %s{alive}{who}"
    person_names = ("tenant", *who_names)

    def about(table: str, column: str, more: str = "", more_names: tuple[str, ...] = ()) -> Reach:
        inner = person.replace("{row}", f"x.{column}")
        return Reach(
            "id",
            f"SELECT 1 FROM {table} x WHERE x.id = {{row}} AND x.tenant_id = %s AND {own}{more} AND EXISTS ({inner})",
            ("tenant", *more_names, *person_names),
        )

    in_classes, in_orgs = rule.classes(), rule.orgs()
    class_more = (
        (f" AND x.class_id IN ({in_classes[0]})", tuple(in_classes[1])) if rule.by_class else ("", ())
    )
    org_more = (f" AND x.org_id IN ({in_orgs[0]})", tuple(in_orgs[1])) if people.orgs else ("", ())
    plain = {
        model: Reach(
            "id", f"SELECT 1 FROM {table} x WHERE x.id = {{row}} AND x.tenant_id = %s AND {own}", ("tenant",)
        )
        for model, table in (
            ("Org", "roster_org"),
            ("AcademicSession", "roster_academicsession"),
            ("Course", "roster_course"),
        )
    }
    if rule.by_class:
        klass = (f" AND x.id IN ({in_classes[0]})", tuple(in_classes[1]))
    elif people.everyone:
        klass = ("", ())
    elif people.orgs and not (people.roles or people.grades):
        klass = (f" AND x.school_id IN ({in_orgs[0]})", tuple(in_orgs[1]))
    else:
        inner = person.replace("{row}", "e.person_id")
        klass = (
            " AND EXISTS (SELECT 1 FROM roster_enrollment e WHERE e.tenant_id = x.tenant_id AND e.class_id = x.id"
            f" AND {rule._link('e')} AND EXISTS ({inner}))",
            person_names,
        )
    if rule.by_class:
        plain["Course"] = Reach(
            "id",
            f"SELECT 1 FROM roster_course x WHERE x.id = {{row}} AND x.tenant_id = %s AND {own} AND EXISTS"
            f" (SELECT 1 FROM roster_class y WHERE y.course_id = x.id AND y.id IN ({in_classes[0]}))",
            ("tenant", *in_classes[1]),
        )
    guard = about("roster_guardianship", "child_id")
    other = person.replace("{row}", "x.guardian_id")
    made = {
        "Person": Reach("id", person, person_names),
        "Role": about("roster_role", "person_id", *org_more),
        "Enrollment": about("roster_enrollment", "person_id", *class_more),
        "Guardianship": Reach("id", f"{guard.select} AND EXISTS ({other})", (*guard.names, *person_names)),
        "Demographics": about("roster_demographics", "person_id"),
        "Ethnicity": about("roster_ethnicity", "person_id"),
        "Class": Reach(
            "id",
            f"SELECT 1 FROM roster_class x WHERE x.id = {{row}} AND x.tenant_id = %s AND {own}{klass[0]}",
            ("tenant", *klass[1]),
        ),
        "ClassTerm": None,
        **plain,
    }
    return {f"roster.{model}": reach for model, reach in made.items()}


def own_work(people: People) -> Mapping[str, Reach | None]:
    """Model label -> which rows of the gradebook an app reaches under a rule: line items that it made in classes that
    the rule reaches, and their results, of pupils in those classes whom it reaches too."""
    shared = reaches(people)
    klass, place = shared["roster.Class"], shared["roster.Enrollment"]
    assert klass is not None and place is not None
    made = (
        "SELECT 1 FROM learning_lineitem l WHERE l.id = {row} AND l.tenant_id = %s AND l.source_id = %s"
        f" AND l.status = 'active' AND EXISTS ({klass.select.replace('{row}', 'l.class_id')})"
    )
    of_pupil = (
        " AND EXISTS (SELECT 1 FROM roster_enrollment m WHERE m.tenant_id = y.tenant_id AND m.class_id = y.class_id"
        f" AND m.person_id = y.person_id AND m.role = 'student' AND EXISTS ({place.select.replace('{row}', 'm.id')}))"
    )
    mine = ("tenant", "app", *klass.names)
    return {
        "learning.LineItem": Reach("id", made, mine),
        "learning.Result": Reach(
            "id",
            "SELECT 1 FROM learning_result y WHERE y.id = {row} AND y.tenant_id = %s AND y.status = 'active'"
            f" AND EXISTS ({made.replace('{row}', 'y.line_item_id')}){of_pupil}",
            ("tenant", *mine, *place.names),
        ),
    }


def values(people: People) -> dict[str, Any]:
    """The values that the SELECTs of `reaches` ask for."""
    return {name: texts(getattr(people, name)) for name in ("orgs", "roles", "grades", "courses", "classes")}
