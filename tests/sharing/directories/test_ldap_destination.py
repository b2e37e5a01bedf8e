"""Accounts, groups and org units in a real OpenLDAP, started here: after each run it holds what the plan says, entry
for entry, and nothing else."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rollbook.kernel import clock
from rollbook.policy import unguarded
from rollbook.roster.models import Org
from rollbook.sharing import create_directory, push_directory, renew_directory_passwords
from rollbook.sharing.connectors.ldap import ldif
from rollbook.sharing.connectors.ldap.client import LdapDestination
from rollbook.sharing.models import PushStep
from rollbook.sharing.queries.directories import holdings
from tests.cast import Cast
from tests.sharing.directories.conftest import Hallkeys, change, join, leave

PATH = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
SLAPD = shutil.which("slapd", path=PATH)
pytestmark = pytest.mark.skipif(
    not SLAPD or not shutil.which("ldapmodify"), reason="slapd or ldap-utils is not installed"
)
BASE, ADMIN, SECRET = "dc=sevenhills,dc=example", "cn=admin,dc=sevenhills,dc=example", "only for tests"
CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw "{secret}"
directory {folder}/data
"""
SPRING = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty OpenLDAP."""
    folder = tmp_path_factory.mktemp("slapd")
    (folder / "data").mkdir()
    config = folder / "slapd.conf"
    config.write_text(CONFIG.format(folder=folder, base=BASE, admin=ADMIN, secret=SECRET), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"ldap://127.0.0.1:{port}"
    server = subprocess.Popen(
        [str(SLAPD), "-f", str(config), "-h", url, "-d", "0"], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait()


class LdapHallkeys(Hallkeys):
    """At an LDAP directory."""

    def __init__(self, directory: Any, there: LdapDestination) -> None:
        super().__init__(directory)
        self.there = there

    def entries(self) -> dict[str, dict[str, list[str]]]:
        """Every entry below the base, without passwords: name -> attributes, values in order."""
        found = self.there.search(self.directory.base, "sub", "(objectClass=*)", "*")
        return {
            dn: {n: sorted(v) for n, v in values.items() if n != "userPassword"}
            for dn, values in found
            if dn != self.directory.base
        }

    def planned(self) -> dict[str, dict[str, list[str]]]:
        """Every entry that should stand there, from what we keep of our plans."""
        from rollbook.sharing.connectors.destination import Work

        made = {}
        for (kind, key), record in holdings(self.directory)[0].items():
            work = Work(kind, key, None, record)
            values = self.there._attributes(work, record)
            found = {n: sorted(filter(None, v)) for n, v in values.items()}
            made[self.there.dn(kind, record)] = {n: v for n, v in found.items() if v}
        return made

    def names(self) -> set[str]:
        return set(self.entries())

    def may_sign_in(self, dn: str, password: str) -> bool:
        done = subprocess.run(
            ["ldapwhoami", "-x", "-H", self.directory.url, "-D", dn, "-w", password],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0


@pytest.fixture
def ldap(cast: Cast, slapd: str, tmp_path: Path) -> Iterator[LdapHallkeys]:
    """An LDAP directory with an agreement and a rule, at a base of its own that holds nothing."""
    base = f"ou={tmp_path.name},{BASE}"
    there = LdapDestination(slapd, base, ADMIN, SECRET)
    there._modify([ldif.add(BASE, [("objectClass", "domain"), ("dc", "sevenhills")])])  # once
    name = f"ou={tmp_path.name}"
    there._modify(
        [ldif.add(f"{name},{BASE}", [("objectClass", "organizationalUnit"), ("ou", tmp_path.name)])]
    )
    made = create_directory(
        cast.tenant, "Hallkeys", kind="ldap", url=slapd, base=base, account=ADMIN, secret=SECRET,
        settings={"email": "{username}@sevenhills.example", "units": ["{school}", "{role}"], "archive_days": 30,
                  "delete_days": 90},
    )  # fmt: skip
    yield LdapHallkeys(made, there).share()  # type: ignore[misc]  # share() answers itself
    there.close()


def below(directory: Hallkeys, *parts: str) -> str:
    return ",".join([*parts, directory.directory.base])


ADA = ("uid=ada.riverstone", "ou=student", "ou=Puddlebrook", "ou=People")


@pytest.mark.commitment("CLEV-1.11", "CLEV-1.14")
def test_joiners_stand_in_their_units(ldap: LdapHallkeys, cast: Cast) -> None:
    assert ldap.run().state == "done"
    assert ldap.entries() == ldap.planned()
    ada = ldap.entries()[below(ldap, *ADA)]
    assert (ada["givenName"], ada["sn"], ada["mail"]) == (
        ["Ada"],
        ["Riverstone"],
        ["ada.riverstone@sevenhills.example"],
    )


@pytest.mark.commitment("CLEV-1.15")
def test_groups_name_their_members(ldap: LdapHallkeys, cast: Cast) -> None:
    ldap.run()
    kestrels = ldap.entries()[below(ldap, "cn=Kestrels (Puddlebrook)", "ou=Groups")]
    assert below(ldap, *ADA) in kestrels["member"]
    assert len(kestrels["member"]) == 2


@pytest.mark.commitment("CLEV-1.14")
def test_a_mover_moves_to_the_matching_unit_and_groups_follow(ldap: LdapHallkeys, cast: Cast) -> None:
    ldap.run()
    with unguarded("a test changes the roster"):
        from rollbook.roster.models import Role

        Role.objects.filter(person=cast.ada).update(org=cast.school2)
    planned = ldap.plan()
    assert planned.counts["user"] == {"move": 1}
    push_directory(ldap.directory, planned)
    moved = below(ldap, "uid=ada.riverstone", "ou=student", "ou=Hollowell", "ou=People")
    assert moved in ldap.names()
    assert below(ldap, *ADA) not in ldap.names()
    assert moved in ldap.entries()[below(ldap, "cn=Kestrels (Puddlebrook)", "ou=Groups")]["member"]
    assert ldap.entries() == ldap.planned()


@pytest.mark.commitment("CLEV-1.12")
def test_a_new_name_renames_the_entry(ldap: LdapHallkeys, cast: Cast) -> None:
    ldap.run()
    change(cast.ada, family_name='Łuk, the "2nd"')
    assert ldap.run().state == "done"
    found = ldap.entries()[below(ldap, "uid=ada.lukthe2nd", *ADA[1:])]
    assert found["sn"] == ['Łuk, the "2nd"']
    assert ldap.entries() == ldap.planned()


@pytest.mark.commitment("CLEV-1.13")
def test_a_leaver_is_disabled_then_archived_then_deleted(ldap: LdapHallkeys, cast: Cast) -> None:
    with clock.at(SPRING):
        ldap.run()
        leave(cast.ada)
        ldap.run()
        assert below(ldap, ADA[0], "ou=Disabled") in ldap.names()
        assert ldap.entries() == ldap.planned()
    with clock.at(SPRING.replace(month=12, day=25)):
        ldap.run()
        assert below(ldap, ADA[0], "ou=Archived") in ldap.names()
        assert ldap.entries() == ldap.planned()
    with clock.at(SPRING.replace(year=2027, month=3)):
        ldap.run()
        assert not any(name.startswith("uid=ada") for name in ldap.names())
        assert ldap.entries() == ldap.planned()


def test_undo_puts_back_every_entry(ldap: LdapHallkeys, cast: Cast) -> None:
    ldap.run()
    before = ldap.entries()
    change(cast.ben, family_name="Reed")
    leave(cast.ada)
    join(cast.hana, cast.kestrels, "teacher")
    with unguarded("a test changes the roster"):
        Org.objects.filter(id=cast.school2.id).update(name="Hollowell, upper")
    ldap.run()
    assert ldap.entries() == ldap.planned() != before
    assert ldap.undo().state == "done"
    assert ldap.entries() == before == ldap.planned()


def test_undo_of_the_first_run_leaves_nothing(ldap: LdapHallkeys, cast: Cast) -> None:
    ldap.run()
    assert ldap.undo().state == "done"
    assert ldap.entries() == {}


def test_nothing_is_written_when_nothing_changed(ldap: LdapHallkeys, cast: Cast) -> None:
    ldap.run()
    assert ldap.run().total == 0


def test_what_was_there_before_us_stays(ldap: LdapHallkeys, cast: Cast) -> None:
    unit = below(ldap, "ou=People")
    theirs = below(ldap, "uid=ada.riverstone", "ou=Visitors")
    ldap.there._modify(
        [
            ldif.add(unit, [("objectClass", "organizationalUnit"), ("ou", "People")]),
            ldif.add(below(ldap, "ou=Visitors"), [("objectClass", "organizationalUnit"), ("ou", "Visitors")]),
            ldif.add(
                theirs,
                [("objectClass", "inetOrgPerson"), ("uid", "ada.riverstone"), ("cn", "A"), ("sn", "A")],
            ),
        ]
    )
    ldap.run()
    assert below(ldap, "uid=ada.riverstone2", *ADA[1:]) in ldap.names()
    ldap.undo()
    assert ldap.names() == {unit, theirs, below(ldap, "ou=Visitors")}


def test_what_was_written_before_a_kill_is_taken_over(ldap: LdapHallkeys, cast: Cast) -> None:
    planned = ldap.plan()
    push_directory(ldap.directory, planned)
    with unguarded("a test forgets what was written down"):
        PushStep.objects.filter(push=planned, kind__in=["user", "group"]).update(state="waiting")
        type(planned).objects.filter(id=planned.id).update(state="stopped")
    again = push_directory(ldap.directory, planned)
    assert (again.state, again.failed) == ("done", 0)
    assert ldap.entries() == ldap.planned()


def test_an_error_is_one_entrys_and_says_what_to_do(ldap: LdapHallkeys, cast: Cast) -> None:
    planned = ldap.plan()
    unit, person = ("objectClass", "organizationalUnit"), ("objectClass", "inetOrgPerson")
    units = [r.after for r in _steps(planned, kind="unit")]
    ldap.there._modify([ldif.add(ldap.there.dn("unit", u), [unit, ("ou", u["path"][-1])]) for u in units])
    ldap.there._modify(
        [ldif.add(below(ldap, *ADA), [person, ("uid", "ada.riverstone"), ("cn", "A"), ("sn", "A")])]
    )
    done = push_directory(ldap.directory, planned)
    [failed] = [s for s in _steps(done, state="failed") if s.kind == "user"]
    assert failed.person_id == cast.ada.id
    assert "Rename it there" in failed.mend


def _steps(push: Any, **where: Any) -> list[Any]:
    with unguarded("a test looks at a plan"):
        return list(PushStep.objects.filter(push=push, **where).order_by("number"))


def test_a_wrong_password_stops_the_run_and_says_so(cast: Cast, slapd: str) -> None:
    made = create_directory(
        cast.tenant, "Hallkeys", kind="ldap", url=slapd, base=BASE, account=ADMIN, secret="wrong"
    )
    from rollbook.kernel.errors import Invalid

    with pytest.raises(Invalid, match="does not let us in"):
        Hallkeys(made).share().plan()


def test_a_new_password_opens_the_account_and_is_hashed_there(ldap: LdapHallkeys, cast: Cast) -> None:
    ldap.run()
    rows = renew_directory_passwords(ldap.directory, "Kestrels (Puddlebrook)")
    [made] = [r["password"] for r in rows if r["username"] == "ada.riverstone"]
    dn = below(ldap, *ADA)
    assert ldap.may_sign_in(dn, made)
    assert not ldap.may_sign_in(dn, "tavo-riku-4821")
    [(_, values)] = ldap.there.search(dn, "base", "(objectClass=*)", "userPassword")
    assert values["userPassword"][0].startswith("{SSHA}")
