"""The room in which one sync works: one at a time for a tenant, a folder for its files, a DuckDB connection.

A lock that dies with its process: a session lock on PostgreSQL, a file lock beside SQLite. Whoever takes the lock
knows that no other sync of the tenant runs, so what it finds half done was killed, and is cleared away.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from django.conf import settings
from django.db import connection

from rollbook.kernel import clock, db
from rollbook.kernel.errors import Invalid
from rollbook.kernel.progress import Progress, Silent
from rollbook.policy import Actor, raw, unguarded
from rollbook.roster.models import Sync, Tenant
from rollbook.roster.rules import Refused

MEMORY = "800MB"
BIG = 200_000_000  # bytes of CSV; a zip counts eight times
LOCK_SPACE = 0x526F6C6C  # "Roll": our part of PostgreSQL's advisory locks
UNFINISHED = ("reading", "applying")
WAITING = ("proposed", "held")


@dataclass
class Run:
    """One sync while it works. Also a Progress: steps go to the row that the page reads, and on to the caller."""

    tenant: Tenant
    sync: Sync
    con: duckdb.DuckDBPyConnection
    folder: Path
    by: Actor | None = None
    progress: Progress = field(default_factory=Silent)
    digest: str = ""  # of the bundle's bytes
    regular: dict[str, str] = field(default_factory=dict)  # what the next sync may know its rows by (`Kept`)
    part: frozenset[str] = frozenset()
    on_disk: bool = False
    quiet: bool = (
        False  # inside the transaction: the row would not be seen, and on SQLite must not be written
    )

    def step(self, name: str, done: int, total: int | None) -> None:
        """Say what is being done. done of total is turned into per cent."""
        self.progress.step(name, done, total)
        if self.quiet:
            return
        percent = min(100, done * 100 // total) if total else 0
        if (name, percent) != (self.sync.step, self.sync.done):
            self.sync.step, self.sync.done = name, percent
            with unguarded("a sync says where it is", tenant=self.tenant.id):
                Sync.objects.filter(id=self.sync.id).update(step=name, done=percent)

    def anew(self) -> None:
        """Empty the room: what was read is to be read again, in another way."""
        self.con.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.con = open_duckdb(self.folder, self.on_disk)

    def save(self, **changes: object) -> None:
        """Set columns of the sync's row."""
        for name, value in changes.items():
            setattr(self.sync, name, value)
        with unguarded("a sync writes down its state", tenant=self.tenant.id):
            Sync.objects.filter(id=self.sync.id).update(**changes)


@contextmanager
def begin(
    tenant: Tenant, path: Path, *, by: Actor | None = None, progress: Progress | None = None
) -> Iterator[Run]:
    """A new sync of the tenant with the bundle at path, until the block ends.

    Raises Invalid when another sync of the tenant runs. Refused ends the sync as refused; any other error ends it as
    failed and goes on up.
    """
    with one_at_a_time(tenant):
        clear_up(tenant)
        tenant.refresh_from_db()
        with unguarded("a sync begins", tenant=tenant.id):
            sync = Sync.objects.create(
                tenant=tenant, source=path.name, started_at=clock.now(), by=by.name if by else "",
                by_account_id=by.id if by else None, roster_version=tenant.roster_version,
            )  # fmt: skip
        with _room(tenant, sync, by, progress, _is_big(path)) as run:
            yield run


def find(tenant: Tenant, sync: int) -> Sync:
    """The tenant's sync of that id, as it stands. Raises Invalid when there is none."""
    with unguarded("a sync is found by its id", tenant=tenant.id):
        found = Sync.objects.filter(tenant_id=tenant.id, id=sync).first()
    if found is None:
        raise Invalid("There is no such sync.")
    return found


@contextmanager
def resume(
    tenant: Tenant, sync_id: int, *, by: Actor | None = None, progress: Progress | None = None
) -> Iterator[Run]:
    """A proposal that waits, taken up again. Raises Invalid when another sync of the tenant runs."""
    with one_at_a_time(tenant):
        clear_up(tenant)
        tenant.refresh_from_db()
        sync = find(tenant, sync_id)
        if sync.state not in WAITING:
            raise Invalid(f"This sync is {sync.state}: there is nothing to apply.")
        with _room(tenant, sync, by, progress) as run:
            yield run


@contextmanager
def _room(
    tenant: Tenant, sync: Sync, by: Actor | None, progress: Progress | None, on_disk: bool = False
) -> Iterator[Run]:
    folder = home(tenant) / f"work-{sync.id}"
    folder.mkdir(parents=True, exist_ok=True)
    con = open_duckdb(folder, on_disk)
    run = Run(tenant, sync, con, folder, by, progress or Silent(), on_disk=on_disk)
    before = sync.state
    try:
        yield run
    except Refused as refused:
        where = ", ".join(
            str(p) for p in (refused.file, refused.row and f"row {refused.row}", refused.column) if p
        )
        message = " ".join(p for p in (refused.message, where and f"({where})", refused.mend) if p)
        run.save(state="refused", message=message, finished_at=clock.now())
    except Invalid as invalid:
        run.quiet = False
        if before in WAITING:
            run.save(state=before)  # it still waits; what was asked of it could not be done
        else:
            run.save(state="failed", finished_at=clock.now(), message=str(invalid))
        raise
    except BaseException as error:
        if sync.state != "applied":  # what was committed stands, whatever went wrong after it
            with suppress(Exception):  # the first error is the one to tell
                run.save(
                    state="failed", finished_at=clock.now(),
                    message=f"The sync stopped ({type(error).__name__}); the roster is as it was before. Run it again.",
                )  # fmt: skip
        raise
    finally:
        run.con.close()
        shutil.rmtree(folder, ignore_errors=True)


def open_duckdb(folder: Path, on_disk: bool = False) -> duckdb.DuckDBPyConnection:
    """A DuckDB that is small in memory and asks nothing of the network. What does not fit goes into the folder.

    on_disk: keep the tables there from the start; quicker for millions of rows, slower for a school's.
    """
    con = duckdb.connect(
        str(folder / "work.duckdb") if on_disk else ":memory:",
        config={
            "memory_limit": MEMORY, "threads": 2, "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False, "autoinstall_known_extensions": False, "autoload_known_extensions": False,
        },
    )  # fmt: skip
    con.execute(
        "PRAGMA force_compression='uncompressed'"
    )  # the file lives for minutes: room costs less than work
    con.execute("PRAGMA disable_checkpoint_on_shutdown")  # the file is thrown away
    return con


def _is_big(path: Path) -> bool:
    files = (
        [path]
        if path.is_file()
        else [file for file in path.rglob("*") if file.is_file()]
        if path.is_dir()
        else []
    )
    packed = 8 if path.is_file() else 1
    return sum(file.stat().st_size for file in files) * packed > BIG


def home(tenant: Tenant) -> Path:
    """Where the tenant's sync files lie."""
    return Path(settings.ROLLBOOK_DATA_DIR) / "sync" / str(tenant.id)


def spool_of(tenant: Tenant, sync: Sync) -> Path:
    """Where a proposal waits until it is applied or discarded."""
    return home(tenant) / f"waits-{sync.id}"


@contextmanager
def one_at_a_time(tenant: Tenant) -> Iterator[None]:
    """Hold the tenant's lock. Raises Invalid when another process or thread has it."""
    folder = home(tenant)
    folder.mkdir(parents=True, exist_ok=True)
    busy = Invalid("Another sync of this tenant is running.", "Wait until it has ended, then try again.")
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise busy from None
        key = tenant.id % (1 << 31)
        if db.is_postgres():
            with unguarded("the lock of a tenant's syncs"), raw("an advisory lock") as cursor:
                cursor.execute(f"SELECT pg_try_advisory_lock({LOCK_SPACE}, {key})")
                if not cursor.fetchone()[0]:
                    raise busy
        try:
            yield
        finally:
            if db.is_postgres():
                # A broken connection has let go of the lock already.
                with suppress(Exception), connection.cursor() as cursor:
                    cursor.execute(f"SELECT pg_advisory_unlock({LOCK_SPACE}, {key})")


def clear_up(tenant: Tenant) -> None:
    """Close what a killed sync left open, and remove files that belong to no waiting proposal. Needs the lock."""
    with unguarded("a killed sync is closed", tenant=tenant.id):
        Sync.objects.filter(tenant_id=tenant.id, state__in=UNFINISHED).update(
            state="failed", finished_at=clock.now(),
            message="The sync was stopped before its end; the roster is as it was before. Run it again.",
        )  # fmt: skip
        waiting = set(
            Sync.objects.filter(tenant_id=tenant.id, state__in=WAITING).values_list("id", flat=True)
        )
    for path in home(tenant).iterdir():
        if path.is_dir() and path.name not in {f"waits-{n}" for n in waiting}:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.endswith(".new"):
            path.unlink(missing_ok=True)


def supersede(run: Run) -> None:
    """A new proposal takes the place of those that wait."""
    with unguarded("a new proposal takes the place of an older one", tenant=run.tenant.id):
        waiting = list(
            Sync.objects.filter(tenant_id=run.tenant.id, state__in=WAITING).exclude(id=run.sync.id)
        )
    for sync in waiting:
        close_waiting(run.tenant, sync, f"A newer sync ({run.sync.id}) took its place.")


def close_waiting(tenant: Tenant, sync: Sync, message: str) -> None:
    """Discard a proposal, and the files it kept."""
    sync.state, sync.message, sync.finished_at, sync.spool = "discarded", message, clock.now(), ""
    with unguarded("a proposal is closed", tenant=tenant.id):
        sync.save(update_fields=["state", "message", "finished_at", "spool"])
    shutil.rmtree(spool_of(tenant, sync), ignore_errors=True)
