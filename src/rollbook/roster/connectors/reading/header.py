"""Matching a header line to the columns a file may have: form is forgiven, meaning is not guessed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rollbook.roster.rules.bundle import Notice

_SECRET = re.compile(r"passw|passcode|pwd|secret|^pin$|pincode|credential", re.IGNORECASE)


class HeaderError(Exception):
    """The header cannot be used; the text says why, mend what to do."""

    def __init__(self, message: str, mend: str, column: str | None = None) -> None:
        super().__init__(message)
        self.message, self.mend, self.column = message, mend, column


@dataclass(frozen=True, slots=True)
class FileSpec:
    """What a file is and the columns it may have.

    staged: each published name, to the staging column it fills (None = known, but not staged; a name that begins with
    ``k_`` is kept only until other rows have been made of it). aliases: other names producers use, to the published one.
    required: without these columns the file has no meaning.
    """

    name: str
    kind: str
    staged: Mapping[str, str | None]
    required: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The published names, in their order."""
        return tuple(self.staged)


@dataclass(frozen=True, slots=True)
class Header:
    """A header that was understood: the delimiter, its row, and for each position a published name, a key or None.

    names holds published column names (None where the cell is an extension, unnamed or dropped);
    extensions maps a position to the metadata key of a vendor column.
    """

    delimiter: str
    row: int
    cells: tuple[str, ...]
    names: tuple[str | None, ...]
    extensions: Mapping[int, str]
    notices: tuple[Notice, ...]


def plain(text: str) -> str:
    """A name without case, spaces or punctuation."""
    return re.sub(r"[\W_]+", "", text).lower()


def distance(a: str, b: str, limit: int) -> int:
    """Edit distance (a swap of neighbours counts as one), or limit + 1 when it is more than limit."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, older[j - 2] + 1)
            row.append(best)
        if min(row) > limit:
            return limit + 1
    return row[-1]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one known plain name within one slip (two in a long name), or None when there is none or more than one."""
    limit = 2 if len(name) >= 9 else 1 if len(name) >= 4 else 0
    if not limit:
        return None
    digits = re.findall(r"\d", name)
    scored = sorted(
        (distance(name, k, limit), k) for k in known if re.findall(r"\d", k) == digits and len(k) >= 4
    )
    scored = [pair for pair in scored if pair[0] <= limit]
    if not scored or len(scored) > 1 and scored[0][0] == scored[1][0]:
        return None
    return scored[0][1]


def split(text: str, known: frozenset[str]) -> tuple[list[str], str, int, bool]:
    """The header's cells, its delimiter, its row and whether a ``sep=`` line stands before it."""
    lines = text.split("\n")
    row = 0
    while row < len(lines) and not lines[row].strip(" ,;\t|"):
        row += 1
    sep = row < len(lines) and bool(re.fullmatch(r'"?sep=.?"?', lines[row].strip(), re.IGNORECASE))
    if sep:
        row += 1
    rest = "\n".join(lines[row:])
    best: tuple[tuple[int, int, int], list[str], str] | None = None
    for rank, delimiter in enumerate((",", ";", "\t", "|")):
        try:
            cells = next(csv.reader(io.StringIO(rest), delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error:
            continue
        score = (sum(plain(cell) in known for cell in cells), len(cells), -rank)
        if best is None or score > best[0]:
            best = (score, cells, delimiter)
    if best is None:
        return [], ",", row + 1, sep
    return best[1], best[2], row + 1, sep


def read(file: str, text: str, spec: FileSpec, others: Mapping[str, FileSpec]) -> Header:
    """Understand the header of a file.

    text: the start of the file. others: every spec of the format, to tell a file that carries another's columns.
    Raises HeaderError.
    """
    published = {plain(name): name for name in spec.columns}
    aliases = {plain(alias): name for alias, name in spec.aliases.items()}
    known = frozenset(published) | frozenset(aliases)
    cells, delimiter, row, sep = split(text, known)
    if not any(cell.strip() for cell in cells):
        raise HeaderError("The file has no header line.", f"Begin it with: {','.join(spec.columns[:6])},...")
    notices: list[Notice] = []

    def warn(code: str, column: str | None, message: str, mend: str) -> None:
        notices.append(Notice(code, "warning", file, row, column, None, message, mend))

    if delimiter != ",":
        shown = {"\t": "tabs", ";": "semicolons", "|": "bars"}[delimiter]
        warn("delimiter", None, f"The cells are parted by {shown}, not commas.", "Export with commas.")
    if row > 1:
        what = "a 'sep=' line" if sep else "blank lines"
        warn(
            "lines-before-header",
            None,
            f"There are {what} before the header.",
            "Begin the file with its header.",
        )
    names: list[str | None] = [None] * len(cells)
    taken: dict[str, int] = {}
    left: list[int] = []
    for i, cell in enumerate(cells):
        trimmed = cell.strip()
        key = plain(trimmed)
        name = published.get(key) if not trimmed.lower().startswith("metadata.") else None
        if name is None:
            left.append(i)
            continue
        if name in taken:
            raise HeaderError(
                f"The column '{name}' stands twice in the header (cells {taken[name] + 1} and {i + 1}).",
                "Remove or rename one of the two.",
                name,
            )
        taken[name] = i
        names[i] = name
        if cell != name:
            warn("header-case", name, f"The column '{name}' is written '{trimmed}'.", f"Write it '{name}'.")
    for step in ("alias", "typo"):
        for i in list(left):
            trimmed = cells[i].strip()
            key = plain(trimmed)
            if not key or trimmed.lower().startswith(("metadata.", "ext_", "ext.", "x_")):
                continue
            free = [p for p, name in published.items() if name not in taken]
            if step == "alias":
                name = aliases.get(key)
                name = name if name not in taken else None
            else:
                close = nearest(key, free)
                name = published[close] if close else None
            if name is None:
                continue
            taken[name] = i
            names[i] = name
            left.remove(i)
            code = "header-alias" if step == "alias" else "header-typo"
            warn(code, name, f"The column '{trimmed}' was read as '{name}'.", f"Name it '{name}'.")
    missing = [name for name in spec.required if name not in taken]
    if missing:
        raise _unusable(spec, cells, taken, missing, others)
    _another_file(spec, cells, others)
    extensions: dict[int, str] = {}
    unnamed = [i for i in left if not cells[i].strip()]
    if unnamed:
        warn("header-unnamed", None, f"{len(unnamed)} cells of the header are empty; their columns were left out.",
             "Name the columns or remove them.")  # fmt: skip
    for i in (i for i in left if i not in unnamed):
        _extension(file, row, i, cells[i].strip(), extensions, notices)
    for name in spec.columns:
        if name in taken and _SECRET.search(name):
            names[taken[name]] = None
            warn("password-dropped", name, "Passwords are never read.", "Leave the column empty or out.")
    for name, i in taken.items():
        if spec.staged[name] is None:
            names[i] = None
    return Header(delimiter, row, tuple(cells), tuple(names), extensions, tuple(notices))


def _extension(
    file: str, row: int, i: int, cell: str, extensions: dict[int, str], notices: list[Notice]
) -> None:
    if _SECRET.search(plain(cell)):
        notices.append(
            Notice(
                "password-dropped", "warning", file, row, cell, None,
                "A column that holds passwords or codes is never read.", "Leave the column out.",
            )
        )  # fmt: skip
        return
    standard = cell.lower().startswith("metadata.")
    key = cell[len("metadata.") :].strip() if standard else cell
    if not key or key in extensions.values():
        raise HeaderError(
            f"The column '{cell}' stands twice in the header."
            if key
            else f"The column '{cell}' has no name.",
            "Remove or rename one of the two.",
            cell,
        )
    extensions[i] = key
    if not standard:
        notices.append(
            Notice(
                "unknown-column", "warning", file, row, cell, None,
                f"The column '{cell}' is not in the format; it was kept as metadata.",
                f"Name it 'metadata.{cell}', or leave it out.",
            )
        )  # fmt: skip


def _another_file(spec: FileSpec, cells: list[str], others: Mapping[str, FileSpec]) -> None:
    """Refuse a file whose columns are all those of another file, and more of them than of its own."""
    keys = {plain(cell) for cell in cells}
    own = keys & {plain(name) for name in (*spec.columns, *spec.aliases)}
    for other in others.values():
        fits = keys & {plain(name) for name in other.columns}
        if other.name != spec.name and own < fits and len(fits - own) >= 2:
            raise HeaderError(
                f"'{spec.name}' carries the columns of '{other.name}'.",
                f"Export it again; if it is the {other.kind} file, name it '{other.name}'.",
            )


def _unusable(
    spec: FileSpec,
    cells: list[str],
    taken: Mapping[str, int],
    missing: list[str],
    others: Mapping[str, FileSpec],
) -> HeaderError:
    keys = {plain(cell) for cell in cells}
    for other in others.values():
        needs = {plain(name) for name in other.required}
        fits = len(keys & {plain(name) for name in other.columns})
        if other.name != spec.name and needs <= keys and fits > len(taken):
            return HeaderError(
                f"'{spec.name}' carries the columns of '{other.name}' (it has no {_list(missing)}).",
                f"Export it again; if it is the {other.kind} file, name it '{other.name}'.",
                missing[0],
            )
    if not taken:
        return HeaderError(
            "The first line is not a header of this file (it may be data, or another format).",
            f"Begin the file with: {','.join(spec.columns[:6])},...",
        )
    return HeaderError(
        f"The header has no column {_list(missing)}.",
        f"Add {_list(missing)}; the columns found that are known are {_list(sorted(taken)[:8])}.",
        missing[0],
    )


def _list(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
