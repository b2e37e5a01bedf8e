"""What can be done about directories: make one, plan, approve, write down what was carried out, undo, discard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from rollbook.kernel import clock, sealing
from rollbook.kernel.errors import Invalid
from rollbook.kernel.ids import new_id
from rollbook.kernel.jobs import enqueue
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant
from rollbook.sharing.actions import create_app
from rollbook.sharing.models import Directory, Holding, Push, PushStep
from rollbook.sharing.queries import Grant
from rollbook.sharing.queries.directories import undoable
from rollbook.sharing.rules.accounts import Record, parse_settings
from rollbook.sharing.rules.pushing import Step, counts

RUN = "sharing.push"
SCHEMES = {"scim": ("https", "http"), "ldap": ("ldaps", "ldap", "ldapi")}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
OPEN = ("approved", "running")


def create_directory(
    tenant: Tenant, name: str, *, kind: str, url: str, secret: str, base: str = "", account: str = "",
    settings: Mapping[str, Any] | None = None, by: Actor | None = None, vendor: str = "",
) -> Directory:  # fmt: skip
    """Make a directory known. It is an app: nothing is written there until it has an agreement and a rule.

    url: its address; without encryption only on this machine. base, account: for LDAP. Raises Invalid.
    """
    if kind not in SCHEMES:
        raise Invalid(
            f"There is no directory of the kind {kind!r}.", f"Kinds are {', '.join(SCHEMES)}.", "kind"
        )
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES[kind]:
        raise Invalid("The address does not fit.", f"It begins with {SCHEMES[kind][0]}://", "url")
    if parts.username or parts.password or parts.query:
        raise Invalid("The address holds more than an address.", "Give the secret apart from it.", "url")
    if kind == "scim" and parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise Invalid(
            "Names and passwords would travel in the open.", "The address begins with https://", "url"
        )
    if kind == "ldap" and not base:
        raise Invalid(
            "LDAP needs the name below which accounts stand.", "For example dc=school,dc=example.", "base"
        )
    parsed = parse_settings(dict(settings or {}))
    if parsed.email and "@" not in parsed.email:
        raise Invalid("The email pattern has no @.", "For example {username}@school.example.", "email")
    with transaction.atomic():
        made = create_app(tenant, name, by=by, vendor=vendor, about="keep accounts", kind="directory")
        with unguarded("an administrator makes a directory known", tenant=tenant.id):
            return Directory.objects.create(
                tenant=tenant, app=made.app, kind=kind, url=url, base=base, account=account,
                secret=sealing.seal(secret, f"directory:{made.app.id}") if secret else "",
                settings=dict(settings or {}), created_at=clock.now(),
            )  # fmt: skip


def secret_of(directory: Directory) -> str:
    """What we show at the destination. Raises Invalid when it cannot be opened."""
    return sealing.unseal(directory.secret, f"directory:{directory.app_id}") if directory.secret else ""


def change_settings(directory: Directory, settings: Mapping[str, Any], *, by: Actor | None = None) -> None:
    """Change how the directory is kept; the next plan obeys. Raises Invalid naming the part."""
    parse_settings(dict(settings))
    with transaction.atomic(), unguarded("an administrator changes a directory", tenant=directory.tenant_id):
        Directory.objects.filter(id=directory.id).update(settings=dict(settings))
        audit(
            directory.tenant_id, by, "directory.changed", "app", directory.app_id, directory.app.name,
            before=directory.settings, after=dict(settings),
        )  # fmt: skip
    directory.settings = dict(settings)


def save_plan(
    directory: Directory, grant: Grant, steps: Sequence[Step], *, by: Actor | None, undoes: Push | None = None
) -> Push:
    """Write a plan down. It takes the place of one that was not begun. Raises Invalid while another is carried out."""
    moment = clock.now()
    with (
        transaction.atomic(),
        unguarded("a plan for a directory is written down", tenant=directory.tenant_id),
    ):
        mine = Push.objects.filter(tenant_id=directory.tenant_id, directory=directory)
        if mine.filter(state__in=OPEN).exists():
            raise Invalid("A plan for this directory is being carried out.", "Wait for it, or stop it.")
        mine.filter(state="planned").update(state="discarded", finished_at=moment)
        push = Push.objects.create(
            tenant_id=directory.tenant_id, directory=directory, counts=counts(steps), rule_id=grant.rule_id,
            agreement_id=grant.agreement_id, undoes_id=undoes.id if undoes else None, made_at=moment,
            made_by=by.name if by else "the command line", made_by_id=by.id if by else 0, total=len(steps),
        )  # fmt: skip
        PushStep.objects.bulk_create(
            [
                PushStep(
                    id=new_id(), tenant_id=directory.tenant_id, push=push, number=n, kind=s.kind, key=s.key,
                    person_id=int(s.key) if s.kind == "user" else None, action=s.action, before=s.before, after=s.after,
                )
                for n, s in enumerate(steps, start=1)
            ],
            batch_size=500,
        )  # fmt: skip
        audit(
            directory.tenant_id,
            by,
            "directory.planned",
            "push",
            push.id,
            directory.app.name,
            counts=push.counts,
        )
    return push


def approve(directory: Directory, push: Push, *, by: Actor | None, queue: bool = True) -> None:
    """Say yes to a plan; the worker begins (queue=False: the caller carries it out). Raises Invalid."""
    with transaction.atomic(), unguarded("an administrator approves a plan", tenant=directory.tenant_id):
        changed = Push.objects.filter(id=push.id, state__in=("planned", "failed", "stopped")).update(
            state="approved", approved_by=by.name if by else "the command line", approved_by_id=by.id if by else 0,
            finished_at=None, message="",
        )  # fmt: skip
        if not changed:
            raise Invalid("This plan waits no longer.", "Look at the directory again, or make a new plan.")
        PushStep.objects.filter(tenant_id=directory.tenant_id, push=push, state="failed").update(
            state="waiting", error="", mend=""
        )
        Push.objects.filter(id=push.id).update(failed=0)
        audit(
            directory.tenant_id,
            by,
            "directory.approved",
            "push",
            push.id,
            directory.app.name,
            steps=push.total,
        )
        if queue:
            enqueue(RUN, directory.tenant_id, dedupe=str(push.id), push_id=str(push.id))
    push.state = "approved"


def discard(directory: Directory, push: Push, *, by: Actor | None) -> None:
    """Put a plan away that was not begun, or stop one that is being carried out after the steps in hand."""
    with transaction.atomic(), unguarded("an administrator puts a plan away", tenant=directory.tenant_id):
        waits = Push.objects.filter(id=push.id, state="planned").update(
            state="discarded", finished_at=clock.now()
        )
        if not waits and not Push.objects.filter(id=push.id, state__in=OPEN).update(
            state="stopped", finished_at=clock.now(), message="Stopped by an administrator."
        ):
            raise Invalid("This plan waits no longer.", "Look at the directory again.")
        verb = "directory.discarded" if waits else "directory.stopped"
        audit(directory.tenant_id, by, verb, "push", push.id, directory.app.name)


def begin(push: Push) -> bool:
    """Take a plan up, or go on with one that was cut off. False when it is no longer wanted."""
    with transaction.atomic(), unguarded("a plan is carried out", tenant=push.tenant_id):
        found = Push.objects.filter(id=push.id, state__in=OPEN)
        found.filter(started_at=None).update(started_at=clock.now())
        return bool(found.update(state="running"))


@dataclass(frozen=True)
class Done:
    """What became of one step. after: the record as it was written, where that differs from the plan."""

    row: PushStep
    remote_id: str = ""
    after: Record | None = None
    error: str = ""
    mend: str = ""


def write_down(directory: Directory, push: Push, done: Sequence[Done]) -> bool:
    """Keep what was carried out, in one transaction. False when the plan was stopped meanwhile."""
    moment = clock.now()
    good = [d for d in done if not d.error]
    bad = [d for d in done if d.error]
    with transaction.atomic(), unguarded("a plan is carried out", tenant=directory.tenant_id):
        rows = PushStep.objects.filter(tenant_id=directory.tenant_id, push=push)
        rows.filter(id__any=[d.row.id for d in good]).update(state="done")
        for d in bad:
            rows.filter(id=d.row.id).update(state="failed", error=d.error[:500], mend=d.mend[:500])
        for d in good:
            if d.after is not None and d.after != d.row.after:
                rows.filter(id=d.row.id).update(after=d.after)
        _keep(directory, good, moment)
        Push.objects.filter(id=push.id).update(
            done=rows.filter(state="done").count(), failed=rows.filter(state="failed").count()
        )
        return Push.objects.filter(id=push.id, state="running").exists()


def _keep(directory: Directory, done: Iterable[Done], moment: Any) -> None:
    held, gone = [], []
    for d in done:
        record = d.after if d.after is not None else d.row.after
        if record is None:
            gone.append((d.row.kind, d.row.key))
            continue
        held.append(
            Holding(
                id=new_id(), tenant_id=directory.tenant_id, directory=directory, kind=d.row.kind, key=d.row.key,
                person_id=d.row.person_id, remote_id=d.remote_id, record=record, changed_at=moment,
            )
        )  # fmt: skip
    Holding.objects.bulk_create(
        held, batch_size=500, update_conflicts=True, unique_fields=["tenant", "directory", "kind", "key"],
        update_fields=["remote_id", "record", "changed_at"],
    )  # fmt: skip
    for kind in {kind for kind, _ in gone}:
        Holding.objects.filter(
            tenant_id=directory.tenant_id,
            directory=directory,
            kind=kind,
            key__in=[k for g, k in gone if g == kind],
        ).delete()


def finish(directory: Directory, push: Push, message: str = "") -> Push:
    """Close a plan: done, or failed with what is left. An undo that is done marks what it undid."""
    with transaction.atomic(), unguarded("a plan is carried out", tenant=directory.tenant_id):
        mine = Push.objects.select_for_update().get(id=push.id)
        left = PushStep.objects.filter(tenant_id=directory.tenant_id, push=push).exclude(state="done").count()
        if mine.state == "running":
            mine.state = "failed" if left or message else "done"
            mine.message, mine.finished_at = message, clock.now()
            mine.save(update_fields=["state", "message", "finished_at"])
            if mine.state == "done" and mine.undoes_id:
                Push.objects.filter(id=mine.undoes_id).update(state="undone")
        by = Actor("staff", "administrator", mine.approved_by_id, mine.approved_by)
        audit(
            directory.tenant_id, by, f"directory.{mine.state}", "push", mine.id, directory.app.name,
            done=mine.done, failed=mine.failed, left=left,
        )  # fmt: skip
    return mine


def note_passwords(directory: Directory, group: str, count: int, *, by: Actor | None) -> None:
    """Write down that somebody made new passwords; the passwords are nowhere."""
    audit(
        directory.tenant_id, by, "directory.passwords_renewed", "app", directory.app_id, directory.app.name,
        group=group, count=count,
    )  # fmt: skip


def last_to_undo(directory: Directory) -> Push:
    """The latest plan that changed the directory. Raises Invalid when there is none, or when it cannot be undone."""
    found = undoable(directory)
    if found is None:
        raise Invalid("There is nothing to undo.", "Only the latest plan that was carried out can be undone.")
    return found
