"""The roster's pure rules and the frozen records they speak in."""

from rollbook.roster.rules.bundle import Notice, Refused, Staged

__all__ = ["Notice", "Refused", "Staged"]
