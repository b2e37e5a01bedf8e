"""What a sync knows of each kind of row: where it is staged, where it goes, what it needs, what it refers to.

Everything here is data for the SQL that `check` and `apply` put together. `s` is the staged row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# ---- The words that mean something. Others are set aside, or dropped where the row is useful without them.

ORG_TYPES = ("department", "school", "district", "local", "state", "national")
SESSION_TYPES = ("gradingPeriod", "semester", "schoolYear", "term")
CLASS_TYPES = ("homeroom", "scheduled")
ROLES = (
    "aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor", "relative",
    "siteAdministrator", "student", "systemAdministrator", "teacher",
)  # fmt: skip
ENROLLMENT_ROLES = ("administrator", "proctor", "student", "teacher")
SEXES = ("male", "female", "unspecified", "other")
ETHNICITIES = (
    "american_indian_or_alaska_native", "asian", "black_or_african_american", "native_hawaiian_or_other_pacific_islander",
    "white", "demographic_race_two_or_more_races", "hispanic_or_latino_ethnicity",
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of the table and the DuckDB SQL that gives its value from the staged row."""

    name: str
    sql: str
    source: str


@dataclass(frozen=True)
class Ref:
    """A reference: the column that keeps the id, the staged column that names the row, its kind.

    required: a row whose reference finds nothing is set aside; otherwise it is kept without the reference.
    """

    column: str
    source: str
    kind: str
    required: bool = True


@dataclass(frozen=True)
class Check:
    """A test of one staged column. `when` is true for a row that fails. fatal: the row is set aside."""

    code: str
    source: str
    when: str
    reason: str
    mend: str
    fatal: bool = True
    ref: Ref | None = None
    value: str = ""  # SQL for what to show, where it is not the staged column


@dataclass(frozen=True)
class Spec:
    """One kind of row. kind: what the bundle calls it (ethnicity comes with demographics)."""

    entity: str
    table: str
    columns: Sequence[Column]
    refs: Sequence[Ref] = ()
    checks: Sequence[Check] = ()
    kind: str = ""
    source: str = ""
    said: str = ""  # one of them, in words
    many: str = ""
    file: str = ""
    quiet_duplicates: bool = False

    @property
    def of(self) -> str:
        """The kind of the bundle."""
        return self.kind or self.entity

    @property
    def staged(self) -> str:
        """A subquery that gives the staged rows, each with `rid`, `sourced_id` and `status`."""
        return self.source or f"(SELECT rowid AS rid, * FROM s_{self.entity})"

    @property
    def written(self) -> list[str]:
        """The columns of the table that a sync writes besides those that every row has, in order."""
        return [r.column for r in self.refs] + [c.name for c in self.columns]


def shown(source: str) -> str:
    """A staged column by its published name (`end_date` -> `endDate`)."""
    if source == "is_primary":
        return "primary"
    first, *rest = source.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _text(*names: str) -> list[Column]:
    return [Column(name, f"coalesce(s.{name}, '')", name) for name in names]


def _date(*names: str) -> list[Column]:
    return [Column(name, f"iso(s.{name})", name) for name in names]


def _flag(name: str, source: str = "") -> Column:
    source = source or name
    return Column(name, f"CASE s.{source} WHEN 'true' THEN true WHEN 'false' THEN false END", source)


def _known(source: str, values: Sequence[str], ext: bool = False) -> str:
    listed = ", ".join(f"'{v}'" for v in values)
    more = f" OR s.{source} LIKE 'ext:_%'" if ext else ""
    return f"(s.{source} IN ({listed}){more})"


def _enum(name: str, values: Sequence[str], default: str = "", ext: bool = False) -> Column:
    return Column(name, f"CASE WHEN {_known(name, values, ext)} THEN s.{name} ELSE '{default}' END", name)


def _missing(*names: str) -> list[Check]:
    return [
        Check(
            "missing",
            n,
            f"s.{n} IS NULL",
            f"{shown(n)} is empty.",
            f"Fill in {shown(n)} in the source system.",
        )
        for n in names
    ]


def _unknown(name: str, values: Sequence[str], fatal: bool = True, ext: bool = False) -> Check:
    what = f"{shown(name)} has a value that means nothing here"
    return Check(
        "value", name, f"s.{name} IS NOT NULL AND NOT {_known(name, values, ext)}",
        what + ("." if fatal else "; the row was kept without it."),
        f"Write one of: {', '.join(values)}.", fatal,
    )  # fmt: skip


def _bool(name: str, fatal: bool = False) -> Check:
    what = f"{shown(name)} is neither true nor false"
    return Check(
        "value", name, f"s.{name} NOT IN ('true', 'false')",
        what + ("." if fatal else "; the row was kept without it."), "Write true or false.", fatal,
    )  # fmt: skip


def _bad_date(name: str, fatal: bool = True, past: bool = False) -> Check:
    when = f"s.{name} IS NOT NULL AND iso(s.{name}) IS NULL"
    what = f"{shown(name)} is not a day of the calendar"
    if past:
        when = f"s.{name} IS NOT NULL AND (iso(s.{name}) IS NULL OR s.{name} > day_now())"
        what += " that has been"
    return Check(
        "date",
        name,
        when,
        what + ("." if fatal else "; the row was kept without it."),
        "Write it as YYYY-MM-DD.",
        fatal,
    )


def _order(begin: str, end: str) -> Check:
    return Check(
        "order", end, f"iso(s.{end}) < iso(s.{begin})", f"{shown(end)} comes before {shown(begin)}.",
        "Correct one of the two days in the source system.",
    )  # fmt: skip


def ref_check(ref: Ref) -> Check:
    """The check that a reference finds its row. The reason is made where it is known why it does not."""
    return Check(
        "reference",
        ref.source,
        f"s.{ref.source} IS NOT NULL AND r_{ref.column}.id IS NULL",
        "",
        "",
        ref.required,
        ref,
    )


_BASE = [
    Check(
        "missing", "sourced_id", "s.sourced_id IS NULL", "sourcedId is empty.",
        "Give the row the id that the source system knows it by.",
    ),
    Check(
        "value", "status", "s.status NOT IN ('active', 'tobedeleted')", "status has a value that means nothing here.",
        "Write active or tobedeleted, or leave it blank.",
    ),
]  # fmt: skip

_PERIOD = [_bad_date("begin_date"), _bad_date("end_date"), _order("begin_date", "end_date")]

# A user name alone will do: the least that Microsoft's format asks for is an id, a school and a user name.
NAME_CHECK = Check(
    "missing", "family_name", "s.given_name IS NULL AND s.family_name IS NULL AND s.username IS NULL",
    "givenName, familyName and username are all empty.",
    "Fill in at least one of the three in the source system.",
)  # fmt: skip

SPECS: dict[str, Spec] = {
    spec.entity: spec
    for spec in (
        Spec(
            "org", "roster_org",
            [*_text("name"), _enum("type", ORG_TYPES, ext=True), *_text("identifier", "metadata")],
            [Ref("parent_id", "parent_sourced_id", "org", required=False)],
            [*_missing("name"), _unknown("type", ORG_TYPES, fatal=False, ext=True)],
            said="an org", many="orgs", file="orgs.csv",
        ),
        Spec(
            "session", "roster_academicsession",
            [
                *_text("title"), _enum("type", SESSION_TYPES, ext=True), *_date("start_date", "end_date"),
                *_text("school_year", "metadata"),
            ],
            [Ref("parent_id", "parent_sourced_id", "session", required=False)],
            [
                *_missing("title", "start_date", "end_date"), _unknown("type", SESSION_TYPES, fatal=False, ext=True),
                _bad_date("start_date"), _bad_date("end_date"), _order("start_date", "end_date"),
            ],
            said="an academic session", many="academic sessions", file="academicSessions.csv",
        ),
        Spec(
            "course", "roster_course",
            _text("title", "course_code", "grades", "subjects", "subject_codes", "metadata"),
            [
                Ref("school_year_id", "school_year_sourced_id", "session", required=False),
                Ref("org_id", "org_sourced_id", "org", required=False),
            ],
            _missing("title"), said="a course", many="courses", file="courses.csv",
        ),
        Spec(
            "class", "roster_class",
            [
                *_text("title", "class_code"), _enum("class_type", CLASS_TYPES, ext=True),
                *_text("location", "grades", "subjects", "subject_codes", "periods", "metadata"),
            ],
            [
                Ref("school_id", "school_sourced_id", "org"),
                Ref("course_id", "course_sourced_id", "course", required=False),
            ],
            [
                *_missing("title", "school_sourced_id"), _unknown("class_type", CLASS_TYPES, fatal=False, ext=True),
                Check(
                    "reference", "term_sourced_ids", "t.lost IS NOT NULL",
                    "termSourcedIds names an academic session that was not found; the row was kept without it.",
                    "Add the session to academicSessions.csv, or correct the reference.", fatal=False, value="t.lost",
                ),
            ],
            said="a class", many="classes", file="classes.csv",
        ),
        Spec(
            "person", "roster_person",
            [
                *_text(
                    "given_name", "family_name", "middle_name", "preferred_first_name", "preferred_middle_name",
                    "preferred_last_name", "pronouns",
                ),
                Column(
                    "name_key",
                    "trim(lower(strip_accents(coalesce(s.family_name, '') || ' ' || coalesce(s.given_name, ''))))", "",
                ),
                Column("enabled_user", "coalesce(s.enabled_user, 'true') = 'true'", "enabled_user"),
                *_text(
                    "username", "user_master_identifier", "identifier", "user_ids", "email", "sms", "phone", "grades",
                    "metadata",
                ),
            ],
            [Ref("primary_org_id", "primary_org_sourced_id", "org", required=False)],
            [NAME_CHECK, _bool("enabled_user", fatal=True)],
            said="a person", many="people", file="users.csv",
        ),
        Spec(
            "role", "roster_role",
            [
                Column("role", "s.role", "role"), _enum("role_type", ("primary", "secondary"), "primary"),
                *_date("begin_date", "end_date"), *_text("user_profile"),
            ],
            [Ref("person_id", "user_sourced_id", "person"), Ref("org_id", "org_sourced_id", "org")],
            [
                *_missing("user_sourced_id", "org_sourced_id", "role"), _unknown("role", ROLES),
                _unknown("role_type", ("primary", "secondary"), fatal=False), *_PERIOD,
            ],
            said="a role", many="roles",
        ),
        Spec(
            "enrollment", "roster_enrollment",
            [
                Column("role", "s.role", "role"), _flag("primary", "is_primary"), *_date("begin_date", "end_date"),
                *_text("metadata"),
            ],
            [
                Ref("person_id", "user_sourced_id", "person"), Ref("class_id", "class_sourced_id", "class"),
                Ref("school_id", "school_sourced_id", "org"),
            ],
            [
                *_missing("user_sourced_id", "class_sourced_id", "role"), _unknown("role", ENROLLMENT_ROLES),
                _bool("is_primary"), *_PERIOD,
            ],
            said="an enrollment", many="enrollments",
        ),
        Spec(
            "demographics", "roster_demographics",
            [
                Column("birth_date", "CASE WHEN s.birth_date <= day_now() THEN iso(s.birth_date) END", "birth_date"),
                _enum("sex", SEXES),
                *_text(
                    "country_of_birth_code", "state_of_birth_abbreviation", "city_of_birth",
                    "public_school_residence_status", "metadata",
                ),
            ],
            [Ref("person_id", "sourced_id", "person")],
            [
                _bad_date("birth_date", fatal=False, past=True), _unknown("sex", SEXES, fatal=False),
                *[_bool(e) for e in ETHNICITIES],
            ],
            said="a demographics row", many="demographics rows",
        ),
        Spec(
            "ethnicity", "roster_ethnicity", [_flag(e) for e in ETHNICITIES], [Ref("person_id", "sourced_id", "person")],
            kind="demographics",
            source="(SELECT s.rowid AS rid, s.* FROM s_demographics s JOIN j_demographics j ON j.rid = s.rowid AND"
                   " j.act IN (0, 1, 2, 5)"
            f" WHERE 'true' IN ({', '.join('s.' + e for e in ETHNICITIES)}))",
            said="an ethnicity row", many="ethnicity rows",
        ),
        Spec(
            "guardianship", "roster_guardianship", _text("relationship"),
            [Ref("guardian_id", "guardian_sourced_id", "person"), Ref("child_id", "child_sourced_id", "person")],
            [
                *_missing("guardian_sourced_id", "child_sourced_id"),
                Check(
                    "value", "child_sourced_id", "s.guardian_sourced_id = s.child_sourced_id",
                    "A person is named as their own guardian.", "Take the row out, or name the other person.",
                ),
            ],
            source="(SELECT rowid AS rid, guardian_sourced_id || ':' || child_sourced_id AS sourced_id,"
            " CAST(NULL AS VARCHAR) AS status, * FROM s_guardianship)",
            said="a guardianship", many="guardianships", quiet_duplicates=True,
        ),
        Spec(
            "flag", "roster_flag", [Column("flag", "s.flag", "flag")], [Ref("person_id", "user_sourced_id", "person")],
            _missing("user_sourced_id", "flag"),
            source="(SELECT rowid AS rid, user_sourced_id || ':' || flag AS sourced_id, CAST(NULL AS VARCHAR) AS status, *"
            " FROM s_flag)",
            said="a flag", many="flags", quiet_duplicates=True,
        ),
    )
}  # fmt: skip

TARGETS = ("org", "session", "course", "class", "person")  # what others refer to
KEYED = frozenset(
    {"guardianship", "flag"}
)  # their sourcedId is made of their references: a missing one is said there


def checks_of(spec: Spec) -> list[Check]:
    """Every check of a kind, in the order of the bits of its mask."""
    base = [] if spec.entity in KEYED else _BASE
    return [*base, *spec.checks, *(ref_check(r) for r in spec.refs)]
