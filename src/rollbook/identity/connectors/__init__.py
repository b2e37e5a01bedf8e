"""A school's own sign-in: each protocol has `begin` and `finish`, and raises Refused. And the paper of labels."""

from __future__ import annotations


class Refused(Exception):
    """The provider's answer is not believed. code: the standard's error, or what is wrong in a word."""

    def __init__(self, code: str, says: str) -> None:
        self.code, self.says = code, says
        super().__init__(says)
