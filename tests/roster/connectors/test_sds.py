"""School Data Sync: what its files and words become."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.roster.rules import Refused
from tests.roster.connectors.bundles import ONEROSTER, SDS_V1, SDS_V2, staged, without


def test_v1_lands_with_made_ids(tmp_path: Path) -> None:
    with staged(tmp_path, SDS_V1) as look:
        assert (look.staged.format, look.staged.version) == ("sds-csv", "v1")
        assert look.staged.kinds == {"org", "class", "person", "role", "enrollment"}
        assert look.rows("SELECT sourced_id, role, role_type FROM s_role ORDER BY 1") == [
            ("ada:s1:student", "student", "primary"),
            ("ben:s1:teacher", "teacher", "primary"),
        ]
        assert look.rows(
            "SELECT sourced_id, school_sourced_id, role, _file FROM s_enrollment ORDER BY 1"
        ) == [
            ("k1:ada:student", "s1", "student", "StudentEnrollment.csv"),
            ("k1:ben:teacher", "s1", "teacher", "TeacherRoster.csv"),
        ]
        assert look.cells("org", "type") == ["school"]


def test_v1_terms_courses_and_births_stand_in_other_rows(tmp_path: Path) -> None:
    files = {
        **SDS_V1,
        "Section.csv": "SIS ID,School SIS ID,Section Name,Term SIS ID,Term Name,Term StartDate,Term EndDate,Course SIS ID,"
        "Course Name,Course Number,Course Subject,Status\n"
        "k1,s1,9A,t1,Year,7/1/2025,6/30/2026,c1,Maths,M1,Maths,Active\n"
        "k2,s1,9B,t1,Year,7/1/2025,6/30/2026,c1,Mathematics,M1,Maths,Active\n",
        "Student.csv": "SIS ID,School SIS ID,First Name,Last Name,Username,Password,Status,Birthdate,Graduation Year\n"
        "ada,s1,Ada,Ash,ada,needle,Inactive,4/2/2010,2028\n",
    }
    with staged(tmp_path, files) as look:
        assert look.rows(
            "SELECT sourced_id, title, type, start_date, end_date, school_year FROM s_session"
        ) == [("t1", "Year", "schoolYear", "2025-07-01", "2026-06-30", "2026")]
        assert look.rows("SELECT sourced_id, title, course_code, org_sourced_id FROM s_course") == [
            ("c1", "Maths", "M1", "s1")
        ]
        assert look.notice("rows-disagree")[1:] == ("Section.csv", 2, "Course SIS ID", 1)
        assert look.rows("SELECT sourced_id, birth_date FROM s_demographics") == [("ada", "2010-04-02")]
        assert look.rows("SELECT enabled_user, metadata FROM s_person WHERE sourced_id = 'ada'") == [
            ("false", '{"Graduation Year":"2028"}')
        ]
        assert look.cells("class", "course_sourced_id") == ["c1", "c1"]
        assert {"session", "course", "demographics"} <= look.staged.kinds


def test_a_person_at_two_schools_is_one_person_with_two_roles(tmp_path: Path) -> None:
    files = {
        **SDS_V1,
        "School.csv": "SIS ID,Name\ns1,Elm\ns2,Oak\n",
        "Teacher.csv": "SIS ID,School SIS ID,Username\nben,s1,ben\nben,s2,ben\nada,s1,other\n",
    }
    with staged(tmp_path, files) as look:
        assert look.rows("SELECT username FROM s_person WHERE sourced_id = 'ben'") == [("ben",)]
        assert look.rows(
            "SELECT org_sourced_id, role_type FROM s_role WHERE user_sourced_id = 'ben' ORDER BY 1"
        ) == [
            ("s1", "primary"),
            ("s2", "secondary"),
        ]
        # Two people under one id both stay: the check sets them aside by name.
        assert look.rows("SELECT count(*) FROM s_person WHERE sourced_id = 'ada'") == [(2,)]


def test_the_uk_form(tmp_path: Path) -> None:
    files = {
        "School.csv": "DfE Number,Name,Postal Code\n10001,Elm,AB1\n",
        "Section.csv": "ID,School DfE Number,Section Name\nk1,10001,9A\n",
        "Student.csv": "ID,School DfE Number,Username\nada,10001,ada\n",
        "Teacher.csv": "ID,School DfE Number,Username\nben,10001,ben\n",
        "StudentEnrollment.csv": "Section ID,ID\nk1,ada\n",
        "TeacherRoster.csv": "Section ID,ID\nk1,ben\n",
    }
    with staged(tmp_path, files) as look:
        assert look.staged.version == "v1-uk"
        assert look.cells("org", "sourced_id") == ["10001"]
        assert look.cells("enrollment", "sourced_id", "1") == ["k1:ada:student", "k1:ben:teacher"]
        assert look.codes() == set()


def test_half_a_roster_does_not_speak_of_enrollments(tmp_path: Path) -> None:
    with staged(tmp_path, without(SDS_V1, "TeacherRoster.csv")) as look:
        assert "enrollment" not in look.staged.kinds
        assert look.notice("half-roster")[1] == "StudentEnrollment.csv"


def test_people_without_teachers_are_refused_for_they_would_all_be_removed(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused, staged(tmp_path, without(SDS_V1, "Teacher.csv")):
        pass
    assert refused.value.file == "Teacher.csv"


def test_a_repeated_enrollment_is_one(tmp_path: Path) -> None:
    with staged(
        tmp_path, {**SDS_V1, "StudentEnrollment.csv": "Section SIS ID,SIS ID\nk1,ada\nk1,ada\n"}
    ) as look:
        assert look.cells("enrollment", "sourced_id", "1") == ["k1:ada:student", "k1:ben:teacher"]
        assert look.notice("repeated-row") == ("warning", "StudentEnrollment.csv", 3, None, 1)


def test_v2_words_become_oneroster_words(tmp_path: Path) -> None:
    orgs = "sourcedId,name,type,parentSourcedId\nm,Min,ministryofeducation,\ns1,Elm,College,m\n"
    with staged(tmp_path, {**SDS_V2, "orgs.csv": orgs}) as look:
        assert look.staged.version == "v2"
        assert look.cells("org", "type") == ["national", "ext:college"]
        assert look.cells("role", "role") == ["student", "teacher"]
        assert look.cells("enrollment", "role") == ["student", "teacher"]
        assert look.cells("person", "grades") == ["9", None]
        assert {"sds-org-type", "sds-role", "enum-case", "password-dropped"} <= look.codes()


V21 = {
    "orgs.csv": "sourcedId,name,type,parentSourcedId\ns1,Elm,school,\n",
    "users.csv": "sourcedId,username,givenName,familyName,password,activeDirectoryMatchId,email,phone,sms\n"
    "ada,ada,Ada,Ash,pw,ada@example.org,,,\ncleo,cleo,Cleo,Ash,,,cleo@example.org,,\n",
    "roles.csv": "userSourcedId,orgSourcedId,role,sessionSourcedId,grade,isPrimary,roleStartDate,roleEndDate\n"
    "ada,s1,student,t1,10,TRUE,,\nada,s1,student,t2,10,TRUE,,\n",
    "academicSessions.csv": "sourcedId,title,type,schoolYear,startDate,endDate\n"
    "t1,A,semester,2025,2025-09-01,2025-12-20\nt2,B,semester,2025,2026-01-05,2026-07-20\n",
    "classes.csv": 'sourcedId,orgSourcedId,title,sessionSourcedIds,courseSourcedId\nk1,s1,9A,"t1,t2",\n',
    "enrollments.csv": "classSourcedId,userSourcedId,role\nk1,ada,student\n",
    "relationships.csv": "userSourcedId,relationshipUserSourcedId,relationshipRole\nada,cleo,Guardian\n",
    "demographics.csv": "userSourcedId,sex,birthDate,birthCity,birthState,birthCountry,ethnicityCodes,raceCodes\n"
    'ada,F,2010-02-03,Ely,CA,GB,hispanicOrLatinoEthnicity,"Asian,martian"\n',
    "userFlags.csv": "userSourcedId,flag\nada,iep\nada,iep\n",
}


def test_v2_1_lands_whole(tmp_path: Path) -> None:
    with staged(tmp_path, V21) as look:
        assert look.staged.version == "v2.1"
        assert look.staged.kinds == {
            "org", "session", "class", "person", "role", "enrollment", "guardianship", "demographics", "flag",
        }  # fmt: skip
        assert look.rows("SELECT sourced_id, role_type, begin_date, end_date FROM s_role") == [
            ("ada:s1:student", "primary", "2025-09-01", "2026-07-20")
        ]
        assert look.rows(
            "SELECT grades, primary_org_sourced_id, user_ids FROM s_person WHERE sourced_id = 'ada'"
        ) == [("10", "s1", "{activeDirectoryMatchId:ada@example.org}")]
        assert look.rows(
            "SELECT guardian_sourced_id, child_sourced_id, relationship FROM s_guardianship"
        ) == [("cleo", "ada", "guardian")]
        assert look.rows("SELECT sex, asian, white, hispanic_or_latino_ethnicity FROM s_demographics") == [
            ("female", "true", None, "true")
        ]
        assert look.notice("sds-code")[4] == 1
        assert look.rows("SELECT user_sourced_id, flag, _row FROM s_flag") == [("ada", "iep", 2)]
        assert look.cells("class", "term_sourced_ids") == ["t1,t2"]


def test_oneroster_without_a_manifest_is_not_taken_for_sds(tmp_path: Path) -> None:
    with staged(tmp_path / "a", without(ONEROSTER, "manifest.csv")) as look:
        assert look.staged.format == "oneroster-csv"
        assert look.notice("missing-manifest")[0] == "warning"
    with staged(tmp_path / "b", without(ONEROSTER, "manifest.csv"), format="oneroster-csv") as look:
        assert look.staged.format == "oneroster-csv"
