"""What was made lately is kept, up to a number or a weight, and made once."""

from __future__ import annotations

from rollbook.kernel.recent import Recent


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    made: list[str] = []
    kept: Recent[str] = Recent(2)

    def make(key: str) -> str:
        made.append(key)
        return key.upper()

    def ask(key: str) -> str:
        return kept.get(key, lambda: make(key))

    assert [ask(key) for key in "abac"] == list("ABAC")
    assert made == ["a", "b", "c"]
    assert [ask(key) for key in "ab"] == ["A", "B"]
    assert made == ["a", "b", "c", "b"]


def test_a_heavy_value_drives_out_others_and_stays_itself() -> None:
    kept: Recent[str] = Recent(3, weigh=len)
    assert kept.get(1, lambda: "ab") == "ab"
    assert kept.get(2, lambda: "abcdef") == "abcdef"
    assert kept.get(2, lambda: "new") == "abcdef"
    assert kept.get(1, lambda: "new") == "new"


def test_nothing_is_not_kept() -> None:
    kept: Recent[str | None] = Recent(3, weigh=lambda value: len(value or ""))
    assert kept.get(1, lambda: None) is None
    assert kept.get(1, lambda: "there now") == "there now"
