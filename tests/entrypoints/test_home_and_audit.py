"""The home page of each role, and the record: a sentence for each event, narrowed, paged, downloaded, all of it logged."""

from __future__ import annotations

import ast
import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

import rollbook
from rollbook.entrypoints import queries
from rollbook.entrypoints.pages import safe_cell
from rollbook.kernel import clock, idset
from rollbook.policy import Access, Actor, Audit, Disclosure, audit, bundle_for, disclose, note_gap, unguarded
from rollbook.roster.models import Person
from rollbook.sharing.actions import Call, NewApp, agree, ask_field, create_app, note_call, share
from rollbook.sharing.queries import grant_for
from tests.cast import Cast
from tests.staff import desk, guardian, let_in, plain, pupil


@pytest.fixture
def administrator(cast: Cast) -> Client:
    return desk(cast.tenant, "administrator")


@pytest.fixture
def numberyard(cast: Cast) -> NewApp:
    new = create_app(
        cast.tenant, "Numberyard", about="practise maths", privacy_url="https://numberyard.example/privacy"
    )
    agree(
        new.app,
        purpose="learning-app",
        region="GB",
        retention_days=90,
        contact="a@n.example",
        ends_on=clock.today() + timedelta(days=20),
        read_policy=True,
    )
    share(
        new.app, {"people": "all", "fields": [{"field": "users.givenName", "reason": "To greet the child"}]}
    )
    return new


def look(access: Access, *people: Person, columns: tuple[str, ...] = ("email",)) -> None:
    disclose(access, "page:person", [(Person, c) for c in columns], [p.id for p in people])


def lines(client: Client, **narrow: Any) -> list[str]:
    return [e.sentence for _, day in client.get("/audit", narrow).context["days"] for e in day]


def table(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


# ---- Doors.


@pytest.mark.parametrize("door", ["/audit", "/audit.csv"])
def test_the_record_is_for_the_administrator_and_the_officer(
    cast: Cast, administrator: Client, door: str
) -> None:
    assert administrator.get(door).status_code == 200
    assert desk(cast.tenant, "dpo", "Femi Inkwell").get(door).status_code == 200
    assert Client().get(door)["Location"] == f"/sign-in?next={door}"
    for role, where in (("teacher", {"person_id": cast.ben.id}), ("head", {"org_id": cast.school.id})):
        answer = desk(cast.tenant, role, "Ben Thistlewick", **where).get(door)
        assert (
            answer.status_code == 403
            and "This page is for the administrator or data protection officer" in plain(answer)
        )


def test_home_is_for_whoever_is_signed_in(cast: Cast) -> None:
    assert Client().get("/")["Location"].startswith("/sign-in")
    for role, where in (
        ("teacher", {"person_id": cast.ben.id}),
        ("head", {"org_id": cast.school.id}),
        ("dpo", {}),
    ):
        assert desk(cast.tenant, role, "Ben Thistlewick", **where).get("/").status_code == 200


# ---- Home.


@pytest.mark.commitment("CLEV-1.68")
def test_a_desk_begins_with_what_waits(cast: Cast, numberyard: NewApp, administrator: Client) -> None:
    ask_field(numberyard.app, "users.email", "to write")
    note_gap(cast.tenant.id, "A head asked for phone numbers.", "Nobody has decided that.")
    seen = plain(administrator.get("/"))
    assert "There is no roster yet." in seen
    assert "Asks for 1 more detail." in seen and "The agreement ends on" in seen
    assert "1 question</b>" in seen and "A head asked for phone numbers." in seen
    assert "changed what Numberyard may see" in seen


def test_a_desk_names_no_child(cast: Cast, administrator: Client) -> None:
    audit(cast.tenant.id, None, "person.merged", "person", cast.ada.id, "Ada Riverstone")
    look(cast.administrator, cast.ada)
    seen = plain(administrator.get("/"))
    assert "made two records of one person one" in seen and "Ada" not in seen


def test_a_desk_does_not_say_which_child_signed_in(cast: Cast, administrator: Client) -> None:
    ada = Actor("student", "student", 7, "Ada")
    audit(cast.tenant.id, ada, "sign_on.begun", "app", 1, "Numberyard")
    seen = plain(administrator.get("/"))
    assert "A pupil opened Numberyard, signed in" in seen and "Ada" not in seen


def test_every_act_has_words() -> None:
    """A verb without words would be shown as code."""
    written = {
        arg.value
        for path in Path(rollbook.__file__).parent.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and "audit" in ast.unparse(call.func)
        for arg in call.args
        if isinstance(arg, ast.Constant) and re.fullmatch(r"[a-z_]+\.[a-z_]+", str(arg.value))
    }
    assert len(written) > 40
    assert written - set(queries.VERBS) == set()


@pytest.mark.commitment("CLEV-1.68")
def test_a_teacher_begins_with_the_classes_they_teach(cast: Cast) -> None:
    answer = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id).get("/")
    assert [(c.title, c.pupils) for c in answer.context["classes"]] == [("Kestrels", 1)]
    assert "Owls" not in plain(answer)


# ---- The record.


def test_each_event_is_a_sentence_and_looking_is_one_too(
    cast: Cast, numberyard: NewApp, administrator: Client
) -> None:
    look(cast.administrator, cast.ada)
    grant = grant_for(numberyard.app.id)
    disclose(
        grant.access,
        "oneroster:getAllUsers",
        [(Person, "given_name")],
        list(grant.access.select(Person).values_list("id", flat=True)),
    )
    seen = lines(administrator)
    assert "Administrator looked at Ada Riverstone’s email" in seen
    assert "Numberyard received first name of 6 people" in seen
    assert "Rollbook changed what Numberyard may see" in seen
    assert lines(administrator)[0] == "Hana Larkspur looked at Ada Riverstone’s first name and last name", (
        "the first look at the record"
    )


@pytest.mark.commitment("CLEV-1.48")
def test_what_an_app_asked_in_vain_is_a_line_of_its_own_kind(
    cast: Cast, numberyard: NewApp, administrator: Client
) -> None:
    call = Call(cast.tenant.id, numberyard.app.id, "Numberyard", "getAllUsers", "roster.readonly")
    note_call(call, 403, "The agreement with Numberyard ended.")
    said = "Numberyard asked for getAllUsers (roster.readonly) and got nothing: 403"
    assert lines(administrator, kind="asked") == [said] and said in lines(administrator, who="numb")
    assert said not in lines(administrator, kind="did")
    assert "Reason: The agreement with Numberyard ended." in plain(administrator.get("/audit"))
    assert said not in plain(administrator.get("/")), "the desk is not flooded by an app that asks"
    rows = table(administrator.get("/audit.csv", {"kind": "asked"}))
    assert rows[1][1:4] == ["Other calls of apps", "Numberyard", said]


def test_the_record_narrows_to_a_person_a_colleague_a_kind_and_days(
    cast: Cast, administrator: Client
) -> None:
    look(cast.administrator, cast.ada)
    look(cast.administrator, cast.ben)
    look(cast.teacher, cast.ada, columns=("given_name",))
    assert lines(administrator, who="teach") == ["Teacher looked at Ada Riverstone’s first name"]
    about_ben = lines(administrator, person=cast.ben.id)
    assert "Administrator looked at Ben Thistlewick’s email" in about_ben and not any(
        "Ada" in line for line in about_ben
    )
    assert not [line for line in lines(administrator, kind="did") if "looked" in line]
    tomorrow = (clock.today() + timedelta(days=1)).isoformat()
    assert lines(administrator, since=tomorrow) == []
    assert lines(administrator, until=clock.today().isoformat())
    assert administrator.get("/audit", {"since": "soon"}).status_code == 422
    found = administrator.get("/audit", {"about": "thistle"})
    assert found.context["matches"] == [(cast.ben.id, "Ben Thistlewick")]


def test_the_record_is_paged_without_gap_or_repeat(
    cast: Cast, administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "BATCH", 3)
    for n in range(9):
        audit(cast.tenant.id, None, "sync.applied", "sync", n, f"file {n}")
        disclose(
            cast.administrator, "page:people", [(Person, "email")], [cast.ada.id, cast.ben.id, cast.cleo.id]
        )
    access, seen, before = cast.administrator, [], None
    while True:
        events, before = queries.page_of(access, queries.Narrow(), before, limit=4)
        seen += [e.id for e in events]
        if not before:
            break
    assert seen == sorted(seen, reverse=True) and len(seen) == len(set(seen))
    with unguarded("all there is"):
        assert (
            len(seen)
            == Audit.objects.filter(tenant_id=cast.tenant.id).count()
            + Disclosure.objects.filter(tenant_id=cast.tenant.id).count()
        )


def test_another_tenants_record_is_not_there(cast: Cast, administrator: Client) -> None:
    audit(cast.other.id, None, "sync.applied", "sync", 1, "their file")
    assert not any("their file" in line for line in lines(administrator))
    for name in ("person", "school"):
        answers = [administrator.get("/audit", {name: n}) for n in (cast.stranger.id, 12345, "x")]
        assert {a.status_code for a in answers} == {404} and len({plain(a) for a in answers}) == 1
        assert administrator.get("/audit.csv", {name: cast.stranger.id}).status_code == 404


def test_looking_at_the_record_is_written_down(cast: Cast, administrator: Client) -> None:
    look(cast.administrator, cast.ada)
    administrator.get("/audit")
    with unguarded("what was logged"):
        last = Disclosure.objects.order_by("-id")[0]
    assert (last.door, last.recipient, idset.unpack(bytes(last.people))) == (
        "page:audit",
        "Hana Larkspur",
        [cast.ada.id],
    )


@pytest.mark.commitment("CLEV-3.14")
def test_an_extract_holds_one_school_only_and_is_itself_written_down(
    cast: Cast, administrator: Client
) -> None:
    look(cast.administrator, cast.ada, cast.ivo, cast.dov)
    look(cast.administrator, cast.dov)
    audit(cast.other.id, None, "person.merged", "person", cast.stranger.id, "Zed Stranger")
    rows = table(administrator.get("/audit.csv", {"school": cast.school.id}))
    assert rows[0] == ["time", "kind", "who", "what", "people", "details", "purpose", "where", "reason"]
    assert [row[3] for row in rows[1:]] == ["Administrator looked at Ada Riverstone’s email"]
    with unguarded("the download is in the record"):
        taken = Audit.objects.get(verb="audit.exported")
    assert taken.actor == "Hana Larkspur" and taken.details["school"] == str(cast.school.id)
    everything = "\n".join(",".join(row) for row in table(administrator.get("/audit.csv")))
    assert "Zed" not in everything and "of 3 people" in everything and "exported this record" in everything


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_download_is_run_by_a_spreadsheet(cast: Cast, administrator: Client, start: str) -> None:
    actor = Actor("staff", "administrator", 9, f"{start}cmd|calc")
    look(
        Access(actor, "administration", cast.tenant.id, bundle_for("default"), reason=f"{start}1+1"), cast.ada
    )
    rows = table(administrator.get("/audit.csv", {"who": "cmd"}))
    assert rows[1][2] == f"'{start}cmd|calc" and rows[1][8] == f"'{start}1+1"
    assert safe_cell("plain") == "plain"


def test_a_verb_nobody_put_into_words_still_makes_a_line(cast: Cast, administrator: Client) -> None:
    audit(cast.tenant.id, None, "badge.printed_twice", "badge", 3, "Kestrels")
    assert "Rollbook did “badge: printed twice” to Kestrels" in lines(administrator)


def test_days_are_of_the_time_of_the_record(cast: Cast) -> None:
    with clock.at(datetime(2026, 11, 1, 23, 59, tzinfo=UTC)):
        audit(cast.tenant.id, None, "sync.applied", "sync", 1, "late file")
    day = clock.at(datetime(2026, 11, 1, tzinfo=UTC))
    with day:
        today = clock.today()
    found, _ = queries.page_of(cast.administrator, queries.Narrow(since=today, until=today))
    assert [e.does for e in found] == ["applied the sync late file"]


def test_what_was_looked_at_holds_the_looks_of_pupils_and_guardians(
    cast: Cast, administrator: Client
) -> None:
    let_in(cast.tenant)
    pupil(cast.tenant, cast.ada.id).get("/books/seen")
    guardian(cast.tenant, cast.cleo.id).get("/family")
    looked = administrator.get("/audit", {"kind": "look"}).content.decode()
    assert looked.count("Somebody looked") and "Ada" in looked and "Cleo" in looked
