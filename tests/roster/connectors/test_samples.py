"""The shared sample bundles: each roster lands with named notices, everything else is refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from rollbook.roster.connectors import stage
from rollbook.roster.rules import Refused

SAMPLES = Path(os.environ.get("ROLLBOOK_SAMPLES", Path(__file__).parents[4] / "shared" / "samples"))
pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample bundles are not here (ROLLBOOK_SAMPLES)"
)
SDS = "ms-O365-EDU-Tools/CSV Samples"


@pytest.mark.parametrize(
    ("folder", "version", "people", "enrollments"),
    [
        ("SDS Format/Min Required Attributes", "v1", 24, 46),
        ("SDS Format/25 Users", "v1", 24, 46),
        ("SDS Format/100 Users", "v1", 98, 630),
        ("UK Format/Min Required Attributes", "v1-uk", 24, 158),
        ("UK Format/25 Users", "v1-uk", 24, 158),
        ("UK Format/100 Users", "v1-uk", 98, 630),
        ("SDS v2", "v2", 29, 29),
        ("SDS v2.1", "v2.1", 8, 6),
    ],
)
def test_school_data_sync(folder: str, version: str, people: int, enrollments: int) -> None:
    con = duckdb.connect()
    assert stage(SAMPLES / SDS / folder, con).version == version
    assert con.execute("SELECT count(*) FROM s_person").fetchall() == [(people,)]
    assert con.execute("SELECT count(*) FROM s_enrollment").fetchall() == [(enrollments,)]
    # Every person, class and org that a role or an enrollment names is there.
    assert con.execute(
        "SELECT count(*) FROM s_role ANTI JOIN s_org o ON org_sourced_id = o.sourced_id"
    ).fetchall() == [(0,)]
    assert con.execute(
        "SELECT count(*) FROM s_role ANTI JOIN s_person p ON user_sourced_id = p.sourced_id"
    ).fetchall() == [(0,)]
    assert con.execute("SELECT count(*) FROM s_notice WHERE severity = 'refused'").fetchall() == [(0,)]
    assert con.execute(
        "SELECT count(*) FROM s_session WHERE start_date !~ '^\\d{4}-\\d\\d-\\d\\d$'"
    ).fetchall() == [(0,)]


def test_old_oneroster_with_vendor_columns() -> None:
    con = duckdb.connect()
    found = stage(SAMPLES / "oat-sa-oneroster-import/OneRosterv1p1BaseCSV", con)
    assert (found.format, found.version) == ("oneroster-csv", "1.1")
    assert con.execute("SELECT sourced_id, enabled_user FROM s_person ORDER BY 1").fetchall() == [
        ("user1", "true"),
        ("user2", "true"),
    ]
    assert con.execute("SELECT role, org_sourced_id FROM s_role ORDER BY sourced_id").fetchall() == [
        ("student", "12345"),
        ("student", "54321"),
    ]
    codes = {code for (code,) in con.execute("SELECT code FROM s_notice").fetchall()}
    assert {"boolean-spelling", "header-alias", "header-only", "unknown-column", "password-dropped"} <= codes


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("libre-oneroster-json", "JSON"),
        ("oat-sa-oneroster-import/config-v1.1", "JSON"),
        ("bergerb-OneRosterSampleDataGenerator/Templates-Planets", "none of them begins with a header"),
        ("ms-O365-EDU-Tools", "8 folders"),
    ],
)
def test_what_is_no_roster_is_refused(folder: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        stage(SAMPLES / folder, duckdb.connect())
    assert said in refused.value.message and refused.value.mend
