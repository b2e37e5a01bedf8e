"""Accounts at a real SCIM destination, another project's server in a process of its own: what stands there is what the
roster says, cut by the directory's rule."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rollbook.kernel import clock, sealing
from rollbook.kernel.errors import Invalid
from rollbook.policy import Audit, Disclosure, Restriction, unguarded
from rollbook.sharing import (
    change_directory,
    create_directory,
    push_directory,
    renew_directory_passwords,
    share,
    stop,
)
from rollbook.sharing.models import Directory, PushStep
from tests.cast import Cast
from tests.sharing.directories.conftest import ScimHallkeys, change, join, leave
from tests.staff import desk

AUTUMN = datetime(2026, 11, 21, 9, tzinfo=UTC)


def steps(push: Any, **where: Any) -> list[Any]:
    with unguarded("a test looks at a plan"):
        return list(PushStep.objects.filter(push=push, **where).order_by("number"))


@pytest.mark.commitment("CLEV-1.11")
def test_an_account_is_made_with_the_mapped_fields(scim: ScimHallkeys, cast: Cast) -> None:
    done = scim.share().run()
    assert (done.state, done.failed) == ("done", 0)
    ada = scim.users()["ada.riverstone"]
    assert ada["name"] == {"givenName": "Ada", "familyName": "Riverstone"}
    assert (ada["active"], ada["userType"]) == (True, "student")
    assert ada["emails"][0]["value"] == "ada.riverstone@sevenhills.example"


def test_a_plan_writes_nothing(scim: ScimHallkeys, cast: Cast) -> None:
    planned = scim.share().plan()
    assert planned.counts["user"] == {"create": 6}
    assert scim.users() == {}


@pytest.mark.commitment("CLEV-2.6")
def test_only_the_people_of_the_rule_get_an_account(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share({"people": {"roles": ["student"], "orgs": ["S1"]}, "fields": "all"}).run()
    assert set(scim.users()) == {"ada.riverstone"}


@pytest.mark.commitment("CLEV-2.6")
def test_a_pattern_cannot_use_what_the_rule_does_not_share(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share({"people": "all", "fields": [{"field": "users.givenName", "reason": "To name the account"}]})
    with pytest.raises(Invalid, match="does not share last name"):
        scim.plan()
    change_directory(scim.directory, {"username": "{given}{n}", "groups": [], "display": "{given}"})
    scim.run()
    assert "Riverstone" not in json.dumps(scim.users())


def test_nothing_is_written_without_an_agreement(scim: ScimHallkeys, cast: Cast) -> None:
    with pytest.raises(Invalid, match="no agreement"):
        scim.plan()


def test_nothing_is_written_when_nothing_changed(
    scim: ScimHallkeys, cast: Cast, scim_server: tuple[str, Path]
) -> None:
    scim.share().run()
    before = scim_server[1].read_text()
    again = scim.run()
    assert (again.state, again.total) == ("done", 0)
    assert scim_server[1].read_text() == before


@pytest.mark.commitment("CLEV-1.12")
def test_a_new_name_changes_the_account_and_the_plan_says_so(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    remote = scim.users()["ada.riverstone"]["id"]
    change(cast.ada, family_name="Brook")
    planned = scim.plan()
    [step] = steps(planned)
    assert (step.action, step.after["username"]) == ("rename", "ada.brook")
    push_directory(scim.directory, planned)
    assert scim.users()["ada.brook"]["id"] == remote
    assert scim.users()["ada.brook"]["name"]["familyName"] == "Brook"


def test_what_others_keep_in_an_account_stays(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    patch = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "title", "value": "Prefect"}],
    }
    scim.ask("PATCH", f"Users/{scim.users()['ada.riverstone']['id']}", patch)
    change(cast.ada, given_name="Adah")
    scim.run()
    assert scim.users()["adah.riverstone"]["title"] == "Prefect"


@pytest.mark.commitment("CLEV-1.13")
def test_who_leaves_is_disabled_then_archived_then_deleted(scim: ScimHallkeys, cast: Cast) -> None:
    with clock.at(AUTUMN):
        scim.share()
        change_directory(scim.directory, {"archive_days": 30, "delete_days": 90})
        scim.run()
        leave(cast.ada)
        scim.run()
        assert scim.users()["ada.riverstone"]["active"] is False
        assert "ada.riverstone" not in scim.groups()["All students"]
    with clock.at(AUTUMN.replace(month=12, day=25)):
        scim.run()
        assert scim.users()["ada.riverstone"]["userType"] == "archived"
    with clock.at(AUTUMN.replace(year=2027, month=3)):
        scim.run()
        assert "ada.riverstone" not in scim.users()
    with unguarded("a test reads the audit"):
        assert Audit.objects.filter(verb="directory.done").count() == 4


def test_whose_data_is_restricted_keeps_the_account_as_it_is(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    before = scim.everything()
    with unguarded("a restriction begins"):
        held = Restriction.objects.create(
            tenant_id=cast.tenant.id, person_id=cast.ada.id, because="she asked", began_at=clock.now()
        )
    change(cast.ada, given_name="Adelheid")
    planned = scim.plan()
    assert planned.total == 0
    page = (
        desk(cast.tenant, "administrator").get(f"/directories/hallkeys/plans/{planned.id}").content.decode()
    )
    assert "The use of 1 person’s data is restricted." in page
    scim.run()
    assert scim.everything() == before
    with unguarded("it ends"):
        Restriction.objects.filter(id=held.id).update(ended_at=clock.now())
    scim.run()
    assert any(u["name"]["givenName"] == "Adelheid" for u in scim.users().values())


@pytest.mark.commitment("CLEV-1.15")
def test_who_joins_a_class_joins_its_group(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    assert scim.groups()["Owls (Hollowell)"] == {"dov.marlow", "ivo"}
    join(cast.ada, cast.owls)
    planned = scim.plan()
    assert planned.counts == {"group": {"update": 1}}
    push_directory(scim.directory, planned)
    assert scim.groups()["Owls (Hollowell)"] == {"dov.marlow", "ivo", "ada.riverstone"}


def test_undo_puts_back_what_stood_there(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    before = scim.everything()
    change(cast.ben, family_name="Reed")
    leave(cast.ada)
    join(cast.hana, cast.kestrels, "teacher")
    scim.run()
    assert scim.everything() != before
    assert scim.undo().state == "done"
    assert scim.everything() == before


def test_undo_of_the_first_run_leaves_nothing(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    scim.undo()
    assert scim.everything() == ({}, {})
    with pytest.raises(Invalid, match="nothing to undo"):
        scim.undo()


def test_an_account_that_somebody_else_made_is_left_alone(scim: ScimHallkeys, cast: Cast) -> None:
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Ada.Riverstone"}
    scim.ask("POST", "Users", body)
    scim.share().run()
    assert scim.users()["ada.riverstone2"]["name"]["givenName"] == "Ada"
    assert "name" not in scim.users()["Ada.Riverstone"]


def test_what_was_made_before_a_kill_is_taken_over(scim: ScimHallkeys, cast: Cast) -> None:
    planned = scim.share().plan()
    [ada] = steps(planned, person_id=cast.ada.id)
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada.riverstone",
        "externalId": ada.after["external"],
    }  # fmt: skip
    made = scim.ask("POST", "Users", body)
    assert push_directory(scim.directory, planned).state == "done"
    assert scim.users()["ada.riverstone"]["id"] == made["id"]
    assert scim.users()["ada.riverstone"]["active"] is True


def test_an_account_that_was_deleted_there_is_made_again(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    scim.ask("DELETE", f"Users/{scim.users()['ada.riverstone']['id']}")
    change(cast.ada, family_name="Brook")
    assert scim.run().state == "done"
    assert "ada.brook" in scim.users()


def test_an_error_is_one_persons_and_says_what_to_do(scim: ScimHallkeys, cast: Cast) -> None:
    planned = scim.share().plan()
    taken = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada.riverstone"}
    theirs = scim.ask("POST", "Users", taken)  # somebody was quicker than the plan
    done = push_directory(scim.directory, planned)
    assert (done.state, done.failed) == ("failed", 1)
    [step] = steps(done, state="failed")
    assert step.person_id == cast.ada.id
    assert "409" in step.error
    assert "change the pattern" in step.mend
    assert scim.groups()["Puddlebrook"] == {"ben.thistlewick", "cleo.riverstone"}
    scim.ask("DELETE", f"Users/{theirs['id']}")
    assert scim.run().state == "done"
    assert "ada.riverstone" in scim.groups()["Puddlebrook"]


def test_a_wrong_token_stops_the_run_and_says_so(scim: ScimHallkeys, cast: Cast) -> None:
    planned = scim.share().plan()
    with unguarded("a test spoils the token"):
        Directory.objects.filter(id=scim.directory.id).update(
            secret=sealing.seal("wrong", f"directory:{scim.directory.app_id}")
        )
    scim.reread()
    done = push_directory(scim.directory, planned)
    assert (done.state, done.done) == ("failed", 0)
    assert "does not let us in" in done.message


def test_the_token_is_not_in_the_database(scim: ScimHallkeys, cast: Cast) -> None:
    assert "tests-only" not in scim.directory.secret


def test_a_rule_that_changed_since_the_plan_stops_it(scim: ScimHallkeys, cast: Cast) -> None:
    planned = scim.share().plan()
    share(scim.directory.app, {"people": {"roles": ["teacher"]}, "fields": "all"})
    done = push_directory(scim.directory, planned)
    assert (done.state, done.done) == ("failed", 0)
    assert scim.users() == {}


def test_a_directory_that_was_stopped_is_not_written_to(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    stop(scim.directory.app)
    with pytest.raises(Invalid, match="stopped"):
        scim.plan()


@pytest.mark.commitment("CLEV-1.17")
def test_another_directory_is_neither_read_nor_written(
    scim: ScimHallkeys, cast: Cast, scim_server: tuple[str, Path]
) -> None:
    create_directory(cast.tenant, "Elsewhere", kind="scim", url=f"{scim_server[0]}/elsewhere/v2", secret="x")
    scim.share().run()
    assert "/elsewhere/" not in scim_server[1].read_text()


def test_what_was_pushed_is_in_the_disclosure_log(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    with unguarded("a test reads the log"):
        rows = list(Disclosure.objects.filter(door="push scim").order_by("id"))
    assert rows[0].people_count == 6
    assert rows[0].purpose == "directory"
    assert "roster_person.given_name" in rows[0].columns
    assert "phone" not in rows[0].columns


def test_a_new_account_gets_a_password_that_is_kept_nowhere(scim: ScimHallkeys, cast: Cast) -> None:
    done = scim.share().run()
    assert "password" not in json.dumps([s.after for s in steps(done)])


def test_passwords_of_a_class_are_shown_once(scim: ScimHallkeys, cast: Cast) -> None:
    scim.share().run()
    rows = renew_directory_passwords(scim.directory, "Kestrels (Puddlebrook)")
    assert {r["username"] for r in rows} == {"ada.riverstone", "ben.thistlewick"}
    assert all(len(r["password"]) > 14 and not r["error"] for r in rows)
    with unguarded("a test reads the audit"):
        said = Audit.objects.get(verb="directory.passwords_renewed").details
        log = Disclosure.objects.filter(door="push scim").latest("id")
    assert said == {"group": "Kestrels (Puddlebrook)", "count": 2}
    assert (log.people_count, "roster_person.given_name" in log.columns) == (2, True)


def test_a_plan_that_was_cut_off_goes_on(scim: ScimHallkeys, cast: Cast) -> None:
    planned = scim.share().plan()
    with unguarded("a test leaves a plan as a kill does"):
        type(planned).objects.filter(id=planned.id).update(state="running")
    planned.state = "running"
    with pytest.raises(Invalid, match="being carried out"):
        scim.plan()
    assert push_directory(scim.directory, planned).state == "done"
    assert "ada.riverstone" in scim.users()


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://hallkeys.example/v2", "url"), ("ftp://hallkeys.example", "url"),
        ("https://me:secret@hallkeys.example", "url"),
    ],
)  # fmt: skip
def test_an_address_that_would_show_secrets_is_refused(cast: Cast, url: str, part: str) -> None:
    with pytest.raises(Invalid) as error:
        create_directory(cast.tenant, "Hallkeys", kind="scim", url=url, secret="x")  # not one
    assert error.value.field == part


def test_the_command_line_plans_runs_and_undoes(
    cast: Cast, scim: ScimHallkeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rollbook.entrypoints.cli import cli, load

    load()
    scim.share()

    def command(*arguments: str) -> Any:
        done = CliRunner().invoke(
            cli, ["directory", *arguments, "hallkeys", "--tenant", "sevenhills", "--json"]
        )
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    planned = command("plan")
    assert {s["name"] for s in planned["steps"] if s["kind"] == "user"} >= {
        "ada.riverstone",
        "ben.thistlewick",
    }
    assert command("run")["state"] == "done"
    assert command("run")["total"] == 0
    assert command("undo")["state"] == "done"
    assert scim.users() == {}
