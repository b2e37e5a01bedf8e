"""Opening a folder or a zip: which files it holds, without trusting any name or size it claims."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from rollbook.roster.rules.bundle import Notice, Refused

CHUNK = 1 << 20
MAX_ENTRIES = 10_000
MAX_DEPTH = 4
DEFAULT_MAX_BYTES = 20 * 1024**3
# A roster of repeated ids compresses well (about 1:30); a bomb reaches 1:1000.
MAX_RATIO = 250
RATIO_FLOOR = 64 * 1024**2

EXPECTED = (
    "Rollbook reads a folder or a zip of CSV files: OneRoster 1.1 or 1.2 (manifest.csv, orgs.csv, users.csv, ...) "
    "or Microsoft School Data Sync (School.csv, Student.csv, ... or orgs.csv, users.csv, ...)."
)
EXPORT_CSV = (
    "Export the roster from the student information system as OneRoster CSV and give that folder or zip."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the bundle: its name as it came, and where its bytes are now."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The files of one folder of the bundle, a private spool folder, and what was noticed on the way."""

    source: str
    entries: tuple[Entry, ...]
    spool: Path
    notices: tuple[Notice, ...]


@contextmanager
def open_bundle(path: Path, known: frozenset[str], max_bytes: int = DEFAULT_MAX_BYTES) -> Iterator[Opened]:
    """Open the folder or zip at path; known holds the lower-case file names that mark a roster.

    Bytes of a zip are only ever written to a private spool under names of our own. Raises Refused.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise Refused(
            f"There is nothing at '{path.name}'.", mend="Check the path and give a folder or a zip."
        ) from None
    except PermissionError:
        raise Refused(
            f"'{path.name}' may not be read.", mend="Give this account permission to read it."
        ) from None
    except (OSError, ValueError) as error:
        raise Refused(f"'{path.name}' cannot be opened: {_reason(error)}.", mend="Check the path.") from None
    with TemporaryDirectory(prefix="rollbook-") as spool_name:
        spool = Path(spool_name)
        try:
            if stat.S_ISDIR(mode):
                entries, notices = _folder(path, known)
            elif stat.S_ISREG(mode):
                entries, notices = _zip(path, known, spool, max_bytes)
            else:
                raise Refused(f"'{path.name}' is neither a folder nor a file.", mend=EXPECTED)
            yield Opened(path.name, entries, spool, notices)
        except PermissionError as error:
            name = Path(error.filename).name if error.filename else path.name
            raise Refused(
                f"'{name}' may not be read.", name, mend="Give this account permission to read it."
            ) from None
        except OSError as error:
            raise Refused(
                f"'{path.name}' could not be read: {_reason(error)}.",
                mend="Check the disk and its free space, then try again.",
            ) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _folder(path: Path, known: frozenset[str]) -> tuple[tuple[Entry, ...], tuple[Notice, ...]]:
    found: list[tuple[PurePosixPath, Path, int]] = []
    for folder, folders, files in os.walk(path, followlinks=False):
        inside = Path(folder).relative_to(path)
        if len(inside.parts) >= MAX_DEPTH:
            folders.clear()
        folders.sort()
        for name in sorted(files):
            full = Path(folder) / name
            relative = PurePosixPath(inside.as_posix()) / name
            if _junk(relative) or not full.is_file():
                continue
            found.append((relative, full, full.stat().st_size))
            if len(found) > MAX_ENTRIES:
                raise Refused(
                    f"'{path.name}' holds more than {MAX_ENTRIES} files.",
                    mend="Give the folder of the roster.",
                )
    chosen, notices = _choose(path.name, [relative for relative, _, _ in found], known)
    return tuple(Entry(r.name, full, size) for r, full, size in found if r.parent == chosen), notices


def _zip(
    path: Path, known: frozenset[str], spool: Path, max_bytes: int
) -> tuple[tuple[Entry, ...], tuple[Notice, ...]]:
    with path.open("rb") as handle:
        magic = handle.read(8)
    if not zipfile.is_zipfile(path):
        raise _not_a_zip(path.name, magic)
    try:
        with zipfile.ZipFile(path) as archive:
            return _members(path, archive, known, spool, max_bytes)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        struct.error,
    ) as e:
        raise Refused(
            f"The zip '{path.name}' is damaged or uses a method that is not supported ({type(e).__name__}).",
            mend="Make the zip again with ordinary (deflate) compression and no password.",
        ) from None


def _members(
    path: Path, archive: zipfile.ZipFile, known: frozenset[str], spool: Path, max_bytes: int
) -> tuple[tuple[Entry, ...], tuple[Notice, ...]]:
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise Refused(f"The zip '{path.name}' holds more than {MAX_ENTRIES} files.", mend=EXPECTED)
    unsafe: list[Notice] = []
    found: list[tuple[PurePosixPath, zipfile.ZipInfo]] = []
    for info in infos:
        relative = PurePosixPath(info.filename.replace("\\", "/"))
        if info.is_dir() or info.filename.endswith("\\") or _junk(relative):
            continue
        if relative.is_absolute() or ".." in relative.parts or ":" in relative.parts[0] or _is_link(info):
            unsafe.append(
                Notice(
                    "unsafe-path", "refused", relative.name, None, None, None,
                    "The zip names a file outside its own folder, or a link; it was not read.",
                    "Zip the plain CSV files only.",
                )
            )  # fmt: skip
            continue
        found.append((relative, info))
    chosen, notices = _choose(path.name, [relative for relative, _ in found], known)
    members = [(relative, info) for relative, info in found if relative.parent == chosen]
    entries: list[Entry] = []
    total = 0
    for number, (relative, info) in enumerate(members):
        if not relative.name.lower().endswith((".csv", ".txt", ".tsv")):
            continue
        if info.flag_bits & 1:
            raise Refused(
                f"The zip '{path.name}' is encrypted.",
                relative.name,
                mend="Make the zip again without a password.",
            )
        target = spool / f"{number:05d}.csv"
        size = 0
        with archive.open(info) as source, target.open("wb") as out:
            while block := source.read(CHUNK):
                size += len(block)
                total += len(block)
                if total > max_bytes or (
                    size > RATIO_FLOOR and size > MAX_RATIO * max(1, info.compress_size)
                ):
                    raise Refused(
                        f"'{relative.name}' in the zip '{path.name}' unpacks to more than is allowed.",
                        relative.name,
                        mend="Check that the zip is a real roster; give very large rosters as a folder.",
                    )
                out.write(block)
        entries.append(Entry(relative.name, target, size))
    return tuple(entries), (*unsafe, *notices)


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _junk(relative: PurePosixPath) -> bool:
    """Files that operating systems add by themselves."""
    parts = relative.parts
    return not parts or any(part == "__MACOSX" or part.startswith(".") and part != ".." for part in parts)


def _choose(
    source: str, paths: list[PurePosixPath], known: frozenset[str]
) -> tuple[PurePosixPath, tuple[Notice, ...]]:
    """The folder inside the bundle that holds the roster files."""
    scores = Counter(p.parent for p in paths if p.name.lower() in known)
    top = PurePosixPath(".")
    if not scores:
        # No file has a known name; a name that is nearly right is looked at by the caller, in the one folder with CSVs.
        scores = Counter(p.parent for p in paths if p.suffix.lower() == ".csv")
    if not scores:
        raise _no_csv(source, paths)
    if top in scores:
        return top, ()
    folders = sorted(scores, key=str)
    if len(folders) > 1:
        names = ", ".join(f"'{folder}'" for folder in folders[:6])
        more = f" and {len(folders) - 6} more" if len(folders) > 6 else ""
        raise Refused(
            f"'{source}' holds {len(folders)} folders with roster files: {names}{more}.",
            mend="Give one of these folders by itself; one roster is read at a time.",
        )
    folder = folders[0]
    return folder, (
        Notice(
            "nested-folder", "warning", None, None, None, str(folder),
            f"The files were found in the folder '{folder}' inside the bundle.",
            "Put the CSV files at the top of the zip.",
        ),
    )  # fmt: skip


def _no_csv(source: str, paths: list[PurePosixPath]) -> Refused:
    if not paths:
        return Refused(f"'{source}' is empty.", mend=EXPECTED)
    suffixes = Counter(p.suffix.lower() or "no ending" for p in paths)
    listed = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(4))
    examples = ", ".join(p.name for p in paths[:3])
    if suffixes.most_common(1)[0][0] == ".json":
        found = f"'{source}' holds JSON files ({examples}, ...), which are not roster CSV files."
    elif any(s in suffixes for s in (".xlsx", ".xls", ".ods")):
        found = f"'{source}' holds spreadsheets ({examples}), not CSV files."
        return Refused(
            f"{found} {EXPECTED}", mend="Save each sheet as CSV (UTF-8) under its OneRoster file name."
        )
    elif ".zip" in suffixes:
        found = f"'{source}' holds another zip ({examples}), not CSV files."
        return Refused(f"{found} {EXPECTED}", mend="Give the inner zip itself.")
    else:
        found = f"'{source}' holds no CSV file (found {listed})."
    return Refused(f"{found} {EXPECTED}", mend=EXPORT_CSV)


def _not_a_zip(name: str, magic: bytes) -> Refused:
    if name.lower().endswith(".csv"):
        return Refused(
            f"'{name}' is a single file; a roster is several.",
            name,
            mend="Give the folder that holds it, or a zip of it.",
        )
    kinds = {
        b"\x1f\x8b": "a gzip",
        b"7z\xbc\xaf": "a 7z",
        b"Rar!": "a RAR",
        b"\xfd7zXZ": "an xz",
        b"PK": "a cut-off zip",
    }
    what = next((text for start, text in kinds.items() if magic.startswith(start)), None)
    if not magic:
        return Refused(
            f"'{name}' is empty (0 bytes).", name, mend="Export it again, and check that the upload ended."
        )
    return Refused(
        f"'{name}' is {f'{what} file' if what else 'not a zip'}. {EXPECTED}",
        name,
        mend="Make an ordinary zip of the CSV files, or give the folder.",
    )
