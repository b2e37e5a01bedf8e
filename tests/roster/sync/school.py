"""A small school as a OneRoster bundle that a test changes, and how a test syncs it and looks at the roster."""

from __future__ import annotations

import copy
import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.roster.jobs import sync_path
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
    SetAside,
    Sync,
    Tenant,
)

Rows = dict[str, dict[str, str]]
COLUMNS = {
    "orgs": "sourcedId status dateLastModified name type identifier parentSourcedId",
    "academicSessions": "sourcedId status dateLastModified title type startDate endDate parentSourcedId schoolYear",
    "courses": "sourcedId status dateLastModified schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes",
    "classes": "sourcedId status dateLastModified title grades courseSourcedId classCode classType location schoolSourcedId"
    " termSourcedIds subjects subjectCodes periods",
    "users": "sourcedId status dateLastModified enabledUser username userIds givenName familyName middleName identifier email"
    " sms phone agentSourcedIds grades password userMasterIdentifier preferredGivenName preferredMiddleName"
    " preferredFamilyName primaryOrgSourcedId pronouns",
    "roles": "sourcedId status dateLastModified userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId",
    "enrollments": "sourcedId status dateLastModified classSourcedId schoolSourcedId userSourcedId role primary"
    " beginDate endDate",
    "demographics": "sourcedId status dateLastModified birthDate sex americanIndianOrAlaskaNative asian blackOrAfricanAmerican"
    " nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity countryOfBirthCode"
    " stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus",
}


@dataclass
class School:
    """Rows of each file by sourcedId; `extra` are further rows, such as duplicates. modes: file -> delta."""

    orgs: Rows = field(default_factory=dict)
    academicSessions: Rows = field(default_factory=dict)
    courses: Rows = field(default_factory=dict)
    classes: Rows = field(default_factory=dict)
    users: Rows = field(default_factory=dict)
    roles: Rows = field(default_factory=dict)
    enrollments: Rows = field(default_factory=dict)
    demographics: Rows = field(default_factory=dict)
    extra: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)

    def copy(self) -> School:
        return copy.deepcopy(self)

    def person(self, code: str, role: str, org: str = "S1", **columns: str) -> None:
        """A person with one role."""
        names = {
            "givenName": code.title(),
            "familyName": "Test",
            "enabledUser": "true",
            "primaryOrgSourcedId": org,
        }
        self.users[code] = {**names, **columns}
        self.roles[f"r-{code}"] = {
            "userSourcedId": code,
            "roleType": "primary",
            "role": role,
            "orgSourcedId": org,
        }

    def enroll(self, code: str, klass: str, role: str = "student") -> None:
        """A person into a class, at the class's school."""
        school = self.classes[klass]["schoolSourcedId"]
        self.enrollments[f"e-{code}-{klass}"] = {
            "classSourcedId": klass, "schoolSourcedId": school, "userSourcedId": code, "role": role,
        }  # fmt: skip

    def without(self, code: str) -> None:
        """Take a person out of every file."""
        self.users.pop(code, None)
        self.demographics.pop(code, None)
        for rows in (self.roles, self.enrollments):
            for key in [k for k, row in rows.items() if row["userSourcedId"] == code]:
                del rows[key]
        for row in self.users.values():
            agents = [a for a in row.get("agentSourcedIds", "").split(",") if a and a != code]
            row["agentSourcedIds"] = ",".join(agents)

    def write(self, folder: Path) -> Path:
        """The bundle as a folder. A file whose mode is `absent` is left out."""
        folder.mkdir(parents=True)
        manifest = [("manifest.version", "1.0"), ("oneroster.version", "1.2")]
        for name, columns in COLUMNS.items():
            mode = self.modes.get(name, "bulk")
            manifest.append((f"file.{name}", mode))
            if mode == "absent":
                continue
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, columns.split(), restval="")
                writer.writeheader()
                for code, row in getattr(self, name).items():
                    writer.writerow({"sourcedId": code, **row})
                writer.writerows(self.extra.get(name, []))
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([("propertyName", "value"), *manifest])
        return folder


def puddlebrook() -> School:
    """The cast as a bundle: Ada and her guardian Cleo, Ben who teaches Kestrels, Dov and Ivo next door in Owls."""
    found = School()
    found.orgs = {
        "T": {"name": "Sevenhills Trust", "type": "district"},
        "S1": {"name": "Puddlebrook", "type": "school", "parentSourcedId": "T"},
        "S2": {"name": "Hollowell", "type": "school", "parentSourcedId": "T"},
    }
    year = {"type": "schoolYear", "startDate": "2026-09-01", "endDate": "2027-07-31", "schoolYear": "2027"}
    found.academicSessions = {
        "Y26": {"title": "2026/27", **year},
        "AUT": {"title": "Autumn", **year, "type": "term", "endDate": "2026-12-19", "parentSourcedId": "Y26"},
    }
    found.courses = {"MA2": {"title": "Maths 2", "orgSourcedId": "S1", "schoolYearSourcedId": "Y26"}}
    common = {"classType": "homeroom", "courseSourcedId": "MA2", "termSourcedIds": "AUT", "grades": "02"}
    found.classes = {
        "KES": {"title": "Kestrels", "schoolSourcedId": "S1", **common},
        "OWL": {"title": "Owls", "schoolSourcedId": "S2", **common},
    }
    found.person(
        "ada",
        "student",
        givenName="Ada",
        familyName="Riverstone",
        agentSourcedIds="cleo",
        phone="07700 900123",
    )
    found.person("ben", "teacher", givenName="Ben", familyName="Thistlewick", email="ben@puddlebrook.example")
    found.person("cleo", "guardian", givenName="Cléo", familyName="Riverstone")
    found.person("dov", "teacher", "S2")
    found.person("ivo", "student", "S2", givenName="Ivo", familyName="Marsh")
    for code, klass in [("ada", "KES"), ("ben", "KES"), ("dov", "OWL"), ("ivo", "OWL")]:
        found.enroll(code, klass, found.roles[f"r-{code}"]["role"])
    found.demographics = {"ada": {"birthDate": "2019-03-04", "sex": "female", "asian": "true"}}
    return found


def make_tenant(slug: str = "sevenhills", **more: Any) -> Tenant:
    """A tenant without a roster."""
    return Tenant.objects.create(
        slug=slug, name=slug.title(), kind="trust", region="GB", created_at=clock.now(), **more
    )


_count = iter(range(1_000_000))


def sync(tenant: Tenant, school: School, tmp_path: Path, **how: Any) -> Sync:
    """Write the school as a bundle and sync it."""
    return sync_path(tenant, school.write(tmp_path / f"bundle-{next(_count)}"), **how)


MODELS = [
    Org, AcademicSession, Course, Class, Person, Role, Enrollment, Demographics, Ethnicity, Guardianship, Flag,
]  # fmt: skip
_BOOKKEEPING = {"id", "tenant_id", "date_last_modified", "sync_id", "status"}


def roster(tenant: Tenant, *, tombstones: bool = False) -> dict[str, dict[str, dict[str, Any]]]:
    """The whole roster by table and sourcedId, references as sourcedIds: what two rosters are compared by."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    with unguarded("a test looks at the whole roster"):
        codes = {
            (model, row.pk): row.sourced_id
            for model in MODELS
            for row in model.objects.filter(tenant_id=tenant.id)
        }
        for model in MODELS:
            rows = model.objects.filter(tenant_id=tenant.id)
            if not tombstones:
                rows = rows.filter(status="active")
            found[model.__name__] = {
                row.sourced_id: _plain(row, codes) | ({"status": row.status} if tombstones else {})
                for row in rows
            }
        active = set(found["Class"])
        terms: dict[str, dict[str, Any]] = {}
        for term in ClassTerm.objects.filter(tenant_id=tenant.id):
            klass = codes[(Class, term.klass_id)]
            if klass in active:
                terms[f"{klass}:{codes[(AcademicSession, term.session_id)]}"] = {}
        found["ClassTerm"] = terms
    return found


def _plain(row: Any, codes: dict[Any, str]) -> dict[str, Any]:
    found = {}
    for column in row._meta.concrete_fields:
        if column.attname in _BOOKKEEPING:
            continue
        value = getattr(row, column.attname)
        if column.is_relation and value is not None:
            value = codes[(column.related_model, value)]
        found[column.attname] = value
    return found


def set_aside(sync: Sync) -> list[SetAside]:
    """The lines of what a sync set aside."""
    with unguarded("a test looks at what was set aside"):
        return list(SetAside.objects.filter(sync=sync).order_by("code", "file", "row"))


def get(model: Any, tenant: Tenant, code: str) -> Any:
    """One row by its sourcedId."""
    with unguarded("a test looks at one row"):
        return model.objects.get(tenant_id=tenant.id, sourced_id=code)
