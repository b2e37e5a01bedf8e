"""One pass over a file's bytes: its hash, its encoding and line ends; and rewriting the odd ones to plain UTF-8."""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rollbook.roster.connectors.reading.source import CHUNK, Entry
from rollbook.roster.rules.bundle import Notice

# Bytes that never belong in a CSV cell (tab, line feed and carriage return do occur).
_CONTROLS = bytes(b for b in range(32) if b not in (9, 10, 13))
# The ones that exports do hold: NUL, vertical tab, form feed, end of file, escape. Looking for all would cost a pass.
_COMMON_CONTROLS = tuple(bytes((b,)) for b in (0, 11, 12, 26, 27))
_ODD_SPACES = ("\u00a0", "\u200b", "\ufeff", "\u2007", "\u202f", "\u3000")
_CP1252 = "rollbook-cp1252"


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that are not UTF-8 as Windows-1252; its five holes as Latin-1. Valid UTF-8 around them stays."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    out = []
    for byte in error.object[error.start : error.end]:
        raw = bytes((byte,))
        out.append(raw.decode("cp1252", "replace").replace("\ufffd", raw.decode("latin-1")))
    return "".join(out), error.end


codecs.register_error(_CP1252, _as_cp1252)


@dataclass(frozen=True, slots=True)
class Scan:
    """What the bytes of a file are like; lines counts line feeds, plus one where the last line has none."""

    sha256: str
    size: int
    encoding: str
    bad_line: int | None
    bom: bool
    controls: int
    lines: int
    crlf: int
    lone_cr: int
    ends_with_newline: bool
    spaces: bool
    odd_spaces: bool
    quotes: bool


def scan(entry: Entry) -> Scan:
    """Read the file once, in blocks, and say what is in it."""
    digest = hashlib.sha256()
    with entry.path.open("rb", buffering=0) as handle:
        first = handle.read(CHUNK)
        encoding, bom = _guess(first)
        handle.seek(0)
        odd = tuple(mark.encode() for mark in _ODD_SPACES)
        decoder = codecs.getincrementaldecoder("utf-8")()
        lines = crlf = cr = controls = size = 0
        bad_line: int | None = None
        spaces = tabs = odd_spaces = quotes = False
        previous = last = b""
        while block := handle.read(CHUNK):
            digest.update(block)
            if (
                encoding == "utf-8"
                and bad_line is None
                and not (block.isascii() and not decoder.getstate()[0])
            ):
                try:
                    decoder.decode(block)
                except UnicodeDecodeError as error:
                    bad_line = lines + 1 + error.object[: error.start].count(b"\n")
            spaces = spaces or b" " in block
            tabs = tabs or b"\t" in block
            if not odd_spaces and not block.isascii():
                tail = previous[-3:] + block
                odd_spaces = any(mark[:1] in tail and mark in tail for mark in odd) and not (
                    size == 0 and bom and _only_bom(block, odd)
                )
            quotes = quotes or b'"' in block
            lines += block.count(b"\n")
            if b"\r" in block:
                cr += block.count(b"\r")
                crlf += block.count(b"\r\n")
            if previous.endswith(b"\r") and block.startswith(b"\n"):
                crlf += 1
            if any(mark in block for mark in _COMMON_CONTROLS):
                controls += len(block) - len(block.translate(None, _CONTROLS))
            size += len(block)
            previous = last = block
    if encoding == "utf-8" and bad_line is None and decoder.getstate()[0]:
        bad_line = lines + 1
    if bad_line is not None:
        encoding = "cp1252"
    ends = last.endswith(b"\n")
    return Scan(
        sha256=digest.hexdigest(),
        size=size,
        encoding=encoding,
        bad_line=bad_line,
        bom=bom,
        controls=controls,
        lines=lines + (0 if ends or not size else 1),
        crlf=crlf,
        lone_cr=cr - crlf,
        ends_with_newline=ends,
        spaces=spaces,
        odd_spaces=odd_spaces or tabs,
        quotes=quotes,
    )


def _only_bom(block: bytes, odd: tuple[bytes, ...]) -> bool:
    return not any(mark in block[3:] for mark in odd)


def _guess(first: bytes) -> tuple[str, bool]:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if first.startswith(mark):
            return name, True
    sample = first[:400]
    if len(sample) >= 8:
        # Latin text in UTF-16 without a mark: every other byte is zero.
        if sample[1::2].count(0) * 2 > len(sample[1::2]) and not sample[0::2].count(0):
            return "utf-16-le", False
        if sample[0::2].count(0) * 2 > len(sample[0::2]) and not sample[1::2].count(0):
            return "utf-16-be", False
    return "utf-8", False


def needs_rewrite(found: Scan) -> bool:
    """Whether the bytes must be rewritten before they can be parsed."""
    return (
        found.encoding != "utf-8"
        or found.controls > 0
        or found.lone_cr > 0
        or 0 < found.crlf < found.lines - 1
    )


def rewrite(entry: Entry, found: Scan, target: Path, mark: bytes = b"") -> int:
    """Write the file to target as UTF-8 with line feeds and no control bytes; each line begins with mark.

    Returns the number of lines. Whatever cannot be decoded becomes U+FFFD only in UTF-16 and UTF-32.
    """
    lines = 0
    with target.open("wb") as out:
        out.write(mark)
        pending = b""
        for block in _utf8(entry, found):
            block = (pending + block).translate(None, _CONTROLS)
            pending = b""
            if block.endswith(b"\r"):
                block, pending = block[:-1], b"\r"
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            lines += block.count(b"\n")
            out.write(block.replace(b"\n", b"\n" + mark) if mark else block)
        if pending:
            lines += 1
            out.write(b"\n" + mark)
    return lines


def _utf8(entry: Entry, found: Scan) -> Iterator[bytes]:
    name, errors = ("utf-8", _CP1252) if found.encoding == "cp1252" else (found.encoding, "replace")
    decoder = codecs.getincrementaldecoder(name)(errors)
    start = True
    with entry.path.open("rb", buffering=0) as handle:
        while block := handle.read(CHUNK):
            text = decoder.decode(block)
            yield (text.removeprefix("\ufeff") if start else text).encode("utf-8", "replace")
            start = False
        yield decoder.decode(b"", True).encode("utf-8", "replace")


def head(entry: Entry, found: Scan, size: int = CHUNK) -> str:
    """The first size bytes of the file as text, with plain line feeds."""
    with entry.path.open("rb") as handle:
        raw = handle.read(size)
    if found.encoding == "cp1252":
        text = codecs.getincrementaldecoder("utf-8")(_CP1252).decode(raw)
    else:
        text = codecs.getincrementaldecoder(found.encoding)("replace").decode(raw)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return text.translate(dict.fromkeys(_CONTROLS))


def notices(entry: Entry, found: Scan) -> Iterator[Notice]:
    """The leniencies that reading these bytes needs."""
    if found.bom and found.encoding == "utf-8":
        yield _warn(
            "bom",
            entry,
            "The file begins with a byte-order mark.",
            "Save as UTF-8 without a byte-order mark.",
        )
    if found.encoding.startswith("utf-16") or found.encoding.startswith("utf-32"):
        yield _warn(
            "encoding", entry, f"The file is {found.encoding.upper()}, not UTF-8.", "Export as UTF-8."
        )
    if found.bad_line is not None:
        yield Notice(
            "encoding", "warning", entry.name, found.bad_line, None, None,
            "Some bytes are not UTF-8; they were read as Windows-1252.",
            "Export as UTF-8, and check the accented names.",
        )  # fmt: skip
    if found.controls and found.encoding in ("utf-8", "cp1252"):
        yield _warn(
            "control-bytes",
            entry,
            "Control bytes (such as NUL) were left out.",
            "Remove them at the source.",
            found.controls,
        )
    if found.lone_cr:
        yield _warn(
            "line-ends",
            entry,
            "Some lines end with a carriage return alone.",
            "Export with one kind of line end.",
        )


def _warn(code: str, entry: Entry, message: str, mend: str, n: int = 1) -> Notice:
    return Notice(code, "warning", entry.name, None, None, None, message, mend, n)


def unchanged(entry: Entry, found: Scan) -> bool:
    """Whether the file still has the size that was hashed."""
    return os.stat(entry.path).st_size == found.size
