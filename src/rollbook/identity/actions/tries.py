"""Failures are counted, not tries: for each address, device and account. Past a limit comes a pause, not a lock, so
that nobody can shut a class out for long."""

from __future__ import annotations

from rollbook.identity import rules
from rollbook.kernel import limits


class TooMany(Exception):
    """Too many failures for this account, device or address. `seconds` says when the count begins again."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"too many failed sign-ins; wait {seconds} s")


class Tries:
    """The failures of one kind of sign-in, from one address and device."""

    def __init__(self, kind: str, address: str, device: str) -> None:
        self.most = {f"{kind}:address:{rules.network(address)}": rules.PER_ADDRESS}
        if device:
            self.most[f"{kind}:device:{device}"] = rules.PER_DEVICE

    def check(self) -> None:
        """Raise TooMany while there is a pause."""
        for key in self.most:
            pause = limits.count(f"{key}:pause", rules.PAUSE, add=0)
            if pause.count:
                raise TooMany(pause.seconds_left)

    def failed(self) -> bool:
        """Count a failure. True when a pause begins."""
        pauses = [key for key, most in self.most.items() if limits.count(key, rules.WINDOW).count >= most]
        return bool([limits.count(f"{key}:pause", rules.PAUSE) for key in pauses])
