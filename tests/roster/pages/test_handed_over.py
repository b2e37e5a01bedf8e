"""What is handed to somebody outside by hand: only on a listed ground with its evidence, beside the apps' reads, for good."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.test import Client

from rollbook.entrypoints.cli import cli, load
from rollbook.kernel import clock, idset
from rollbook.kernel.errors import Invalid, NotFound, Refused
from rollbook.policy import Audit, Disclosure, HandedOver, unguarded
from rollbook.policy.gate.standing import stand
from rollbook.roster.actions.handed import Entry, hand_over
from rollbook.roster.rules.handed import GROUNDS
from tests.cast import Cast
from tests.staff import desk, plain

load()
EVIDENCE = {
    "court-order": {
        "order": "14/2026",
        "authority": "County Court at Hill",
        "scope": "The address of one pupil",
    },
    "statute": {"provision": "Education Act 1996, section 537A"},
    "terms": {"clause": "Clause 7, misuse", "limit": "The user name alone finds the account"},
    "belief": {"risk": "A child’s safety", "belief": "A threat was made this morning", "holder": "Ms Reed"},
}


def form(cast: Cast, ground: str = "court-order", **changed: Any) -> dict[str, Any]:
    """The form as filled in for Ada."""
    return {
        "recipient": "Sergeant Moss", "ground": ground, **EVIDENCE.get(ground, {}), "columns": ["roster_person.email"],
        "person": [str(cast.ada.id)], "approved_by": "Ida Head", "released_on": clock.today().isoformat(), "told": "no",
        "why_not_told": "The order forbids it", "do": "record", **changed,
    }  # fmt: skip


def kept() -> list[HandedOver]:
    with unguarded("look"):
        return list(HandedOver.objects.order_by("id"))


@pytest.fixture
def officer(cast: Cast) -> Client:
    return desk(cast.tenant, "dpo", "Femi Inkwell")


@pytest.mark.commitment("CLEV-2.11", "CLEV-2.12", "CLEV-2.13", "CLEV-2.14")
@pytest.mark.parametrize("ground", GROUNDS)
def test_it_is_written_down_with_all_that_the_ground_needs(cast: Cast, officer: Client, ground: str) -> None:
    answer = officer.post("/disclosures/new", form(cast, ground))
    assert answer.status_code == 302 and answer["Location"] == "/disclosures?done=1"
    (entry,) = kept()
    assert (entry.ground, entry.evidence, entry.approved_by) == (ground, EVIDENCE[ground], "Ida Head")
    assert (entry.told, entry.why_not_told, entry.entered_by) == (
        False,
        "The order forbids it",
        "Femi Inkwell",
    )
    with unguarded("look"):
        told = Disclosure.objects.get(id=entry.disclosure_id)
        assert Audit.objects.filter(verb="disclosure.entered", object="Sergeant Moss").count() == 1
    assert (told.recipient_kind, told.recipient, told.purpose) == ("outside", "Sergeant Moss", ground)
    assert idset.unpack(bytes(told.people)) == [cast.ada.id] and told.columns == "roster_person.email"
    assert told.bundle == cast.dpo.bundle.hash
    seen = plain(officer.get(f"/disclosures/{entry.id}"))
    assert all(value in seen for value in EVIDENCE[ground].values()) and "Ada Riverstone" in seen


@pytest.mark.commitment("CLEV-2.11", "CLEV-2.12", "CLEV-2.13", "CLEV-2.14")
@pytest.mark.parametrize("ground", GROUNDS)
def test_without_one_part_of_its_evidence_it_is_refused_with_the_reason(
    cast: Cast, officer: Client, ground: str
) -> None:
    for name, asked in GROUNDS[ground].evidence.items():
        answer = officer.post("/disclosures/new", form(cast, ground, **{name: "  "}))
        assert answer.status_code == 422
        assert f"Evidence is missing: {asked[:1].lower()}{asked[1:]}" in plain(answer)
    assert kept() == []
    with unguarded("look"):
        assert not Disclosure.objects.filter(recipient_kind="outside").exists()


@pytest.mark.commitment("CLEV-2.1", "CLEV-2.2")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ground": "favour"}, "Choose the ground"),
        ({"ground": "sale"}, "never used for advertising or sold"),
        ({"ground": "marketing"}, "never used for advertising or sold"),
        ({"ground": ""}, "Choose the ground"),
        ({"recipient": " "}, "Who receives it?"),
        ({"approved_by": ""}, "Who approved it?"),
        ({"columns": []}, "Which details?"),
        ({"person": []}, "About whom?"),
        ({"released_on": "soon"}, "When is it handed over?"),
        ({"told": ""}, "Were the people told?"),
        ({"why_not_told": ""}, "Say why the people were not told."),
        ({"columns": ["roster_person.row_hash"]}, "is no detail that you may see"),
        ({"columns": ["identity_account.password"]}, "is no detail that you may see"),
    ],
)  # fmt: skip
def test_what_is_missing_or_no_ground_is_refused(
    cast: Cast, officer: Client, changed: dict[str, Any], said: str
) -> None:
    answer = officer.post("/disclosures/new", form(cast) | changed)
    assert answer.status_code == 422 and said in plain(answer)
    assert kept() == []


@pytest.mark.commitment("CLEV-2.11")
def test_it_stands_on_the_childs_page_in_the_audit_and_in_its_download(cast: Cast, officer: Client) -> None:
    officer.post("/disclosures/new", form(cast))
    page = plain(officer.get(f"/people/{cast.ada.id}"))
    assert "Sergeant Moss" in page and "A court order or another legal process compels it" in page
    assert "Number of the order: 14/2026." in page
    assert "Sergeant Moss" not in plain(officer.get(f"/people/{cast.ivo.id}"))
    lines = [e.sentence for _, day in officer.get("/audit", {"kind": "handed"}).context["days"] for e in day]
    assert lines == ["Sergeant Moss was handed Ada Riverstone’s email"]
    answer: Any = officer.get("/audit.csv", {"person": cast.ada.id, "kind": "handed"})
    head, row = csv.reader(io.StringIO(b"".join(answer.streaming_content).decode()))
    assert row[head.index("who")] == "Sergeant Moss" and row[head.index("kind")] == "Handed over by hand"
    home = plain(officer.get("/"))
    assert "wrote down that information was handed to Sergeant Moss" in home and "Ada" not in home


def test_a_teacher_a_head_and_another_school_reach_none_of_it(cast: Cast, officer: Client) -> None:
    officer.post("/disclosures/new", form(cast))
    (entry,) = kept()
    doors = ("/disclosures", "/disclosures/new", f"/disclosures/{entry.id}")
    for role, where in (("teacher", {"person_id": cast.ben.id}), ("head", {"org_id": cast.school.id})):
        client = desk(cast.tenant, role, "Ben Thistlewick", **where)
        assert [client.get(d).status_code for d in doors] == [403, 403, 403]
        assert client.post("/disclosures/new", form(cast)).status_code == 403
    for door in doors:
        assert Client().get(door)["Location"].startswith("/sign-in")
    far = desk(cast.other, "dpo", "Otto Far")
    assert far.get(doors[2]).status_code == 404 and "Moss" not in plain(far.get("/disclosures"))
    assert far.post("/disclosures/new", form(cast)).status_code == 404, "Ada is not theirs"
    assert (
        far.post("/disclosures/new", form(cast, corrects=str(entry.id), why_corrected="x")).status_code == 404
    )
    assert len(kept()) == 1
    with pytest.raises(Refused):
        hand_over(cast.teacher, Entry())


def test_an_administrator_hands_over_no_detail_that_the_policy_hides_from_them(
    cast: Cast, officer: Client
) -> None:
    secret = form(cast) | {"columns": ["roster_ethnicity.asian"]}
    hana = desk(cast.tenant, "administrator")
    assert "Asian" not in plain(hana.get("/disclosures/new"))
    assert hana.post("/disclosures/new", secret).status_code == 422 and kept() == []
    assert officer.post("/disclosures/new", secret).status_code == 302


def test_people_are_found_and_chosen_without_a_script(cast: Cast, officer: Client) -> None:
    found = plain(officer.post("/disclosures/new", form(cast, do="find", q="marl")))
    chosen = re.findall(r'name="person" value="(\d+)"( checked)?', found)
    assert (str(cast.ada.id), " checked") in chosen and (str(cast.dov.id), "") in chosen
    assert 'value="14/2026"' in found, "what was typed stays"
    assert str(cast.stranger.id) not in found and kept() == []
    both = form(cast, person=[str(cast.ada.id), str(cast.gus.id)])
    assert officer.post("/disclosures/new", both).status_code == 302, (
        "Gus has left, and is known all the same"
    )


def test_a_mistake_is_put_right_by_a_further_entry_and_both_stay(cast: Cast, officer: Client) -> None:
    officer.post("/disclosures/new", form(cast))
    (first,) = kept()
    shown = plain(officer.get("/disclosures/new", {"corrects": first.id}))
    assert 'value="14/2026"' in shown and "What was wrong?" in shown
    mend = form(cast, order="15/2026", corrects=str(first.id))
    assert "Say what was wrong." in plain(officer.post("/disclosures/new", mend))
    assert officer.post("/disclosures/new", mend | {"why_corrected": "A typing error"}).status_code == 302
    again = officer.post("/disclosures/new", mend | {"why_corrected": "Twice"})
    assert again.status_code == 422 and "was corrected already" in plain(again)
    old, new = kept()
    assert (old.evidence["order"], new.evidence["order"], new.corrects) == ("14/2026", "15/2026", first.id)
    assert "This entry was corrected" in plain(officer.get(f"/disclosures/{old.id}"))
    page = plain(officer.get(f"/people/{cast.ada.id}"))
    assert "Corrected on" in page and "Corrects an earlier entry: A typing error" in page


def test_no_door_changes_an_entry(cast: Cast, officer: Client) -> None:
    officer.post("/disclosures/new", form(cast))
    (entry,) = kept()
    for method in ("post", "put", "patch", "delete"):
        assert getattr(officer, method)(f"/disclosures/{entry.id}").status_code == 405
    if connection.vendor == "postgresql":
        for act in ("update", "delete"):
            with unguarded("as the web does"), stand("rollbook_web", {"tenant": cast.tenant.id}):
                rows = HandedOver.objects.filter(id=entry.id)
                with pytest.raises(ProgrammingError), transaction.atomic():
                    getattr(rows, act)(**({"ground": "x"} if act == "update" else {}))


def test_limits(cast: Cast, officer: Client) -> None:
    late = clock.today() + timedelta(days=32)
    assert officer.post("/disclosures/new", form(cast, released_on=late.isoformat())).status_code == 422
    many = Entry(
        "x",
        "statute",
        EVIDENCE["statute"],
        ["roster_person.email"],
        range(1, 1002),
        clock.today(),
        "y",
        told=True,
    )
    with pytest.raises(Invalid, match="at most 1,000 people"):
        hand_over(cast.dpo, many)
    with pytest.raises(NotFound):
        hand_over(cast.dpo, Entry(**{**vars(many), "people": [cast.stranger.id]}))
    assert kept() == []


def test_an_empty_register_says_what_to_do(cast: Cast, officer: Client) -> None:
    assert "Nothing was handed over." in plain(officer.get("/disclosures"))


def test_the_command_line_writes_and_lists_the_same(cast: Cast) -> None:
    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(cli, ["disclosures", *arguments, "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert run("list", "--tenant", "sevenhills") == []
    said = [
        "enter", "--tenant", "sevenhills", "--to", "Sergeant Moss", "--ground", "statute", "--person", "ada", "--detail",
        "roster_person.email", "--on", clock.today().isoformat(), "--approved-by", "Ida Head", "--told",
    ]  # fmt: skip
    with pytest.raises(Invalid, match="Evidence is missing"):
        run(*said)
    made = run(*said, "--evidence", "provision=Act, section 1")
    (row,) = run("list", "--tenant", "sevenhills")
    assert (row["id"], row["recipient"], row["people"]) == (made["id"], "Sergeant Moss", 1)
    assert row["evidence"] == {"provision": "Act, section 1"} and row["told"] is True
