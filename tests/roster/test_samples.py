"""Real bundles, as producers write them: applied with named warnings, or refused with file and reason; never a crash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.roster.jobs import sync_path
from rollbook.roster.models import Enrollment, Person, SetAside, Tenant

SAMPLES = Path(os.environ.get("ROLLBOOK_SAMPLES", Path(__file__).resolve().parents[3] / "shared" / "samples"))
MS = "ms-O365-EDU-Tools/CSV Samples"
APPLIED = [
    f"{MS}/SDS Format/100 Users", f"{MS}/SDS Format/25 Users", f"{MS}/SDS Format/Min Required Attributes",
    f"{MS}/SDS v2", f"{MS}/SDS v2.1",
    f"{MS}/UK Format/100 Users", f"{MS}/UK Format/25 Users", f"{MS}/UK Format/Min Required Attributes",
]  # fmt: skip
REFUSED = [
    "libre-oneroster-json", "bergerb-OneRosterSampleDataGenerator/Templates-Planets",
    "oat-sa-oneroster-import/config-v1.1", MS,
]  # fmt: skip

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="ROLLBOOK_SAMPLES names no folder of sample bundles"),
]


@pytest.fixture
def school() -> Tenant:
    return Tenant.objects.create(
        slug="sample", name="Sample", kind="school", region="US", created_at=clock.now()
    )


def count(model: type[Person | Enrollment | SetAside], school: Tenant) -> int:
    with unguarded("the test counts"):
        return model.objects.filter(tenant=school).count()


@pytest.mark.commitment("CLEV-5.9")
@pytest.mark.parametrize("name", APPLIED)
def test_a_real_bundle_is_applied(school: Tenant, name: str) -> None:
    made = sync_path(school, SAMPLES / name)
    assert made.state == "applied", made.message
    assert count(Person, school) >= 10 or "v2" in name
    assert count(Enrollment, school) > 0
    assert sync_path(school, SAMPLES / name).state == "unchanged"


def test_a_bundle_with_references_to_missing_rows_sets_them_aside_by_name(school: Tenant) -> None:
    made = sync_path(school, SAMPLES / "oat-sa-oneroster-import" / "OneRosterv1p1BaseCSV")
    assert made.state in ("applied", "held", "refused")
    if made.state == "refused":
        assert made.message
        return
    with unguarded("the test reads"):
        rows = list(SetAside.objects.filter(tenant=school))
    assert all(r.file and r.row and r.reason and r.mend for r in rows)
    assert made.notices


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_a_roster_is_refused_with_what_was_found(school: Tenant, name: str) -> None:
    made = sync_path(school, SAMPLES / name)
    assert made.state == "refused"
    assert len(made.message) > 20
    assert count(Person, school) == 0
