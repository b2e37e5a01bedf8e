"""The files of School Data Sync, their columns, and what its words mean in OneRoster's (Microsoft, SDS CSV file formats)."""

from __future__ import annotations

from collections.abc import Iterable

from rollbook.roster.connectors.reading.header import FileSpec, plain

# SDS has more kinds of organisation and of staff than OneRoster 1.2, which lets others be named with 'ext:'.
_ORG_WORDS = {
    "ministryOfEducation": "national",
    "departmentOfEducation": "state",
    "localAuthority": "local",
    "localEducationAgency": "local",
    "municipality": "local",
    "region": "state",
    "province": "state",
    "academicTrust": "district",
    "division": "district",
    "elementarySchool": "school",
    "secondarySchool": "school",
}
_ORG_EXT = ("university", "college", "campus", "adultEducation", "researchCenter", "program", "faculty")
_TEACHING = (
    "professor", "lecturer", "faculty", "instructor", "adjunct", "substitute", "chair", "tutor",
)  # fmt: skip
_AIDES = ("paraprofessional", "teacherAssistant", "assistant")
_ROLE_EXT = (
    "staff", "researcher", "affiliate", "occupationalTherapist", "physicalTherapist", "speechTherapist",
    "visionTherapist", "specialServices", "nurse", "officeStaff", "coach", "alumni", "other",
)  # fmt: skip


def _words(to: Iterable[tuple[str, str]], code: str) -> dict[str, tuple[str, str]]:
    return {plain(word): (meaning, code) for word, meaning in to}


ORG_TYPES = {
    **_words(_ORG_WORDS.items(), "sds-org-type"),
    **_words(((word, f"ext:{word}") for word in _ORG_EXT), "sds-org-type"),
}
ROLES = {
    **_words(((word, "teacher") for word in _TEACHING), "sds-role"),
    **_words(((word, "aide") for word in _AIDES), "sds-role"),
    **_words(
        (
            ("advisor", "counselor"),
            ("itAdmin", "systemAdministrator"),
            ("itAdministrator", "systemAdministrator"),
        ),
        "sds-role",
    ),
    **_words(((word, f"ext:{word}") for word in _ROLE_EXT), "sds-role"),
}
# In a class only a few roles exist; every member of staff whom SDS puts there teaches it or helps.
CLASS_ROLES = {
    **_words(
        (
            (word, "teacher")
            for word in (*_TEACHING, "staff", "coach", "researcher", "administrator", "principal")
        ),
        "sds-role",
    ),
    **_words(
        ((word, f"ext:{word}") for word in (*_AIDES, "aide", "affiliate", "advisor", "other")), "sds-role"
    ),
}
RELATIONSHIPS = {
    **_words((("parent", "parent"), ("guardian", "guardian"), ("relative", "relative")), "enum-case"),
    **_words((("aide", "ext:aide"), ("doctor", "ext:doctor"), ("other", "ext:other")), "sds-role"),
}

V2_FILES: dict[str, FileSpec] = {
    spec.name: spec
    for spec in (
        FileSpec(
            "orgs.csv", "org",
            {"sourcedId": "sourced_id", "name": "name", "type": "type", "parentSourcedId": "parent_sourced_id"},
            ("sourcedId", "name"), {"id": "sourcedId"}, {"type": ORG_TYPES},
        ),
        FileSpec(
            "academicSessions.csv", "session",
            {
                "sourcedId": "sourced_id", "title": "title", "type": "type", "schoolYear": "school_year",
                "startDate": "start_date", "endDate": "end_date", "parentSourcedId": "parent_sourced_id",
            },
            ("sourcedId", "title", "startDate", "endDate"),
        ),
        FileSpec(
            "courses.csv", "course",
            {
                "sourcedId": "sourced_id", "orgSourcedId": "org_sourced_id", "title": "title", "code": "course_code",
                "schoolYearSourcedId": "school_year_sourced_id", "subject": "subjects", "grade": "grades",
            },
            ("sourcedId", "title"), {"grades": "grade", "subjects": "subject", "courseCode": "code"},
        ),
        FileSpec(
            "classes.csv", "class",
            {
                "sourcedId": "sourced_id", "orgSourcedId": "school_sourced_id", "title": "title",
                "sessionSourcedIds": "term_sourced_ids", "courseSourcedId": "course_sourced_id", "code": "class_code",
            },
            ("sourcedId", "orgSourcedId", "title"),
            {"termSourcedIds": "sessionSourcedIds", "sessionSourcedId": "sessionSourcedIds"},
        ),
        FileSpec(
            "users.csv", "person",
            {
                "sourcedId": "sourced_id", "orgSourcedIds": "k_orgs", "username": "username", "givenName": "given_name",
                "familyName": "family_name", "password": None, "activeDirectoryMatchId": "k_directory",
                "email": "email", "phone": "phone", "sms": "sms", "role": "k_role", "grade": "grades",
            },
            ("sourcedId", "username"),
            {"firstName": "givenName", "lastName": "familyName", "orgSourcedId": "orgSourcedIds", "grades": "grade"},
            {"k_role": ROLES},
        ),
        FileSpec(
            "roles.csv", "role",
            {
                "userSourcedId": "user_sourced_id", "orgSourcedId": "org_sourced_id", "role": "role",
                "sessionSourcedId": "k_session", "grade": "k_grade", "isPrimary": "k_primary",
                "roleStartDate": "begin_date", "roleEndDate": "end_date",
            },
            ("userSourcedId", "orgSourcedId", "role"), {"grades": "grade"}, {"role": ROLES},
        ),
        FileSpec(
            "enrollments.csv", "enrollment",
            {"classSourcedId": "class_sourced_id", "userSourcedId": "user_sourced_id", "role": "role"},
            ("classSourcedId", "userSourcedId", "role"), {}, {"role": CLASS_ROLES},
        ),
        FileSpec(
            "relationships.csv", "guardianship",
            {
                "userSourcedId": "child_sourced_id", "relationshipUserSourcedId": "guardian_sourced_id",
                "relationshipRole": "relationship",
            },
            ("userSourcedId", "relationshipUserSourcedId"), {}, {"relationship": RELATIONSHIPS},
        ),
        FileSpec(
            "demographics.csv", "demographics",
            {
                "userSourcedId": "sourced_id", "sex": "sex", "birthDate": "birth_date", "birthCity": "city_of_birth",
                "birthState": "state_of_birth_abbreviation", "birthCountry": "country_of_birth_code",
                "ethnicityCodes": "k_ethnicity", "raceCodes": "k_race",
            },
            ("userSourcedId",),
        ),
        FileSpec("userFlags.csv", "flag", {"userSourcedId": "user_sourced_id", "flag": "flag"}, ("userSourcedId", "flag")),
    )
}  # fmt: skip

_PERSON = {
    "SIS ID": "sourced_id", "School SIS ID": "k_orgs", "Username": "username", "First Name": "given_name",
    "Last Name": "family_name", "Middle Name": "middle_name", "Password": None, "State ID": "m_state_id",
    "Secondary Email": "email", "Status": "k_status", "Grade": "grades",
}  # fmt: skip
# The UK form says ID for SIS ID, and the school's DfE number for its id.
_UK = {
    "ID": "SIS ID", "DfE Number": "SIS ID", "School DfE Number": "School SIS ID", "Section ID": "Section SIS ID",
    "Given Name": "First Name", "Surname": "Last Name", "User Name": "Username",
}  # fmt: skip

V1_FILES: dict[str, FileSpec] = {
    spec.name: spec
    for spec in (
        FileSpec(
            "School.csv", "org",
            {
                "SIS ID": "sourced_id", "Name": "name", "School Number": "identifier",
                **{
                    column: f"m_{plain(column)}" for column in (
                        "School NCES_ID", "State ID", "Grade Low", "Grade High", "Address", "City", "State", "Country", "Zip",
                        "Phone", "Zone",
                    )
                },
                # A head is a person, not a fact about a school.
                "Principal SIS ID": None, "Principal Name": None, "Principal Secondary Email": None,
            },
            ("SIS ID", "Name"), {**_UK, "Postal Code": "Zip", "School Name": "Name"},
        ),
        FileSpec(
            "Section.csv", "class",
            {
                "SIS ID": "sourced_id", "School SIS ID": "school_sourced_id", "Section Name": "title",
                "Section Number": "class_code", "Term SIS ID": "term_sourced_ids", "Term Name": "k_term_name",
                "Term StartDate": "k_term_start", "Term EndDate": "k_term_end", "Course SIS ID": "course_sourced_id",
                "Course Name": "k_course_name", "Course Number": "k_course_number",
                "Course Description": "m_coursedescription", "Course Subject": "subjects", "Periods": "periods",
                "Status": "m_status",
            },
            ("SIS ID", "School SIS ID", "Section Name"), {**_UK, "Name": "Section Name"},
        ),
        FileSpec(
            "Student.csv", "person",
            {**_PERSON, "Student Number": "identifier", "Birthdate": "k_birth_date", "Graduation Year": "m_graduationyear",
             # Where a pupil lives has no place in a roster: it is known here so that it is not kept as a vendor's column.
             **{f"{where} {what}": None for where in ("Mailing", "Residence") for what in (
                 "Address", "City", "State", "Zip", "Latitude", "Longitude", "Country")},
             "Gender": "k_sex"},
            ("SIS ID", "School SIS ID", "Username"),
            {**_UK, "Birth Date": "Birthdate", "Date of Birth": "Birthdate", "Sex": "Gender"},
        ),
        FileSpec(
            "Teacher.csv", "person",
            {**_PERSON, "Teacher Number": "identifier", "Title": "m_title", "Qualification": "m_qualification"},
            ("SIS ID", "School SIS ID", "Username"), _UK,
        ),
        FileSpec(
            "StudentEnrollment.csv", "enrollment", {"Section SIS ID": "class_sourced_id", "SIS ID": "user_sourced_id"},
            ("Section SIS ID", "SIS ID"), {**_UK, "Student SIS ID": "SIS ID"},
        ),
        FileSpec(
            "TeacherRoster.csv", "enrollment", {"Section SIS ID": "class_sourced_id", "SIS ID": "user_sourced_id"},
            ("Section SIS ID", "SIS ID"), {**_UK, "Teacher SIS ID": "SIS ID"},
        ),
    )
}  # fmt: skip
# Guardians of V1 are named by mail address alone, not by an id that another file holds.
V1_UNUSED = ("GuardianRelationship.csv", "User.csv")
V1_REQUIRED = ("School.csv", "Student.csv", "Teacher.csv")
V2_REQUIRED = ("orgs.csv", "users.csv")
