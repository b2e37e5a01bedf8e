"""OneRoster bundles: what lands in the staging tables, and what the manifest means."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.roster.connectors import stage
from rollbook.roster.rules import Refused
from tests.roster.connectors.bundles import MANIFEST, ONEROSTER, staged, swapped, without


def test_a_clean_bundle_lands_whole_and_without_a_notice(tmp_path: Path) -> None:
    with staged(tmp_path, ONEROSTER) as look:
        assert (look.staged.format, look.staged.version) == ("oneroster-csv", "1.2")
        assert look.staged.kinds == {
            "org", "session", "course", "class", "person", "role", "enrollment", "guardianship",
        }  # fmt: skip
        assert look.cells("org", "sourced_id") == ["d1", "s1"]
        assert look.rows("SELECT sourced_id, given_name, grades, primary_org_sourced_id, pronouns, _file, _row FROM s_person "
                         "ORDER BY _row")[0] == ("ada", "Ada", "09", "s1", "she/her", "users.csv", 2)  # fmt: skip
        assert look.cells("class", "periods") == ["1,2"]
        assert look.rows("SELECT role, is_primary, _row FROM s_enrollment ORDER BY _row") == [
            ("student", None, 2),
            ("teacher", "true", 3),
        ]
        assert look.codes() <= {"password-dropped"}
        assert look.rows("SELECT count(*) FROM s_demographics") == [(0,)]


def test_the_agents_of_pupil_and_parent_are_one_guardianship(tmp_path: Path) -> None:
    with staged(tmp_path, ONEROSTER) as look:
        assert look.rows(
            "SELECT guardian_sourced_id, child_sourced_id, relationship FROM s_guardianship"
        ) == [("cleo", "ada", "parent")]


def test_roles_of_1_1_come_from_users_and_the_first_org_is_primary(tmp_path: Path) -> None:
    users = (
        "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,"
        "middleName,identifier,email,sms,phone,agentSourcedIds,grades,password\n"
        'ada,,,true,"s1,d1",student,ada,,Ada,Ash,,,,,,,,\n'
        "dee,,,true,d1,administrator,dee,,Dee,Dale,,,,,,,,\nsam,,,true,s1,Administrator,sam,,Sam,Sale,,,,,,,,\n"
    )
    files = {**without(ONEROSTER, "roles.csv", "manifest.csv"), "users.csv": users}
    with staged(tmp_path, files) as look:
        assert look.staged.version == "1.1"
        assert look.rows(
            "SELECT sourced_id, role_type, role, org_sourced_id FROM s_role ORDER BY _row, role_type"
        ) == [
            ("ada:s1:student", "primary", "student", "s1"),
            ("ada:d1:student", "secondary", "student", "d1"),
            ("dee:d1:administrator", "primary", "districtAdministrator", "d1"),
            ("sam:s1:administrator", "primary", "siteAdministrator", "s1"),
        ]
        assert look.cells("person", "primary_org_sourced_id") == ["s1", "d1", "s1"]
        assert look.notice("legacy-role")[1:] == ("users.csv", 3, "role", 2)


def test_the_mode_of_each_file_comes_from_the_manifest(tmp_path: Path) -> None:
    files = swapped(ONEROSTER, "manifest.csv", "file.enrollments,bulk", "file.enrollments,delta")
    with staged(tmp_path, files) as look:
        assert dict(look.rows("SELECT kind, mode FROM s_file"))["enrollment"] == "delta"
        assert dict(look.rows("SELECT kind, mode FROM s_file"))["person"] == "bulk"


def test_a_file_that_is_not_there_leaves_its_kind_alone(tmp_path: Path) -> None:
    files = without(
        swapped(ONEROSTER, "manifest.csv", "file.enrollments,bulk", "file.enrollments,absent"),
        "enrollments.csv",
    )
    with staged(tmp_path, files) as look:
        assert "enrollment" not in look.staged.kinds
        assert look.rows("SELECT count(*) FROM s_enrollment") == [(0,)]
        assert look.codes() <= {"password-dropped"}


def test_a_header_without_rows_speaks_of_its_kind_and_says_so(tmp_path: Path) -> None:
    header = str(ONEROSTER["enrollments.csv"]).split("\n", 1)[0]
    with staged(tmp_path, {**ONEROSTER, "enrollments.csv": header}) as look:
        assert "enrollment" in look.staged.kinds
        assert look.notice("header-only")[:2] == ("warning", "enrollments.csv")


@pytest.mark.parametrize("content", ["", "file.orgs,bulk"])
def test_a_blank_manifest_means_bulk_with_a_warning(tmp_path: Path, content: str) -> None:
    manifest = content and "propertyName,value\nfile.orgs,\nfile.users,\n"
    with staged(tmp_path, {**ONEROSTER, "manifest.csv": manifest}) as look:
        assert {"missing-manifest", "blank-manifest-mode"} & look.codes()
        assert {mode for (mode,) in look.rows("SELECT mode FROM s_file")} == {"bulk"}


def test_a_file_the_manifest_calls_absent_is_not_read(tmp_path: Path) -> None:
    files = swapped(ONEROSTER, "manifest.csv", "file.courses,bulk", "file.courses,absent")
    with staged(tmp_path, files) as look:
        assert "course" not in look.staged.kinds
        assert look.notice("manifest-absent")[1] == "courses.csv"


def test_a_promised_file_that_is_missing_warns_or_refuses(tmp_path: Path) -> None:
    with staged(tmp_path / "a", without(ONEROSTER, "courses.csv")) as look:
        assert look.notice("manifest-missing-file")[:2] == ("warning", "courses.csv")
        assert "course" not in look.staged.kinds
    with pytest.raises(Refused) as refused, staged(tmp_path / "b", without(ONEROSTER, "users.csv")):
        pass
    assert refused.value.file == "users.csv" and refused.value.mend


def test_without_a_manifest_orgs_and_users_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused, staged(tmp_path, without(ONEROSTER, "manifest.csv", "orgs.csv")):
        pass
    assert refused.value.file == "orgs.csv" and "absent" in str(refused.value.mend)


def test_a_mode_that_means_nothing_is_refused(tmp_path: Path) -> None:
    files = swapped(ONEROSTER, "manifest.csv", "file.users,bulk", "file.users,sometimes")
    with pytest.raises(Refused) as refused, staged(tmp_path, files):
        pass
    assert (refused.value.file, refused.value.row, refused.value.column) == ("manifest.csv", 8, "value")


def test_a_delta_may_hold_users_alone(tmp_path: Path) -> None:
    manifest = "propertyName,value\noneroster.version,1.2\nfile.orgs,absent\nfile.users,delta\n"
    with staged(tmp_path, {"manifest.csv": manifest, "users.csv": ONEROSTER["users.csv"]}) as look:
        assert look.staged.kinds == {"person", "guardianship"}


def test_enrollments_without_ids_get_lasting_ones(tmp_path: Path) -> None:
    text = "classSourcedId,schoolSourcedId,userSourcedId,role\nk1,s1,ada,student\n"
    with staged(tmp_path, {**ONEROSTER, "enrollments.csv": text}) as look:
        assert look.cells("enrollment", "sourced_id") == ["k1:ada:student"]
        assert look.notice("made-id")[4] == 1


def test_vendor_columns_become_metadata_and_passwords_never_land(tmp_path: Path) -> None:
    users = (
        'sourcedId,status,enabledUser,username,givenName,familyName,password,metadata.house,ext "q" x,studentPassword\n'
        'ada,,true,ada,Ada,Ash,needle-one,Red,"say ""hi""",needle-two\nben,,true,ben,Ben,Birch,needle-one,,,needle-two\n'
    )
    with staged(tmp_path, {**ONEROSTER, "users.csv": users}) as look:
        assert look.cells("person", "metadata") == ['{"house":"Red","ext \\"q\\" x":"say \\"hi\\""}', None]
        assert look.rows("SELECT count(*) FROM s_notice WHERE code = 'password-dropped'") == [(2,)]
        assert look.notice("unknown-column")[1:4] == ("users.csv", 1, 'ext "q" x')
        tables = [name for (name,) in look.rows("SELECT table_name FROM duckdb_tables()")]
        assert not [t for t in tables if not t.startswith("s_")]
        for table in tables:
            assert "needle" not in repr(look.rows(f"SELECT * FROM {table}"))


def test_the_hash_is_of_the_contents(tmp_path: Path) -> None:
    with staged(tmp_path / "a", ONEROSTER) as one, staged(tmp_path / "b", ONEROSTER) as two:
        assert one.staged.sha256 == two.staged.sha256
    with staged(tmp_path / "c", swapped(ONEROSTER, "orgs.csv", "Elm", "Oak")) as three:
        assert three.staged.sha256 != one.staged.sha256


def test_staging_again_replaces_what_was_there(tmp_path: Path) -> None:
    with staged(tmp_path / "a", ONEROSTER) as look:
        second = stage(tmp_path / "a", look.con)
        assert second == look.staged
        assert look.rows("SELECT count(*) FROM s_person") == [(3,)]
        assert len(look.rows("SELECT * FROM s_file WHERE kind = 'org'")) == 1


def test_a_manifest_of_another_version_follows_the_files(tmp_path: Path) -> None:
    files = {**ONEROSTER, "manifest.csv": MANIFEST.replace("version,1.2", "version,1.1")}
    with staged(tmp_path, files) as look:
        assert look.staged.version == "1.2"
        assert look.notice("version")[1] == "manifest.csv"
