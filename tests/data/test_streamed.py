"""Streamed images are indexed as the array they make up; one run of them is in memory."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepmnist.data import mapped
from deepmnist.data.dataset import Dataset
from deepmnist.data.rows import AllBut
from deepmnist.data.streamed import Run, StreamedImages


def streamed(images: np.ndarray, lengths: list[int], read: list[int]) -> StreamedImages:
    def part(number: int, start: int, stop: int) -> np.ndarray:
        read.append(number)
        return images[start:stop]

    ends = np.minimum(np.cumsum([*lengths, len(images)]), len(images)).tolist()
    starts = [0, *ends[:-1]]
    bounds = enumerate(zip(starts, ends, strict=True))
    return StreamedImages(
        [Run(end - start, partial(part, n, start, end)) for n, (start, end) in bounds]
    )


@given(
    lengths=st.lists(st.integers(0, 9), max_size=8),
    rows=st.lists(st.integers(0, 39), max_size=50),
    start=st.integers(-45, 45),
    stop=st.integers(-45, 45),
    left_out=st.sets(st.integers(0, 39), max_size=20),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_those_of_the_array(
    tiny: Dataset,
    lengths: list[int],
    rows: list[int],
    start: int,
    stop: int,
    left_out: set[int],
) -> None:
    images = streamed(np.asarray(tiny.images), lengths, [])
    some = AllBut.of(40, np.array(sorted(left_out), np.int64))
    for key in (np.array(rows, np.int64), slice(start, stop)):
        np.testing.assert_array_equal(mapped.gather(images, key), tiny.images[key])
        np.testing.assert_array_equal(mapped.select(images, key)[:], tiny.images[key])
    np.testing.assert_array_equal(np.asarray(mapped.select(images, some)), tiny.images[some[:]])


def test_going_through_reads_every_run_once(tiny: Dataset) -> None:
    read: list[int] = []
    images = streamed(np.asarray(tiny.images), [7, 20, 3], read)
    for start in range(0, 40, 3):
        images[start : start + 3]
    assert read == [0, 1, 2, 3]


@pytest.mark.parametrize("row", [40, -1])
def test_a_row_outside_is_an_index_error(tiny: Dataset, row: int) -> None:
    with pytest.raises(IndexError, match="outside the 40"):
        streamed(np.asarray(tiny.images), [7], [])[np.array([row])]
