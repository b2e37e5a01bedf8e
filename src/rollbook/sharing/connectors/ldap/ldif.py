"""LDIF (RFC 2849) and names in it (RFC 4514): what OpenLDAP's tools read and write."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence

Attributes = Sequence[tuple[str, str]]
_SAFE = re.compile(r"[\x01-\x09\x0b\x0c\x0e-\x1f\x21-\x39\x3b\x3d-\x7f][\x01-\x09\x0b\x0c\x0e-\x7f]*\Z")


def line(name: str, value: str) -> str:
    """One attribute; in base64 where the plain form would not come back as it went."""
    if value and _SAFE.match(value) and not value.endswith(" "):
        return f"{name}: {value}\n"
    return f"{name}:: {base64.b64encode(value.encode()).decode()}\n" if value else f"{name}:\n"


def rdn(name: str, value: str) -> str:
    """One part of a name, its value escaped as OpenLDAP writes it back."""
    last = len(value) - 1
    escaped = (
        f"\\{ord(c):02X}"
        if c in ',+"\\<>;=\0' or (c == " " and n in (0, last)) or (c == "#" and n == 0)
        else c
        for n, c in enumerate(value)
    )
    return f"{name}={''.join(escaped)}"


def add(dn: str, attributes: Attributes) -> str:
    """A record that makes an entry."""
    return line("dn", dn) + "changetype: add\n" + "".join(line(n, v) for n, v in attributes) + "\n"


def delete(dn: str) -> str:
    """A record that deletes an entry."""
    return line("dn", dn) + "changetype: delete\n\n"


def rename(dn: str, new_rdn: str, superior: str) -> str:
    """A record that renames an entry or moves it, or both."""
    return (
        line("dn", dn) + "changetype: modrdn\n" + line("newrdn", new_rdn) + "deleteoldrdn: 1\n"
        + line("newsuperior", superior) + "\n"
    )  # fmt: skip


def replace(dn: str, values: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A record that sets attributes to exactly these values; none takes the attribute away."""
    parts = [f"replace: {name}\n" + "".join(line(name, v) for v in found) + "-\n" for name, found in values]
    return line("dn", dn) + "changetype: modify\n" + "".join(parts) + "\n" if parts else ""


def entries(text: str) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """(dn, attributes) of each entry that ldapsearch wrote; comments are passed over."""
    unfolded = text.replace("\r\n", "\n").replace("\n ", "")
    for block in re.split(r"\n\s*\n", unfolded):
        dn, found = "", dict[str, list[str]]()
        for one in block.splitlines():
            name, separator, value = one.partition(":")
            if one.startswith("#") or not separator or name == "version":
                continue
            if value.startswith(":"):
                value = base64.b64decode(value[1:].strip()).decode(errors="replace")
            else:
                value = value.strip()
            if name.lower() == "dn":
                dn = value
            else:
                found.setdefault(name, []).append(value)
        if dn:
            yield dn, found


def refusals(text: str) -> Iterator[tuple[str, int, str]]:
    """(dn, result code, what was said) of each record that ldapmodify wrote to its file of skipped records."""
    unfolded = text.replace("\r\n", "\n").replace("\n ", "")
    for block in re.split(r"\n\s*\n", unfolded):
        said = [one[1:].strip() for one in block.splitlines() if one.startswith("#")]
        code = next((int(m[1]) for one in said for m in [re.search(r"\((-?\d+)\)", one)] if m), 0)
        dn = next((dn for dn, _ in entries(block)), "")
        if dn:
            yield dn, code, " ".join(said).removeprefix("Error: ")
