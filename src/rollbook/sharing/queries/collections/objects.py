"""What each OneRoster object is made of here, field by field, and which of it a grant shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from django.apps import apps
from django.db.models import Model

from rollbook.sharing.queries.audience import LABELS
from rollbook.sharing.rules import FIELDS, sent_as


@dataclass(frozen=True)
class Column:
    """One field of an object. kind: text, list, word (of a vocabulary), flag, date, moment, ref, meta or codes.

    column: the attribute of the model. to: for a ref, the label of what it names. field: the rule's field that shares
    it, where that is not its own name.
    """

    name: str
    kind: str
    column: str
    to: str = ""
    field: str = ""


@dataclass(frozen=True)
class Object:
    """One kind of object: the label of its audience, the label that its sourcedId is sealed under, its columns."""

    name: str
    label: str
    columns: tuple[Column, ...]
    also: tuple[Column, ...] = ()  # of the second table that is read beside it, by person
    sealed_as: str = ""

    @property
    def model(self) -> type[Model]:
        return model_of(self.label)


@lru_cache(maxsize=32)
def model_of(label: str) -> type[Model]:
    """The roster's model behind an audience's label."""
    return apps.get_model("roster", LABELS.get(label, label))


def _texts(*pairs: str) -> tuple[Column, ...]:
    return tuple(Column(name, "text", column) for name, column in (p.split(":") for p in pairs))


_SUBJECT = (
    Column("grades", "list", "grades"),
    Column("subjects", "list", "subjects"),
    Column("subjectCodes", "list", "subject_codes"),
)
META = Column("metadata", "meta", "metadata")
OBJECTS = {
    found.name: found
    for found in (
        Object("orgs", "org", (
            *_texts("name:name"), Column("type", "word", "type"), *_texts("identifier:identifier"),
            Column("parent", "ref", "parent_id", "org"), META,
        )),
        Object("academicSessions", "session", (
            *_texts("title:title"), Column("type", "word", "type"), Column("startDate", "date", "start_date"),
            Column("endDate", "date", "end_date"), Column("parent", "ref", "parent_id", "session"),
            *_texts("schoolYear:school_year"), META,
        )),
        Object("courses", "course", (
            *_texts("title:title", "courseCode:course_code"), *_SUBJECT,
            Column("schoolYear", "ref", "school_year_id", "session"), Column("org", "ref", "org_id", "org"), META,
        )),
        Object("classes", "class", (
            *_texts("title:title", "classCode:class_code"), Column("classType", "word", "class_type"),
            *_texts("location:location"), *_SUBJECT, Column("periods", "list", "periods"),
            Column("course", "ref", "course_id", "course"), Column("school", "ref", "school_id", "org"), META,
        )),
        Object("users", "person", (
            *_texts("userMasterIdentifier:user_master_identifier", "username:username"),
            Column("userIds", "codes", "user_ids"), Column("enabledUser", "flag", "enabled_user"),
            *_texts("givenName:given_name", "familyName:family_name", "middleName:middle_name",
                    "preferredFirstName:preferred_first_name", "preferredMiddleName:preferred_middle_name",
                    "preferredLastName:preferred_last_name", "pronouns:pronouns"),
            Column("familyName", "text", "family_initial", field="users.familyInitial"),
            Column("primaryOrg", "ref", "primary_org_id", "org"),
            *_texts("identifier:identifier", "email:email", "sms:sms", "phone:phone"), _SUBJECT[0], META,
        )),
        Object("enrollments", "enrollment", (
            Column("user", "ref", "person_id", "person"), Column("class", "ref", "klass_id", "class"),
            Column("school", "ref", "school_id", "org"), Column("role", "word", "role"), Column("primary", "flag", "primary"),
            Column("beginDate", "date", "begin_date"), Column("endDate", "date", "end_date"), META,
        )),
        Object("demographics", "demographics", (
            Column("birthDate", "date", "birth_date"), Column("sex", "word", "sex"),
            *_texts("countryOfBirthCode:country_of_birth_code", "stateOfBirthAbbreviation:state_of_birth_abbreviation",
                    "cityOfBirth:city_of_birth", "publicSchoolResidenceStatus:public_school_residence_status"),
        ), tuple(
            Column(f.name.split(".")[1], "flag", f.columns[0].split(".")[2])
            for f in FIELDS.values() if f.columns[0].startswith("roster.Ethnicity.")
        ), sealed_as="person"),
    )
}  # fmt: skip
# Fields that another table holds, with their columns there.
PARTS: dict[str, dict[str, tuple[str, str, tuple[Column, ...]]]] = {
    "users": {
        "roles": ("role", "person_id", (
            Column("roleType", "word", "role_type"), Column("role", "word", "role"), Column("org", "ref", "org_id", "org"),
            Column("beginDate", "date", "begin_date"), Column("endDate", "date", "end_date"),
        )),
        "agents": ("guardianship", "", (Column("agents", "ref", "", "person"),)),
    },
    "classes": {"terms": ("ClassTerm", "klass_id", (Column("terms", "ref", "session_id", "session"),))},
    "orgs": {"children": ("org", "parent_id", (Column("children", "ref", "id", "org"),))},
    "academicSessions": {"children": ("session", "parent_id", (Column("children", "ref", "id", "session"),))},
}  # fmt: skip


@lru_cache(maxsize=2048)
def shared(collection: str, fields: frozenset[str]) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """The columns of an object, and of its second table, that a grant of these fields shares."""
    found = OBJECTS[collection]
    own = tuple(c for c in found.columns if _shared(found, c, fields))
    return own, tuple(c for c in found.also if f"{collection}.{c.name}" in fields)


def _shared(found: Object, column: Column, fields: frozenset[str]) -> bool:
    # A field that no rule can name is not personal: it goes with the row. (Were it personal, the gate would refuse.)
    name = f"{found.name}.{column.name}"
    if name not in FIELDS:
        return True
    own = column.field or name
    return own in fields and own == sent_as(name, fields)


@lru_cache(maxsize=32)
def personal_columns(label: str) -> frozenset[str]:
    """Attribute names of the columns of this kind of row that hold personal data."""
    stem = f"roster.{LABELS.get(label, label)}."
    return frozenset(c.removeprefix(stem) for f in FIELDS.values() for c in f.columns if c.startswith(stem))


def part_shared(collection: str, part: str, fields: frozenset[str]) -> bool:
    """Whether a grant shares a field that another table holds."""
    name = f"{collection}.{part}"
    return name not in FIELDS or name in fields
