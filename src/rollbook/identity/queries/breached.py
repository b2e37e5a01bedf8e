"""Passwords that were in a breach, looked up in a file on this machine: nothing about a password leaves it."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

from django.conf import settings

LINE = 200  # bytes; a line is 40 hex digits, a colon, a count


def breached(password: str) -> bool:
    """Whether the list holds this password. False where no list is given.

    ROLLBOOK_BREACHED_PASSWORDS names a file of SHA-1 hashes in order, one a line, `HASH:count` or `HASH`, as public
    lists have it. Halved until found: some thirty reads in a file of forty gigabytes.
    """
    path = settings.ROLLBOOK_BREACHED_PASSWORDS
    if not path:
        return False
    wanted = sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with Path(path).open("rb") as file:
        low, high = 0, file.seek(0, 2)
        while low < high:  # the first line at or after `low` is not below; at or after `high` not above
            middle = (low + high) // 2
            file.seek(max(middle - 1, 0))
            if middle:
                file.readline(LINE)
            begins, line = file.tell(), file.readline(LINE)
            found = line[:40].upper()
            if found == wanted:
                return True
            if line and found < wanted:
                low = begins + len(line)
            else:
                high = middle
    return False
