"""Each form that real exports get wrong: what it is read as, and the notice that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.roster.rules import Refused
from tests.roster.connectors.bundles import ONEROSTER, Files, staged, swapped, without

ORGS = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\n"
DEMOGRAPHICS = "sourcedId,status,dateLastModified,birthDate,sex\n"


def with_orgs(body: str | bytes) -> Files:
    raw = body.encode() if isinstance(body, str) else body
    return {**ONEROSTER, "orgs.csv": ORGS.encode() + raw}


# --- names and headers -----------------------------------------------------------------------------------------------


def test_header_case_spaces_and_slips(tmp_path: Path) -> None:
    header = "SourcedId,STATUS,date last modified,Name,type,identifer,parent_sourced_id\n"
    files = {**ONEROSTER, "orgs.csv": header + "s1,,,Elm,school,77,\n"}
    with staged(tmp_path, files) as look:
        assert look.rows("SELECT sourced_id, name, identifier FROM s_org") == [("s1", "Elm", "77")]
        assert look.notice("header-typo")[1:4] == ("orgs.csv", 1, "identifier")
        assert "header-case" in look.codes("orgs.csv")


def test_an_old_header_name_is_understood(tmp_path: Path) -> None:
    files = swapped(ONEROSTER, "classes.csv", "grades", "grade")
    with staged(tmp_path, files) as look:
        assert look.cells("class", "grades") == ["09"]
        assert look.notice("header-alias")[1:4] == ("classes.csv", 1, "grades")


def test_a_near_name_with_a_number_is_another_column(tmp_path: Path) -> None:
    users = "sourcedId,givenName,familyName,username,phone2\nada,Ada,Ash,ada,123\n"
    with staged(tmp_path, {**ONEROSTER, "users.csv": users}) as look:
        assert look.cells("person", "phone") == [None]
        assert look.cells("person", "metadata") == ['{"phone2":"123"}']


def test_a_column_twice_is_refused_by_name(tmp_path: Path) -> None:
    files = {**ONEROSTER, "courses.csv": "sourcedId,title,Title\nc1,a,b\n"}
    with staged(tmp_path, files) as look:
        assert look.notice("header")[:4] == ("refused", "courses.csv", 1, "title")
        assert "course" not in look.staged.kinds


def test_a_file_with_the_columns_of_another_is_refused_by_name(tmp_path: Path) -> None:
    files = {**ONEROSTER, "courses.csv": ONEROSTER["classes.csv"]}
    with staged(tmp_path / "a", files) as look:
        assert look.notice("header")[:2] == ("refused", "courses.csv")
        ((message,),) = look.rows("SELECT message FROM s_notice WHERE code = 'header'")
        assert "'classes.csv'" in message
    with (
        pytest.raises(Refused) as refused,
        staged(tmp_path / "b", {**ONEROSTER, "users.csv": ONEROSTER["enrollments.csv"]}),
    ):
        pass
    assert refused.value.file == "users.csv" and "'enrollments.csv'" in refused.value.message


def test_data_without_a_header_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused, staged(tmp_path, {**ONEROSTER, "users.csv": "77,Needle,Nadel\n"}):
        pass
    said = f"{refused.value.message} {refused.value.mend}"
    assert refused.value.file == "users.csv" and "Needle" not in said


def test_file_names_in_any_case_and_with_a_slip(tmp_path: Path) -> None:
    files = without(ONEROSTER, "users.csv", "enrollments.csv", "classes.csv")
    files |= {
        "USERS.CSV": ONEROSTER["users.csv"],
        "enrolments.csv": ONEROSTER["enrollments.csv"],
        "classes (1).csv": ONEROSTER["classes.csv"],
    }
    with staged(tmp_path, files) as look:
        assert {"person", "enrollment", "class"} <= look.staged.kinds
        assert look.codes("enrolments.csv") == {"file-name-typo"}
        assert "file-name-case" in look.codes("USERS.CSV") & look.codes("classes (1).csv")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(Refused) as refused,
        staged(tmp_path, {**ONEROSTER, "Users.csv": ONEROSTER["users.csv"]}),
    ):
        pass
    assert "users.csv" in refused.value.message


# --- bytes -----------------------------------------------------------------------------------------------------------


def test_a_byte_order_mark(tmp_path: Path) -> None:
    files = {**ONEROSTER, "orgs.csv": "\ufeff" + str(ONEROSTER["orgs.csv"])}
    with staged(tmp_path, files) as look:
        assert look.cells("org", "sourced_id") == ["d1", "s1"]
        assert look.codes("orgs.csv") == {"bom"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_unicode(tmp_path: Path, encoding: str) -> None:
    text = ORGS + "s1,,,Élan 学校,school,,\n"
    with staged(tmp_path, {**ONEROSTER, "orgs.csv": text.encode(encoding)}) as look:
        assert look.cells("org", "name") == ["Élan 学校"]
        assert look.notice("encoding")[:2] == ("warning", "orgs.csv")


def test_windows_bytes_are_read_and_valid_utf8_beside_them_stays(tmp_path: Path) -> None:
    body = "s1,,,Élan,school,,\n".encode() + "s2,,,Zoë’s,school,,\n".encode("cp1252")
    with staged(tmp_path, with_orgs(body)) as look:
        assert look.cells("org", "name") == ["Élan", "Zoë’s"]
        assert look.notice("encoding")[:3] == ("warning", "orgs.csv", 3)


def test_control_bytes_are_left_out(tmp_path: Path) -> None:
    with staged(tmp_path, with_orgs(b"s1,,,E\0lm,school,,\n\x1a")) as look:
        assert look.cells("org", "name") == ["Elm"]
        assert look.notice("control-bytes")[1] == "orgs.csv"


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_any_line_end(tmp_path: Path, end: str) -> None:
    text = (ORGS + "d1,,,North,district,,\ns1,,,Elm,school,,d1\n").replace("\n", end)
    with staged(tmp_path, {**ONEROSTER, "orgs.csv": text}) as look:
        assert look.rows("SELECT sourced_id, parent_sourced_id, _row FROM s_org ORDER BY _row") == [
            ("d1", None, 2),
            ("s1", "d1", 3),
        ]


def test_mixed_line_ends(tmp_path: Path) -> None:
    with staged(
        tmp_path, with_orgs("a,,,A,school,,\r\nb,,,B,school,,\nc,,,C,school,,\rd,,,D,school,,")
    ) as look:
        assert look.rows("SELECT sourced_id, _row FROM s_org ORDER BY 1") == [
            ("a", 2),
            ("b", 3),
            ("c", 4),
            ("d", 5),
        ]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter(tmp_path: Path, delimiter: str) -> None:
    text = (ORGS + "s1,,,Elm,school,,\n").replace(",", delimiter)
    with staged(tmp_path, {**ONEROSTER, "orgs.csv": text}) as look:
        assert look.cells("org", "name") == ["Elm"]
        assert "delimiter" in look.codes("orgs.csv")


def test_a_separator_line_before_the_header(tmp_path: Path) -> None:
    text = "sep=;\n" + (ORGS + "s1,,,Elm,school,,\n").replace(",", ";")
    with staged(tmp_path, {**ONEROSTER, "orgs.csv": text}) as look:
        assert look.rows("SELECT name, _row FROM s_org") == [("Elm", 3)]
        assert {"lines-before-header", "delimiter"} <= look.codes("orgs.csv")


# --- rows ------------------------------------------------------------------------------------------------------------


def test_short_rows_are_padded(tmp_path: Path) -> None:
    with staged(tmp_path, with_orgs("a,,,A,school,,\nb,,,B,school\nc,,,C,school,,\n")) as look:
        assert look.rows("SELECT sourced_id, type, _row FROM s_org ORDER BY _row")[1] == ("b", "school", 3)
        assert look.notice("short-row") == ("warning", "orgs.csv", 3, None, 1)


def test_a_row_whose_comma_moved_its_cells_is_refused(tmp_path: Path) -> None:
    with staged(
        tmp_path, with_orgs("a,,,A,school,,\nb,,,B, the school,school,,\nc,,,C,x,school,7,d1,,\n")
    ) as look:
        assert look.cells("org", "sourced_id") == ["a"]
        found = look.rows("SELECT severity, row FROM s_notice WHERE code = 'extra-cells' ORDER BY row")
        assert found == [("refused", 3), ("refused", 4)]


def test_delimiters_at_the_end_of_every_row_are_ignored(tmp_path: Path) -> None:
    with staged(tmp_path, with_orgs("a,,,A,school,,,,\nb,,,B,school,,,,\n")) as look:
        assert look.rows("SELECT sourced_id, name, _row FROM s_org ORDER BY _row") == [
            ("a", "A", 2),
            ("b", "B", 3),
        ]
        assert look.notice("extra-cells") == ("warning", "orgs.csv", 2, None, 2)


def test_a_header_cell_without_a_name_is_left_out(tmp_path: Path) -> None:
    with staged(tmp_path, {**ONEROSTER, "courses.csv": "sourcedId,title,,\nc1,Maths,x,\n"}) as look:
        assert look.rows("SELECT sourced_id, title, metadata FROM s_course") == [("c1", "Maths", None)]
        assert look.notice("header-unnamed")[1] == "courses.csv"


def test_blank_rows_keep_the_row_numbers_of_the_spreadsheet(tmp_path: Path) -> None:
    with staged(
        tmp_path, with_orgs("a,,,A,school,,\n\nb,,,B,school,,\n,,,,,,\n   \nc,,,C,school,,\n\n\n")
    ) as look:
        assert look.rows("SELECT sourced_id, _row FROM s_org ORDER BY _row") == [("a", 2), ("b", 4), ("c", 7)]


def test_trailing_blank_rows(tmp_path: Path) -> None:
    with staged(tmp_path, with_orgs("a,,,A,school,,\n,,,,,,\n , ,,,,,\n")) as look:
        assert look.cells("org", "sourced_id") == ["a"]
        assert look.notice("trailing-blank-rows") == ("warning", "orgs.csv", 3, None, 2)


def test_a_file_cut_in_the_middle_of_a_row(tmp_path: Path) -> None:
    with staged(tmp_path, with_orgs("a,,,A,school,,\nb,,,B,sch")) as look:
        assert look.cells("org", "sourced_id") == ["a"]
        assert look.notice("truncated-row")[:3] == ("refused", "orgs.csv", 3)


def test_quotes_around_delimiters_line_breaks_and_quotes(tmp_path: Path) -> None:
    with staged(tmp_path, with_orgs('a,,,"A, ""B""\nand C",school,,\nd,,,D,school,,\n')) as look:
        assert look.cells("org", "name") == ['A, "B" and C', "D"]
        assert look.cells("org", "_row") == [2, 3]
        assert look.notice("line-break")[1:4] == ("orgs.csv", 2, "name")


def test_a_quote_that_is_a_letter(tmp_path: Path) -> None:
    with staged(
        tmp_path,
        with_orgs('a,,,The "Elm" school,school,,\nb,,,"say "hi" now",school,,\nc,,,5" pipe,school,,\n'),
    ) as look:
        assert look.cells("org", "name") == ['The "Elm" school', 'say "hi" now', '5" pipe']


def test_a_quote_that_never_closes_names_its_row(tmp_path: Path) -> None:
    with (
        pytest.raises(Refused) as refused,
        staged(tmp_path / "a", with_orgs('a,,,A,school,,\nb,,,"B,school,,\nc,,,C,school,,\n')),
    ):
        pass
    assert (refused.value.file, refused.value.row) == ("orgs.csv", 3)
    courses = 'sourcedId,title\nc1,Maths\nc2,"Art\nc3,PE\n'
    with staged(tmp_path / "b", {**ONEROSTER, "courses.csv": courses}) as look:
        assert look.notice("unbalanced-quote")[:3] == ("refused", "courses.csv", 3)
        assert "course" not in look.staged.kinds


def test_two_stray_quotes_do_not_swallow_the_rows_between(tmp_path: Path) -> None:
    body = 'a,,,"A,school,,\nb,,,B,school,,\nc,,,C",school,,\nd,,,D,school,,\n'
    with pytest.raises(Refused) as refused, staged(tmp_path, with_orgs(body)):
        pass
    assert (refused.value.file, refused.value.row) == ("orgs.csv", 2)


def test_an_empty_file_is_refused_or_leaves_its_kind_alone(tmp_path: Path) -> None:
    with staged(tmp_path / "a", {**ONEROSTER, "courses.csv": ""}) as look:
        assert look.notice("empty-file")[:2] == ("refused", "courses.csv")
        assert "course" not in look.staged.kinds
    with pytest.raises(Refused) as refused, staged(tmp_path / "b", {**ONEROSTER, "users.csv": ""}):
        pass
    assert refused.value.file == "users.csv"


# --- cells -----------------------------------------------------------------------------------------------------------


def test_spaces_around_values(tmp_path: Path) -> None:
    with staged(tmp_path, with_orgs(" a ,,,\u00a0Elm  ,school ,   ,\n")) as look:
        assert look.rows("SELECT sourced_id, name, type, identifier FROM s_org") == [
            ("a", "Elm", "school", None)
        ]
        assert look.rows("SELECT DISTINCT column_name FROM s_notice WHERE code = 'whitespace' ORDER BY 1") == [
            ("identifier",), ("name",), ("sourcedId",), ("type",),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("TRUE", "true"),
        ("Yes", "true"),
        ("1", "true"),
        ("Y", "true"),
        ("False", "false"),
        ("0", "false"),
        ("maybe", "maybe"),
    ],
)
def test_booleans(tmp_path: Path, said: str, read: str) -> None:
    files = swapped(ONEROSTER, "users.csv", "ada,,,true", f"ada,,,{said}")
    with staged(tmp_path, files) as look:
        assert look.cells("person", "enabled_user") == [read, "true", "true"]
        assert ("boolean-spelling" in look.codes("users.csv")) == (said != "maybe")


def dates(*values: str) -> Files:
    return {
        **ONEROSTER,
        "demographics.csv": DEMOGRAPHICS + "".join(f'p{i},,,"{v}",\n' for i, v in enumerate(values)),
    }


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (["2010-05-01T00:00:00Z", "2010-05-02 08:01:05"], ["2010-05-01", "2010-05-02"]),
        (["2010/5/1", "20100502"], ["2010-05-01", "2010-05-02"]),
        (["1/05/2010", "25/12/2010"], ["2010-05-01", "2010-12-25"]),
        (["1/05/2010", "12/25/2010"], ["2010-01-05", "2010-12-25"]),
        (["31.12.2010", "1.2.2010"], ["2010-12-31", "2010-02-01"]),
        (["01-May-2010", "May 2, 2010"], ["2010-05-01", "2010-05-02"]),
        (["2010-02-30", "31/02/2010", "nonsense"], ["2010-02-30", "31/02/2010", "nonsense"]),
        (["1/2/2010", "25/12/2010", "12/25/2010"], ["1/2/2010", "2010-12-25", "2010-12-25"]),
        (["1/2/2010"], ["1/2/2010"]),
        (["1/2/10"], ["1/2/10"]),
    ],
)
def test_dates(tmp_path: Path, said: list[str], read: list[str]) -> None:
    with staged(tmp_path, dates(*said)) as look:
        assert look.cells("demographics", "birth_date") == read
        assert ("date-format" in look.codes("demographics.csv")) == (said != read)


def test_a_hint_decides_dates_that_no_row_tells(tmp_path: Path) -> None:
    with staged(tmp_path / "a", dates("1/2/2010"), day_first=True) as look:
        assert look.cells("demographics", "birth_date") == ["2010-02-01"]
    with staged(tmp_path / "b", dates("1/2/2010"), day_first=False) as look:
        assert look.cells("demographics", "birth_date") == ["2010-01-02"]
    with staged(tmp_path / "c", dates("1/2/2010")) as look:
        assert look.notice("date-ambiguous")[1:] == ("demographics.csv", None, "birthDate", 1)


def test_other_columns_of_the_bundle_decide_before_the_hint(tmp_path: Path) -> None:
    files = swapped(
        dict(dates("1/2/2010")), "academicSessions.csv", "2025-09-01,2026-07-20", "1/9/2025,20/7/2026"
    )
    with staged(tmp_path, files, day_first=False) as look:
        assert look.cells("demographics", "birth_date") == ["2010-02-01"]
        assert look.rows("SELECT start_date, end_date FROM s_session") == [("2025-09-01", "2026-07-20")]


def test_enumerations_in_any_case_and_unknown_ones_as_they_came(tmp_path: Path) -> None:
    files = swapped(ONEROSTER, "roles.csv", "primary,student", "Primary,Site_Administrator")
    files = swapped(files, "roles.csv", "primary,teacher", "primary,wizard")
    with staged(tmp_path, files) as look:
        assert look.cells("role", "role") == ["siteAdministrator", "wizard", "parent"]
        assert look.cells("role", "role_type") == ["primary"] * 3
        assert look.rows("SELECT count(*) FROM s_notice WHERE code = 'enum-case'") == [(2,)]


def test_statuses(tmp_path: Path) -> None:
    with staged(
        tmp_path, with_orgs("a,Active,,A,school,,\nb,toBeDeleted,,B,school,,\nc,inactive,,C,school,,\n")
    ) as look:
        assert look.cells("org", "status") == ["active", "tobedeleted", "tobedeleted"]
        assert look.notice("legacy-status")[1:] == ("orgs.csv", 4, "status", 1)


@pytest.mark.parametrize(
    ("said", "read", "code"),
    [
        ('"09, 10"', "09,10", None),
        ("09;10", "09,10", "list-separator"),
        ("09|10", "09,10", "list-separator"),
        ('"[""09"", ""10""]"', "09,10", "quoted-list"),
        ('"""Maths, pure"",""Art"""', "Maths pure,Art", "quoted-list"),
        ('",09,,10,"', "09,10", None),
    ],
)
def test_lists(tmp_path: Path, said: str, read: str, code: str | None) -> None:
    files = swapped(ONEROSTER, "classes.csv", "9A,09,", f"9A,{said},")
    with staged(tmp_path, files) as look:
        assert look.cells("class", "grades") == [read]
        assert code is None or code in look.codes("classes.csv")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ('"{SIS:1},{LDAP:a}"', "{SIS:1},{LDAP:a}"),
        ('"{SIS:1}, {LDAP:a}"', "{SIS:1},{LDAP:a}"),
        ("SIS:1", "{SIS:1}"),
        ("SIS:1;LDAP:o'neil", "{SIS:1},{LDAP:o'neil}"),
        ("77", "{id:77}"),
    ],
)
def test_user_ids(tmp_path: Path, said: str, read: str) -> None:
    with staged(tmp_path, swapped(ONEROSTER, "users.csv", "{SIS:1}", said)) as look:
        assert look.cells("person", "user_ids")[0] == read


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2025-2026", "2026"),
        ("2025/26", "2026"),
        ("SY 2025-26", "2026"),
        ("2026", "2026"),
        ("2025-06", "2025-06"),
    ],
)
def test_school_years(tmp_path: Path, said: str, read: str) -> None:
    with staged(tmp_path, swapped(ONEROSTER, "academicSessions.csv", "2026\n", f"{said}\n")) as look:
        assert look.cells("session", "school_year") == [read]
        assert ("year-format" in look.codes()) == (said != read)


def test_notices_never_hold_a_personal_value(tmp_path: Path) -> None:
    files = swapped(ONEROSTER, "users.csv", "ada@example.org", "  needle@example.org ")
    files = {**files, "demographics.csv": dates("7/13/2011")["demographics.csv"]}
    with staged(tmp_path, files) as look:
        text = repr(look.rows("SELECT * FROM s_notice"))
        assert "whitespace" in text and "date-format" in text
        assert "needle" not in text and "7/13/2011" not in text
