"""What each column about a person is called on a page, table by table."""

from __future__ import annotations

import re

LABELS: dict[str, dict[str, str]] = {
    "roster_person": {
        "given_name": "First name", "middle_name": "Middle name", "family_name": "Last name",
        "preferred_first_name": "Preferred first name", "preferred_middle_name": "Preferred middle name",
        "preferred_last_name": "Preferred last name", "pronouns": "Pronouns", "name_key": "Name as search reads it",
        "sourced_id": "Code in the school’s system", "identifier": "Pupil or staff number", "username": "User name",
        "user_master_identifier": "Master code", "user_ids": "Codes in other systems", "email": "Email", "sms": "Mobile phone",
        "phone": "Phone", "grades": "School year", "metadata": "Other details",
    },
    "roster_role": {
        "role": "Role", "begin_date": "Role from", "end_date": "Role until", "user_profile": "Profile in another system",
    },
    "roster_enrollment": {
        "role": "Part in class", "primary": "First teacher", "begin_date": "In class from", "end_date": "In class until",
        "metadata": "Other details of the class place",
    },
    "roster_guardianship": {"relationship": "Who looks after whom"},
    "roster_demographics": {
        "sourced_id": "Code in the school’s system", "birth_date": "Date of birth", "sex": "Sex",
        "country_of_birth_code": "Country of birth", "state_of_birth_abbreviation": "State of birth",
        "city_of_birth": "Place of birth", "public_school_residence_status": "Residence status", "metadata": "Other details",
    },
    "roster_ethnicity": {
        "sourced_id": "Code in the school’s system", "american_indian_or_alaska_native": "American Indian or Alaska Native",
        "asian": "Asian", "black_or_african_american": "Black or African American",
        "native_hawaiian_or_other_pacific_islander": "Native Hawaiian or other Pacific Islander", "white": "White",
        "demographic_race_two_or_more_races": "Two or more races", "hispanic_or_latino_ethnicity": "Hispanic or Latino",
    },
    "roster_flag": {"flag": "Need or entitlement"},
    "roster_identity": {"sourced_id": "Codes given before", "by": "Who changed the codes", "reason": "Why the codes changed"},
    "policy_handedover": {
        "evidence": "On which ground it was handed over", "why_not_told": "Why they were not told",
        "why_corrected": "What was wrong",
    },
    "learning_result": {
        "score": "Score", "score_maximum": "Out of how many", "score_status": "How far it is marked",
        "score_date": "When it was scored", "comment": "Comment on the work",
        "activity_progress": "How far the work is", "grading_progress": "How far the marking is",
    },
    "policy_disclosure": {
        "people": "Who received or saw it", "recipient": "Who received or saw it", "reason": "Why it was given",
    },
}  # fmt: skip
# Shown neither by value nor by name: they repeat another column or are machinery.
SILENT = frozenset(
    {("roster_person", "name_key"), ("roster_demographics", "sourced_id"), ("roster_ethnicity", "sourced_id")}
)

# Categories by the first part of their names, in the order of the page.
GROUPS = {
    "identity": "Who they are", "school": "School life", "contact": "How to reach them", "family": "Family",
    "demographics": "Birth", "special": "Sensitive",
}  # fmt: skip
ANCHORS = {
    "left": "they leave",
    "written": "it was written",
    "closed": "the account closes",
    "agreement_end": "the agreement ends",
}
RETENTION = re.compile(r"^(\w+) \+ (\d+) (\w+)$")


def kept_until(retention: str) -> str:
    """A retention of the policy in words: "left + 6 months" is "6 months after they leave"."""
    found = RETENTION.match(retention)
    if not found or found[1] not in ANCHORS:
        return retention
    unit = found[3].replace("_", " ")
    return f"{found[2]} {unit[:-1] if found[2] == '1' else unit} after {ANCHORS[found[1]]}"


DOORS = {
    "page:people": "the list of people", "page:person": "this page", "page:class": "a class register",
    "page:classes": "the list of classes", "page:edit": "the form that changes details",
    "page:merge": "a check before two records are made one",
    "page:sync": "a sync that waits for a decision", "page:set-aside": "rows that a sync set aside",
    "page:badges": "the badges of a class", "page:badges_printed": "a sheet of printed badges",
    "page:person_sign_in": "the page for a pupil who cannot sign in", "page:books": "a pupil’s own page",
    "page:seen": "a pupil’s page about who sees them", "page:family": "a guardian’s page",
    "page:results": "the results of a class", "page:family_results": "a guardian’s page of results",
    "page:app_try": "an app’s page, tried as one person", "page:audit": "the audit", "page:audit_csv": "a download of the audit",
    "page:disclosures": "the register of what was handed over", "handed over": "a release outside Rollbook",
    "page:developers": "a developer’s own sandbox",
}  # fmt: skip


def in_words(columns: str) -> list[str]:
    """The columns of a disclosure ("roster_person.given_name,...") as labels, each once, in order of the tables here."""
    listed = {tuple(c.split(".", 1)) for c in columns.split(",") if "." in c}
    found = [
        label
        for table, labels in LABELS.items()
        for c, label in labels.items()
        if (table, c) in listed and (table, c) not in SILENT
    ]
    unknown = sorted(c.replace("_", " ") for table, c in listed if c not in LABELS.get(table, {}))
    return list(dict.fromkeys([*found, *unknown]))


def door_name(door: str) -> str:
    """Where a disclosure happened, in words: a page, or the API with its path."""
    kind, _, rest = door.partition(":")
    return DOORS.get(door) or (f"the page “{rest}”" if kind == "page" else rest or door)
