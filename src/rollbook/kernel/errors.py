"""The errors that a person may read."""

from __future__ import annotations


class Refused(Exception):
    """What was asked is refused. `what` says what, `because` why or what to do, `answer` is refused or gap."""

    def __init__(self, what: str, because: str = "", answer: str = "refused") -> None:
        self.what, self.because, self.answer = what, because, answer
        super().__init__(f"{what} {because}".strip())


class NotFound(Exception):
    """There is no such thing, or it is not this actor's: outside, the two look the same."""


class Invalid(Exception):
    """What was sent cannot be used. `field` names the part, `mend` says what would do."""

    def __init__(self, what: str, mend: str = "", field: str = "") -> None:
        self.what, self.mend, self.field = what, mend, field
        super().__init__(f"{what} {mend}".strip())
