"""The files of OneRoster CSV and their columns (1EdTech, OneRoster CSV Binding 1.1 and 1.2), one table for both."""

from __future__ import annotations

from rollbook.roster.connectors.reading.header import FileSpec

_BASE: dict[str, str | None] = {"sourcedId": "sourced_id", "status": "status", "dateLastModified": None}
_ID = {
    "id": "sourcedId",
    "sourceId": "sourcedId",
    "lastModified": "dateLastModified",
    "dateModified": "dateLastModified",
}
_ORG = {"orgSourcedId": "schoolSourcedId", "schoolId": "schoolSourcedId", "school": "schoolSourcedId"}

FILES: dict[str, FileSpec] = {
    spec.name: spec
    for spec in (
        FileSpec(
            "orgs.csv",
            "org",
            {**_BASE, "name": "name", "type": "type", "identifier": "identifier", "parentSourcedId": "parent_sourced_id"},
            ("sourcedId", "name"),
            {**_ID, "orgType": "type", "orgName": "name"},
        ),
        FileSpec(
            "academicSessions.csv",
            "session",
            {
                **_BASE, "title": "title", "type": "type", "startDate": "start_date", "endDate": "end_date",
                "parentSourcedId": "parent_sourced_id", "schoolYear": "school_year",
            },
            ("sourcedId", "title", "startDate", "endDate"),
            {**_ID, "beginDate": "startDate", "name": "title"},
        ),
        FileSpec(
            "courses.csv",
            "course",
            {
                **_BASE, "schoolYearSourcedId": "school_year_sourced_id", "title": "title", "courseCode": "course_code",
                "grades": "grades", "orgSourcedId": "org_sourced_id", "subjects": "subjects",
                "subjectCodes": "subject_codes", "resourceSourcedIds": None,
            },
            ("sourcedId", "title"),
            {**_ID, "grade": "grades", "subject": "subjects", "schoolYearId": "schoolYearSourcedId", "code": "courseCode",
             "schoolSourcedId": "orgSourcedId"},
        ),
        FileSpec(
            "classes.csv",
            "class",
            {
                **_BASE, "title": "title", "grades": "grades", "courseSourcedId": "course_sourced_id",
                "classCode": "class_code", "classType": "class_type", "location": "location",
                "schoolSourcedId": "school_sourced_id", "termSourcedIds": "term_sourced_ids", "subjects": "subjects",
                "subjectCodes": "subject_codes", "periods": "periods", "resourceSourcedIds": None,
            },
            ("sourcedId", "title", "schoolSourcedId"),
            {**_ID, **_ORG, "grade": "grades", "subject": "subjects", "period": "periods", "terms": "termSourcedIds",
             "termSourcedId": "termSourcedIds"},
        ),
        FileSpec(
            "users.csv",
            "person",
            {
                **_BASE, "enabledUser": "enabled_user", "orgSourcedIds": "k_orgs", "role": "k_role",
                "username": "username", "userIds": "user_ids", "givenName": "given_name", "familyName": "family_name",
                "middleName": "middle_name", "identifier": "identifier", "email": "email", "sms": "sms", "phone": "phone",
                "agentSourcedIds": "k_agents", "grades": "grades", "password": None,
                "userMasterIdentifier": "user_master_identifier", "resourceSourcedIds": None,
                "preferredGivenName": "preferred_first_name", "preferredMiddleName": "preferred_middle_name",
                "preferredFamilyName": "preferred_last_name", "primaryOrgSourcedId": "primary_org_sourced_id",
                "pronouns": "pronouns",
            },
            ("sourcedId", "givenName", "familyName"),
            {
                **_ID, "firstName": "givenName", "forename": "givenName", "lastName": "familyName", "surname": "familyName",
                "grade": "grades", "userId": "userIds", "agents": "agentSourcedIds", "orgs": "orgSourcedIds",
                "orgSourcedId": "orgSourcedIds", "emailAddress": "email", "mobile": "sms",
                "preferredFirstName": "preferredGivenName", "preferredLastName": "preferredFamilyName",
                "enabled": "enabledUser",
            },
        ),
        FileSpec(
            "roles.csv",
            "role",
            {
                **_BASE, "userSourcedId": "user_sourced_id", "roleType": "role_type", "role": "role",
                "beginDate": "begin_date", "endDate": "end_date", "orgSourcedId": "org_sourced_id",
                "userProfileSourcedId": "user_profile",
            },
            ("userSourcedId", "role", "orgSourcedId"),
            {**_ID, "startDate": "beginDate", "userProfile": "userProfileSourcedId"},
        ),
        FileSpec(
            "enrollments.csv",
            "enrollment",
            {
                **_BASE, "classSourcedId": "class_sourced_id", "schoolSourcedId": "school_sourced_id",
                "userSourcedId": "user_sourced_id", "role": "role", "primary": "is_primary", "beginDate": "begin_date",
                "endDate": "end_date",
            },
            ("classSourcedId", "userSourcedId", "role"),
            {**_ID, **_ORG, "isPrimary": "primary", "startDate": "beginDate"},
        ),
        FileSpec(
            "demographics.csv",
            "demographics",
            {
                **_BASE, "birthDate": "birth_date", "sex": "sex",
                "americanIndianOrAlaskaNative": "american_indian_or_alaska_native", "asian": "asian",
                "blackOrAfricanAmerican": "black_or_african_american",
                "nativeHawaiianOrOtherPacificIslander": "native_hawaiian_or_other_pacific_islander", "white": "white",
                "demographicRaceTwoOrMoreRaces": "demographic_race_two_or_more_races",
                "hispanicOrLatinoEthnicity": "hispanic_or_latino_ethnicity",
                "countryOfBirthCode": "country_of_birth_code",
                "stateOfBirthAbbreviation": "state_of_birth_abbreviation", "cityOfBirth": "city_of_birth",
                "publicSchoolResidenceStatus": "public_school_residence_status",
            },
            ("sourcedId",),
            {**_ID, "userSourcedId": "sourcedId", "gender": "sex", "dateOfBirth": "birthDate", "dob": "birthDate"},
        ),
    )
}  # fmt: skip

# Files of the binding that hold no roster: gradebook, resources, and sign-in profiles (which hold passwords).
UNUSED = (
    "userProfiles.csv", "userResources.csv", "resources.csv", "classResources.csv", "courseResources.csv",
    "categories.csv", "lineItems.csv", "results.csv", "lineItemLearningObjectiveIds.csv", "lineItemScoreScales.csv",
    "resultLearningObjectiveIds.csv", "resultScoreScales.csv", "scoreScales.csv",
)  # fmt: skip
REQUIRED = ("orgs.csv", "users.csv")
