"""Frozen records about a roster bundle: what was staged, what was noticed, why one was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Staged:
    """A bundle that now stands in the staging tables.

    format: ``oneroster-csv`` or ``sds-csv``. version: ``1.1``, ``1.2``, ``v1``, ``v1-uk``, ``v2`` or ``v2.1``.
    sha256: over the sorted names and contents of the files, so a re-zipped bundle keeps its hash.
    source: the name of the folder or zip. kinds: what the bundle speaks about; rows of any other kind stay as they are.
    regular: the kinds whose file was whole, regular and needed no leniency, each with what its rows' digests are of.
    part: the kinds of which only changed rows were staged, beside those that stand unchanged (see `Kept`).
    """

    format: str
    version: str
    sha256: str
    source: str
    kinds: frozenset[str]
    regular: Mapping[str, str] = field(default_factory=dict)
    part: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of the rows that the roster stands at, so that only changed rows need be read.

    regular: as in `Staged`. rows: for each of these kinds the DuckDB relation of the digest and sourcedId of each row.
    """

    regular: Mapping[str, str]
    rows: Mapping[str, str]


class ReadWhole(Exception):
    """The changed rows cannot be judged by themselves: the bundle is to be read whole. Never reaches a person."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of ``s_notice``: a leniency that was applied (warning), or a file or row that was not read (refused).

    row is the row a spreadsheet shows (the header is 1), of the first case; n is the number of cases.
    value is only filled in where it cannot be personal data.
    """

    code: str
    severity: str
    file: str | None
    row: int | None
    column_name: str | None
    value: str | None
    message: str
    mend: str
    n: int = 1


class Refused(Exception):
    """A bundle that cannot be used at all; every part is meant to be read by the school's administrator."""

    def __init__(
        self,
        message: str,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
        mend: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.row = row
        self.column = column
        self.mend = mend
