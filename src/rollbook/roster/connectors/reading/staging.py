"""The canonical staging tables: their columns, the form of each, and the words of each enumeration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from rollbook.roster.connectors.reading.clean import Column, Form
from rollbook.roster.rules.bundle import Notice

STAGING: Mapping[str, tuple[str, ...]] = {
    "org": ("sourced_id", "status", "name", "type", "identifier", "parent_sourced_id", "metadata"),
    "session": (
        "sourced_id", "status", "title", "type", "start_date", "end_date", "parent_sourced_id", "school_year", "metadata",
    ),
    "course": (
        "sourced_id", "status", "school_year_sourced_id", "title", "course_code", "grades", "org_sourced_id", "subjects",
        "subject_codes", "metadata",
    ),
    "class": (
        "sourced_id", "status", "title", "grades", "course_sourced_id", "class_code", "class_type", "location",
        "school_sourced_id", "term_sourced_ids", "subjects", "subject_codes", "periods", "metadata",
    ),
    "person": (
        "sourced_id", "status", "enabled_user", "username", "user_ids", "given_name", "family_name", "middle_name",
        "preferred_first_name", "preferred_middle_name", "preferred_last_name", "pronouns", "identifier", "email", "sms",
        "phone", "grades", "user_master_identifier", "primary_org_sourced_id", "metadata",
    ),
    "role": (
        "sourced_id", "status", "user_sourced_id", "role_type", "role", "org_sourced_id", "begin_date", "end_date",
        "user_profile",
    ),
    "enrollment": (
        "sourced_id", "status", "class_sourced_id", "school_sourced_id", "user_sourced_id", "role", "is_primary",
        "begin_date", "end_date", "metadata",
    ),
    "demographics": (
        "sourced_id", "status", "birth_date", "sex", "american_indian_or_alaska_native", "asian",
        "black_or_african_american", "native_hawaiian_or_other_pacific_islander", "white",
        "demographic_race_two_or_more_races", "hispanic_or_latino_ethnicity", "country_of_birth_code",
        "state_of_birth_abbreviation", "city_of_birth", "public_school_residence_status", "metadata",
    ),
    "guardianship": ("guardian_sourced_id", "child_sourced_id", "relationship"),
    "flag": ("user_sourced_id", "flag"),
}  # fmt: skip

BOOLEANS = frozenset(
    {
        "enabled_user", "is_primary", "american_indian_or_alaska_native", "asian", "black_or_african_american",
        "native_hawaiian_or_other_pacific_islander", "white", "demographic_race_two_or_more_races",
        "hispanic_or_latino_ethnicity", "k_primary",
    }
)  # fmt: skip
DATES = frozenset(
    {"start_date", "end_date", "begin_date", "birth_date", "k_birth_date", "k_term_start", "k_term_end"}
)
LISTS = frozenset(
    {
        "grades", "subjects", "subject_codes", "periods", "term_sourced_ids", "k_orgs", "k_agents", "k_grade", "k_race",
        "k_ethnicity",
    }
)  # fmt: skip

STATUSES = ("active", "tobedeleted")
ORG_TYPES = ("department", "school", "district", "local", "state", "national")
SESSION_TYPES = ("gradingPeriod", "semester", "schoolYear", "term")
CLASS_TYPES = ("homeroom", "scheduled")
ROLES = (
    "aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor", "relative",
    "siteAdministrator", "student", "systemAdministrator", "teacher",
)  # fmt: skip
ENROLLMENT_ROLES = ("administrator", "proctor", "student", "teacher")
GUARDIAN_ROLES = ("guardian", "parent", "relative")
SEXES = ("male", "female", "unspecified", "other")

_STATUS_WORDS = {
    "inactive": ("tobedeleted", "legacy-status"),
    "deleted": ("tobedeleted", "enum-synonym"),
    "delete": ("tobedeleted", "enum-synonym"),
    "enabled": ("active", "enum-synonym"),
}
_SEX_WORDS = {
    "m": ("male", "enum-synonym"),
    "f": ("female", "enum-synonym"),
    "u": ("unspecified", "enum-synonym"),
    "unknown": ("unspecified", "enum-synonym"),
    "notspecified": ("unspecified", "enum-synonym"),
    "o": ("other", "enum-synonym"),
    "x": ("other", "enum-synonym"),
}
_ROLE_WORDS = {
    "pupil": ("student", "enum-synonym"),
    "learner": ("student", "enum-synonym"),
    "mother": ("parent", "enum-synonym"),
    "father": ("parent", "enum-synonym"),
    "counsellor": ("counselor", "enum-synonym"),
    "instructor": ("teacher", "enum-synonym"),
}
_SESSION_WORDS = {
    "year": ("schoolYear", "enum-synonym"),
    "academicyear": ("schoolYear", "enum-synonym"),
    "quarter": ("gradingPeriod", "enum-synonym"),
    "trimester": ("term", "enum-synonym"),
}


def enumeration(kind: str, column: str) -> tuple[tuple[str, ...], Mapping[str, tuple[str, str]]] | None:
    """The allowed spellings of an enumerated column and the other words understood, or None when it is free text."""
    words: Mapping[tuple[str, str], tuple[tuple[str, ...], Mapping[str, tuple[str, str]]]] = {
        ("org", "type"): (ORG_TYPES, {}),
        ("session", "type"): (SESSION_TYPES, _SESSION_WORDS),
        ("class", "class_type"): (CLASS_TYPES, {}),
        ("person", "k_role"): ((*ROLES, "administrator"), _ROLE_WORDS),
        ("person", "k_sex"): (SEXES, _SEX_WORDS),
        ("person", "k_status"): (("active", "inactive"), {}),
        ("guardianship", "relationship"): (GUARDIAN_ROLES, _ROLE_WORDS),
        ("role", "role"): ((*ROLES, "administrator"), _ROLE_WORDS),
        ("role", "role_type"): (("primary", "secondary"), {}),
        ("enrollment", "role"): (ENROLLMENT_ROLES, _ROLE_WORDS),
        ("demographics", "sex"): (SEXES, _SEX_WORDS),
    }
    if column == "status":
        return STATUSES, _STATUS_WORDS
    return words.get((kind, column))


def column(kind: str, staged: str, shown: str, more: Mapping[str, tuple[str, str]] | None = None) -> Column:
    """How the staging column of a kind is to be looked at; more adds words of one format."""
    form: Form = "text"
    if staged in BOOLEANS:
        form = "boolean"
    elif staged in DATES:
        form = "date"
    elif staged in LISTS:
        form = "list"
    elif staged == "user_ids":
        form = "user_ids"
    elif staged == "school_year":
        form = "year"
    words = enumeration(kind, staged)
    if words is None:
        return Column(staged, shown, form)
    return Column(staged, shown, "enum", words[0], {**words[1], **(more or {})})


def reset(con: duckdb.DuckDBPyConnection) -> None:
    """Drop and make anew the bookkeeping tables; drop every staging table."""
    for kind in STAGING:
        con.execute(f"DROP TABLE IF EXISTS s_{kind}")
    con.execute(
        "CREATE OR REPLACE TABLE s_notice (code VARCHAR, severity VARCHAR, file VARCHAR, row BIGINT, column_name VARCHAR, "
        "value VARCHAR, message VARCHAR, mend VARCHAR, n BIGINT)"
    )
    con.execute(
        "CREATE OR REPLACE TABLE s_file (name VARCHAR, kind VARCHAR, mode VARCHAR, rows BIGINT, sha256 VARCHAR)"
    )


def make_missing(con: duckdb.DuckDBPyConnection) -> None:
    """Make every staging table that no file filled."""
    for kind, columns in STAGING.items():
        named = ", ".join(f"{c} VARCHAR" for c in columns)
        con.execute(f"CREATE TABLE IF NOT EXISTS s_{kind} ({named}, _file VARCHAR, _row BIGINT)")


def put_notices(con: duckdb.DuckDBPyConnection, notices: Iterable[Notice]) -> None:
    """Write the notices."""
    rows = [
        (n.code, n.severity, n.file, n.row, n.column_name, n.value, n.message, n.mend, n.n) for n in notices
    ]
    if rows:
        con.executemany("INSERT INTO s_notice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
