"""Syncs as the administrator sees them: the list, one proposal, what was set aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max

from rollbook.kernel.errors import NotFound
from rollbook.kernel.models import Job
from rollbook.policy import Access
from rollbook.roster.models import Org, SetAside, Sync
from rollbook.roster.queries.people import names_of
from rollbook.roster.rules.plan import KINDS

PAGE = 25
EXAMPLES = 10  # rows of each cause on the page; the CSV has them all
SET_ASIDE = ("file", "row", "column", "code", "sourced_id", "value", "reason", "mend", "dependents")

# state -> what it is called, its tag and icon, and how its sentence begins
STATES = {
    "reading": ("Being read", "info", "hourglass-medium"),
    "proposed": ("Ready to apply", "warn", "hand-palm"),
    "held": ("Waits for you", "stop", "hand-palm"),
    "applying": ("Being applied", "info", "hourglass-medium"),
    "applied": ("All well", "ok", "check-bold"),
    "unchanged": ("Nothing new", "ok", "check-bold"),
    "refused": ("Refused", "stop", "warning-circle"),
    "failed": ("Failed", "stop", "warning-circle"),
    "undone": ("Undone", "plain", "arrow-u-up-left"),
    "discarded": ("Discarded", "plain", "trash"),
}
BUSY = ("reading", "applying")


@dataclass(frozen=True)
class SyncLine:
    """One sync in the list."""

    id: int
    state: str
    title: str
    tag: str
    icon: str
    source: str
    at: datetime
    by: str
    sentence: str
    set_aside: int


def _line(sync: Any) -> SyncLine:
    title, tag, icon = STATES.get(sync.state, (sync.state, "plain", "info"))
    people = (sync.counts or {}).get("person", {})
    aside = sum(int(c.get("set_aside", 0)) for c in (sync.counts or {}).values())
    if sync.state in ("applied", "undone", "proposed", "held"):
        moves = [
            (people.get("created", 0), "joined"),
            (people.get("removed", 0), "left"),
            (people.get("changed", 0), "changed"),
        ]
        sentence = ", ".join(f"{n:,} {verb}" for n, verb in moves if n) or "nobody joined or left"
    else:
        sentence = sync.message
    if sync.state == "applied" and aside:
        title, tag, icon = "Some rows set aside", "warn", "warning"
    return SyncLine(
        sync.id,
        sync.state,
        title,
        tag,
        icon,
        sync.source,
        sync.finished_at or sync.started_at,
        sync.by,
        sentence,
        aside,
    )


def syncs(access: Access, before: int | None = None) -> tuple[list[SyncLine], int | None]:
    """The syncs, newest first, and the id to go on before."""
    rows = access.select(Sync).order_by("-id")
    if before:
        rows = rows.filter(id__lt=before)
    found = list(rows[: PAGE + 1])
    return [_line(s) for s in found[:PAGE]], found[PAGE - 1].id if len(found) > PAGE else None


def newest(access: Access) -> int:
    """The id of the newest sync, 0 when there is none."""
    return int(access.select(Sync).aggregate(last=Max("id"))["last"] or 0)


def waiting_jobs(tenant_id: int) -> list[tuple[str, str]]:
    """(job, state) of work on the tenant's roster that waits, runs, or failed for good within its last tries."""
    rows = Job.objects.filter(
        tenant_id=tenant_id, name__startswith="roster.", state__in=("queued", "running")
    )
    return list(rows.order_by("id").values_list("name", "state"))


@dataclass(frozen=True)
class Cause:
    """Rows that were set aside for one reason: how many, how to mend them, and the first few."""

    code: str
    file: str
    column: str
    reason: str
    mend: str
    count: int
    dependents: int
    rows: tuple[Any, ...]


@dataclass(frozen=True)
class KindLine:
    """What a sync does to one kind of row."""

    kind: str
    rows: int
    created: int
    changed: int
    removed: int
    unchanged: int
    set_aside: int


@dataclass(frozen=True)
class Hold:
    """Why a sync waits, with the names of the first people whom it is about."""

    sentence: str
    action: str
    count: int
    people: tuple[tuple[int, str], ...]

    @property
    def short(self) -> str:
        """The first clause, where the whole sentence has been said once."""
        return self.sentence.split(";")[0] + "."


@dataclass(frozen=True)
class OneSync:
    """One sync with its plan."""

    line: SyncLine
    format: str
    started: datetime
    finished: datetime | None
    message: str
    step: str
    done: int
    kinds: tuple[KindLine, ...]
    plan: tuple[dict[str, Any], ...]
    holds: tuple[Hold, ...]
    warnings: tuple[dict[str, Any], ...]
    refusals: tuple[dict[str, Any], ...]
    causes: tuple[Cause, ...]
    latest: bool  # the latest that was applied: it can be undone
    people: tuple[int, ...]

    @property
    def names(self) -> tuple[tuple[int, str], ...]:
        """The first people whom a hold is about."""
        return next((h.people for h in self.holds if h.people), ())

    @property
    def more(self) -> bool:
        """Whether there are more people than the names."""
        return any(h.people and h.count > len(h.people) for h in self.holds[:1])

    @property
    def busy(self) -> bool:
        return self.line.state in BUSY

    @property
    def waits(self) -> bool:
        return self.line.state in ("proposed", "held")


def sync(access: Access, sync_id: int) -> OneSync:
    """One sync. Raises NotFound for one that is not there or another tenant's."""
    found = access.select(Sync).filter(id=sync_id).first()
    if found is None:
        raise NotFound("There is no such sync.")
    ids = {int(p) for h in found.holds for p in h.get("people", [])}
    names = names_of(access, ids) if ids else {}
    columns = ("rows", "created", "changed", "removed", "unchanged", "set_aside")
    counts = [
        KindLine(KINDS.get(kind, (kind, kind))[1].capitalize(), *(int(c.get(n, 0)) for n in columns))
        for kind, c in found.counts.items()
    ]
    holds = [
        Hold(
            h["sentence"],
            h["action"],
            h["count"],
            tuple((p, names[p]) for p in map(int, h.get("people", [])) if p in names),
        )
        for h in found.holds
    ]
    latest = access.select(Sync).filter(state="applied").aggregate(last=Max("id"))["last"] == found.id
    return OneSync(
        line=_line(found),
        format=found.format,
        started=found.started_at,
        finished=found.finished_at,
        message=found.message,
        step=found.step,
        done=found.done,
        kinds=tuple(counts),
        plan=tuple(found.plan),
        holds=tuple(holds),
        warnings=tuple(n for n in found.notices if n["severity"] != "refused"),
        refusals=tuple(n for n in found.notices if n["severity"] == "refused"),
        causes=tuple(_causes(access, sync_id)),
        latest=latest,
        people=tuple(names),
    )


def progress(access: Access, sync_id: int) -> tuple[str, str, int]:
    """(state, step, per cent) of a sync. Raises NotFound."""
    found = access.select(Sync).filter(id=sync_id).values_list("state", "step", "done").first()
    if found is None:
        raise NotFound("There is no such sync.")
    return found


def _causes(access: Access, sync_id: int) -> Iterator[Cause]:
    rows = access.select(SetAside).filter(sync_id=sync_id)
    grouped = list(
        rows.order_by("code", "file", "column")
        .values_list("code", "file", "column")
        .annotate(n=Count("id"), most=Max("dependents"))[:200]
    )
    for code, file, column, count, _ in grouped:
        first = list(rows.filter(code=code, file=file, column=column).order_by("row", "id")[:EXAMPLES])
        yield Cause(
            code,
            file,
            column,
            first[0].reason,
            first[0].mend,
            count,
            sum(r.dependents for r in first),
            tuple(first),
        )


def set_aside_rows(access: Access, sync_id: int) -> Iterator[tuple[Any, ...]]:
    """All rows that a sync set aside, for a CSV. Raises NotFound for a sync that is not there."""
    progress(access, sync_id)
    rows = access.select(SetAside).filter(sync_id=sync_id).order_by("code", "file", "row", "id")
    yield from rows.values_list(*SET_ASIDE).iterator()


def set_aside_columns(access: Access) -> list[tuple[Any, str]]:
    """What the list of set-aside rows shows, for the disclosure log."""
    return [(SetAside, "sourced_id"), (SetAside, "value")]


def schools(access: Access) -> list[tuple[str, str]]:
    """(sourced id, name) of the orgs, for the selection of what to store."""
    return list(
        access.select(Org)
        .filter(status="active")
        .order_by("name", "id")
        .values_list("sourced_id", "name")[:500]
    )
