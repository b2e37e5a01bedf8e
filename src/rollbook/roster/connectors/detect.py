"""Which format a bundle is in, by the names of its files, and which file is which."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rollbook.roster.connectors import oneroster_csv, sds
from rollbook.roster.connectors.reading.header import nearest, plain, split
from rollbook.roster.connectors.reading.source import EXPECTED, EXPORT_CSV, Entry, Opened
from rollbook.roster.rules.bundle import Notice, Refused

_ONEROSTER = ("manifest.csv", *oneroster_csv.FILES, *oneroster_csv.UNUSED)
_V1 = (*sds.V1_FILES, *sds.V1_UNUSED)
_V2 = tuple(sds.V2_FILES)
KNOWN = frozenset(name.lower() for name in (*_ONEROSTER, *_V1, *_V2))
FORMATS = ("auto", "oneroster-csv", "sds-csv")
_SHORT = {"oneroster": "oneroster-csv", "sds": "sds-csv"}
# Columns that only one of the two formats has, where both use the same file names.
_ONLY_SDS = {
    "classes.csv": {"orgsourcedid", "sessionsourcedids"},
    "users.csv": {"activedirectorymatchid", "grade"},
    "roles.csv": {"isprimary", "sessionsourcedid", "rolestartdate", "roleenddate", "grade"},
    "courses.csv": {"code", "subject", "grade"},
    "demographics.csv": {
        "usersourcedid",
        "birthcity",
        "birthstate",
        "birthcountry",
        "racecodes",
        "ethnicitycodes",
    },
}
_ONLY_ONEROSTER = {
    "orgs.csv": {"status", "datelastmodified", "identifier"},
    "classes.csv": {
        "schoolsourcedid",
        "classtype",
        "classcode",
        "termsourcedids",
        "status",
        "datelastmodified",
    },
    "users.csv": {
        "enableduser",
        "status",
        "datelastmodified",
        "userids",
        "grades",
        "identifier",
        "agentsourcedids",
    },
    "roles.csv": {"sourcedid", "roletype", "begindate", "status", "datelastmodified"},
    "courses.csv": {"coursecode", "status", "datelastmodified", "subjectcodes", "grades"},
    "enrollments.csv": {"sourcedid", "schoolsourcedid", "primary", "status", "datelastmodified"},
    "demographics.csv": {"status", "datelastmodified", "countryofbirthcode", "cityofbirth"},
}


@dataclass(frozen=True, slots=True)
class Detected:
    """The format (and for SDS its generation), its files by published name, and what was noticed about the names."""

    format: str
    generation: str
    files: Mapping[str, Entry]
    notices: tuple[Notice, ...]


def detect(opened: Opened, format: str, head: Callable[[Entry], str]) -> Detected:
    """Find the format. head gives the start of a file. Raises Refused when the files are none that Rollbook knows."""
    format = _SHORT.get(format, format)
    if format not in FORMATS:
        raise Refused(f"The format '{format[:40]}' is not known.", mend=f"Use one of: {', '.join(FORMATS)}.")
    newer, newer_notices = _match(opened, tuple(dict.fromkeys((*_ONEROSTER, *_V2))))
    older, older_notices = _match(opened, _V1)
    rosters = [name for name in newer if name in oneroster_csv.FILES or name in sds.V2_FILES]
    exact = _exact(opened, newer) >= _exact(opened, older)
    v1 = set(older) & set(sds.V1_FILES)
    if format == "oneroster-csv":
        v1 = set()
    if v1 and (not rosters or not exact):
        return Detected("sds-csv", "v1", older, tuple(older_notices))
    if not rosters:
        raise _nothing(opened)
    if format == "sds-csv" or format == "auto" and _is_sds(newer, head):
        return Detected("sds-csv", "v2", newer, tuple(newer_notices))
    if "manifest.csv" not in newer and not any(_has_header(newer[name], name, head) for name in rosters):
        raise _nothing(opened, "none of them begins with a header that Rollbook knows")
    return Detected("oneroster-csv", "", newer, tuple(newer_notices))


def _has_header(entry: Entry, name: str, head: Callable[[Entry], str]) -> bool:
    """Whether the first line holds at least one published column, so that it is no data. An empty file may be a slip."""
    spec = oneroster_csv.FILES.get(name) or sds.V2_FILES[name]
    known = frozenset(plain(column) for column in (*spec.columns, *spec.aliases))
    cells, _, _, _ = split(head(entry), known)
    return not entry.size or any(plain(cell) in known for cell in cells)


def _exact(opened: Opened, files: Mapping[str, Entry]) -> int:
    """How many files carry their published name but for case."""
    return sum(entry.name.lower() == name.lower() for name, entry in files.items())


def _is_sds(files: Mapping[str, Entry], head: Callable[[Entry], str]) -> bool:
    """SDS V2 and OneRoster share file names: the manifest tells, else the columns that only one of them has."""
    if "manifest.csv" in files and "oneroster" in head(files["manifest.csv"])[:10_000].lower():
        return False
    score = 2 * len({"relationships.csv", "userFlags.csv"} & set(files)) - 2 * ("manifest.csv" in files)
    for name, entry in files.items():
        if name not in oneroster_csv.FILES:
            continue
        cells, _, _, _ = split(head(entry), frozenset())
        keys = {plain(cell) for cell in cells}
        score += len(keys & _ONLY_SDS.get(name, set())) - len(keys & _ONLY_ONEROSTER.get(name, set()))
        if name == "enrollments.csv" and keys == {"classsourcedid", "usersourcedid", "role"}:
            score += 1
    return score > 0


def _match(opened: Opened, names: tuple[str, ...]) -> tuple[dict[str, Entry], list[Notice]]:
    """Give each entry its published name, forgiving case, spaces and a slip of the pen."""
    files: dict[str, Entry] = {}
    notices: list[Notice] = []
    by_plain = {plain(name.removesuffix(".csv")): name for name in names}
    left: list[Entry] = []
    csvs = [e for e in opened.entries if e.name.lower().endswith((".csv", ".txt", ".tsv"))]
    for entry in csvs:
        published = by_plain.get(_stem(entry.name))
        if published is None:
            left.append(entry)
        elif published in files:
            raise Refused(
                f"'{files[published].name}' and '{entry.name}' are both '{published}'.", entry.name,
                mend="Keep the one that is meant.",
            )  # fmt: skip
        else:
            files[published] = entry
            if entry.name != published:
                notices.append(_named("file-name-case", entry, published))
    for entry in left:
        close = nearest(_stem(entry.name), [p for p, name in by_plain.items() if name not in files])
        if close is None:
            notices.append(
                Notice("unknown-file", "warning", entry.name, None, None, None,
                       "The file is not part of the format; it was not read.", "Leave it out of the bundle.")
            )  # fmt: skip
            continue
        files[by_plain[close]] = entry
        notices.append(_named("file-name-typo", entry, by_plain[close]))
    return files, notices


def _stem(name: str) -> str:
    """The plain file name, without its ending and without the '(1)' that a browser adds."""
    return plain(re.sub(r"(\s*\(\d+\))?(\.(csv|txt|tsv))+$", "", name, flags=re.IGNORECASE))


def _named(code: str, entry: Entry, published: str) -> Notice:
    return Notice(code, "warning", entry.name, None, None, None, f"'{entry.name}' was read as '{published}'.",
                  f"Name it '{published}'.")  # fmt: skip


def _nothing(opened: Opened, why: str = "none of them is a roster file") -> Refused:
    names = ", ".join(f"'{e.name}'" for e in opened.entries[:6])
    more = f" and {len(opened.entries) - 6} more" if len(opened.entries) > 6 else ""
    return Refused(f"'{opened.source}' holds {names or 'no file'}{more}: {why}. {EXPECTED}", mend=EXPORT_CSV)
