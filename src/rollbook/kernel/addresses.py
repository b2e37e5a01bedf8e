"""Web addresses that somebody types in for another system: one rule for what may be one."""

from __future__ import annotations

from urllib.parse import urlsplit

from rollbook.kernel.errors import Invalid

HERE = ("localhost", "127.0.0.1", "::1")


def check_address(address: str, field: str) -> None:
    """Raise Invalid, naming the field, for what is no safe address: https only (http on this machine), no `*`, no `#`.

    It is compared letter by letter later, so nothing in it is repaired here.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or parts.scheme not in ("https", "http"):
        raise Invalid(
            f"{address} is not a safe web address.", "It begins with https:// and names a site.", field
        )
    if parts.scheme == "http" and host not in HERE:
        raise Invalid(
            f"{address} is not a safe web address.", "It begins with https://, http:// is not safe.", field
        )
    if "*" in address:
        raise Invalid(f"{address} stands for many addresses.", "Write each in full, without *.", field)
    if "#" in address:
        raise Invalid(f"{address} has a part after #.", "Leave it out: browsers never send it.", field)
    if "@" in parts.netloc or not address.isascii() or any(c <= " " for c in address) or "\\" in address:
        raise Invalid(f"{address} cannot be used.", "No user name, no blanks, plain letters.", field)
