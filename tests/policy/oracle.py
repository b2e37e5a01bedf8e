"""An independent answer to who may see what: Cedar, fed from policy.toml's text and from a made-up world in plain
Python. Nothing here comes from the compiler, the gate or its SQL; the columns' words stand in inventory.txt."""

from __future__ import annotations

import json
import random
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import cedarpy

from rollbook.kernel import clock
from rollbook.kernel.ids import new_id
from rollbook.learning import models as learning
from rollbook.policy import Restriction, unguarded
from rollbook.roster import models as roster
from rollbook.sharing.models import Agreement, App, SharingRule

HERE = Path(__file__).parent
POLICY = HERE.parents[1] / "policies" / "default" / "policy.toml"
TEACHER_ROWS = {"Person", "Role", "Enrollment", "Class", "ClassTerm"}
BOOK = {"LineItem", "Result"}
PLAIN = {"Org", "Course", "AcademicSession"}
# Relationship -> tables it reaches by row, tables it reaches whole.
REACHES = {
    "tenant": None,
    "teaches": (TEACHER_ROWS | BOOK, PLAIN),
    "org": (
        {"Person", "Role", "Enrollment", "Class", "Guardianship", "Demographics"} | BOOK,
        PLAIN | {"ClassTerm"},
    ),
    "own": ({"Person", "Enrollment", "Class"} | BOOK, {"Org"}),
    "guards": ({"Person", "Enrollment", "Class", "Guardianship"} | BOOK, {"Org"}),
    "shared": (TEACHER_ROWS | PLAIN | {"Guardianship", "Demographics", "Ethnicity"} | BOOK, set()),
}
BINDS_NOT = ["administrator", "dpo"]  # who keeps the record sees a restricted person


@lru_cache(maxsize=1)
def words() -> dict[str, dict[str, str]]:
    """table -> column -> what inventory.txt says of it: a category and whose, or (why it is not personal)."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for line in (HERE / "inventory.txt").read_text(encoding="utf-8").splitlines():
        place, word = line.split(" ", 1)
        table, column = place.split(".")
        found[table][column] = word
    return dict(found)


def category(word: str) -> str:
    return "" if word.startswith("(") else word.split(" ")[0]


def cedar_policies(text: str) -> str:
    """policy.toml as Cedar: a permit and a forbid for each rule, and what nobody may."""
    policy = tomllib.loads(text)
    every = policy["categories"]

    def expand(patterns: list[str]) -> str:
        named = [c for c in every for p in patterns if c == p or (p.endswith(".*") and c.startswith(p[:-1]))]
        return json.dumps(named)

    parts = [
        "forbid(principal, action, resource) when"
        f" {{ {json.dumps(policy['never']['purposes'])}.contains(context.purpose) }};",
        '@id("restricted") forbid(principal, action, resource) when'
        f" {{ !{json.dumps(BINDS_NOT)}.contains(principal.role) && resource has restricted &&"
        ' (resource.restricted.contains("") || resource.restricted.contains(context.purpose)) };',
    ]
    for rule in policy["rule"]:
        mine = f"principal.role == {json.dumps(rule['role'])} && context.purpose == {json.dumps(rule['purpose'])}"
        reaches = REACHES[rule["reach"]]
        where = "true"
        if reaches is not None:
            by_row, whole = (json.dumps(sorted(tables)) for tables in reaches)
            who = {"org": "org", "shared": "app"}.get(rule["reach"], "person")
            where = (
                f"({whole}.contains(resource.table) || ({by_row}.contains(resource.table) &&"
                f" resource has {rule['reach']} && resource.{rule['reach']}.contains(principal.{who})))"
            )
        see = f"{mine} && resource.tenant == principal.tenant && {where}"
        use = f'{mine} && (context.category == "" || {expand(rule["allow"])}.contains(context.category))'
        refuse = f"{mine} && {expand(rule['refuse'])}.contains(context.category)"
        parts.append(f'permit(principal, action == Action::"see", resource) when {{ {see} }};')
        parts.append(f'permit(principal, action == Action::"use", resource) when {{ {use} }};')
        parts.append(f'forbid(principal, action == Action::"use", resource) when {{ {refuse} }};')
    return "\n".join(parts)


@dataclass(frozen=True)
class Who:
    role: str
    tenant: int = 0
    person: int = 0
    org: int = 0
    app: int = 0

    @property
    def entity(self) -> dict[str, Any]:
        attrs = {k: str(v) for k, v in vars(self).items()}
        return {"uid": {"type": "Actor", "id": repr(self)}, "attrs": attrs, "parents": []}


@dataclass
class Oracle:
    """Answers from the text of a policy."""

    text: str

    def __post_init__(self) -> None:
        self.policies = cedarpy.PolicySet.from_str(cedar_policies(self.text))
        self.answers: dict[tuple[str, str, str], str] = {}

    def decide(self, role: str, purpose: str, category: str) -> str:
        """allowed, refused, or gap when no rule says anything."""
        key = (role, purpose, category)
        if key not in self.answers:
            who = Who(role)
            request = {
                "principal": who.entity["uid"], "action": 'Action::"use"', "resource": 'Row::"any"',
                "context": {"purpose": purpose, "category": category},
            }  # fmt: skip
            result = cedarpy.is_authorized(request, self.policies, [who.entity])
            assert not result.diagnostics.errors, result.diagnostics.errors
            self.answers[key] = (
                "allowed" if result.allowed else "refused" if result.diagnostics.reasons else "gap"
            )
        return self.answers[key]

    def columns(self, role: str, purpose: str, table: str) -> set[str]:
        return {c for c, w in words()[table].items() if self.decide(role, purpose, category(w)) == "allowed"}

    def sees_table(self, role: str, purpose: str, table: str) -> bool:
        """A table of people shows nothing at all to those who may use none of its categories."""
        kinds = {category(w) for w in words()[table].values()} - {""}
        return not kinds or any(self.decide(role, purpose, kind) == "allowed" for kind in kinds)

    def rows(self, who: Who, purpose: str, world: World) -> dict[str, set[int]]:
        """Model label -> ids of the rows that `who` may see for `purpose`."""
        asked = [
            (label, row)
            for label, rows in world.rows.items()
            if self.sees_table(who.role, purpose, rows[0].db_table)
            for row in rows
        ]
        requests = [
            {
                "principal": who.entity["uid"],
                "action": 'Action::"see"',
                "resource": r.entity["uid"],
                "context": {"purpose": purpose},
            }
            for _, r in asked
        ]
        results = cedarpy.is_authorized_batch(requests, self.policies, world.entities) if requests else []
        assert not any(r.diagnostics.errors for r in results)
        found: dict[str, set[int]] = {label: set() for label in world.rows}
        for (label, row), result in zip(asked, results, strict=True):
            if result.allowed:
                found[label].add(row.id)
        return found


@dataclass
class Row:
    """One row of the world: where it is, and who reaches it as what."""

    table: str
    db_table: str
    id: int
    tenant: int
    teaches: set[int] = field(default_factory=set)
    org: set[int] = field(default_factory=set)
    shared: set[int] = field(default_factory=set)
    own: set[int] = field(default_factory=set)
    guards: set[int] = field(default_factory=set)
    restricted: set[str] = field(default_factory=set)

    @property
    def entity(self) -> dict[str, Any]:
        sets = {
            name: sorted(map(str, getattr(self, name)))
            for name in ("teaches", "org", "shared", "own", "guards", "restricted")
        }
        attrs = {"table": self.table, "tenant": str(self.tenant), **sets}
        return {"uid": {"type": "Row", "id": f"{self.db_table}/{self.id}"}, "attrs": attrs, "parents": []}


@dataclass
class World:
    """Two tenants of random people, written into the database, and each row with who reaches it, by plain loops."""

    seed: int
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    actors: list[Who] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        with unguarded("a made-up world"):
            for slug in ("left", "right"):
                self._tenant(slug)

    @cached_property
    def entities(self) -> cedarpy.Entities:
        """Everybody and every row, as Cedar knows them."""
        every: list[Who | Row] = [*self.actors, *(row for rows in self.rows.values() for row in rows)]
        return cedarpy.Entities.from_json_str(json.dumps([e.entity for e in every]))

    def _add(self, made: Any, **more: Any) -> Row:
        meta = made._meta
        row = Row(meta.object_name, meta.db_table, made.id, made.tenant_id, **more)
        self.rows[meta.label].append(row)
        return row

    def _tenant(self, slug: str) -> None:
        draw, now = self.draw, clock.now()
        tenant = roster.Tenant.objects.create(slug=slug, name=slug, kind="trust", region="GB", created_at=now)
        n = iter(range(10_000))

        def base(maybe_gone: float = 0.0) -> dict[str, Any]:
            status = "tobedeleted" if draw.random() < maybe_gone else "active"
            return {
                "tenant": tenant,
                "date_last_modified": now,
                "status": status,
                "sourced_id": f"s{next(n)}",
            }

        # Orgs: a tree of up to five levels (a head's reach ends at four).
        orgs: list[Any] = []
        above: dict[int, list[int]] = {}
        for i in range(6):
            parent = draw.choice(orgs) if i else None
            org = roster.Org.objects.create(**base(), name=f"O{i}", parent=parent)
            orgs.append(org)
            above[org.id] = [org.id, *(above[parent.id] if parent else [])]
        up = {org: set(line[:4]) for org, line in above.items()}
        year = roster.AcademicSession.objects.create(**base(), title="Y")
        course = roster.Course.objects.create(**base(), title="C", school_year=year)
        classes = [
            roster.Class.objects.create(**base(0.2), title=f"K{i}", school=draw.choice(orgs), course=course)
            for i in range(5)
        ]
        terms = [roster.ClassTerm.objects.create(tenant=tenant, klass=k, session=year) for k in classes[:4]]
        people = [
            roster.Person.objects.create(**base(0.15), given_name=f"P{i}", email=f"p{i}@x.example")
            for i in range(16)
        ]
        roles = [
            roster.Role.objects.create(
                **base(0.25), person=draw.choice(people), org=draw.choice(orgs), role="student"
            )
            for _ in range(22)
        ]
        places = [
            roster.Enrollment.objects.create(
                **base(0.25),
                person=person,
                klass=klass,
                school=klass.school,
                role=draw.choice(["student", "student", "teacher", "aide"]),
            )
            for klass in classes
            for person in draw.sample(people, draw.randint(1, 5))
        ]
        pairs = {(a.id, b.id) for a, b in (draw.sample(people, 2) for _ in range(6))}
        guards = [
            roster.Guardianship.objects.create(**base(), guardian_id=a, child_id=b, relationship="parent")
            for a, b in sorted(pairs)
        ]
        born = [
            roster.Demographics.objects.create(**base(), person=p, birth_date=date(2018, 1, 2))
            for p in draw.sample(people, 8)
        ]
        ethnic = [
            roster.Ethnicity.objects.create(**base(), person=p, asian=True) for p in draw.sample(people, 5)
        ]
        flags = [roster.Flag.objects.create(**base(), person=p, flag="iep") for p in draw.sample(people, 4)]
        # Restrictions: on everything, on one purpose, ended.
        hidden: dict[int, set[str]] = defaultdict(set)
        for person in draw.sample(people, 5):
            purpose, ended = draw.choice(["", "teaching", "leadership", "learning-app"]), draw.random() < 0.3
            made = Restriction.objects.create(
                tenant_id=tenant.id,
                person_id=person.id,
                purpose=purpose,
                because="asked",
                began_at=now,
                ended_at=now if ended else None,
            )
            self._add(made)
            if not ended:
                hidden[person.id].add(purpose)
        # Apps: sharing, sharing no more, stopped, never shared, sharing under an agreement that has ended.
        live = set()
        apps: list[int] = []
        for i in range(5):
            app = App.objects.create(
                tenant=tenant, name=f"A{i}", slug=f"a{i}", client_id=f"{slug}{i}", secret_hash="", id_key=str(new_id()),
                created_at=now,
                stopped_at=now if i == 2 else None,
            )  # fmt: skip
            self._add(app)
            if i != 3:
                agreement = Agreement.objects.create(
                    tenant=tenant, app=app, purpose="learning-app", region="GB", retention_days=1, contact="x",
                    begins_on=now.date(), ends_on=now.date(), agreed_by="x", agreed_at=now,
                    ended_at=now if i == 4 else None,
                )  # fmt: skip
                self._add(agreement)
                rule = SharingRule.objects.create(
                    tenant=tenant,
                    app=app,
                    people="all",
                    fields="all",
                    made_by="x",
                    made_at=now,
                    ended_at=now if i == 1 else None,
                )
                self._add(rule)
            if i == 0:
                live.add(app.id)
            self.actors.append(Who("app", tenant.id, app=app.id))
            apps.append(app.id)

        teachers_of: dict[int, set[int]] = defaultdict(set)  # class -> who teaches it
        for place in places:
            if place.role == "teacher" and place.status == "active":
                teachers_of[place.klass_id].add(place.person_id)
        taught_by: dict[int, set[int]] = defaultdict(set)  # person -> who teaches them
        for place in places:
            if place.status == "active":
                taught_by[place.person_id] |= teachers_of[place.klass_id]
        at: dict[int, set[int]] = defaultdict(set)  # person -> orgs at or above theirs
        for role in roles:
            if role.status == "active":
                at[role.person_id] |= up[role.org_id]
        answer_for: dict[int, set[int]] = defaultdict(set)  # person -> who guards them
        for guard in guards:
            answer_for[guard.child_id].add(guard.guardian_id)
        learns: dict[int, set[int]] = defaultdict(set)  # class -> who is in it
        for place in places:
            if place.status == "active":
                learns[place.klass_id].add(place.person_id)
        pupils_of: dict[int, set[int]] = defaultdict(set)  # teacher -> who is in a class they teach
        for klass in classes:
            for teacher in teachers_of[klass.id]:
                pupils_of[teacher] |= learns[klass.id]

        def parents(people: set[int]) -> set[int]:
            return {g for person in people for g in answer_for[person]}

        for whole in [*orgs, year, course]:
            self._add(whole, shared=live)
        for klass in classes:
            inside = learns[klass.id]
            self._add(
                klass, teaches=teachers_of[klass.id], org=up[klass.school_id], shared=live, own=inside, guards=parents(inside)
            )  # fmt: skip
        for term in terms:
            self._add(term, teaches=teachers_of[term.klass_id], shared=live)
        for person in people:
            self._add(
                person,
                teaches=taught_by[person.id],
                org=at[person.id],
                shared=live,
                own={person.id} | pupils_of[person.id],
                guards={person.id} | answer_for[person.id] | parents(pupils_of[person.id]),
                restricted=hidden[person.id],
            )
        for role in roles:
            who = role.person_id
            self._add(role, teaches=taught_by[who], org=up[role.org_id], shared=live, restricted=hidden[who])
        for place in places:
            teaching = place.role == "teacher" and place.status == "active"
            taught = learns[place.klass_id] if teaching else set()
            self._add(
                place,
                teaches=teachers_of[place.klass_id],
                org=up[place.school_id],
                shared=live,
                own={place.person_id} | taught,
                guards=answer_for[place.person_id] | parents(taught),
                restricted=hidden[place.person_id],
            )
        for guard in guards:
            self._add(
                guard, org=at[guard.child_id], shared=live, guards={guard.guardian_id}, restricted=hidden[guard.child_id]
            )  # fmt: skip
        for row in born:
            self._add(row, org=at[row.person_id], shared=live, restricted=hidden[row.person_id])
        # Line items of every app, in classes that they reach or not, and results of pupils who are there or left.
        book = random.Random(self.seed)  # its own, so that the rest of the world stays as it was
        for app, klass in ((a, k) for a in apps for k in classes[:4] if book.random() < 0.6):
            item = learning.LineItem.objects.create(
                tenant=tenant, klass=klass, title="W", result_value_max=10, source_id=app, source="A",
                date_last_modified=now, status="tobedeleted" if book.random() < 0.2 else "active",
            )  # fmt: skip
            mine: dict[str, set[int]] = {
                "teaches": teachers_of[klass.id],
                "org": up[klass.school_id],
                "own": learns[klass.id],
                "guards": parents(learns[klass.id]),
                "shared": {app} & live,
            }
            self._add(item, **mine)
            for person in book.sample(people, 4):
                result = learning.Result.objects.create(
                    tenant=tenant, line_item=item, klass=klass, person=person, score=3, score_maximum=10,
                    score_status="fully graded", score_date=now, activity_progress="Completed",
                    grading_progress="FullyGraded", date_last_modified=now,
                )  # fmt: skip
                there = person.id in learns[klass.id]
                of_result = {
                    **mine,
                    "teaches": teachers_of[klass.id] if there else set(),
                    "own": {person.id},
                    "guards": answer_for[person.id],
                }
                self._add(result, **of_result, restricted=hidden[person.id])
        for special in [*ethnic, *flags]:
            self._add(special, shared=live, restricted=hidden[special.person_id])

        self.actors += [
            Who("administrator", tenant.id),
            Who("dpo", tenant.id),
            Who("teacher", tenant.id),
            Who("head", tenant.id),
        ]
        for person in draw.sample(people, 3):
            self.actors.append(Who("teacher", tenant.id, person=person.id))
        busy = sorted({t for k in classes for t in teachers_of[k.id]})
        self.actors += [Who("teacher", tenant.id, person=t) for t in busy[:3]]
        self.actors += [Who("head", tenant.id, org=org.id) for org in (orgs[0], orgs[2], orgs[-1])]
        self.actors += [
            Who("student", tenant.id, person=p) for p in sorted(p for k in classes for p in learns[k.id])[:4]
        ]
        self.actors += [Who("guardian", tenant.id, person=a) for a, _ in sorted(pairs)[:4]]
        self.actors += [Who("student", tenant.id), Who("guardian", tenant.id)]
