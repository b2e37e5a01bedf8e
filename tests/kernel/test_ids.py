"""Ids grow with time and never meet; sets of ids pack small and come back whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.kernel import idset
from rollbook.kernel.ids import block, new_id

numbers = st.integers(min_value=0, max_value=2**63 - 1)


def test_ids_grow_and_fit_a_signed_column() -> None:
    drawn = [new_id() for _ in range(10_000)]
    assert drawn == sorted(set(drawn)) and drawn[-1] < 2**63


@given(st.integers(min_value=1, max_value=10_000_000))
def test_blocks_grow_inside_and_never_overlap(count: int) -> None:
    one, two = block(count), block(5)
    assert one.at(0) <= one.at(count - 1) < two.at(0)
    with pytest.raises(IndexError):
        one.at(count)


def test_a_block_and_single_ids_never_meet() -> None:
    taken = block(100_000)
    members = {taken.at(n) for n in range(0, 100_000, 97)}
    assert members.isdisjoint(new_id() for _ in range(10_000))


def test_sql_numbers_as_python_does() -> None:
    import duckdb

    taken = block(5_000_000)
    for n in (0, 1, 2_097_151, 2_097_152, 4_999_999):
        found = duckdb.execute("SELECT " + taken.sql(f"{n}::BIGINT")).fetchone()
        assert found == (taken.at(n),)


@given(st.lists(numbers))
def test_a_set_of_ids_comes_back_whole(ids: list[int]) -> None:
    assert idset.unpack(idset.pack(ids)) == sorted(set(ids))


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="not a packed set"):
        idset.unpack(b"hello")


def test_a_block_of_a_million_ids_is_small() -> None:
    taken = block(1_000_000)
    assert len(idset.pack(taken.at(n) for n in range(1_000_000))) < 50_000
