"""The invented trust: the same every time, whole in its references, and with the cases that real rosters bring."""

from __future__ import annotations

import csv
import hashlib
import unicodedata
import zipfile
from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import Path

import pytest

from rollbook.roster.connectors.generate import GenerateError, generate_oneroster

STUDENTS, SCHOOLS = 1300, 7
TODAY = "2026-11-21"

Rows = list[dict[str, str]]


@lru_cache(maxsize=64)
def rows(path: Path, name: str) -> Rows:
    """The rows of one file of a bundle folder, read strictly: a row of another length than the header is an error."""
    with (path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file, strict=True))
    assert all(None not in row and None not in row.values() for row in found), f"{name}.csv is ragged"
    return found


def by_id(found: Rows) -> dict[str, dict[str, str]]:
    keyed = {row["sourcedId"]: row for row in found}
    assert len(keyed) == len(found), "an id is there twice"
    return keyed


def listed(text: str) -> list[str]:
    return text.split(",") if text else []


def digest(path: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(path.iterdir())}


def broken(path: Path) -> list[str]:
    """Every reference of a bundle (1.2 or 1.1) that leads nowhere."""
    manifest = {row["propertyName"]: row["value"] for row in rows(path, "manifest")}
    ids = {
        name: set(by_id(rows(path, name)))
        for name in ("orgs", "academicSessions", "courses", "classes", "users", "enrollments")
    }
    links = [
        ("orgs", "parentSourcedId", "orgs"),
        ("academicSessions", "parentSourcedId", "academicSessions"),
        ("courses", "schoolYearSourcedId", "academicSessions"),
        ("courses", "orgSourcedId", "orgs"),
        ("classes", "courseSourcedId", "courses"),
        ("classes", "schoolSourcedId", "orgs"),
        ("classes", "termSourcedIds", "academicSessions"),
        ("enrollments", "classSourcedId", "classes"),
        ("enrollments", "schoolSourcedId", "orgs"),
        ("enrollments", "userSourcedId", "users"),
        ("demographics", "sourcedId", "users"),
        ("users", "agentSourcedIds", "users"),
    ]
    if manifest["oneroster.version"] == "1.2":
        links += [("roles", "userSourcedId", "users"), ("roles", "orgSourcedId", "orgs")]
        links += [("users", "primaryOrgSourcedId", "orgs")]
    else:
        links += [("users", "orgSourcedIds", "orgs")]
    return [
        f"{name}.csv {row['sourcedId']} {column} {target}"
        for name, column, to in links
        for row in rows(path, name)
        for target in listed(row[column])
        if target not in ids[to]
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("generate") / "base"
    return generate_oneroster(out, students=STUDENTS, schools=SCHOOLS, seed=7).path


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("generate") / "later"
    return generate_oneroster(
        out, students=STUDENTS, schools=SCHOOLS, seed=7, changed=0.05, removed=0.1, added=0.08
    ).path


def students(path: Path) -> Rows:
    return [row for row in rows(path, "users") if row["grades"]]


def test_the_same_seed_gives_the_same_bytes(base: Path, tmp_path: Path) -> None:
    again = generate_oneroster(tmp_path / "again", students=STUDENTS, schools=SCHOOLS, seed=7)
    assert digest(again.path) == digest(base)


def test_another_seed_gives_other_people(base: Path, tmp_path: Path) -> None:
    other = generate_oneroster(tmp_path / "other", students=STUDENTS, schools=SCHOOLS, seed=8)
    same = {name for name, mark in digest(other.path).items() if digest(base)[name] == mark}
    assert same <= {"academicSessions.csv", "orgs.csv", "courses.csv"}


def test_the_counts_are_those_of_the_files(tmp_path: Path) -> None:
    made = generate_oneroster(tmp_path / "out", students=100, schools=2, seed=1)
    assert made.counts == {file.stem: len(rows(made.path, file.stem)) for file in made.path.iterdir()}
    assert made.counts["demographics"] == 100


@pytest.mark.parametrize(("count", "schools"), [(1, 1), (2, 2), (37, 2), (500, 11)])
def test_there_are_as_many_students_and_schools_as_asked(tmp_path: Path, count: int, schools: int) -> None:
    made = generate_oneroster(tmp_path / "out", students=count, schools=schools, seed=3)
    assert len(students(made.path)) == count
    assert Counter(row["type"] for row in rows(made.path, "orgs")) == {"district": 1, "school": schools}
    assert broken(made.path) == []


@pytest.mark.parametrize("mean", [1, 1.5, 4.78, 14])
def test_students_take_as_many_classes_as_asked(tmp_path: Path, mean: float) -> None:
    made = generate_oneroster(tmp_path / "o", students=2000, schools=3, seed=3, enrollments_per_student=mean)
    taken = Counter(row["role"] for row in rows(made.path, "enrollments"))["student"]
    assert taken / 2000 == pytest.approx(mean, rel=0.03)
    assert broken(made.path) == []


def test_the_demo_size_is_as_documented(tmp_path: Path) -> None:
    made = generate_oneroster(tmp_path / "demo", students=12_800, schools=20, seed=1)
    assert made.counts["users"] == pytest.approx(21_200, rel=0.01)
    assert made.counts["enrollments"] == pytest.approx(125_000, rel=0.01)


def test_every_reference_resolves(base: Path) -> None:
    assert broken(base) == []


def test_ids_usernames_and_codes_are_unique(base: Path, later: Path) -> None:
    for path in (base, later):
        for name in ("users", "roles", "enrollments", "demographics", "classes", "courses", "orgs"):
            by_id(rows(path, name))
        users = rows(path, "users")
        for column in ("username", "identifier", "email"):
            given = [row[column] for row in users if row[column]]
            assert len(set(given)) == len(given), column
        pairs = [(row["classSourcedId"], row["userSourcedId"]) for row in rows(path, "enrollments")]
        assert len(set(pairs)) == len(pairs)


def test_the_manifest_names_every_file_of_the_binding(base: Path) -> None:
    manifest = {row["propertyName"]: row["value"] for row in rows(base, "manifest")}
    assert manifest["manifest.version"] == "1.0"
    assert manifest["oneroster.version"] == "1.2"
    assert manifest["source.systemName"]
    assert manifest["source.systemCode"]
    modes = {name.removeprefix("file."): mode for name, mode in manifest.items() if name.startswith("file.")}
    assert len(modes) == 21
    assert {name for name, mode in modes.items() if mode == "bulk"} | {"manifest"} == {
        file.stem for file in base.iterdir()
    }
    assert {mode for name, mode in modes.items() if not (base / f"{name}.csv").exists()} == {"absent"}


def test_columns_are_those_of_the_binding(base: Path) -> None:
    heads = {file.stem: file.read_text(encoding="utf-8").splitlines()[0] for file in base.iterdir()}
    assert heads["users"] == (
        "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,identifier,"
        "email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,preferredGivenName,"
        "preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns"
    )
    assert heads["roles"] == (
        "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,"
        "userProfileSourcedId"
    )
    assert heads["enrollments"] == (
        "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate"
    )
    assert heads["classes"] == (
        "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,"
        "termSourcedIds,subjects,subjectCodes,periods"
    )
    assert heads["demographics"] == (
        "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,"
        "nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,"
        "countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus"
    )


def test_version_1_1_has_roles_and_orgs_in_the_users(tmp_path: Path) -> None:
    out = generate_oneroster(tmp_path / "old", students=400, schools=5, seed=7, version="1.1").path
    assert not (out / "roles.csv").exists()
    manifest = {row["propertyName"]: row["value"] for row in rows(out, "manifest")}
    assert manifest["oneroster.version"] == "1.1"
    assert "file.roles" not in manifest
    users = rows(out, "users")
    assert list(users[0])[3:7] == ["enabledUser", "orgSourcedIds", "role", "username"]
    assert {row["role"] for row in users} == {
        "administrator",
        "aide",
        "guardian",
        "parent",
        "relative",
        "student",
        "teacher",
    }
    assert any(len(listed(row["orgSourcedIds"])) > 1 for row in users if row["role"] == "student")
    assert broken(out) == []


def test_the_school_year_holds_today_in_its_first_term(base: Path) -> None:
    sessions = rows(base, "academicSessions")
    year = next(row for row in sessions if row["type"] == "schoolYear")
    terms = [row for row in sessions if row["type"] == "term"]
    assert year["startDate"] <= TODAY <= year["endDate"]
    assert year["schoolYear"] == "2027"
    assert len(terms) == 3
    assert terms[0]["startDate"] <= TODAY <= terms[0]["endDate"]


def test_schools_are_primary_and_secondary_and_have_their_heads(base: Path) -> None:
    roles = rows(base, "roles")
    school_ids = {row["sourcedId"] for row in rows(base, "orgs") if row["type"] == "school"}
    assert {row["orgSourcedId"] for row in roles if row["role"] == "principal"} == school_ids
    assert {row["orgSourcedId"] for row in roles if row["role"] == "aide"} == school_ids
    assert sum(row["role"] == "districtAdministrator" for row in roles) == 1
    grades = defaultdict(set)
    for row in rows(base, "classes"):
        grades[row["schoolSourcedId"]].add(row["grades"])
    kinds = {frozenset(found) for found in grades.values()}
    assert frozenset({"KG", "01", "02", "03", "04", "05", "06"}) in kinds
    assert frozenset({"07", "08", "09", "10", "11"}) in kinds


def test_each_student_has_one_homeroom_of_about_28(tmp_path: Path) -> None:
    path = generate_oneroster(tmp_path / "whole", students=3000, schools=4, seed=2).path
    homerooms = {row["sourcedId"] for row in rows(path, "classes") if row["classType"] == "homeroom"}
    taken = Counter(
        row["userSourcedId"]
        for row in rows(path, "enrollments")
        if row["role"] == "student" and row["classSourcedId"] in homerooms
    )
    assert set(taken.values()) == {1}
    assert sum(taken.values()) / len(homerooms) == pytest.approx(28, abs=3)


def test_a_class_has_one_primary_teacher(base: Path) -> None:
    leads = Counter(row["classSourcedId"] for row in rows(base, "enrollments") if row["primary"] == "true")
    assert set(leads) == {row["sourcedId"] for row in rows(base, "classes")}
    assert set(leads.values()) == {1}


def test_an_enrollment_is_in_the_school_of_its_class_and_its_user(base: Path) -> None:
    school = {row["sourcedId"]: row["schoolSourcedId"] for row in rows(base, "classes")}
    member = {(row["userSourcedId"], row["orgSourcedId"]) for row in rows(base, "roles")}
    for row in rows(base, "enrollments"):
        assert row["schoolSourcedId"] == school[row["classSourcedId"]]
        assert (row["userSourcedId"], row["schoolSourcedId"]) in member


def test_siblings_share_guardians_and_a_family_name(base: Path) -> None:
    families = defaultdict(list)
    for row in students(base):
        if row["agentSourcedIds"] and row["familyName"]:
            families[row["agentSourcedIds"]].append(row)
    siblings = [found for found in families.values() if len(found) > 1]
    assert len(siblings) > 50
    assert max(len(found) for found in siblings) >= 3
    assert all(len({row["familyName"] for row in found}) == 1 for found in siblings)
    assert all(len({row["givenName"] for row in found}) == len(found) for found in siblings)
    assert any(len({row["primaryOrgSourcedId"] for row in found}) > 1 for found in siblings)


def test_some_children_have_two_families(base: Path) -> None:
    users = by_id(rows(base, "users"))
    apart = 0
    for row in students(base):
        guardians = [users[key] for key in listed(row["agentSourcedIds"]) if key.startswith("gdn")]
        if len(guardians) == 2:
            assert guardians[0]["phone"] != guardians[1]["phone"]
            apart += guardians[0]["familyName"] != guardians[1]["familyName"]
    assert apart > SCHOOLS


def test_some_families_have_registered_no_guardian(base: Path) -> None:
    assert 0.1 < sum(not row["agentSourcedIds"] for row in students(base)) / STUDENTS < 0.3


def test_leavers_have_ended_roles_and_enrollments(base: Path) -> None:
    users = by_id(rows(base, "users"))
    left = {
        row["userSourcedId"] for row in rows(base, "roles") if row["endDate"] and row["role"] == "student"
    }
    assert len(left) > SCHOOLS
    assert {users[key]["enabledUser"] for key in left} == {"true", "false"}
    theirs = [row for row in rows(base, "enrollments") if row["userSourcedId"] in left]
    assert theirs
    assert all(row["beginDate"] < row["endDate"] < TODAY for row in theirs)
    assert all(row["endDate"] < TODAY for row in rows(base, "roles") if row["endDate"])


def test_some_belong_to_two_schools(base: Path) -> None:
    homes = defaultdict(set)
    for row in rows(base, "roles"):
        homes[row["userSourcedId"], row["role"]].add(row["orgSourcedId"])
    attended = defaultdict(set)
    for row in rows(base, "enrollments"):
        attended[row["userSourcedId"], row["role"]].add(row["schoolSourcedId"])
    for role in ("student", "teacher"):
        both = [who for who, orgs in homes.items() if who[1] == role and len(orgs) == 2]
        assert both, role
        assert all(attended[who] == homes[who] for who in both)
    second = {row["roleType"] for row in rows(base, "roles") if row["sourcedId"].endswith("-1")}
    assert second == {"secondary"}


def test_one_primary_role_a_user(base: Path) -> None:
    primary = Counter(row["userSourcedId"] for row in rows(base, "roles") if row["roleType"] == "primary")
    assert primary == dict.fromkeys(by_id(rows(base, "users")), 1)


def test_a_teacher_can_be_a_parent_too(base: Path) -> None:
    roles = defaultdict(set)
    for row in rows(base, "roles"):
        roles[row["userSourcedId"]].add(row["role"])
    agents = {key for row in students(base) for key in listed(row["agentSourcedIds"])}
    assert any(roles[key] == {"teacher", "parent"} for key in agents)


def test_names_come_in_many_scripts(base: Path) -> None:
    letters = {letter for row in students(base) for letter in row["givenName"] + row["familyName"]}
    scripts = {unicodedata.name(letter).split()[0] for letter in letters if letter.isalpha()}
    assert scripts >= {"LATIN", "ARABIC", "CYRILLIC", "GREEK", "CJK", "HANGUL", "DEVANAGARI", "HEBREW"}
    names = {row["familyName"] for row in students(base)}
    assert any("'" in name for name in names)
    assert any("-" in name for name in names)
    assert any(unicodedata.normalize("NFD", name) != name and name.isascii() is False for name in names)
    assert max(len(name) for name in names) > 50


def test_usernames_and_emails_are_plain_and_invented(base: Path) -> None:
    for row in rows(base, "users"):
        assert row["username"].isascii()
        assert row["username"] == row["username"].lower()
        assert not row["email"] or (row["email"].isascii() and row["email"].endswith(".example"))
        assert not row["phone"] or (row["phone"].startswith("07700 900") and len(row["phone"]) == 12)


def test_preferred_names_pronouns_and_codes_are_there_for_some(base: Path) -> None:
    pupils = students(base)
    for column in ("preferredGivenName", "preferredFamilyName", "pronouns", "middleName"):
        assert 0 < sum(bool(row[column]) for row in pupils) < STUDENTS / 2, column
    assert all(row["identifier"] and row["identifier"] in row["userIds"] for row in pupils)


def test_two_students_of_a_school_share_their_whole_name(base: Path) -> None:
    seen = Counter(
        (row["primaryOrgSourcedId"], row["givenName"], row["familyName"]) for row in students(base)
    )
    assert max(seen.values()) > 1


@pytest.mark.parametrize("habit", ["", "-", "."])
def test_some_have_no_family_name(tmp_path: Path, habit: str) -> None:
    path = generate_oneroster(tmp_path / "o", students=300, schools=3, seed=1, no_family_name=habit).path
    without = [row for row in students(path) if row["familyName"] == habit]
    assert 3 <= len(without) <= 6
    assert all(row["givenName"] for row in without)


def test_birthdays_fit_the_year_group(base: Path) -> None:
    users = by_id(rows(base, "users"))
    for row in rows(base, "demographics"):
        grade = users[row["sourcedId"]]["grades"]
        born = 2021 - (0 if grade == "KG" else int(grade))
        assert f"{born}-09-01" <= row["birthDate"] <= f"{born + 1}-08-31"
        assert row["sex"] in ("female", "male", "unspecified", "other")


def test_a_later_bundle_resolves_and_is_deterministic(later: Path, tmp_path: Path) -> None:
    assert broken(later) == []
    again = generate_oneroster(
        tmp_path / "again", students=STUDENTS, schools=SCHOOLS, seed=7, changed=0.05, removed=0.1, added=0.08
    )
    assert digest(again.path) == digest(later)


@pytest.mark.parametrize("name", ["users", "enrollments"])
def test_a_later_bundle_differs_by_the_shares_asked(base: Path, later: Path, name: str) -> None:
    before, after = by_id(rows(base, name)), by_id(rows(later, name))
    changed = sum(before[key] != after[key] for key in before.keys() & after.keys())
    assert changed / len(before) == pytest.approx(0.05, abs=0.005)
    assert len(before.keys() - after.keys()) / len(before) == pytest.approx(0.1, abs=0.015)
    assert len(after.keys() - before.keys()) / len(before) == pytest.approx(0.08, abs=0.015)


def test_what_is_not_asked_to_change_stays(base: Path, tmp_path: Path) -> None:
    path = generate_oneroster(tmp_path / "o", students=STUDENTS, schools=SCHOOLS, seed=7, added=0.05).path
    for name in ("users", "roles", "enrollments", "demographics", "classes", "orgs"):
        before, after = by_id(rows(base, name)), by_id(rows(path, name))
        assert before.items() <= after.items(), name
    path = generate_oneroster(tmp_path / "p", students=STUDENTS, schools=SCHOOLS, seed=7, removed=0.05).path
    for name in ("users", "roles", "enrollments", "demographics", "classes", "orgs"):
        assert by_id(rows(path, name)).items() <= by_id(rows(base, name)).items(), name


def test_everyone_may_go_or_change(tmp_path: Path) -> None:
    gone = generate_oneroster(tmp_path / "gone", students=90, schools=3, seed=1, removed=1.0)
    assert gone.counts["demographics"] == 0
    assert broken(gone.path) == []
    base = by_id(rows(generate_oneroster(tmp_path / "base", students=90, schools=3, seed=1).path, "users"))
    other = generate_oneroster(tmp_path / "other", students=90, schools=3, seed=1, changed=1.0).path
    assert all(row != base[row["sourcedId"]] for row in rows(other, "users"))


def test_a_zip_holds_the_same_files(base: Path, tmp_path: Path) -> None:
    made = generate_oneroster(tmp_path / "bundle.zip", students=STUDENTS, schools=SCHOOLS, seed=7)
    with zipfile.ZipFile(made.path) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "manifest.csv"
        found = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
    assert found == digest(base)
    again = generate_oneroster(tmp_path / "again.zip", students=STUDENTS, schools=SCHOOLS, seed=7)
    assert again.path.read_bytes() == made.path.read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {"bundle.zip", "again.zip"}


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    generate_oneroster(
        tmp_path / "o",
        students=11_000,
        schools=5,
        seed=1,
        enrollments_per_student=1,
        progress=lambda done, total: told.append((done, total)),
    )
    assert len(told) >= 3
    assert told == sorted(told)
    assert told[-1] == (11_000, 11_000)


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    out = tmp_path / "empty"
    out.mkdir()
    generate_oneroster(out, students=5, schools=1, seed=1)
    assert (out / "manifest.csv").exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"students": 0}, "students is 0"),
        ({"students": -3}, "students is -3"),
        ({"schools": 0}, "schools is 0"),
        ({"schools": 21}, "21 schools cannot share 20 students"),
        ({"changed": 1.5}, "changed is 1.5"),
        ({"removed": -0.1}, "removed is -0.1"),
        ({"added": 2}, "added is 2"),
        ({"added": float("nan")}, "added is nan"),
        ({"changed": 0.6, "removed": 0.6}, "more than all"),
        ({"version": "1.3"}, "version is '1.3'"),
        ({"enrollments_per_student": 0.5}, "enrollments_per_student is 0.5"),
        ({"enrollments_per_student": 99}, "enrollments_per_student is 99"),
        ({"no_family_name": 'a"b'}, "no_family_name"),
        ({"school_year": 26}, "school_year is 26"),
    ],
)
def test_silly_arguments_are_refused(tmp_path: Path, wrong: dict[str, float | str], says: str) -> None:
    arguments: dict = {"students": 20, "schools": 2, "seed": 1, **wrong}
    with pytest.raises(GenerateError, match=says):
        generate_oneroster(tmp_path / "out", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_place_is_refused_and_left_alone(tmp_path: Path) -> None:
    full, file, archive = tmp_path / "full", tmp_path / "file", tmp_path / "there.zip"
    full.mkdir()
    for taken in (full / "mine.txt", file, archive):
        taken.write_text("mine")
    for out, says in ((full, "is not empty"), (file, "is a file"), (archive, "is already there")):
        with pytest.raises(GenerateError, match=says):
            generate_oneroster(out, students=5, schools=1, seed=1)
    assert {path.read_text() for path in (full / "mine.txt", file, archive)} == {"mine"}


def test_a_run_that_stops_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_oneroster(tmp_path / "o", students=6000, schools=1, seed=1, progress=stop)
    assert list(tmp_path.iterdir()) == []
