"""manifest.csv: which files the bundle says it holds, and how each is to be taken."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from rollbook.roster.connectors.reading.header import plain
from rollbook.roster.rules.bundle import Notice, Refused

_MODES = {
    "bulk": "bulk",
    "full": "bulk",
    "complete": "bulk",
    "delta": "delta",
    "incremental": "delta",
    "absent": "absent",
    "none": "absent",
    "": "",
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """The version it states, and for each file it names (plain, without .csv) bulk, delta, absent or '' (blank)."""

    version: str | None
    modes: Mapping[str, str]
    notices: tuple[Notice, ...]


def parse(file: str, text: str) -> Manifest:
    """Read a manifest. Raises Refused where a mode is a word that means neither bulk, delta nor absent."""
    notices: list[Notice] = []
    modes: dict[str, str] = {}
    version: str | None = None
    first = text.split("\n", 1)[0]
    delimiter = next((d for d in (",", ";", "\t") if d in first), ",")
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise Refused(
            f"'{file}' cannot be read: {error}.", file, mend="Write it as two columns: propertyName,value."
        ) from None
    for number, cells in enumerate(rows, 1):
        key = cells[0].strip().lower() if cells else ""
        value = cells[1].strip() if len(cells) > 1 else ""
        if key == "oneroster.version":
            version = value.lower().lstrip("v").replace("p", ".") or None
        if not key.startswith("file."):
            continue
        name = plain(key.removeprefix("file.").removesuffix(".csv"))
        mode = _MODES.get(plain(value))
        if mode is None:
            raise Refused(
                f"'{file}' says '{value[:40]}' for {cells[0].strip()}; it must be bulk, delta or absent.", file, number,
                "value", "Write bulk for a whole file, delta for changes only, absent for no file.",
            )  # fmt: skip
        if mode and mode != value:
            notices.append(
                Notice("enum-case", "warning", file, number, "value", value, f"'{value}' was read as '{mode}'.",
                       f"Write '{mode}'.")
            )  # fmt: skip
        if modes.get(name, mode) != mode:
            raise Refused(
                f"'{file}' names {cells[0].strip()} twice, with different modes.",
                file,
                number,
                "value",
                "Keep one line.",
            )
        modes[name] = mode
    return Manifest(version, modes, tuple(notices))
