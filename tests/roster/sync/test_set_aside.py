"""Bad rows are set aside by name, with what depends on them; good rows go on, and a good row of the roster stays."""

from __future__ import annotations

import pytest

from rollbook.roster.models import Class, Org, Person
from tests.roster.sync.school import get, make_tenant, puddlebrook, roster, set_aside, sync

pytestmark = pytest.mark.django_db


def lines(done):
    return [(a.file, a.column, a.code, a.sourced_id, a.value) for a in set_aside(done)]


def one(tmp_path, change):
    """Sync the school after `change`; answers the sync and the tenant."""
    tenant, school = make_tenant(), puddlebrook()
    change(school)
    return sync(tenant, school, tmp_path), tenant


MEANINGLESS = [
    ("roles", "role", "wizard", "value"),
    ("roles", "orgSourcedId", "nowhere", "reference"),
    ("roles", "userSourcedId", "nobody", "reference"),
    ("roles", "beginDate", "2026-02-30", "date"),
    ("roles", "status", "perhaps", "value"),
    ("enrollments", "role", "wizard", "value"),
    ("enrollments", "classSourcedId", "nowhere", "reference"),
    ("enrollments", "userSourcedId", "nobody", "reference"),
    ("enrollments", "schoolSourcedId", "nowhere", "reference"),
    ("enrollments", "endDate", "soon", "date"),
    ("users", "enabledUser", "perhaps", "value"),
    ("demographics", "status", "perhaps", "value"),
]
TABLES = {"roles": "Role", "enrollments": "Enrollment", "demographics": "Demographics", "users": "Person",
          "orgs": "Org", "classes": "Class", "courses": "Course"}  # fmt: skip


def test_a_row_whose_meaning_is_unknown_is_set_aside_and_the_others_go_on(tmp_path):
    school, codes = puddlebrook(), []
    for n, (file, column, value, _) in enumerate(MEANINGLESS):
        school.person(f"p{n}", "student")
        school.enroll(f"p{n}", "KES")
        school.demographics[f"p{n}"] = {"sex": "female"}
        codes.append({"roles": f"r-p{n}", "enrollments": f"e-p{n}-KES"}.get(file, f"p{n}"))
        getattr(school, file)[codes[-1]][column] = value
    tenant = make_tenant()
    done = sync(tenant, school, tmp_path)
    assert done.state == "applied"
    found, told = roster(tenant), {(a.file, a.sourced_id): a for a in set_aside(done)}
    for code, (file, column, value, expected) in zip(codes, MEANINGLESS, strict=True):
        line = told[f"{file}.csv", code]
        assert (line.column, line.code, line.value) == (column, expected, value)
        assert line.row >= 2 and line.mend and value not in line.reason + line.mend
        assert code not in found[TABLES[file]]
    assert "ada" in found["Person"] and "e-ada-KES" in found["Enrollment"]
    others = {f"p{n}" for n, (file, *_) in enumerate(MEANINGLESS) if file != "users"}
    assert others <= set(found["Person"])


LEFT_OUT = [
    ("orgs", "S1", "parentSourcedId", "nowhere", ("parent_id", None)),
    ("orgs", "S2", "type", "castle", ("type", "")),
    ("users", "ada", "primaryOrgSourcedId", "nowhere", ("primary_org_id", None)),
    ("classes", "KES", "courseSourcedId", "nowhere", ("course_id", None)),
    ("classes", "OWL", "classType", "club", ("class_type", "")),
    ("courses", "MA2", "schoolYearSourcedId", "nowhere", ("school_year_id", None)),
    ("demographics", "ada", "birthDate", "2019-13-13", ("birth_date", None)),
    ("demographics", "ben", "birthDate", "2199-01-01", ("birth_date", None)),
    ("demographics", "ivo", "sex", "blue", ("sex", "")),
]


def test_a_value_that_a_row_can_do_without_is_left_out_and_told(tmp_path):
    school = puddlebrook()
    for file, code, column, value, _ in LEFT_OUT:
        getattr(school, file).setdefault(code, {})[column] = value
    tenant = make_tenant()
    done = sync(tenant, school, tmp_path)
    found, told = roster(tenant), {(a.file, a.sourced_id): a for a in set_aside(done)}
    assert len(told) == len(LEFT_OUT)
    for file, code, column, value, (stored, without) in LEFT_OUT:
        line = told[f"{file}.csv", code]
        assert (line.column, line.value) == (column, value) and "kept without it" in line.reason
        assert found[TABLES[file]][code][stored] == without
    assert all(kind["set_aside"] == 0 for kind in done.counts.values())


def test_a_term_that_is_not_there_is_left_out_of_the_class(tmp_path):
    done, tenant = one(tmp_path, lambda s: s.classes["KES"].update(termSourcedIds="AUT,SPRING"))
    assert lines(done) == [("classes.csv", "termSourcedIds", "reference", "KES", "SPRING")]
    assert set(roster(tenant)["ClassTerm"]) == {"KES:AUT", "OWL:AUT"}


def test_a_row_without_what_it_needs_is_set_aside(tmp_path):
    needs = [("orgs", "S2", "name"), ("classes", "KES", "title"), ("academicSessions", "AUT", "startDate")]

    def change(school):
        for file, code, column in needs:
            getattr(school, file)[code][column] = ""

    done, _ = one(tmp_path, change)
    for file, code, column in needs:
        assert (f"{file}.csv", column, "missing", code, "") in lines(done)


def test_a_person_needs_one_name_not_two(tmp_path):
    def change(school):
        school.users["ivo"]["familyName"] = ""
        school.users["ada"].update(givenName="", familyName="")

    done, tenant = one(tmp_path, change)
    assert "ivo" in roster(tenant)["Person"] and "ada" not in roster(tenant)["Person"]
    assert ("users.csv", "familyName", "missing", "ada", "") in lines(done)


def test_an_end_before_its_beginning_is_set_aside(tmp_path):
    done, _ = one(tmp_path, lambda s: s.academicSessions["AUT"].update(endDate="2026-08-01"))
    assert ("academicSessions.csv", "endDate", "order", "AUT", "2026-08-01") in lines(done)


def test_what_depends_on_a_bad_row_says_so_through_any_number_of_steps(tmp_path):
    done, tenant = one(tmp_path, lambda s: s.orgs["S2"].update(name=""))
    found = {(a.sourced_id, a.code, a.dependents) for a in set_aside(done)}
    assert found == {
        ("S2", "missing", 5),  # two roles, one class, and by the class two enrollments
        ("OWL", "depends", 2), ("r-dov", "depends", 0), ("r-ivo", "depends", 0),
        ("e-dov-OWL", "depends", 0), ("e-ivo-OWL", "depends", 0),
        ("dov", "depends", 0), ("ivo", "depends", 0),  # kept without their primary org
    }  # fmt: skip
    owl = next(a for a in set_aside(done) if a.sourced_id == "OWL")
    assert "orgs.csv row 4" in owl.reason
    assert set(roster(tenant)["Person"]) == {"ada", "ben", "cleo", "dov", "ivo"}
    assert set(roster(tenant)["Enrollment"]) == {"e-ada-KES", "e-ben-KES"}


def test_of_two_rows_with_one_id_the_first_good_one_is_taken(tmp_path):
    def change(school):
        school.users["ada"].update(givenName="", familyName="")
        school.extra["users"] = [
            {"sourcedId": "ada", "givenName": "Good", "familyName": "Ada"}, {"sourcedId": "ada", "givenName": "Late"},
        ]  # fmt: skip

    done, tenant = one(tmp_path, change)
    assert roster(tenant)["Person"]["ada"]["given_name"] == "Good"
    assert [(a.code, a.row) for a in set_aside(done)] == [("duplicate", 8), ("missing", 2)]


def test_parents_in_a_circle_are_left_out(tmp_path):
    done, tenant = one(tmp_path, lambda s: s.orgs["T"].update(parentSourcedId="S1"))
    assert {(a.code, a.sourced_id) for a in set_aside(done)} == {("cycle", "T"), ("cycle", "S1")}
    orgs = roster(tenant)["Org"]
    assert (orgs["T"]["parent_id"], orgs["S1"]["parent_id"], orgs["S2"]["parent_id"]) == (None, None, "T")


def test_a_good_row_of_the_roster_outlives_a_bad_row_of_the_source(tmp_path):
    tenant, school = make_tenant(), puddlebrook()
    sync(tenant, school, tmp_path)
    before = roster(tenant)
    school.users["ada"].update(givenName="", familyName="", enabledUser="perhaps")
    school.classes["KES"]["title"] = ""
    school.orgs["S1"]["name"] = ""
    done = sync(tenant, school, tmp_path)
    assert done.state == "unchanged" and len(set_aside(done)) == 4
    assert roster(tenant) == before
    for model, code in ((Person, "ada"), (Class, "KES"), (Org, "S1")):
        assert get(model, tenant, code).status == "active"


def test_the_counts_are_true_where_the_lines_are_capped(tmp_path, monkeypatch):
    monkeypatch.setattr("rollbook.roster.actions.sync.lines.CAP", 2)

    def change(school):
        for row in school.enrollments.values():
            row["role"] = "wizard"

    done, _ = one(tmp_path, change)
    assert len(set_aside(done)) == 2
    assert done.counts["enrollment"]["set_aside"] == 4 and done.counts["enrollment"]["codes"] == {"value": 4}
