"""All rows but some are indexed, narrowed and taken as the array of their numbers would be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deepmnist.data.rows import AllBut


@st.composite
def some_left_out(draw: st.DrawFn, n: int | None = None) -> tuple[AllBut, np.ndarray]:
    """Rows, and the array that they stand for."""
    n = draw(st.integers(1, 40)) if n is None else n
    excluded = np.array(sorted(draw(st.sets(st.integers(0, n - 1)))) if n else [], np.int64)
    return AllBut.of(n, excluded), np.delete(np.arange(n), excluded)


@given(some_left_out(), st.integers(-45, 45), st.integers(-45, 45))
def test_they_are_indexed_as_their_numbers(
    given_rows: tuple[AllBut, np.ndarray], start: int, stop: int
) -> None:
    rows, numbers = given_rows
    assert len(rows) == len(numbers)
    np.testing.assert_array_equal(rows[:], numbers)
    np.testing.assert_array_equal(rows[start:stop], numbers[start:stop])
    np.testing.assert_array_equal(rows.narrowed(slice(start, stop))[:], numbers[start:stop])
    places = np.arange(len(rows))[::-2].reshape(-1, 1)
    np.testing.assert_array_equal(rows[places], numbers[places])


@given(some_left_out(), st.data())
def test_narrowing_again_and_again_is_narrowing_their_numbers(
    given_rows: tuple[AllBut, np.ndarray], data: st.DataObject
) -> None:
    rows, numbers = given_rows
    for _ in range(3):
        start, stop = (data.draw(st.integers(0, 45)) for _ in range(2))
        rows, numbers = rows.narrowed(slice(start, stop)), numbers[start:stop]
        by, kept = data.draw(some_left_out(len(numbers)))
        rows, numbers = rows.narrowed(by), numbers[kept]
        np.testing.assert_array_equal(rows[:], numbers)
        values = np.arange(100, dtype=np.uint8) + 7
        np.testing.assert_array_equal(rows.taken_from(values), values[numbers])


def test_a_run_of_values_is_not_copied() -> None:
    values = np.arange(1_000)
    run = AllBut.of(1_000, np.array([3, 900])).narrowed(slice(10, 500))
    assert np.shares_memory(run.taken_from(values), values)


def test_memory_grows_with_what_is_left_out_alone() -> None:
    rows = AllBut.of(10**12, np.array([5, 10**11]))
    assert rows.narrowed(slice(10**10, 10**12))[-1] == 10**12 - 1
    assert rows[np.array([4, 5])].tolist() == [4, 6]
