"""What a school gets that asks in writing: all that was collected from its students, labelled, and on record."""

from __future__ import annotations

import csv
import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.apps import apps

from rollbook.entrypoints.cli import cli, load
from rollbook.entrypoints.cli.export import _people_columns, whose
from rollbook.kernel import idset
from rollbook.kernel.errors import Invalid
from rollbook.policy import Actor, Audit, Disclosure, Guarded, bundle_for, unguarded, word_of
from rollbook.roster.actions import people as by_hand
from rollbook.roster.models import Org, Person
from tests.cast import Cast
from tests.roster.sync.school import get, make_tenant, puddlebrook, sync

load()
HANA = Actor("staff", "administrator", 7, "Hana Larkspur")


def take(
    slug: str, folder: Path, request: str = "Ms Reed, letter of 3 May"
) -> dict[str, list[dict[str, str]]]:
    """The export of a tenant: rows of each CSV."""
    out = folder / "all.zip"
    arguments = ["tenant", "export", str(out), "--tenant", slug, "--request", request, "--json"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert json.loads(done.stdout)["file"] == str(out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as pack:
        return {
            n.removesuffix(".csv"): list(csv.DictReader(io.StringIO(pack.read(n).decode())))
            for n in pack.namelist()
        }


def plant(model: Any, person: int, needles: list[str], secrets: list[str]) -> None:
    """Put a needle into each personal column of text, of each row about a person."""
    categories = bundle_for("default").categories
    for column in _people_columns(model) if issubclass(model, Guarded) else []:
        for row in model.objects.filter(**{column: person}):
            for f in model._meta.concrete_fields:
                word = word_of(f)
                if (
                    not (word and word.category)
                    or f.unique
                    or f.generated
                    or f.attname in ("role", "sourced_id")
                ):
                    continue
                if f.get_internal_type() == "TextField":
                    needle = f"needle-{model._meta.db_table}-{f.column}"
                    model.objects.filter(pk=row.pk).update(**{f.attname: needle})
                    kind = categories[word.category]["kind"]
                    (secrets if kind == "secret" else needles).append(needle)


@pytest.mark.commitment("CLEV-5.14")
def test_everything_collected_from_a_student_is_in_it_and_nothing_of_another_school(
    cast: Cast, tmp_path: Path
) -> None:
    # A needle in every personal column of every row about Ada that holds text.
    needles: list[str] = []
    secrets: list[str] = []
    with unguarded("a test plants needles"):
        for model in apps.get_models():
            plant(model, cast.ada.id, needles, secrets)
    assert len(needles) > 20
    found = take("sevenhills", tmp_path)
    text = json.dumps(found, ensure_ascii=False)
    assert [n for n in needles if n not in text] == [] and [s for s in secrets if s in text] == []
    assert "Stranger" not in text and "Otherside" not in text
    with unguarded("look"):
        told, said = Disclosure.objects.latest("id"), Audit.objects.get(verb="tenant.exported")
        everybody = set(Person.objects.filter(tenant=cast.tenant).values_list("id", flat=True))
    assert set(idset.unpack(bytes(told.people))) == everybody and "roster_person.email" in told.columns
    assert "letter of 3 May" in told.reason and said.details["because"] == "Ms Reed, letter of 3 May"


@pytest.mark.commitment("CLEV-5.14")
def test_no_table_with_personal_columns_is_forgotten(cast: Cast, tmp_path: Path) -> None:
    found = take("sevenhills", tmp_path)
    for model in apps.get_models():
        if issubclass(model, Guarded) and any(
            (w := word_of(f)) and w.category for f in model._meta.concrete_fields
        ):
            assert model._meta.db_table in found or whose(model), model


@pytest.mark.commitment("CLEV-5.5", "CLEV-5.6")
def test_whatever_its_source_a_childs_record_is_student_data_of_the_schools_educational_record(
    db: None, tmp_path: Path
) -> None:
    tenant, school = make_tenant("fresh"), puddlebrook()
    school.users["ada"]["middleName"] = "Under-Thirteen"
    assert sync(tenant, school, tmp_path).state == "applied"
    puddle = get(Org, tenant, "S1")
    by_hand.enter(tenant, {"given_name": "Juno"}, puddle.id, [], HANA)
    found = take("fresh", tmp_path)
    marks: dict[str, tuple[str, str]] = {}
    for row in found["roster_person"]:
        marks[row["given_name"]] = (row["label"], row["record_class"])
        assert row["owner"] == "Fresh", "the school's, not the provider's"
    record = ("Student Data", "educational record")
    assert marks["Ada"] == marks["Ivo"] == marks["Juno"] == record
    assert marks["Ben"] == marks["Cléo"] == ("", "")
    ada = next(row["id"] for row in found["roster_person"] if row["given_name"] == "Ada")
    about_ada = 0
    for table in (
        "roster_role",
        "roster_enrollment",
        "roster_demographics",
        "roster_ethnicity",
        "roster_guardianship",
    ):
        for row in found[table]:
            if ada in (row.get("person_id"), row.get("child_id")):
                about_ada += 1
                assert (row["label"], row["record_class"], row["owner"]) == (*record, "Fresh")
    assert about_ada == 5
    assert all(row["owner"] == "Fresh" for row in found["inventory"])


def test_without_a_request_or_over_another_file_nothing_is_written(cast: Cast, tmp_path: Path) -> None:
    for name, request in (("new.zip", " "), ("old.zip", "letter")):
        (tmp_path / "old.zip").write_text("mine")
        with pytest.raises(Invalid):
            CliRunner().invoke(
                cli, ["tenant", "export", str(tmp_path / name), "--tenant", "sevenhills", "--request", request],
                catch_exceptions=False,
            )  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["old.zip"] and (
        tmp_path / "old.zip"
    ).read_text() == "mine"
