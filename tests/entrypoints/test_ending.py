"""A school's account ends: shown first, then everything of its people goes and is looked for; apps are told to delete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.apps import apps
from django.test import Client

from rollbook.entrypoints.cli import cli, ending, load
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid, Refused
from rollbook.policy import Actor, Audit, Guarded, audit, unguarded, word_of
from rollbook.roster.actions import people as by_hand
from rollbook.roster.models import Person
from rollbook.sharing.actions import NewApp, share
from tests.cast import Cast
from tests.roster.pages.test_handed_over import form
from tests.sharing.conftest import numberyard  # noqa: F401  # the app of the cast
from tests.sharing.test_duties import basic, send
from tests.staff import desk, let_in, pupil

load()
LETTER = "Ms Reed, letter of 3 May"


def end(*arguments: str, code: int = 0) -> Any:
    done = CliRunner().invoke(cli, ["tenant", "end", *arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def rows_of(tenant: Any) -> dict[str, int]:
    """How many rows of a tenant each table holds."""
    found = {}
    with unguarded("look"):
        for model in apps.get_models():
            if issubclass(model, Guarded) and any(
                f.attname == "tenant_id" for f in model._meta.concrete_fields
            ):
                found[str(model._meta.label)] = model.objects.filter(tenant_id=tenant.id).count()
    return found


def everything(tenant: Any) -> str:
    """All that every table says of a tenant, as one text."""
    said = []
    with unguarded("look"):
        for model in apps.get_models():
            if issubclass(model, Guarded) and any(
                f.attname == "tenant_id" for f in model._meta.concrete_fields
            ):
                said += [str(row) for row in model.objects.filter(tenant_id=tenant.id).values()]
    return "\n".join(said)


def personal_texts() -> list[tuple[Any, Any]]:
    """Columns of text about people, but what is staff's or an app maker's own, a part of a key, or who received."""
    found = []
    for model in apps.get_models():
        names = {f.attname for f in model._meta.concrete_fields}
        if issubclass(model, Guarded) and "tenant_id" in names:
            for f in model._meta.concrete_fields:
                word = word_of(f)
                if word and word.category not in (None, "app.contact", "staff.act"):
                    if f.get_internal_type() == "TextField" and f.attname not in (
                        "sourced_id",
                        "role",
                        "recipient",
                    ):
                        found += [] if f.unique else [(model, f)]
    return found


@pytest.fixture
def busy(cast: Cast, numberyard: NewApp, settings: Any, tmp_path: Path) -> NewApp:  # noqa: F811  # a fixture by its name
    """The cast after a while: an app has read, a pupil has signed in, things were handed over and changed by hand."""
    settings.ROLLBOOK_DATA_DIR = tmp_path
    share(numberyard.app, {"people": "all", "fields": "all"})
    send(numberyard, [cast.ada, cast.ivo])
    let_in(cast.tenant)
    pupil(cast.tenant, cast.ada.id).get("/books")
    officer = desk(cast.tenant, "dpo", "Femi Inkwell")
    officer.post("/disclosures/new", form(cast, scope="All about Ada Riverstone"))
    officer.get(f"/people/{cast.ada.id}")
    by_hand.change(
        cast.tenant,
        cast.ada.id,
        {"given_name": "Ada", "pronouns": "she"},
        Actor("staff", "administrator", 7, "Hana"),
    )
    audit(
        cast.tenant.id,
        None,
        "person.merged",
        "person",
        cast.ada.id,
        "Ada Riverstone",
        because="Ada Riverstone twice",
    )
    for name in ("sync", "uploads"):
        folder = tmp_path / name / str(cast.tenant.id)
        folder.mkdir(parents=True)
        (folder / "users.csv").write_text("Ada Riverstone")
    return numberyard


def test_first_the_plan_is_shown_and_nothing_changes(cast: Cast, busy: NewApp) -> None:
    before = rows_of(cast.tenant)
    plan = end("sevenhills", code=3)
    assert plan["done"] is False and plan["deleted"]["roster_person"] == 7 and plan["apps"] == ["Numberyard"]
    assert "policy_audit" in plan["kept"] and plan["kept"]["policy_audit"]["until"] == [
        "3 years after it was written"
    ]
    assert len(plan["folders"]) == 2 and rows_of(cast.tenant) == before
    with pytest.raises(Invalid, match="Nobody has ended this"):
        end("sevenhills", "--yes")
    assert rows_of(cast.tenant) == before


@pytest.mark.commitment("CLEV-4.8")
def test_then_every_piece_of_student_data_is_gone_and_counted(
    cast: Cast, busy: NewApp, tmp_path: Path
) -> None:
    # A needle in every personal column of text that is not staff's or an app maker's own.
    needles = []
    with unguarded("a test plants needles"):
        for model, f in personal_texts():
            rows = model.objects.filter(tenant_id=cast.tenant.id).exclude(**{f.attname: ""})
            if rows.update(**{f.attname: f"needle-{model._meta.db_table}-{f.column}"}):
                needles.append(f"needle-{model._meta.db_table}-{f.column}")
    assert len(needles) >= 15
    other = rows_of(cast.other)
    receipt = end("sevenhills", "--yes", "--because", LETTER)
    assert receipt["done"] is True and receipt["found"] == [] and receipt["deleted"]["roster_person"] == 7
    left = {label for label, count in rows_of(cast.tenant).items() if count}
    assert left <= set(ending.KEPT), "every other table is empty"
    text = everything(cast.tenant)
    assert [n for n in needles if n in text] == []
    for gone in ("Ada", "Riverstone", "Ivo", "puddlebrook", "14/2026"):
        assert gone not in text.replace("privacy@numberyard", ""), gone
    assert list((tmp_path / "sync").iterdir()) == list((tmp_path / "uploads").iterdir()) == []
    assert rows_of(cast.other) == other, "another school keeps all it has"
    with unguarded("look"):
        line = Audit.objects.get(tenant_id=cast.tenant.id, verb="tenant.ended")
        assert line.details["because"] == LETTER and line.details["rows"] == sum(receipt["deleted"].values())
        assert Audit.objects.filter(tenant_id=cast.tenant.id, verb="person.merged", object="").exists(), (
            "the line stays"
        )


def test_apps_still_read_what_they_must_delete(cast: Cast, busy: NewApp) -> None:
    receipt = end("sevenhills", "--yes", "--because", LETTER)
    (owed,) = receipt["duties"]
    assert (owed["app"], owed["people"]) == ("Numberyard", 2) and owed[
        "delete_by"
    ] > clock.today().isoformat()
    (duty,) = Client().get("/sharing/v1/duties", **basic(busy)).json()["duties"]
    where = f"/sharing/v1/duties/{duty['id']}"
    assert len(Client().get(f"{where}/people", **basic(busy)).json()["people"]) == 2
    done = Client().post(
        f"{where}/confirm", {"statement": "Gone."}, content_type="application/json", **basic(busy)
    )
    assert done.json()["state"] == "confirmed"


def test_whoever_was_signed_in_is_not_any_more(cast: Cast, busy: NewApp) -> None:
    staff, ada = desk(cast.tenant, "administrator"), pupil(cast.tenant, cast.ada.id)
    assert staff.get("/people").status_code == ada.get("/books").status_code == 200
    end("sevenhills", "--yes", "--because", LETTER)
    assert staff.get("/people").status_code in (302, 403) and ada.get("/books").status_code == 302


def test_a_second_run_and_one_after_a_cut_come_to_the_same(
    cast: Cast, busy: NewApp, monkeypatch: Any
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(ending.shutil, "rmtree", lambda *_, **__: None)
        assert "the folder sync" in " ".join(end("sevenhills", "--yes", "--because", LETTER, code=1)["found"])
    assert end("sevenhills", "--yes", "--because", LETTER)["done"] is True
    with unguarded("look"):
        assert Audit.objects.filter(tenant_id=cast.tenant.id, verb="tenant.ended").count() == 1


def test_a_name_that_stayed_is_found(cast: Cast, busy: NewApp) -> None:
    audit(
        cast.tenant.id,
        None,
        "sharing.stopped",
        "app",
        busy.app.id,
        "Numberyard",
        because="Riverstone, Ada asked",
    )
    receipt = end("sevenhills", "--yes", "--because", LETTER, code=1)
    assert receipt["done"] is False and receipt["found"] == [
        "the name of a student in 1 rows of policy_audit"
    ]


def test_nothing_is_brought_in_for_a_school_that_ended(cast: Cast, busy: NewApp, tmp_path: Path) -> None:
    end("sevenhills", "--yes", "--because", LETTER)
    with pytest.raises(Refused, match="has ended"):
        CliRunner().invoke(cli, ["sync", str(tmp_path), "--tenant", "sevenhills"], catch_exceptions=False)
    with unguarded("look"):
        assert not Person.objects.filter(tenant_id=cast.tenant.id).exists()
