"""The cast: one small named school, Puddlebrook, in the trust Sevenhills, and a stranger's school next door.

Ada, a student; Ben teaches her; Cleo, her guardian; Dov teaches next door and must see nothing of hers; Erin's app
has one agreement; Femi, the data protection officer; Gus left last year; Hana administers the trust.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from rollbook.kernel import clock
from rollbook.policy import Access, Actor, bundle_for, unguarded
from rollbook.roster.models import (
    AcademicSession,
    Class,
    ClassTerm,
    Course,
    Demographics,
    Enrollment,
    Ethnicity,
    Flag,
    Guardianship,
    Org,
    Person,
    Role,
    Tenant,
)


@dataclass
class Cast:
    """Rows of the cast, by name."""

    tenant: Tenant
    other: Tenant  # another tenant, with one pupil
    trust: Org
    school: Org
    school2: Org
    year: AcademicSession
    term: AcademicSession
    course: Course
    kestrels: Class  # Ben teaches, Ada is in it
    owls: Class  # Dov teaches, Ivo is in it
    ada: Person
    ben: Person
    cleo: Person
    dov: Person
    gus: Person
    hana: Person
    ivo: Person
    stranger: Person

    def access(
        self, role: str, purpose: str, person: Person | None = None, org: Org | None = None, **more: Any
    ) -> Access:
        """An access of a staff member of the cast's tenant."""
        actor = Actor(
            "staff",
            role,
            id=1,
            name=role.title(),
            person=person.id if person else None,
            org=org.id if org else None,
        )
        return Access(actor, purpose, self.tenant.id, bundle_for("default"), **more)

    @property
    def administrator(self) -> Access:
        return self.access("administrator", "administration", self.hana)

    @property
    def dpo(self) -> Access:
        return self.access("dpo", "protection")

    @property
    def teacher(self) -> Access:
        """Ben, teaching."""
        return self.access("teacher", "teaching", self.ben)

    @property
    def next_door(self) -> Access:
        """Dov, teaching."""
        return self.access("teacher", "teaching", self.dov)

    @property
    def head(self) -> Access:
        return self.access("head", "leadership", org=self.school)


def make_cast() -> Cast:
    """Write the cast into the database."""
    now = clock.now()
    with unguarded("the tests' own school"):
        tenant = Tenant.objects.create(
            slug="sevenhills", name="Sevenhills Trust", kind="trust", region="GB", created_at=now
        )
        other = Tenant.objects.create(
            slug="otherside", name="Otherside", kind="school", region="GB", created_at=now
        )
        row: dict[str, Any] = {"tenant": tenant, "date_last_modified": now}
        trust = Org.objects.create(
            **row, sourced_id="T", name="Sevenhills Trust", type="district", identifier="T1"
        )
        school = Org.objects.create(
            **row, sourced_id="S1", name="Puddlebrook", type="school", identifier="S1", parent=trust
        )
        school2 = Org.objects.create(
            **row, sourced_id="S2", name="Hollowell", type="school", identifier="S2", parent=trust
        )
        year = AcademicSession.objects.create(
            **row, sourced_id="Y26", title="2026/27", type="schoolYear", school_year="2027",
            start_date=date(2026, 9, 1), end_date=date(2027, 7, 31),
        )  # fmt: skip
        term = AcademicSession.objects.create(
            **row, sourced_id="AUT", title="Autumn", type="term", school_year="2027", parent=year,
            start_date=date(2026, 9, 1), end_date=date(2026, 12, 19),
        )  # fmt: skip
        course = Course.objects.create(
            **row, sourced_id="MA2", title="Maths 2", course_code="MA2", grades="02", subjects="Maths",
            school_year=year, org=school,
        )  # fmt: skip
        kestrels = Class.objects.create(
            **row, sourced_id="KES", title="Kestrels", class_code="2K", class_type="homeroom", grades="02",
            subjects="Maths", course=course, school=school,
        )  # fmt: skip
        owls = Class.objects.create(
            **row,
            sourced_id="OWL",
            title="Owls",
            class_code="2O",
            class_type="homeroom",
            grades="03",
            course=course,
            school=school2,
        )
        ClassTerm.objects.create(tenant=tenant, klass=kestrels, session=term)
        ClassTerm.objects.create(tenant=tenant, klass=owls, session=term)

        def person(code: str, given: str, family: str, role: str, org: Org, **more: Any) -> Person:
            found = Person.objects.create(
                **row, sourced_id=code, given_name=given, family_name=family, name_key=f"{family} {given}".lower().strip(),
                username=f"{given}.{code}".lower(), identifier=f"ID-{code}", email=f"{given.lower()}@puddlebrook.example",
                phone="07700 900123", primary_org=org, **more,
            )  # fmt: skip
            Role.objects.create(
                **row, sourced_id=f"{code}:{org.sourced_id}:{role}", person=found, org=org, role=role
            )
            return found

        ada = person("ada", "Ada", "Riverstone", "student", school, grades="02")
        ben = person("ben", "Ben", "Thistlewick", "teacher", school)
        cleo = person("cleo", "Cleo", "Riverstone", "guardian", school)
        dov = person("dov", "Dov", "Marlow", "teacher", school2)
        gus = person("gus", "Gus", "Fenn", "student", school, enabled_user=False, grades="06")
        Person.objects.filter(id=gus.id).update(status="tobedeleted")
        gus.status = "tobedeleted"
        hana = person("hana", "Hana", "Larkspur", "districtAdministrator", trust)
        ivo = person("ivo", "Ivo", "", "student", school2, grades="03")
        for n, (who, klass, role) in enumerate(
            [
                (ada, kestrels, "student"),
                (ben, kestrels, "teacher"),
                (dov, owls, "teacher"),
                (ivo, owls, "student"),
            ]
        ):
            Enrollment.objects.create(
                **row,
                sourced_id=f"E{n}",
                person=who,
                klass=klass,
                school_id=klass.school_id,
                role=role,
                primary=role == "teacher",
            )
        Guardianship.objects.create(
            **row, sourced_id="cleo:ada", guardian=cleo, child=ada, relationship="parent"
        )
        Demographics.objects.create(
            **row, sourced_id="ada", person=ada, birth_date=date(2019, 3, 4), sex="female"
        )
        Ethnicity.objects.create(**row, sourced_id="ada", person=ada, asian=True)
        Flag.objects.create(**row, sourced_id="ada:iep", person=ada, flag="iep")
        theirs: dict[str, Any] = {"tenant": other, "date_last_modified": now}
        far = Org.objects.create(**theirs, sourced_id="S1", name="Otherside", type="school", identifier="S1")
        stranger = Person.objects.create(
            **theirs,
            sourced_id="ada",
            given_name="Zed",
            family_name="Stranger",
            name_key="stranger zed",
            primary_org=far,
        )
        Role.objects.create(**theirs, sourced_id="ada:S1:student", person=stranger, org=far, role="student")
    return Cast(
        tenant, other, trust, school, school2, year, term, course, kestrels, owls,
        ada, ben, cleo, dov, gus, hana, ivo, stranger,
    )  # fmt: skip
