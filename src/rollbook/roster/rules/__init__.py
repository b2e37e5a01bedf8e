"""The roster's pure rules and the frozen records they speak in."""

from rollbook.roster.rules.bundle import Kept, Notice, ReadWhole, Refused, Staged

__all__ = ["Kept", "Notice", "ReadWhole", "Refused", "Staged"]
