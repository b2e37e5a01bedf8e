"""What a score comes to, whatever numbers and words it is made of."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.kernel.errors import Invalid
from rollbook.learning.rules import ACTIVITY, GRADING, HIGHEST, Item, Score, scaled

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
numbers = st.floats(min_value=0.01, max_value=1000)


@given(given_score=numbers, of=numbers, maximum=numbers)
def test_a_score_keeps_its_share_of_the_maximum(given_score: float, of: float, maximum: float) -> None:
    made = scaled(given_score, of, maximum)
    assert made / maximum == pytest.approx(given_score / of)
    assert scaled(given_score, of, of) == given_score, "what is counted in the same way is not touched"


@given(st.sampled_from(ACTIVITY), st.sampled_from(GRADING), st.none() | numbers)
def test_only_a_score_that_is_there_and_marked_to_the_end_is_fully_graded(
    activity: str, grading: str, score: float | None
) -> None:
    made = Score(AT, activity, grading, score, 10.0)
    made.check()
    assert (made.status == "fully graded") == (grading == "FullyGraded" and score is not None)
    assert made.status in ("fully graded", "partially graded", "submitted", "not submitted")


@given(st.floats())
def test_a_number_that_is_none_is_never_kept(number: float) -> None:
    good = 0 < number <= HIGHEST
    for made in (Item("Lines", number), Score(AT, "Completed", "FullyGraded", 1.0, number)):
        if good:
            made.check()
        else:
            with pytest.raises(Invalid):
                made.check()
