"""The roster, in OneRoster 1.2's words: orgs, academic sessions, courses, classes, people, roles, enrollments.

Every table carries its tenant, first in every index. References between roster rows have no database constraint:
the sync proves each of them set-based before it writes (a constraint would check 10 million of them one by one),
rows are never deleted under a reference (they become tombstones), and `rollbook doctor` counts orphans. What must
be unique is an index by itself, not a part of the table, so that a first load may build it after the rows.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Substr

from rollbook.kernel.models import IdField
from rollbook.policy import BOOKKEEPING, LINK, ORGANISATION, Guarded, Open, not_personal, personal

KINDS = ("district", "trust", "authority", "school", "partner")


def text(**kwargs: Any) -> models.TextField[str, str]:
    kwargs.setdefault("blank", True)
    kwargs.setdefault("default", "")
    return models.TextField(**kwargs)


def link(to: str, **kwargs: Any) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey(
        to, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", **kwargs
    )


class Tenant(Open):
    """The customer that governs the data."""

    id = not_personal(IdField(), LINK)
    slug = not_personal(models.SlugField(unique=True), ORGANISATION)
    name = not_personal(text(), ORGANISATION)
    kind = not_personal(models.CharField(max_length=12, choices=[(k, k) for k in KINDS]), ORGANISATION)
    region = not_personal(models.CharField(max_length=2), ORGANISATION)
    policy = not_personal(models.CharField(max_length=64, default="default"), BOOKKEEPING)
    created_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    hold_removed_percent = not_personal(models.FloatField(default=10.0), BOOKKEEPING)
    hold_changed_percent = not_personal(models.FloatField(default=75.0), BOOKKEEPING)
    tombstone_days = not_personal(models.IntegerField(default=90), BOOKKEEPING)
    # What a sync may store at all (CLEV-0.4), in the words of `rules/keep.py`; empty keeps all.
    keep = not_personal(models.JSONField(default=dict, blank=True), BOOKKEEPING)
    # Grows in the transaction of every change to the roster: what is cached about the roster is valid for one version.
    roster_version = not_personal(models.BigIntegerField(default=0), BOOKKEEPING)
    # A developer's own: nobody in it is real. Its people come from `jobs.fill_sandbox` alone, and no sync is taken.
    sandbox = not_personal(models.BooleanField(default=False), BOOKKEEPING)

    def __str__(self) -> str:
        return self.name


class RosterRow(Guarded):
    """The columns that each OneRoster object has."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(link("roster.Tenant"), LINK)
    status = not_personal(
        models.CharField(max_length=11, default="active"), BOOKKEEPING
    )  # active | tobedeleted
    date_last_modified = not_personal(models.DateTimeField(), BOOKKEEPING)
    row_hash = not_personal(
        models.BigIntegerField(default=0), BOOKKEEPING
    )  # of the source row, to see changes
    sync_id = not_personal(
        models.BigIntegerField(default=0), BOOKKEEPING
    )  # the sync that wrote it last; 0 = by hand

    class Meta:
        abstract = True


class Org(RosterRow):
    sourced_id = not_personal(models.TextField(), ORGANISATION)
    name = not_personal(text(), ORGANISATION)
    type = not_personal(text(), ORGANISATION)
    identifier = not_personal(text(), ORGANISATION)
    parent = not_personal(link("roster.Org", null=True), LINK)
    metadata = not_personal(text(), ORGANISATION)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "sourced_id", name="org_sourced_id")]


class AcademicSession(RosterRow):
    sourced_id = not_personal(models.TextField(), ORGANISATION)
    title = not_personal(text(), ORGANISATION)
    type = not_personal(text(), ORGANISATION)
    start_date = not_personal(models.DateField(null=True), ORGANISATION)
    end_date = not_personal(models.DateField(null=True), ORGANISATION)
    school_year = not_personal(text(), ORGANISATION)
    parent = not_personal(link("roster.AcademicSession", null=True), LINK)
    metadata = not_personal(text(), ORGANISATION)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "sourced_id", name="session_sourced_id")]


class Course(RosterRow):
    sourced_id = not_personal(models.TextField(), ORGANISATION)
    title = not_personal(text(), ORGANISATION)
    course_code = not_personal(text(), ORGANISATION)
    grades = not_personal(text(), ORGANISATION)  # comma-separated, as in the CSV
    subjects = not_personal(text(), ORGANISATION)
    subject_codes = not_personal(text(), ORGANISATION)
    school_year = not_personal(link("roster.AcademicSession", null=True), LINK)
    org = not_personal(link("roster.Org", null=True), LINK)
    metadata = not_personal(text(), ORGANISATION)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "sourced_id", name="course_sourced_id")]


class Class(RosterRow):
    sourced_id = not_personal(models.TextField(), ORGANISATION)
    title = not_personal(text(), ORGANISATION)
    class_code = not_personal(text(), ORGANISATION)
    class_type = not_personal(text(), ORGANISATION)
    location = not_personal(text(), ORGANISATION)
    grades = not_personal(text(), ORGANISATION)
    subjects = not_personal(text(), ORGANISATION)
    subject_codes = not_personal(text(), ORGANISATION)
    periods = not_personal(text(), ORGANISATION)
    course = not_personal(link("roster.Course", null=True), LINK)
    school = not_personal(link("roster.Org"), LINK)
    metadata = not_personal(text(), ORGANISATION)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "sourced_id", name="class_sourced_id")]
        indexes = [models.Index(fields=["tenant", "school"], name="class_school")]


class ClassTerm(Guarded):
    """A class runs in an academic session (OneRoster: class.terms)."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(link("roster.Tenant"), LINK)
    klass = not_personal(link("roster.Class", db_column="class_id"), LINK)
    session = not_personal(link("roster.AcademicSession"), LINK)

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "klass", "session", name="class_term")]
        indexes = [models.Index(fields=["tenant", "session"], name="class_term_session")]


class Person(RosterRow):
    """One human in one tenant (OneRoster: user). The id never changes; the ids a school gave are in Identity."""

    data_subject = True

    sourced_id = personal(models.TextField(), "identity.code")
    given_name = personal(text(), "identity.name")
    family_name = personal(text(), "identity.name")
    # Made by the database. A column by itself, so that who is granted the initial is not granted the name.
    family_initial = personal(
        models.GeneratedField(
            expression=Substr("family_name", 1, 1), output_field=models.TextField(), db_persist=True
        ),
        "identity.name",
    )
    middle_name = personal(text(), "identity.name")
    preferred_first_name = personal(text(), "identity.preferred")
    preferred_middle_name = personal(text(), "identity.preferred")
    preferred_last_name = personal(text(), "identity.preferred")
    pronouns = personal(text(), "identity.preferred")
    name_key = personal(text(), "identity.name")  # "family given", lower case, no accents: what search reads
    enabled_user = not_personal(models.BooleanField(default=True), BOOKKEEPING)
    username = personal(text(), "identity.code")
    user_master_identifier = personal(text(), "identity.code")
    identifier = personal(text(), "identity.code")
    user_ids = personal(text(), "identity.code")  # {type:id},{type:id} as in the CSV
    email = personal(text(), "contact.email")
    sms = personal(text(), "contact.phone")
    phone = personal(text(), "contact.phone")
    grades = personal(text(), "school.grade")
    primary_org = not_personal(link("roster.Org", null=True), LINK)
    metadata = personal(text(), "identity.other")

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "sourced_id", name="person_sourced_id")]
        indexes = [models.Index(fields=["tenant", "name_key"], name="person_name")]


class Role(RosterRow):
    """What a person is at an org. One is primary."""

    sourced_id = not_personal(models.TextField(), LINK)
    person = not_personal(link("roster.Person"), LINK)
    org = not_personal(link("roster.Org"), LINK)
    role = personal(models.TextField(), "school.role", about="person_id")
    role_type = not_personal(models.CharField(max_length=9, default="primary"), BOOKKEEPING)
    begin_date = personal(models.DateField(null=True), "school.role", about="person_id")
    end_date = personal(models.DateField(null=True), "school.role", about="person_id")
    user_profile = personal(text(), "identity.code", about="person_id")

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "sourced_id", name="role_sourced_id")]
        indexes = [
            models.Index(fields=["tenant", "person"], name="role_person"),
            models.Index(fields=["tenant", "org", "role", "person"], name="role_org"),
        ]


class Enrollment(RosterRow):
    sourced_id = not_personal(models.TextField(), LINK)
    person = not_personal(link("roster.Person"), LINK)
    klass = not_personal(link("roster.Class", db_column="class_id"), LINK)
    school = not_personal(link("roster.Org"), LINK)
    role = personal(models.TextField(), "school.class", about="person_id")
    primary = personal(models.BooleanField(null=True), "school.class", about="person_id")
    begin_date = personal(models.DateField(null=True), "school.class", about="person_id")
    end_date = personal(models.DateField(null=True), "school.class", about="person_id")
    metadata = personal(text(), "school.class", about="person_id")

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "sourced_id", name="enrollment_sourced_id")]
        indexes = [
            models.Index(fields=["tenant", "klass", "person"], name="enrollment_class"),
            models.Index(fields=["tenant", "person"], name="enrollment_person"),
        ]


class Guardianship(RosterRow):
    """A grown-up answers for a child (OneRoster: user.agents, both ways)."""

    sourced_id = not_personal(models.TextField(), LINK)
    guardian = not_personal(link("roster.Person"), LINK)
    child = not_personal(link("roster.Person"), LINK)
    relationship = personal(text(), "family.link", about="child_id")

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "guardian", "child", name="guardianship_pair")]
        indexes = [models.Index(fields=["tenant", "child"], name="guardianship_child")]


class Demographics(RosterRow):
    """Birth and sex. What the law calls special stands in its own table, Ethnicity."""

    sourced_id = personal(models.TextField(), "identity.code", about="person_id")
    person = not_personal(link("roster.Person"), LINK)
    birth_date = personal(models.DateField(null=True), "demographics.birth", about="person_id")
    sex = personal(text(), "demographics.sex", about="person_id")
    country_of_birth_code = personal(text(), "demographics.birthplace", about="person_id")
    state_of_birth_abbreviation = personal(text(), "demographics.birthplace", about="person_id")
    city_of_birth = personal(text(), "demographics.birthplace", about="person_id")
    public_school_residence_status = personal(text(), "demographics.residence", about="person_id")
    metadata = personal(text(), "identity.other", about="person_id")

    class Meta(Guarded.Meta):
        constraints = [
            models.UniqueConstraint("tenant", "sourced_id", name="demographics_sourced_id"),
            models.UniqueConstraint("tenant", "person", name="demographics_person"),
        ]


class Ethnicity(RosterRow):
    """Special category: a row exists only when the source names at least one."""

    sourced_id = personal(models.TextField(), "special.ethnicity", about="person_id")
    person = not_personal(link("roster.Person"), LINK)
    american_indian_or_alaska_native = personal(
        models.BooleanField(null=True), "special.ethnicity", about="person_id"
    )
    asian = personal(models.BooleanField(null=True), "special.ethnicity", about="person_id")
    black_or_african_american = personal(
        models.BooleanField(null=True), "special.ethnicity", about="person_id"
    )
    native_hawaiian_or_other_pacific_islander = personal(
        models.BooleanField(null=True), "special.ethnicity", about="person_id"
    )
    white = personal(models.BooleanField(null=True), "special.ethnicity", about="person_id")
    demographic_race_two_or_more_races = personal(
        models.BooleanField(null=True), "special.ethnicity", about="person_id"
    )
    hispanic_or_latino_ethnicity = personal(
        models.BooleanField(null=True), "special.ethnicity", about="person_id"
    )

    class Meta(Guarded.Meta):
        constraints = [
            models.UniqueConstraint("tenant", "sourced_id", name="ethnicity_sourced_id"),
            models.UniqueConstraint("tenant", "person", name="ethnicity_person"),
        ]


class Flag(RosterRow):
    """Special category: a need or an entitlement (SDS: userFlags, such as iep or freeLunch)."""

    sourced_id = not_personal(models.TextField(), LINK)
    person = not_personal(link("roster.Person"), LINK)
    flag = personal(models.TextField(), "special.need", about="person_id")

    class Meta(Guarded.Meta):
        constraints = [models.UniqueConstraint("tenant", "sourced_id", name="flag_sourced_id")]
        indexes = [models.Index(fields=["tenant", "person"], name="flag_person")]


class Identity(Guarded):
    """What happened to a person's ids: given by a source, merged into another person, split off, undone."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(link("roster.Tenant"), LINK)
    person = not_personal(link("roster.Person"), LINK)
    kind = not_personal(models.CharField(max_length=8), BOOKKEEPING)  # given | entered | merged | split
    sourced_id = personal(text(), "identity.code", about="person_id")
    other = not_personal(link("roster.Person", null=True), LINK)  # merged: into whom; split: from whom
    at = not_personal(models.DateTimeField(), BOOKKEEPING)
    by = personal(text(), "staff.act", about="person_id")
    reason = personal(text(), "identity.other", about="person_id")
    undone_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
    image = personal(text(), "identity.other", about="person_id")  # what an undo puts back, as JSON

    class Meta(Guarded.Meta):
        indexes = [
            models.Index(fields=["tenant", "person"], name="identity_person"),
            models.Index(fields=["tenant", "sourced_id"], name="identity_sourced_id"),
        ]


SYNC_STATES = (
    "reading",
    "proposed",
    "held",
    "applying",
    "applied",
    "unchanged",
    "refused",
    "failed",
    "undone",
    "discarded",
)


class Sync(Guarded):
    """One sync: a proposal, and what became of it."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(link("roster.Tenant"), LINK)
    state = not_personal(models.CharField(max_length=10, default="reading"), BOOKKEEPING)
    source = not_personal(text(), BOOKKEEPING)  # the file's or folder's name as given
    format = not_personal(text(), BOOKKEEPING)
    sha256 = not_personal(text(), BOOKKEEPING)
    spool = not_personal(text(), BOOKKEEPING)  # where the bundle waits until it is applied or discarded
    started_at = not_personal(models.DateTimeField(), BOOKKEEPING)
    finished_at = not_personal(models.DateTimeField(null=True), BOOKKEEPING)
    by = personal(text(), "staff.act", about="by_account_id")
    by_account_id = not_personal(models.BigIntegerField(null=True), LINK)
    roster_version = not_personal(
        models.BigIntegerField(default=0), BOOKKEEPING
    )  # the one it was planned against, then made
    # {"person": {"rows": n, "created": n, "changed": n, "removed": n, "unchanged": n, "set_aside": n}, ...}
    counts = not_personal(models.JSONField(default=dict), BOOKKEEPING)
    plan = not_personal(
        models.JSONField(default=list), BOOKKEEPING
    )  # created, changed, removed per org and class, with reasons
    holds = not_personal(models.JSONField(default=list), BOOKKEEPING)  # why it waits for a person
    notices = not_personal(models.JSONField(default=list), BOOKKEEPING)  # leniencies applied, by name
    step = not_personal(text(), BOOKKEEPING)  # progress: what is being done
    done = not_personal(models.IntegerField(default=0), BOOKKEEPING)  # progress: per cent
    message = not_personal(text(), BOOKKEEPING)  # why it was refused or failed

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "-id"], name="sync_latest")]


class SetAside(Guarded):
    """A row of the source that was not taken, why, and how to mend it there."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(link("roster.Tenant"), LINK)
    sync = not_personal(link("roster.Sync"), LINK)
    file = not_personal(models.TextField(), BOOKKEEPING)
    row = not_personal(models.BigIntegerField(), BOOKKEEPING)
    column = not_personal(text(), BOOKKEEPING)
    code = not_personal(models.TextField(), BOOKKEEPING)
    sourced_id = personal(text(), "sync.setaside", about="id")
    value = personal(text(), "sync.setaside", about="id")
    reason = not_personal(models.TextField(), BOOKKEEPING)
    mend = not_personal(models.TextField(), BOOKKEEPING)
    dependents = not_personal(
        models.IntegerField(default=0), BOOKKEEPING
    )  # rows set aside because of this one

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "sync", "code", "file", "row"], name="setaside_sync")]


class Event(Guarded):
    """What one sync or one hand did to one kind of row: created, changed or removed, as a packed set of ids.

    The APIs, webhooks and directory pushes read this log; ids grow with time, so "since" is an id.
    """

    id = not_personal(IdField(), LINK)
    tenant = not_personal(link("roster.Tenant"), LINK)
    sync = not_personal(link("roster.Sync", null=True), LINK)
    at = not_personal(models.DateTimeField(), BOOKKEEPING)
    entity = not_personal(models.CharField(max_length=24), BOOKKEEPING)  # person, enrollment, ...
    action = not_personal(models.CharField(max_length=7), BOOKKEEPING)  # created | changed | removed
    ids = not_personal(models.BinaryField(), LINK)
    count = not_personal(models.IntegerField(), BOOKKEEPING)

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "id"], name="event_feed")]


class Before(Guarded):
    """A changed or removed row as it was before a sync: what undo puts back. Goes with its sync's undo period."""

    id = not_personal(IdField(), LINK)
    tenant = not_personal(link("roster.Tenant"), LINK)
    sync = not_personal(link("roster.Sync"), LINK)
    entity = not_personal(models.CharField(max_length=24), BOOKKEEPING)
    row_id = not_personal(models.BigIntegerField(), LINK)
    image = personal(models.TextField(), "sync.before", about="row_id")

    class Meta(Guarded.Meta):
        indexes = [models.Index(fields=["tenant", "sync", "entity"], name="before_sync")]
