"""From the files of a School Data Sync bundle to the staging tables; SDS is always bulk (whole)."""

from __future__ import annotations

from collections.abc import Mapping

from rollbook.roster.connectors.reading.header import FileSpec, plain, split
from rollbook.roster.connectors.reading.pipeline import Raw, Reader
from rollbook.roster.connectors.reading.source import Entry
from rollbook.roster.connectors.reading.staging import STAGING
from rollbook.roster.connectors.sds.specs import V1_FILES, V1_REQUIRED, V1_UNUSED, V2_FILES, V2_REQUIRED
from rollbook.roster.rules.bundle import Refused

_RACES = {
    "american_indian_or_alaska_native": "americanIndianOrAlaskaNative",
    "asian": "asian",
    "black_or_african_american": "blackOrAfricanAmerican",
    "native_hawaiian_or_other_pacific_islander": "nativeHawaiianOrOtherPacificIslander",
    "white": "white",
    "demographic_race_two_or_more_races": "demographicRaceTwoOrMoreRaces",
}


def _load(
    reader: Reader, files: Mapping[str, Entry], specs: Mapping[str, FileSpec], required: tuple[str, ...]
) -> dict[str, Raw]:
    raws: dict[str, Raw] = {}
    for name in required:
        if name not in files:
            raise Refused(
                f"There is no '{name}'; a School Data Sync bundle always holds {', '.join(required)}.", name,
                mend=f"Export the bundle again with '{name}'.",
            )  # fmt: skip
    for name, spec in specs.items():
        if name in files:
            raw = reader.load(files[name], spec, specs, required=name in required)
            if raw is not None:
                raws[name] = raw
    for name, entry in files.items():
        if name not in specs:
            reader.warn(
                "file-not-used",
                entry.name,
                "The file is not part of this format; it was not read.",
                "Nothing to do.",
            )
    return raws


def _speaks(reader: Reader, kinds: set[str], raw: Raw, kind: str) -> None:
    kinds.add(kind)
    reader.put_file(raw, kind)


def _repeated(reader: Reader, raw: Raw, key: str) -> None:
    """Keep the first of the rows that say the same; SDS rows of this file have no id of their own."""
    where = f"_row NOT IN (SELECT min(_row) FROM {raw.table} GROUP BY {key})"
    row = reader.con.execute(f"SELECT count(*), min(_row) FROM {raw.table} WHERE {where}").fetchone()
    if row and row[0]:
        reader.con.execute(f"DELETE FROM {raw.table} WHERE {where}")
        reader.warn("repeated-row", raw.entry.name, "Rows that say the same as an earlier row were left out.",
                    "Export each row once.", row=int(row[1]), n=int(row[0]))  # fmt: skip


# --- V2 and V2.1 -----------------------------------------------------------------------------------------------------


def read_v2(reader: Reader, files: Mapping[str, Entry]) -> tuple[str, frozenset[str]]:
    """Stage SDS V2 (roles in users.csv) or V2.1 (roles.csv); the version and the kinds. Raises Refused."""
    con = reader.con
    raws = _load(reader, files, V2_FILES, V2_REQUIRED)
    users = raws["users.csv"]
    version = "v2.1" if "roles.csv" in raws or "k_role" not in users.columns else "v2"
    reader.clean()
    kinds: set[str] = set()
    for name in ("orgs.csv", "academicSessions.csv", "courses.csv", "classes.csv"):
        if name in raws:
            reader.keep(raws[name], raws[name].spec.kind)
            _speaks(reader, kinds, raws[name], raws[name].spec.kind)
    if "k_directory" in users.columns:
        con.execute(
            f"UPDATE {users.table} SET user_ids = '{{activeDirectoryMatchId:' || k_directory || '}}' "
            "WHERE k_directory IS NOT NULL"
        )
    roles = raws.get("roles.csv")
    if roles is not None:
        reader.fill("role", [_v21_roles(roles, "session" in kinds)])
        _speaks(reader, kinds, roles, "role")
        _person_from_roles(reader, users, roles)
    elif {"k_role", "k_orgs"} <= users.columns:
        reader.fill("role", [_v2_roles(users.table)])
        _speaks(reader, kinds, users, "role")
        con.execute(
            f"UPDATE {users.table} SET primary_org_sourced_id = split_part(k_orgs, ',', 1) WHERE k_orgs IS NOT NULL"
        )
    reader.administrators()
    reader.keep(users, "person")
    _speaks(reader, kinds, users, "person")
    if "enrollments.csv" in raws:
        raw = raws["enrollments.csv"]
        _repeated(reader, raw, "class_sourced_id, user_sourced_id, role")
        reader.fill("enrollment", [_enrollments(raw.table, "role", "class" in kinds)])
        _speaks(reader, kinds, raw, "enrollment")
    if "relationships.csv" in raws:
        raw = raws["relationships.csv"]
        _repeated(reader, raw, "guardian_sourced_id, child_sourced_id, relationship")
        reader.keep(raw, "guardianship")
        _speaks(reader, kinds, raw, "guardianship")
    if "demographics.csv" in raws:
        _races(reader, raws["demographics.csv"])
        reader.keep(raws["demographics.csv"], "demographics")
        _speaks(reader, kinds, raws["demographics.csv"], "demographics")
    if "userFlags.csv" in raws:
        raw = raws["userFlags.csv"]
        _repeated(reader, raw, "user_sourced_id, flag")
        reader.keep(raw, "flag")
        _speaks(reader, kinds, raw, "flag")
    return version, frozenset(kinds)


def _v2_roles(table: str) -> str:
    return (
        "SELECT sourced_id || ':' || org || ':' || k_role AS sourced_id, sourced_id AS user_sourced_id, "
        "CASE WHEN i = 1 THEN 'primary' ELSE 'secondary' END AS role_type, k_role AS role, org AS org_sourced_id, _file, _row "
        "FROM (SELECT sourced_id, k_role, _file, _row, unnest(orgs) AS org, generate_subscripts(orgs, 1) AS i FROM "
        "(SELECT sourced_id, k_role, _file, _row, string_split(k_orgs, ',') AS orgs "
        f"FROM {table} WHERE sourced_id IS NOT NULL AND k_role IS NOT NULL AND k_orgs IS NOT NULL)) "
        "QUALIFY row_number() OVER (PARTITION BY _row, org ORDER BY i) = 1"
    )


def _v21_roles(raw: Raw, sessions: bool) -> str:
    """One role a user, org and word: its sessions become its dates where it has none of its own."""
    primary = "k_primary" if "k_primary" in raw.columns else "NULL::VARCHAR"
    begin, end, join = "r.begin_date", "r.end_date", ""
    if sessions and "k_session" in raw.columns:
        begin, end = "coalesce(r.begin_date, t.start_date)", "coalesce(r.end_date, t.end_date)"
        join = (
            "LEFT JOIN (SELECT sourced_id, any_value(start_date) AS start_date, any_value(end_date) AS end_date "
            "FROM s_session GROUP BY sourced_id) t ON t.sourced_id = r.k_session"
        )
    return (
        f"WITH r AS (SELECT r.user_sourced_id, r.org_sourced_id, r.role, {primary} AS p, {begin} AS b, {end} AS e, r._file, "
        f"r._row FROM {raw.table} r {join}), g AS (SELECT user_sourced_id, org_sourced_id, role, max(p) AS p, "
        "CASE WHEN count(*) = count(b) THEN min(b) END AS b, CASE WHEN count(*) = count(e) THEN max(e) END AS e, "
        "arg_min(_file, _row) AS _file, min(_row) AS _row FROM r GROUP BY user_sourced_id, org_sourced_id, role) "
        "SELECT user_sourced_id || ':' || org_sourced_id || ':' || role AS sourced_id, user_sourced_id, "
        "CASE WHEN p = 'true' THEN 'primary' WHEN p = 'false' THEN 'secondary' WHEN max(p) OVER w IS DISTINCT FROM 'true' AND "
        "row_number() OVER (w ORDER BY _row) = 1 THEN 'primary' ELSE 'secondary' END AS role_type, role, org_sourced_id, "
        "b AS begin_date, e AS end_date, _file, _row FROM g WINDOW w AS (PARTITION BY user_sourced_id)"
    )


def _person_from_roles(reader: Reader, users: Raw, roles: Raw) -> None:
    """V2.1 tells a person's grade and main org in roles.csv."""
    grade = "k_grade" if "k_grade" in roles.columns else "NULL::VARCHAR"
    reader.con.execute(
        f"UPDATE {users.table} SET grades = coalesce({users.table}.grades, m.grades), primary_org_sourced_id = m.org FROM ("
        f"SELECT user_sourced_id AS id, string_agg(DISTINCT {grade}, ',' ORDER BY {grade}) AS grades, "
        f"(SELECT arg_min(s.org_sourced_id, s._row) FROM s_role s WHERE s.user_sourced_id = r.user_sourced_id "
        f"AND s.role_type = 'primary') AS org FROM {roles.table} r GROUP BY user_sourced_id) m "
        f"WHERE m.id = {users.table}.sourced_id"
    )


def _enrollments(table: str, role: str, classes: bool) -> str:
    """Enrollments with an id made of what they join, and the school of their class."""
    school = "c.school_sourced_id" if classes else "NULL::VARCHAR"
    join = (
        "LEFT JOIN (SELECT sourced_id, any_value(school_sourced_id) AS school_sourced_id FROM s_class GROUP BY sourced_id) c "
        "ON c.sourced_id = e.class_sourced_id"
        if classes
        else ""
    )
    return (
        f"SELECT e.class_sourced_id || ':' || e.user_sourced_id || ':' || {role} AS sourced_id, e.class_sourced_id, "
        f"{school} AS school_sourced_id, e.user_sourced_id, {role} AS role, e.metadata, e._file, e._row FROM {table} e {join}"
    )


def _races(reader: Reader, raw: Raw) -> None:
    """SDS lists race and ethnicity codes in a cell; OneRoster has a column for each."""
    said = " || ',' || ".join(f"coalesce({c}, '')" for c in ("k_race", "k_ethnicity") if c in raw.columns)
    if not said:
        return
    words = {**_RACES, "hispanic_or_latino_ethnicity": "hispanicOrLatinoEthnicity"}
    sets = ", ".join(
        f"{c} = CASE WHEN list_contains(string_split(lower({said}), ','), '{w.lower()}') THEN 'true' END"
        for c, w in words.items()
    )
    reader.con.execute(f"UPDATE {raw.table} SET {sets}")
    known = ", ".join(f"'{w.lower()}'" for w in words.values())
    odd = f"len(list_filter(string_split(lower({said}), ','), lambda x: x <> '' AND x NOT IN ({known}))) > 0"
    row = reader.con.execute(f"SELECT count(*), min(_row) FROM {raw.table} WHERE {odd}").fetchone()
    if row and row[0]:
        reader.warn("sds-code", raw.entry.name, "A race or ethnicity code is not known; it was left out.",
                    f"Use: {', '.join(words.values())}.", "raceCodes", int(row[1]), int(row[0]))  # fmt: skip


# --- V1 and its UK form ----------------------------------------------------------------------------------------------


def read_v1(reader: Reader, files: Mapping[str, Entry]) -> tuple[str, frozenset[str]]:
    """Stage SDS V1 or its UK form; the version and the kinds. Raises Refused."""
    con = reader.con
    named = {name: entry for name, entry in files.items() if name not in V1_UNUSED}
    for name in V1_UNUSED:
        if name in files:
            reader.warn("file-not-used", files[name].name, "Guardians of SDS V1 have no id; the file was not read.",
                        "Export V2.1, whose relationships.csv has ids.")  # fmt: skip
    uk = "School.csv" in named and _is_uk(reader, named["School.csv"])
    specs = {name: _uk(spec) for name, spec in V1_FILES.items()} if uk else V1_FILES
    raws = _load(reader, named, specs, V1_REQUIRED)
    reader.clean()
    kinds: set[str] = set()
    con.execute(f"UPDATE {raws['School.csv'].table} SET type = 'school'")
    reader.keep(raws["School.csv"], "org")
    _speaks(reader, kinds, raws["School.csv"], "org")
    students, teachers = raws["Student.csv"], raws["Teacher.csv"]
    if {"k_birth_date", "k_sex"} & students.columns:
        reader.fill("demographics", [_v1_demographics(students)])
        _speaks(reader, kinds, students, "demographics")
    reader.fill("role", [_v1_roles(students, "student"), _v1_roles(teachers, "teacher")])
    reader.fill("person", [_v1_people(students), _v1_people(teachers)])
    for raw in (students, teachers):
        _speaks(reader, kinds, raw, "role")
        _speaks(reader, kinds, raw, "person")
    if "Section.csv" in raws:
        _v1_sections(reader, raws["Section.csv"], kinds)
    rosters = [
        (name, role)
        for name, role in (("StudentEnrollment.csv", "student"), ("TeacherRoster.csv", "teacher"))
    ]
    if all(name in raws for name, _ in rosters):
        for name, role in rosters:
            raw = raws[name]
            _repeated(reader, raw, "class_sourced_id, user_sourced_id")
            reader.fill("enrollment", [_enrollments(raw.table, f"'{role}'", "class" in kinds)])
            _speaks(reader, kinds, raw, "enrollment")
    else:
        for name, _ in rosters:
            if name in raws:
                reader.warn(
                    "half-roster", raws[name].entry.name,
                    "Only one of StudentEnrollment.csv and TeacherRoster.csv could be read; enrollments stay as they are.",
                    "Export both files.",
                )  # fmt: skip
    return "v1-uk" if uk else "v1", frozenset(kinds)


def _is_uk(reader: Reader, school: Entry) -> bool:
    cells, _, _, _ = split(reader.head(school), frozenset())
    return "dfenumber" in {plain(cell) for cell in cells}


def _uk(spec: FileSpec) -> FileSpec:
    """The UK form of a V1 file: the same columns under the names the UK form publishes."""
    to = {"School SIS ID": "School DfE Number", "Section SIS ID": "Section ID", "SIS ID": "ID"}
    if spec.name == "School.csv":
        to = {"SIS ID": "DfE Number", "Zip": "Postal Code"}
    staged = {to.get(name, name): column for name, column in spec.staged.items()}
    aliases = {alias: to.get(name, name) for alias, name in spec.aliases.items() if alias not in staged}
    aliases |= {old: new for old, new in to.items() if new in staged}
    return FileSpec(
        spec.name, spec.kind, staged, tuple(to.get(n, n) for n in spec.required), aliases, spec.words
    )


def _v1_people(raw: Raw) -> str:
    """A person at two schools has two rows; rows under one id that name different people both stay, for the check."""
    columns = [c for c in STAGING["person"] if c not in ("enabled_user", "primary_org_sourced_id")]
    enabled = (
        "CASE k_status WHEN 'active' THEN 'true' WHEN 'inactive' THEN 'false' END"
        if "k_status" in raw.columns
        else "NULL"
    )
    return (
        f"SELECT {', '.join(columns)}, {enabled} AS enabled_user, k_orgs AS primary_org_sourced_id, _file, _row FROM {raw.table} "
        "QUALIFY sourced_id IS NULL OR row_number() OVER (PARTITION BY sourced_id, username, given_name, family_name "
        "ORDER BY _row) = 1"
    )


def _v1_roles(raw: Raw, role: str) -> str:
    return (
        f"SELECT sourced_id || ':' || k_orgs || ':{role}' AS sourced_id, sourced_id AS user_sourced_id, "
        "CASE WHEN row_number() OVER (PARTITION BY sourced_id ORDER BY _row) = 1 THEN 'primary' ELSE 'secondary' END "
        f"AS role_type, '{role}' AS role, k_orgs AS org_sourced_id, _file, _row FROM {raw.table} WHERE sourced_id IS NOT NULL "
        "QUALIFY row_number() OVER (PARTITION BY sourced_id, k_orgs ORDER BY _row) = 1"
    )


def _v1_demographics(raw: Raw) -> str:
    birth = "k_birth_date" if "k_birth_date" in raw.columns else "NULL"
    sex = "k_sex" if "k_sex" in raw.columns else "NULL"
    return (
        f"SELECT sourced_id, {birth} AS birth_date, {sex} AS sex, _file, _row FROM {raw.table} WHERE sourced_id IS NOT NULL "
        f"AND coalesce({birth}, {sex}) IS NOT NULL QUALIFY row_number() OVER (PARTITION BY sourced_id ORDER BY _row) = 1"
    )


def _v1_sections(reader: Reader, raw: Raw, kinds: set[str]) -> None:
    """Classes, and the terms and courses that stand in their rows."""
    con, table = reader.con, raw.table
    if "term_sourced_ids" in raw.columns:
        name, start, end = (
            c if c in raw.columns else "NULL::VARCHAR" for c in ("k_term_name", "k_term_start", "k_term_end")
        )
        first = f"coalesce(arg_min({name}, _row), term_sourced_ids)"
        days = f"try_cast(arg_min({end}, _row) AS DATE) - try_cast(arg_min({start}, _row) AS DATE)"
        reader.fill("session", [
            f"SELECT term_sourced_ids AS sourced_id, {first} AS title, CASE WHEN {days} > 300 THEN 'schoolYear' ELSE 'term' END "
            f"AS type, arg_min({start}, _row) AS start_date, arg_min({end}, _row) AS end_date, "
            f"year(try_cast(arg_min({end}, _row) AS DATE))::VARCHAR AS school_year, any_value(_file) AS _file, min(_row) AS _row "
            f"FROM {table} WHERE term_sourced_ids IS NOT NULL GROUP BY term_sourced_ids"
        ])  # fmt: skip
        _speaks(reader, kinds, raw, "session")
        _disagree(reader, raw, "term_sourced_ids", f"concat_ws('|', {name}, {start}, {end})", "Term SIS ID")
    if "course_sourced_id" in raw.columns:
        name, code = (
            c if c in raw.columns else "NULL::VARCHAR" for c in ("k_course_name", "k_course_number")
        )
        reader.fill("course", [
            f"SELECT course_sourced_id AS sourced_id, coalesce(arg_min({name}, _row), course_sourced_id) AS title, "
            f"arg_min({code}, _row) AS course_code, arg_min(subjects, _row) AS subjects, CASE WHEN count(DISTINCT "
            f"school_sourced_id) = 1 THEN any_value(school_sourced_id) END AS org_sourced_id, any_value(_file) AS _file, "
            f"min(_row) AS _row FROM {table} WHERE course_sourced_id IS NOT NULL GROUP BY course_sourced_id"
        ])  # fmt: skip
        _speaks(reader, kinds, raw, "course")
        _disagree(reader, raw, "course_sourced_id", f"concat_ws('|', {name}, {code})", "Course SIS ID")
    con.execute(f"UPDATE {table} SET class_type = 'scheduled'")
    reader.keep(raw, "class")
    _speaks(reader, kinds, raw, "class")


def _disagree(reader: Reader, raw: Raw, key: str, said: str, shown: str) -> None:
    """Note ids that stand for different things in different rows; the first row was taken."""
    row = reader.con.execute(
        f"SELECT count(*), min(r) FROM (SELECT min(_row) AS r FROM {raw.table} WHERE {key} IS NOT NULL GROUP BY {key} "
        f"HAVING count(DISTINCT {said}) > 1)"
    ).fetchone()
    if row and row[0]:
        reader.warn("rows-disagree", raw.entry.name, f"Rows with one {shown} describe it differently; the first was taken.",
                    f"Give each its own {shown}, or describe it alike.", shown, int(row[1]), int(row[0]))  # fmt: skip
