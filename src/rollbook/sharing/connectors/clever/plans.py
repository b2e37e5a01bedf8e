"""What is read for each of Clever's objects, under the fields that a grant shares."""

from __future__ import annotations

from functools import lru_cache

from rollbook.policy import column_list
from rollbook.sharing.connectors.clever.words import MANY_RACES, RACES
from rollbook.sharing.queries.collections import OBJECTS, ROLE_COLUMNS, Plan, model_of, shared

PEOPLE = frozenset({"users", "students", "teachers", "contacts", "district_admins", "school_admins"})
_OWN = {
    "users": {
        "givenName", "middleName", "familyName", "username", "identifier", "userMasterIdentifier", "email", "phone", "sms",
        "grades", "primaryOrg", "metadata", "preferredFirstName", "preferredMiddleName", "preferredLastName",
    },
    "orgs": {"name", "identifier", "metadata"},
    "academicSessions": {"title", "startDate", "endDate"},
    "courses": {"title", "courseCode"},
    "classes": {"title", "classCode", "classType", "grades", "subjects", "periods", "course", "school", "metadata"},
}  # fmt: skip
_PREFERRED = {"preferredFirstName", "preferredMiddleName", "preferredLastName"}
COLLECTION = {
    **dict.fromkeys(PEOPLE, "users"), "schools": "orgs", "sections": "classes", "courses": "courses",
    "terms": "academicSessions",
}  # fmt: skip
_BIRTH = ("birthDate", "sex")
_RACE = (*RACES, MANY_RACES)


@lru_cache(maxsize=512)
def plan_for(shape: str, version: str, fields: frozenset[str]) -> Plan:
    """The plan for one of Clever's objects. What this version or this object does not show is not read."""
    collection = COLLECTION[shape]
    found, wanted = OBJECTS[collection], set(_OWN[collection])
    if shape in PEOPLE:
        wanted -= _PREFERRED if version != "v3.1" or shape != "users" else set()
        if shape not in ("users", "contacts"):
            wanted -= {"phone", "sms"}
        wanted -= {"metadata"} if version == "v2.0" else set()
    elif version == "v2.0":
        wanted -= {"metadata"}
    own = tuple(
        sorted((c for c in shared(collection, fields)[0] if c.name in wanted), key=lambda c: c.kind != "text")
    )
    read = [(found.model, c.column) for c in own]
    parts, beside = [], {}
    if collection == "users":
        parts.append("roles")
        read += [(model_of("role"), c) for c in ("org_id", *ROLE_COLUMNS)]
        if shape in ("users", "students"):
            also = {c.name: c for c in OBJECTS["demographics"].also if f"demographics.{c.name}" in fields}
            birth = tuple(
                c
                for c in OBJECTS["demographics"].columns
                if c.name in _BIRTH and f"demographics.{c.name}" in fields
            )
            race = tuple(also[name] for name in _RACE) if also.keys() >= set(_RACE) else ()
            hispanic = tuple(c for name, c in also.items() if name == "hispanicOrLatinoEthnicity")
            for label, columns in (("demographics", birth), ("Ethnicity", race + hispanic)):
                if columns:
                    parts.append(label)
                    beside[label] = columns
                    read += [(model_of(label), c.column) for c in columns]
        if shape in ("users", "contacts") and "users.agents" in fields:
            parts.append("children of")
            read += [(model_of("guardianship"), c) for c in ("guardian_id", "child_id", "relationship")]
    if collection == "classes":
        primary = "enrollments.primary" in fields
        parts += ["terms", "members and primary" if primary else "members"]
        read = [
            (model_of("enrollment"), c)
            for c in ("klass_id", "person_id", "role", *(["primary"] if primary else []))
        ]
    personal = collection in ("users", "classes")
    return Plan(
        collection, own, (), tuple(parts), column_list([*read, (found.model, "id")]) if personal else "",
        "id" if collection == "users" else "", (), beside,
    )  # fmt: skip
