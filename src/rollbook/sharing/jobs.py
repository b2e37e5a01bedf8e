"""Directories: a plan from the roster, and its steps carried out, from the command line, a page or the worker.

A run may be killed at any line: steps that were written down stay done, the others are done again, which does no harm.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.kernel.jobs import job
from rollbook.kernel.progress import Progress, Silent
from rollbook.policy import Actor, column_list, disclose
from rollbook.sharing.actions.directories import (
    RUN,
    Directory,
    Done,
    Push,
    approve,
    begin,
    finish,
    last_to_undo,
    note_passwords,
    save_plan,
    secret_of,
    write_down,
)
from rollbook.sharing.connectors.destination import Destination, Unreachable, Work
from rollbook.sharing.connectors.ldap.client import LdapDestination
from rollbook.sharing.connectors.scim.client import ScimDestination
from rollbook.sharing.queries import Grant, Withheld, grant_for
from rollbook.sharing.queries.directories import (
    account_columns,
    directory_of_push,
    done_steps,
    facts,
    holdings,
    people_of,
    resting,
    waiting,
)
from rollbook.sharing.rules.accounts import (
    Key,
    Record,
    left_alone,
    members_of,
    parse_settings,
    password,
    records,
)
from rollbook.sharing.rules.pushing import plan, undo

NO_MORE = "The sharing rule or the agreement changed since this plan was made. Make a new plan."


def destination(directory: Directory) -> Destination:
    """The connector of a directory. Raises Invalid when its secret cannot be opened."""
    if directory.kind == "scim":
        return ScimDestination(directory.url, secret_of(directory))
    return LdapDestination(directory.url, directory.base, directory.account, secret_of(directory))


def plan_directory(directory: Directory, *, by: Actor | None = None) -> Push:
    """Make a plan: what must be written so that the directory holds what the roster says. Nothing is written there.

    Raises Invalid saying why none can be made.
    """
    grant = _grant(directory)
    settings = parse_settings(directory.settings)
    roster = facts(grant, settings)
    kept, _ = holdings(directory)
    by_place = directory.kind == "ldap"

    def wanted(taken: set[str]) -> dict[Key, Record]:
        return records(roster.people, roster.orgs, roster.classes, settings, kept, taken, by_place)

    desired = wanted(set())
    if any(_name(kept, key) != record.get("username") for key, record in desired.items() if key[0] == "user"):
        # Only where somebody gets a new name does it matter which are taken there.
        mine = {p.external_id for p in roster.people}
        mine |= {str(r["external"]) for (kind, _), r in kept.items() if kind == "user"}
        there = destination(directory)
        try:
            desired = wanted(there.taken(mine))
        except Unreachable as error:
            raise Invalid(str(error), "", "url") from error
        finally:
            there.close()
    desired = left_alone(desired, kept, map(str, resting(directory, grant.access.purpose)), by_place)
    return save_plan(directory, grant, plan(desired, kept, settings, clock.today()), by=by)


def _name(kept: Mapping[Key, Record], key: Key) -> Any:
    return kept[key]["username"] if key in kept else None


def plan_undo(directory: Directory, *, by: Actor | None = None) -> Push:
    """A plan that puts back what the latest one did. Raises Invalid when there is nothing to undo."""
    last = last_to_undo(directory)
    return save_plan(directory, _grant(directory), undo(done_steps(last)), by=by, undoes=last)


def _grant(directory: Directory) -> Grant:
    try:
        return grant_for(directory.app_id)
    except Withheld as withheld:
        raise Invalid(
            withheld.reason, "Nothing is written to the directory until that is mended."
        ) from withheld


def push_directory(
    directory: Directory, push: Push, *, by: Actor | None = None, progress: Progress | None = None
) -> Push:
    """Approve a plan and carry it out here and now, or go on with one that was cut off. Answers it as it ended."""
    if not begin(push):  # asks the database: the plan in hand may be older
        approve(directory, push, by=by, queue=False)
    return carry_out(directory, push, progress or Silent())


@job(RUN)
def run(tenant_id: int, *, push_id: str) -> None:
    """Carry out an approved plan, or go on with one that was cut off."""
    found = directory_of_push(tenant_id, int(push_id))
    if found is not None:
        carry_out(*found, Silent())


def carry_out(directory: Directory, push: Push, progress: Progress) -> Push:
    """Do the steps that wait, group by group, each group written down before the next."""
    if not begin(push):
        return push
    try:
        there = destination(directory)
    except Invalid as error:
        return finish(directory, push, str(error))
    try:
        message = _steps(directory, push, there, progress)
    except Unreachable as error:
        message = str(error)
    finally:
        there.close()
    return finish(directory, push, message)


def _steps(directory: Directory, push: Push, there: Destination, progress: Progress) -> str:
    settings = parse_settings(directory.settings)
    kept, remote = holdings(directory)
    remote_of = {key: i for (kind, key), i in remote.items() if kind == "user"}
    person_of = {str(r["username"]): key for (kind, key), r in kept.items() if kind == "user"}
    said = None
    finished = 0
    while rows := waiting(push, there.at_once):
        # Steps of one kind that may be done side by side.
        _, some = next(groupby(rows, key=lambda r: (r.kind, r.after is None, r.before is None)))
        batch = list(some)
        grant = _still(directory, push)
        if grant is None:
            return NO_MORE
        if said is None:
            said = column_list(account_columns(grant, settings))
        person_of |= {str(r.after["username"]): r.key for r in batch if r.kind == "user" and r.after}
        people = people_of(batch, person_of)
        if people:  # written down before the first byte leaves
            disclose(
                grant.access,
                f"push {directory.kind}",
                said,
                people,
                authorised_by=grant.rule_id,
                scope="push",
            )
        work = [
            Work(
                r.kind, r.key, r.before, r.after, remote.get((r.kind, r.key), ""),
                new_password() if settings.passwords and r.kind == "user" and r.before is None else "",
            )
            for r in batch
        ]  # fmt: skip
        outcomes = there.carry_out(work, lambda ref: remote_of.get(ref, "") if isinstance(ref, str) else "")
        done = [
            Done(row, o.remote_id, o.after, o.error, o.mend) for row, o in zip(batch, outcomes, strict=True)
        ]
        for d in done:
            if not d.error:
                remote[d.row.kind, d.row.key] = d.remote_id
                if d.row.kind == "user":
                    remote_of[d.row.key] = d.remote_id
        finished += len(done)
        progress.step("writing", finished, push.total)
        if not write_down(directory, push, done):
            return ""
    return ""


def _still(directory: Directory, push: Push) -> Grant | None:
    """The grant, while it is the one that the plan was cut by."""
    try:
        grant = grant_for(directory.app_id)
    except Withheld:
        return None
    return grant if (grant.rule_id, grant.agreement_id) == (push.rule_id, push.agreement_id) else None


def renew_passwords(directory: Directory, group: str, *, by: Actor | None = None) -> list[dict[str, str]]:
    """New passwords for the accounts of a group there, to be handed out: shown this once, kept nowhere.

    group: the group's name at the destination. Answers a line for each account: name, username, password, error.
    Raises Invalid when there is no such group, or the destination does not answer.
    """
    grant = _grant(directory)
    kept, remote = holdings(directory)
    keys = members_of(kept, group)
    work = [
        Work("user", key, kept["user", key], kept["user", key], remote.get(("user", key), ""), new_password())
        for key in keys
    ]
    columns = column_list(account_columns(grant, parse_settings(directory.settings)))
    disclose(
        grant.access,
        f"push {directory.kind}",
        columns,
        map(int, keys),
        authorised_by=grant.rule_id,
        scope="push",
    )
    there = destination(directory)
    try:
        outcomes = there.carry_out(work, str)
    except Unreachable as error:
        raise Invalid(str(error)) from error
    finally:
        there.close()
    note_passwords(directory, group, sum(not o.error for o in outcomes), by=by)
    return [
        {
            "name": str(w.after and w.after["display"]), "username": str(w.after and w.after["username"]),
            "password": "" if o.error else w.password, "error": f"{o.error} {o.mend}".strip(),
        }
        for w, o in zip(work, outcomes, strict=True)
    ]  # fmt: skip


def new_password() -> str:
    """A first password. Nobody keeps it: a new one is made when somebody wants to print it."""
    return password([secrets.randbelow(1_000_000) for _ in range(7)])
