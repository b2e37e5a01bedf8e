"""How hard a short text is to read: the Flesch-Kincaid grade. A hint for who writes it, not a judgement. Pure."""

from __future__ import annotations

import re

PLAIN = 7.0  # the grade that a reason for parents should not pass
_VOWELS = re.compile(r"[aeiouyà-öø-ÿ]+", re.IGNORECASE)


def syllables(word: str) -> int:
    """How many syllables an English word has, counted by its groups of vowels; a last silent e is none."""
    found = len(_VOWELS.findall(word))
    if word.lower().endswith("e") and not word.lower().endswith("le") and found > 1:
        found -= 1
    return max(1, found)


def grade(text: str) -> float:
    """The school year in which one reads this easily, from 0; 0 for a text without a word."""
    words = re.findall(r"[^\W\d_]+(?:[’'-][^\W\d_]+)*", text)
    if not words:
        return 0.0
    sentences = max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
    made = 0.39 * len(words) / sentences + 11.8 * sum(map(syllables, words)) / len(words) - 15.59
    return max(0.0, round(made, 1))
