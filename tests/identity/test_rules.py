"""Which passwords are too easy, and when a sign-in ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.identity import rules

EMAIL, NAME = "hana.larkspur@sevenhills.example", "Hana Larkspur"


@pytest.mark.parametrize(
    "password",
    [
        "short", "elevenchars", "password1234", "Passw0rd!2026", "PASSWORDPASSWORD", "letmein12345", "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc", "1234567890123", "qwertyuiopasdf", "hana.larkspur@sevenhills.example", "HanaLarkspur1!",
        "hana.larkspur", "welcometoschool".replace("to", ""), "school-teacher-2026", "x" * 2000,
    ],
)  # fmt: skip
def test_an_easy_password_is_refused_with_what_would_do(password: str) -> None:
    problem = rules.password_problem(password, EMAIL, NAME)
    assert problem and problem.endswith(".")


@pytest.mark.parametrize(
    "password", ["chalk ledger margin", "vexed-otter-sails-7", "Zwölf Boxkämpfer jagen", "тихая синяя лодка"]
)
def test_words_that_do_not_belong_together_are_taken(password: str) -> None:
    assert rules.password_problem(password, EMAIL, NAME) is None


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_judged_without_an_error(password: str, email: str, name: str) -> None:
    problem = rules.password_problem(password, email, name)
    assert problem is not None or len(password) >= rules.PASSWORD_LEAST


@given(st.integers(0, 10_000))
def test_a_sign_in_never_outlives_its_day(minutes: int) -> None:
    began = datetime(2026, 11, 21, 8, tzinfo=UTC)
    ends = rules.ends_at(began, began + timedelta(minutes=minutes))
    assert ends <= began + rules.ABSOLUTE


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Windows",
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
            "Chrome on a Chromebook",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.0 Safari/605.1.15",
            "Safari on a Mac",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        ("", "A browser"),
    ],
)
def test_a_browser_is_named_in_words(agent: str, said: str) -> None:
    assert rules.browser_name(agent) == said
