"""Keeps accounts in an LDAP directory through OpenLDAP's own `ldapmodify` and `ldapsearch`.

Below the base stand org units: People with the units of the settings, Disabled and Archived for those who left (a
service that looks below People no longer finds them; nothing of the account is lost, so that undo is exact), and
Groups. Doing a step twice does no harm: an entry that is there already and bears our mark is taken over.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rollbook.sharing.connectors.destination import Calls, Outcome, Unreachable, Work
from rollbook.sharing.connectors.ldap import ldif
from rollbook.sharing.rules.accounts import GROUP_UNIT, Record, place

SECONDS = 120  # for one call of a tool
THERE, GONE, NOT_EMPTY = 68, 32, 66
FOUND = "found"  # an org unit that was there before us: never ours to delete
LOOPBACK = ("127.0.0.1", "localhost", "::1", "")
MENDS = {
    THERE: "An entry of this name was made there by somebody else. Rename it there, or change the pattern.",
    GONE: "The entry, or the unit it stands in, is not there. Check the base name, then make a new plan.",
    NOT_EMPTY: "Something that is not ours stands in it. Move that away, then try again.",
    50: "Our account there may not do this. Ask who runs the directory to allow it.",
    19: "The directory does not take these values. Look at the pattern and the person’s details.",
    21: "The directory does not take these values. Look at the pattern and the person’s details.",
    65: "The directory does not take such entries. It needs the schema inetOrgPerson.",
}


class LdapDestination:
    """A connector for one directory. account and secret: who we are there; without them, nobody in particular."""

    by_place = True
    at_once = 500

    def __init__(self, url: str, base: str, account: str, secret: str) -> None:
        self.calls = Calls()
        self.url, self.base, self.account = url, base, account
        # The tools read the password from a file that nobody else may read, so that no list of processes shows it.
        self._private = tempfile.TemporaryDirectory(prefix="rollbook-ldap-")
        self._secret = Path(self._private.name, "secret")
        self._secret.touch(mode=0o600)
        self._secret.write_text(secret, encoding="utf-8")

    def close(self) -> None:
        self._private.cleanup()

    def taken(self, mine: Set[str]) -> set[str]:
        found = self.search(self.base, "sub", "(uid=*)", "uid", "employeeNumber")
        return {
            uid.lower() for _, values in found for uid in values.get("uid", [])
            if mine.isdisjoint(values.get("employeeNumber", []))
        }  # fmt: skip

    def search(
        self, base: str, scope: str, condition: str, *attributes: str
    ) -> list[tuple[str, dict[str, list[str]]]]:
        """Entries below a name: (dn, attributes). A base that is not there holds none. Raises Unreachable."""
        self.calls.reads += 1
        done = self._tool(
            "ldapsearch",
            [
                "-LLL",
                "-o",
                "ldif-wrap=no",
                "-E",
                "pr=500/noprompt",
                "-b",
                base,
                "-s",
                scope,
                condition,
                *attributes,
            ],
        )
        if done.returncode not in (0, GONE):
            raise Unreachable(_why(done))
        return list(ldif.entries(done.stdout))

    def carry_out(self, work: Sequence[Work], remote_id: Callable[[Any], str]) -> list[Outcome]:
        refused = self._modify([record for w in work for record in self._records(w)])
        return [self._outcome(w, refused) for w in work]

    # ---- From steps to LDIF.

    def dn(self, kind: str, record: Record) -> str:
        """The name of the entry that a record stands for."""
        return ",".join(self._parts(kind, record))

    def _parts(self, kind: str, record: Record) -> tuple[str, str]:
        """The name in two: the entry's own part, and where it stands."""
        if kind == "unit":
            return ldif.rdn("ou", record["path"][-1]), self._below(record["path"][:-1])
        if kind == "group":
            return ldif.rdn("cn", record["name"]), self._below([GROUP_UNIT])
        return ldif.rdn("uid", record["username"]), self._below(place(record))

    def _below(self, path: Sequence[str]) -> str:
        return ",".join([*(ldif.rdn("ou", name) for name in reversed(path)), self.base])

    def _records(self, work: Work) -> list[str]:
        before, after = work.before, work.after
        if after is None:
            return (
                [] if before is None or work.remote_id == FOUND else [ldif.delete(self.dn(work.kind, before))]
            )
        dn = self.dn(work.kind, after)
        new = self._attributes(work, after)
        if before is None:
            return [ldif.add(dn, [(n, v) for n, values in new.items() for v in values if v])]
        made = []
        if self.dn(work.kind, before) != dn:
            made.append(ldif.rename(self.dn(work.kind, before), *self._parts(work.kind, after)))
        old = self._attributes(work, before)
        changed = [(n, new.get(n, [])) for n in dict.fromkeys([*old, *new]) if old.get(n) != new.get(n)]
        named = {"user": "uid", "group": "cn", "unit": "ou"}[work.kind]
        made.append(ldif.replace(dn, [(n, [v for v in values if v]) for n, values in changed if n != named]))
        return [m for m in made if m]

    def _attributes(self, work: Work, record: Record) -> dict[str, list[str]]:
        if work.kind == "unit":
            return {"objectClass": ["organizationalUnit"], "ou": [record["path"][-1]]}
        if work.kind == "group":
            members = [f"{ldif.rdn('uid', ref[0])},{self._below(ref[1:])}" for ref in record["members"]]
            return {
                "objectClass": ["groupOfNames"], "cn": [record["name"]], "description": [_mark(work.key)],
                "member": members,
            }  # fmt: skip
        secret = [_hashed(work.password)] if work.password else []
        return {
            "objectClass": ["inetOrgPerson"], "uid": [record["username"]], "cn": [record["display"]],
            "sn": [record["family"] or record["display"]], "givenName": [record["given"]],
            "displayName": [record["display"]], "mail": [record["email"]], "employeeNumber": [record["external"]],
            "employeeType": [record["role"]], "departmentNumber": [record["grade"]], "o": [record["school"]],
            **({"userPassword": secret} if secret else {}),
        }  # fmt: skip

    # ---- What became of them.

    def _outcome(self, work: Work, refused: dict[str, list[tuple[int, str]]]) -> Outcome:
        names = {self.dn(work.kind, r) for r in (work.before, work.after) if r is not None}
        found = [answer for name in names for answer in refused.get(_plain(name), [])]
        if not found:
            return Outcome(FOUND if work.remote_id == FOUND else "", work.after)
        codes = {code for code, _ in found}
        if work.after is None and codes == {GONE}:
            return Outcome()
        if work.kind == "unit" and work.before is None and codes == {THERE}:
            return Outcome(FOUND, work.after)
        if work.after is not None and codes <= {THERE, GONE} and self._ours(work):
            again = self._records(Work(work.kind, work.key, {**work.after, **_NOTHING}, work.after))
            if not self._modify(again):
                return Outcome("", work.after)
        code, said = found[0]
        return Outcome(
            error=f"The directory answered: {said}"[:400],
            mend=MENDS.get(code, "Try again. If it stays so, ask who runs the directory."),
        )

    def _ours(self, work: Work) -> bool:
        """Whether the entry where this record belongs is there and bears our mark."""
        if work.after is None or work.kind == "unit":
            return False
        found = self.search(
            self.dn(work.kind, work.after), "base", "(objectClass=*)", "employeeNumber", "description"
        )
        marks = {
            v
            for _, values in found
            for name in ("employeeNumber", "description")
            for v in values.get(name, [])
        }
        return (work.after.get("external") or _mark(work.key)) in marks

    # ---- The tools.

    def _modify(self, records: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
        """Send changes; the refused ones by name: (code, what was said). Raises Unreachable."""
        if not records:
            return {}
        self.calls.writes += len(records)
        skipped = Path(self._private.name, "skipped")
        skipped.unlink(missing_ok=True)
        done = self._tool("ldapmodify", ["-c", "-S", str(skipped)], "".join(records))
        found: dict[str, list[tuple[int, str]]] = {}
        if skipped.exists():
            for dn, code, said in ldif.refusals(skipped.read_text(encoding="utf-8")):
                found.setdefault(_plain(dn), []).append((code, said))
        if done.returncode and not found:
            raise Unreachable(_why(done))
        return found

    def _tool(self, name: str, arguments: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
        program = shutil.which(name)
        if program is None:
            raise Unreachable(
                f"{name} is not installed on this machine. Install OpenLDAP's tools (ldap-utils)."
            )
        secure = (
            ["-ZZ"]
            if urlsplit(self.url).scheme == "ldap" and urlsplit(self.url).hostname not in LOOPBACK
            else []
        )
        who = ["-D", self.account, "-y", str(self._secret)] if self.account else []
        command = [program, "-x", "-H", self.url, *secure, *who, *arguments]
        try:
            return subprocess.run(
                command, input=text, capture_output=True, text=True, check=False, timeout=SECONDS,
                env={k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL") or k.startswith("LDAPTLS_")},
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise Unreachable("The directory does not answer. Check its address, then carry on.") from error


_NOTHING = {
    "display": "",
    "given": "",
    "family": "",
    "email": "",
    "role": "",
    "school": "",
    "grade": "",
    "members": [],
}


def _plain(dn: str) -> str:
    return dn.lower().replace(", ", ",")


def _mark(key: str) -> str:
    return f"Kept by Rollbook, {hashlib.sha256(key.encode()).hexdigest()[:24]}"


def _hashed(secret: str) -> str:
    """A salted hash that every OpenLDAP understands; the first password is random, and meant to be changed."""
    salt = os.urandom(16)
    digest = hashlib.sha1(secret.encode() + salt).digest()  # noqa: S324  # {SSHA} is what is understood without modules
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def _why(done: subprocess.CompletedProcess[str]) -> str:
    said = next(iter(done.stderr.strip().splitlines()), "").strip()
    if "(49)" in said or "(50)" in said:
        return (
            "The directory does not let us in. Check the account and its password there, and enter them here."
        )
    return f"The directory does not answer as it should ({said[:120]}). Check its address, then carry on."
