"""What a developer sees of the own sandbox: whether it is made, and the pupils who are awkward on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rollbook.policy import Access
from rollbook.roster.models import Guardianship, Person, Role
from rollbook.roster.queries.person import name_columns
from rollbook.roster.queries.syncs import waiting_jobs
from rollbook.roster.rules.sandbox import ALONE, CASES


@dataclass(frozen=True)
class SandboxState:
    """busy: it is being made or changed now. people: how many of each kind are on its roll."""

    busy: bool
    pupils: int
    staff: int
    families: int


_FAMILY = ("guardian", "parent", "relative")


def sandbox_state(access: Access) -> SandboxState:
    """How many people the sandbox has, and whether work on it waits."""
    with access.open():
        rows = access.select(Role).filter(status="active")
        pupils = rows.filter(role="student").values("person_id").distinct().count()
        families = rows.filter(role__in=_FAMILY).values("person_id").distinct().count()
        staff = rows.exclude(role__in=(*_FAMILY, "student")).values("person_id").distinct().count()
    return SandboxState(bool(waiting_jobs(access.tenant)), pupils, staff, families)


@dataclass(frozen=True)
class AwkwardPupil:
    """One pupil with a case that apps get wrong."""

    id: int
    name: str
    case: str
    hint: str


def awkward_pupils(access: Access) -> tuple[list[AwkwardPupil], Any]:
    """The awkward pupils in the order of their cases, and the columns that were read for it."""
    names = ("id", "sourced_id", "given_name", "family_name")
    with access.open():
        rows = access.select(Person).filter(status="active")
        found = {
            code: (i, given, family)
            for i, code, given, family in rows.filter(sourced_id__in=CASES).values_list(*names)
        }
        kept = access.select(Guardianship).filter(status="active").values("child_id")
        alone = rows.filter(sourced_id__startswith="stu-").exclude(id__in=kept).order_by("sourced_id")
        nobody = alone.exclude(sourced_id__in=CASES).values_list(*names).first()
    lines = []
    for code, case in CASES.items():
        if code in found:
            person, given, family = found[code]
            lines.append(AwkwardPupil(person, f"{given} {family}".strip(), *case))
    if nobody is not None:
        lines.append(AwkwardPupil(nobody[0], f"{nobody[2]} {nobody[3]}".strip(), *ALONE))
    return lines, name_columns(access)
