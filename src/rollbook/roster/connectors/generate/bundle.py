"""The files of a OneRoster CSV bundle: their columns, a writer that streams rows, and the manifest.

Column names and their order: 1EdTech, OneRoster CSV Binding 1.1 and 1.2.
"""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import TextIO


def _columns(own: str) -> tuple[str, ...]:
    return ("sourcedId", "status", "dateLastModified", *own.split())


_BOTH: dict[str, tuple[str, ...]] = {
    "orgs": _columns("name type identifier parentSourcedId"),
    "academicSessions": _columns("title type startDate endDate parentSourcedId schoolYear"),
    "courses": _columns("schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes"),
    "classes": _columns("""
        title grades courseSourcedId classCode classType location schoolSourcedId termSourcedIds subjects
        subjectCodes periods
    """),
    "enrollments": _columns("classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate"),
    "demographics": _columns("""
        birthDate sex americanIndianOrAlaskaNative asian blackOrAfricanAmerican
        nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity
        countryOfBirthCode stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus
    """),
}

HEADERS: dict[str, dict[str, tuple[str, ...]]] = {
    "1.2": {
        **_BOTH,
        "users": _columns("""
            enabledUser username userIds givenName familyName middleName identifier email sms phone
            agentSourcedIds grades password userMasterIdentifier resourceSourcedIds preferredGivenName
            preferredMiddleName preferredFamilyName primaryOrgSourcedId pronouns
        """),
        "roles": _columns("userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId"),
    },
    "1.1": {
        **_BOTH,
        "users": _columns("""
            enabledUser orgSourcedIds role username userIds givenName familyName middleName identifier email
            sms phone agentSourcedIds grades password
        """),
    },
}
"""The columns of each file that is written, by version and file name without `.csv`."""

_MANIFEST_FILES: dict[str, tuple[str, ...]] = {
    "1.2": tuple(
        """
        academicSessions categories classes classResources courses courseResources demographics enrollments
        lineItemLearningObjectiveIds lineItems lineItemScoreScales orgs resources resultLearningObjectiveIds
        results resultScoreScales roles scoreScales userProfiles userResources users
    """.split()
    ),
    "1.1": tuple(
        """
        academicSessions categories classes classResources courses courseResources demographics enrollments
        lineItems orgs resources results users
    """.split()
    ),
}

_FIXED_TIME = (2026, 9, 1, 0, 0, 0)
"""The date of every member of a zip: the same rows must give the same bytes."""


def line(values: Sequence[str]) -> str:
    """One CSV line (RFC 4180, with its line end), quoting what must be quoted."""
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return text.getvalue()


class Bundle:
    """Open files of one bundle in a folder. Rows come as whole lines and are counted as they are written."""

    def __init__(self, folder: Path, version: str) -> None:
        self.folder = folder
        self.version = version
        self.counts: dict[str, int] = dict.fromkeys(HEADERS[version], 0)
        self._open: dict[str, TextIO] = {}

    def __enter__(self) -> Bundle:
        for name, columns in HEADERS[self.version].items():
            path = self.folder / f"{name}.csv"
            self._open[name] = path.open("w", encoding="utf-8", newline="", buffering=1 << 20)
            self._open[name].write(line(columns))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for file in self._open.values():
            file.close()

    def add(self, name: str, lines: list[str]) -> None:
        """Write finished lines to the file `name` (without `.csv`)."""
        self._open[name].writelines(lines)
        self.counts[name] += len(lines)

    def manifest(self, system_name: str, system_code: str) -> None:
        """Write manifest.csv: every file of the binding, `bulk` if it is here and `absent` if it is not."""
        rows = [("propertyName", "value"), ("manifest.version", "1.0"), ("oneroster.version", self.version)]
        rows += [
            (f"file.{name}", "bulk" if name in self.counts else "absent")
            for name in _MANIFEST_FILES[self.version]
        ]
        rows += [("source.systemName", system_name), ("source.systemCode", system_code)]
        text = "".join(line(row) for row in rows)
        (self.folder / "manifest.csv").write_text(text, encoding="utf-8", newline="")
        self.counts["manifest"] = len(rows) - 1


def pack(folder: Path, target: Path) -> None:
    """Put the files of `folder`, which must be flat, into the zip `target`: manifest first, then by name."""
    files = sorted(folder.iterdir(), key=lambda path: (path.name != "manifest.csv", path.name))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for path in files:
            member = zipfile.ZipInfo(path.name, _FIXED_TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            with path.open("rb") as source, archive.open(member, "w", force_zip64=True) as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
