"""The filter language: what is written is read back, whatever the value; anything else is refused with the place."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.kernel.errors import Invalid
from rollbook.sharing.queries.collections.grammar import PREDICATES, Filter, Term, fold, holds, read_filter

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}(\.[A-Za-z0-9]{1,6}){0,2}", fullmatch=True)
values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
terms = st.builds(Term, names.map(lambda n: tuple(n.split("."))), st.sampled_from(PREDICATES), values)


def written(term: Term, by: str) -> str:
    value = term.value.replace("\\", "\\\\").replace("'", by)
    return f"{term.name}{term.predicate}'{value}'"


@given(
    first=terms,
    more=st.lists(st.tuples(st.sampled_from(["AND", "OR", "and"]), terms), max_size=4),
    by=st.sampled_from(["''", "\\'"]),
)
def test_what_is_written_is_read_back(first: Term, more: list[tuple[str, Term]], by: str) -> None:
    text = written(first, by) + "".join(f" {join} {written(term, by)}" for join, term in more)
    assert read_filter(text) == Filter((first, *(t for _, t in more)), tuple(j.upper() for j, _ in more))


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Invalid):
        found = read_filter(text)
        assert len(found.terms) == len(found.joins) + 1


@given(elements=st.lists(st.text(max_size=5), max_size=4), term=terms, several=st.booleans())
def test_not_equal_is_true_wherever_equal_is_not(elements: list[str], term: Term, several: bool) -> None:
    same = Term(term.path, "=", term.value)
    assert holds(elements, Term(term.path, "!=", term.value), several) is not holds(elements, same, several)


@pytest.mark.parametrize(
    ("elements", "predicate", "value", "held"),
    [
        (["09", "10"], "=", "09", True), (["09", "10"], "=", "10,09", True), (["09"], "=", "09,10", False), ([], "=", "", False),
        (["Maths"], "~", "MATH", True), (["Maths", "Art"], "~", "mat,art", True), (["09"], ">=", "09", True),
        (["09"], ">", "09", False),
    ],
)  # fmt: skip
def test_a_list_holds_a_value(elements: list[str], predicate: str, value: str, held: bool) -> None:
    assert holds(elements, Term(("x",), predicate, value), several=True) is held


def test_case_and_accents_do_not_count() -> None:
    assert fold("ÁDÀM") == fold("adam") == "adam"
    assert fold("Straße") == fold("STRASSE")
