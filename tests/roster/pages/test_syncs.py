"""Syncs on a page: an upload becomes a proposal, a person answers it, set-aside rows go out as CSV."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from rollbook.kernel import jobs
from rollbook.kernel.models import Job
from rollbook.policy import Audit, Disclosure, unguarded
from rollbook.roster.actions.sync.workspace import one_at_a_time
from rollbook.roster.models import Person, Sync, Tenant
from tests.roster.sync.school import School, get, make_tenant, puddlebrook
from tests.staff import desk, plain

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


@pytest.fixture
def administrator(tenant: Tenant) -> Client:
    return desk(tenant, "administrator")


def upload(client: Client, school: School, folder: Path) -> str:
    """Send the school as a zip, let the worker read it, and follow to the proposal's address."""
    name = shutil.make_archive(
        str(folder / f"school-{len(list(folder.iterdir()))}"),
        "zip",
        school.write(folder / f"b{len(list(folder.iterdir()))}"),
    )
    file = SimpleUploadedFile("export of June.zip", Path(name).read_bytes(), "application/zip")
    begun = client.post("/sync/upload", {"file": file})
    assert begun.status_code == 302
    assert "wait for their turn" in plain(client.get(begun["Location"]))
    assert jobs.run_one()
    assert client.get(begun["Location"], headers={"HX-Request": "true"})["HX-Redirect"].startswith("/sync/")
    return str(client.get(begun["Location"])["Location"])


def state(address: str) -> str:
    with unguarded("look"):
        return str(Sync.objects.get(id=int(address.rsplit("/", 1)[1])).state)


def test_an_upload_is_a_proposal_until_an_administrator_applies_it(
    tenant: Tenant, administrator: Client, tmp_path: Path
) -> None:
    door = upload(administrator, puddlebrook(), tmp_path)
    page = plain(administrator.get(door))
    assert state(door) == "proposed" and "Ready to apply" in page and "Apply it" in page
    assert "Puddlebrook (new)" in page and "export of June.zip" in page and "Hana Larkspur" in page
    with unguarded("look"):
        assert not Person.objects.filter(tenant=tenant).exists()
    assert administrator.post(door, {"do": "apply"}).status_code == 302
    asked = administrator.get(door)
    assert "Apply it" not in plain(asked) and 'id="progress"' in asked.content.decode(), (
        "asked once is enough"
    )
    part = administrator.get(f"{door}/progress?was=proposed", headers={"HX-Request": "true"})
    assert part.status_code == 200 and "<html" not in part.content.decode()
    assert jobs.run_one()
    done = administrator.get(f"{door}/progress?was=proposed", headers={"HX-Request": "true"})
    assert done["HX-Redirect"] == door
    assert state(door) == "applied" and "All well" in plain(administrator.get("/sync"))
    assert "5 joined" in plain(administrator.get("/sync"))
    with unguarded("look"):
        applied = Audit.objects.get(verb="sync.applied")
    assert (applied.actor, applied.actor_kind) == ("Hana Larkspur", "staff"), (
        "the worker acts for whoever asked"
    )


def test_a_held_sync_names_people_and_is_discarded_or_applied(
    tenant: Tenant, administrator: Client, tmp_path: Path
) -> None:
    school = puddlebrook()
    for n in range(20):
        school.person(f"p{n}", "student", givenName=f"Pupil{n}")
    door = upload(administrator, school, tmp_path)
    administrator.post(door, {"do": "apply"})
    assert jobs.run_one()
    for n in range(8):
        school.without(f"p{n}")
    held = upload(administrator, school, tmp_path)
    page = plain(administrator.get(held))
    assert state(held) == "held" and "These left: apply" in page and "This is a mistake: discard" in page
    assert "8 of 25 people (32 %) would leave" in page and "Pupil7 Test" in page
    with unguarded("look"):
        shown = Disclosure.objects.filter(door="page:sync").latest("id")
    assert shown.people_count == 8
    assert administrator.post(held, {"do": "discard"}).status_code == 302 and state(held) == "discarded"
    assert get(Person, tenant, "p0").status == "active"
    again = upload(administrator, school, tmp_path)
    assert administrator.post(again, {"do": "apply"}).status_code == 302 and jobs.run_one()
    assert state(again) == "applied" and get(Person, tenant, "p0").status == "tobedeleted"
    assert administrator.post(again, {"do": "undo"}).status_code == 302 and jobs.run_one()
    assert state(again) == "undone" and get(Person, tenant, "p0").status == "active"
    late = administrator.post(door, {"do": "apply"})
    assert late.status_code == 422 and "This sync is applied now" in plain(late)


def test_set_aside_rows_are_grouped_and_go_out_as_csv(
    tenant: Tenant, administrator: Client, tmp_path: Path
) -> None:
    school = puddlebrook()
    school.enrollments["e-bad"] = {
        "classSourcedId": "KES",
        "schoolSourcedId": "S1",
        "userSourcedId": "=nobody()",
        "role": "student",
    }
    school.enrollments["e-worse"] = {
        "classSourcedId": "KES",
        "schoolSourcedId": "S1",
        "userSourcedId": "ada",
        "role": "wizard",
    }
    door = upload(administrator, school, tmp_path)
    page = plain(administrator.get(door))
    assert "Rows set aside" in page and "enrollments.csv, column role" in page and "wizard" in page
    answer = administrator.get(f"{door}/set-aside.csv")
    text = answer.getvalue().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {r["column"] for r in rows} == {"userSourcedId", "role"} and all(
        r["how to mend"] and r["row"] for r in rows
    )
    assert {r["value"] for r in rows} == {"'=nobody()", "wizard"}, (
        "a spreadsheet must not run what a row says"
    )
    with unguarded("look"):
        assert Disclosure.objects.filter(door="page:set-aside").exists()


@pytest.mark.parametrize(
    ("name", "data"), [("export.zip", b"no zip at all"), ("../../evil.zip", b"PK\x03\x04 broken")]
)
def test_what_is_no_bundle_is_refused_and_changes_nothing(
    tenant: Tenant, administrator: Client, name: str, data: bytes
) -> None:
    answer = administrator.post("/sync/upload", {"file": SimpleUploadedFile(name, data)})
    if data.startswith(b"PK"):
        assert jobs.run_one()
        with unguarded("look"):
            sync = Sync.objects.get()
        assert sync.state == "refused" and sync.message and "/" not in sync.source
        assert "Refused" in plain(administrator.get(f"/sync/{sync.id}"))
    else:
        assert answer.status_code == 422 and "not a zip file" in plain(answer) and not Job.objects.exists()
    assert administrator.post("/sync/upload", {}).status_code == 422


def test_only_an_administrator_answers_and_another_tenant_finds_nothing(
    tenant: Tenant, administrator: Client, tmp_path: Path
) -> None:
    door = upload(administrator, puddlebrook(), tmp_path)
    femi = desk(tenant, "dpo", "Femi Inkwell")
    assert femi.get(door).status_code == 200 and "An administrator decides" in plain(femi.get(door))
    other = make_tenant("otherside")
    elsewhere = desk(other, "administrator", "Zed Farmer")
    unknown = plain(elsewhere.get("/sync/123456"))
    for path in (door, f"{door}/progress", f"{door}/set-aside.csv", "/sync/x"):
        assert elsewhere.get(path).status_code == 404 and plain(elsewhere.get(path)) == unknown
    for do in ("apply", "discard", "undo"):
        assert femi.post(door, {"do": do}).status_code == 403
        assert elsewhere.post(door, {"do": do}).status_code == 404
        assert Client().post(door, {"do": do}).status_code == 302
    assert femi.post("/sync/upload", {}).status_code == 403
    teacher = desk(tenant, "head", "Ms Fenn", org_id=1)
    for path in ("/sync", door, "/sync/settings"):
        assert teacher.get(path).status_code == 403
    assert state(door) == "proposed" and not Job.objects.filter(state="queued").exists()


@pytest.mark.commitment("CLEV-1.7")
def test_settings_say_when_to_ask_and_what_is_stored_at_all(
    tenant: Tenant, administrator: Client, tmp_path: Path
) -> None:
    form = {
        "removed": "5",
        "changed": "50,5",
        "drop": ["users.phone", "demographics", "made.up"],
        "roles": ["student", "teacher"],
    }
    assert administrator.post("/sync/settings", form).status_code == 302
    tenant.refresh_from_db()
    assert (tenant.hold_removed_percent, tenant.hold_changed_percent) == (5.0, 50.5)
    assert tenant.keep == {
        "fields": {"drop": ["users.phone", "demographics"]},
        "people": {"roles": ["student", "teacher"]},
    }
    page = administrator.get("/sync/settings").content.decode()
    assert 'value="users.phone" checked' in page and 'value="users.email" checked' not in page
    with unguarded("look"):
        said = Audit.objects.get(verb="sync.settings_changed")
    assert (said.actor, said.details["before"]["removed"], said.details["after"]["removed"]) == (
        "Hana Larkspur",
        10.0,
        5.0,
    )
    assert said.at is not None
    door = upload(administrator, puddlebrook(), tmp_path)
    administrator.post(door, {"do": "apply"})
    assert jobs.run_one()
    assert get(Person, tenant, "ada").phone == ""
    with unguarded("look"):
        assert not Person.objects.filter(tenant=tenant, sourced_id="cleo").exists()


@pytest.mark.parametrize(
    "form",
    [
        {"removed": "lots", "changed": "75"},
        {"removed": "10", "changed": "101"},
        {"removed": "10", "changed": "75", "roles": "king"},
    ],
)
def test_settings_that_make_no_sense_are_refused(
    tenant: Tenant, administrator: Client, form: dict[str, str]
) -> None:
    answer = administrator.post("/sync/settings", form)
    assert answer.status_code == 422 and 'role="alert"' in answer.content.decode()
    tenant.refresh_from_db()
    assert (tenant.hold_removed_percent, tenant.keep) == (10.0, {})


def last_try() -> None:
    """The worker takes the waiting job for the last time."""
    Job.objects.filter(state="queued").update(attempts=jobs.MAX_ATTEMPTS - 1)
    assert jobs.run_one()


def test_an_upload_that_cannot_be_read_ends_as_a_failed_sync_that_the_page_names(
    tenant: Tenant, administrator: Client, tmp_path: Path, settings: Any
) -> None:
    name = shutil.make_archive(str(tmp_path / "school"), "zip", puddlebrook().write(tmp_path / "b"))
    file = SimpleUploadedFile("export of June.zip", Path(name).read_bytes(), "application/zip")
    begun = administrator.post("/sync/upload", {"file": file})["Location"]
    with one_at_a_time(tenant):  # another sync runs all the while
        last_try()
    door = administrator.get(begun)["Location"]
    page = plain(administrator.get(door))
    assert "Failed" in page and "could not be read in 5 tries" in page and "export of June.zip" in page
    assert (
        "Another sync of this tenant is running. Wait until it has ended" in page and "Hana Larkspur" in page
    )
    assert "could not be read in 5 tries" in plain(administrator.get("/sync"))
    assert "could not finish the sync export of June.zip" in plain(administrator.get("/audit"))
    assert not list((Path(settings.ROLLBOOK_DATA_DIR) / "uploads" / str(tenant.id)).glob("*")), (
        "no pupil's file is left"
    )


def test_a_proposal_that_cannot_be_applied_says_so_and_can_be_asked_again(
    tenant: Tenant, administrator: Client, tmp_path: Path
) -> None:
    door = upload(administrator, puddlebrook(), tmp_path)
    administrator.post(door, {"do": "apply"})
    with one_at_a_time(tenant):
        last_try()
    page = plain(administrator.get(door))
    assert "It could not be applied in 5 tries" in page and "Apply it" in page
    administrator.post(door, {"do": "apply"})
    assert jobs.run_one() and state(door) == "applied"
    assert "could not be applied" not in plain(administrator.get(door))
