"""An invented trust as a OneRoster CSV bundle, for demos and benchmarks: `rollbook generate oneroster`.

Sizes, with the defaults: one pupil brings about 0.66 other users (0.58 guardians, 0.08 staff) and 9.8 enrollments.
`students=12_800, schools=20` gives about 21,200 users and 125,000 enrollments (each within one in a hundred);
`students=603_200, schools=750, enrollments_per_student=4.786` gives about 1,000,000 users and 3,000,000 enrollments.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from .bundle import HEADERS, Bundle, pack
from .families import Families
from .rows import Rows
from .schools import MOST_ENROLLMENTS, Calendar, Trust
from .staff import Staff

__all__ = ["GenerateError", "Generated", "generate_oneroster"]

ENROLLMENTS_PER_STUDENT = 9.42


class GenerateError(ValueError):
    """The bundle cannot be made as asked; the message says what to change."""


@dataclass(frozen=True)
class Generated:
    """What was written: the folder or zip, the OneRoster version, and the rows of each file (`users`, `roles`...)."""

    path: Path
    version: str
    counts: Mapping[str, int]


def generate_oneroster(
    out: Path,
    *,
    students: int,
    schools: int,
    seed: int,
    changed: float = 0.0,
    removed: float = 0.0,
    added: float = 0.0,
    version: str = "1.2",
    enrollments_per_student: float = ENROLLMENTS_PER_STUDENT,
    no_family_name: str = "",
    school_year: int = 2026,
    left_on: date | None = None,
    every_case: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Generated:
    """Write an invented trust as a OneRoster CSV bundle. The same arguments give the same bytes.

    Args:
        out: a folder that is new or empty, or a new file whose name ends in `.zip`.
        students: how many pupils; guardians and staff come on top, about 0.66 a pupil.
        schools: how many schools to share them among; in each three, two are primary and one is secondary.
        seed: another seed gives another trust.
        changed, removed, added: the share (0 to 1) of the users, and with them of the enrollments, by which this bundle
            differs from the one that the same seed gives without them: the next day's file, for trying a sync.
        version: `1.2` or `1.1`.
        enrollments_per_student: the mean number of classes of a pupil, homeroom included (1 to 14).
        no_family_name: what stands for the family name of those who have none; producers write nothing, `-` or `.`.
        school_year: the calendar year in which the school year begins.
        left_on: the day on which this year's leavers left; default: the 16 October of the school year.
        every_case: have a pupil of two schools even where these are of two kinds, as any two schools here are.
        progress: called now and then with the pupils done and the pupils asked for.

    Returns: the path and the rows of each file.
    Raises: GenerateError when an argument makes no sense or `out` is taken; OSError when it cannot be written.
    """
    _check(
        students,
        schools,
        changed,
        removed,
        added,
        version,
        enrollments_per_student,
        no_family_name,
        school_year,
    )
    zipped = out.suffix.lower() == ".zip"
    _check_target(out, zipped)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its place and moved at the end: a run that was stopped leaves no half bundle behind.
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        folder = work / "bundle"
        folder.mkdir()
        calendar = Calendar(school_year, left_on.isoformat() if left_on else "")
        trust = Trust(students, schools, enrollments_per_student, seed, calendar)
        with Bundle(folder, version) as bundle:
            bundle.add("orgs", trust.org_lines())
            bundle.add("academicSessions", trust.calendar.lines())
            bundle.add("courses", trust.course_lines())
            # What survives the removal is changed more often, so that the share is of the base bundle.
            rows = Rows(bundle, trust.calendar, seed, changed / (1 - removed) if changed else 0.0)
            staff = Staff(rows, trust, seed, removed, added)
            families = Families(rows, trust, seed, removed, added, no_family_name, progress, every_case)
            staff.write_trust()
            for index in range(schools):
                plan = trust.plan(index)
                bundle.add("classes", trust.class_lines(plan))
                staff.write_school(plan)
                families.write_school(plan)
            rows.flush(at_least=0)
        bundle.manifest("Rollbook generator", f"seed-{seed}")
        if zipped:
            pack(folder, work / "bundle.zip")
            (work / "bundle.zip").rename(out)
        else:
            if out.exists():
                out.rmdir()
            folder.rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if progress:
        progress(students, students)
    return Generated(path=out, version=version, counts=dict(bundle.counts))


def _check(
    students: int,
    schools: int,
    changed: float,
    removed: float,
    added: float,
    version: str,
    per_student: float,
    no_family_name: str,
    school_year: int,
) -> None:
    if students < 1:
        raise GenerateError(f"students is {students}: ask for at least 1")
    if not 1 <= schools <= 9999:
        raise GenerateError(f"schools is {schools}: ask for 1 to 9999")
    if schools > students:
        raise GenerateError(
            f"{schools} schools cannot share {students} students: ask for at least one student a school"
        )
    for name, share in (("changed", changed), ("removed", removed), ("added", added)):
        if not 0 <= share <= 1:
            raise GenerateError(
                f"{name} is {share}: give a share from 0 to 1, for instance 0.01 for one in a hundred"
            )
    if changed + removed > 1:
        raise GenerateError(
            f"changed {changed} and removed {removed} are more than all: their sum may be 1 at most"
        )
    if version not in HEADERS:
        raise GenerateError(f"version is {version!r}: this writes {' and '.join(sorted(HEADERS))}")
    if not 1 <= per_student <= MOST_ENROLLMENTS:
        raise GenerateError(f"enrollments_per_student is {per_student}: give 1 to {MOST_ENROLLMENTS:g}")
    if any(letter in no_family_name for letter in ',"\r\n'):
        raise GenerateError("no_family_name may not hold a comma, a quote or a line break")
    if not 1990 <= school_year <= 2100:
        raise GenerateError(f"school_year is {school_year}: give the year in which it begins, 1990 to 2100")


def _check_target(out: Path, zipped: bool) -> None:
    if zipped:
        if out.exists():
            raise GenerateError(f"{out} is already there: remove it or choose another name")
    elif out.is_dir():
        if any(out.iterdir()):
            raise GenerateError(f"{out} is not empty: empty it or choose another folder")
    elif out.exists():
        raise GenerateError(f"{out} is a file: choose a folder, or a name that ends in .zip")
