"""order.py: an epoch is each row once at any size, shuffled, in memory of blocks, not of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmnist import order
from deepmnist.order import Epoch

seeds = st.integers(0, 2**31 - 1)
sizes = st.tuples(st.integers(1, 3_000), st.integers(1, 70)).filter(lambda pair: pair[0] > pair[1])
small = {"BLOCK_ROWS": 8, "WINDOW_ROWS": 128}  # so that sets of hundreds have many of both


@pytest.fixture(autouse=True, scope="module")
def _small_windows() -> object:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in small.items():
            patch.setattr(order, name, value)
        yield


@given(sizes, seeds, st.integers(0, 5))
@settings(max_examples=200)
def test_an_epoch_takes_every_row_once_but_a_remainder_smaller_than_a_batch(
    size: tuple[int, int], seed: int, number: int
) -> None:
    n, batch_size = size
    rows = Epoch(n, batch_size, seed, number).rows(0, n // batch_size)
    assert rows.shape == (n // batch_size, batch_size)
    assert len(np.unique(rows)) == rows.size
    assert rows.min() >= 0
    assert rows.max() < n


@given(sizes, seeds, st.data())
def test_batches_are_the_same_however_many_are_asked_for_at_once(
    size: tuple[int, int], seed: int, data: st.DataObject
) -> None:
    epoch = Epoch(*size, seed, 1)
    whole = epoch.rows(0, epoch.steps)
    start = data.draw(st.integers(0, epoch.steps - 1))
    count = data.draw(st.integers(1, epoch.steps - start))
    np.testing.assert_array_equal(epoch.rows(start, count), whole[start : start + count])


def test_a_run_that_is_gone_on_with_takes_the_rows_it_would_have_taken() -> None:
    wanted = Epoch(2_000, 32, 3, 2).rows(40, 5)
    for other in (Epoch(2_000, 32, 3, 1), Epoch(2_000, 32, 4, 2), Epoch(999, 32, 3, 2)):
        other.rows(0, other.steps)  # fills what is remembered with other orders
    np.testing.assert_array_equal(Epoch(2_000, 32, 3, 2).rows(40, 5), wanted)


@given(seeds, st.integers(0, 3))
def test_another_seed_or_epoch_gives_another_order(seed: int, number: int) -> None:
    rows = Epoch(1_000, 50, seed, number).rows(0, 20)
    assert not np.array_equal(rows, Epoch(1_000, 50, seed + 1, number).rows(0, 20))
    assert not np.array_equal(rows, Epoch(1_000, 50, seed, number + 1).rows(0, 20))


@pytest.mark.parametrize("n", [1, 50, 128])
def test_a_set_that_fits_a_window_is_one_permutation(n: int) -> None:
    """Runs that were measured before there were windows took this order."""
    rows = Epoch(n, 1, 7, 3).rows(0, n)
    wanted = np.random.Generator(np.random.Philox(key=[7, 3])).permutation(n)
    np.testing.assert_array_equal(rows.ravel(), wanted)


@given(st.integers(200, 3_000), seeds, st.sampled_from([1, 2, 4, 8, 16]))
def test_workers_take_slices_of_a_batch_that_make_it_up_and_meet_few_blocks_of_another(
    n: int, seed: int, workers: int
) -> None:
    epoch = Epoch(n, 32, seed, 0)
    rows = epoch.rows(0, epoch.steps)
    slices = np.split(rows, workers, axis=1)
    np.testing.assert_array_equal(np.concatenate(slices, axis=1), rows)
    blocks = [set((each // order.BLOCK_ROWS).flat) for each in slices]
    total = -(-n // order.BLOCK_ROWS)
    assert sum(map(len, blocks)) <= total + workers - 1  # a block lies across a border at most


def test_what_is_kept_of_a_huge_set_grows_with_its_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A permutation of its rows would take 80 megabytes."""
    asked: list[int] = []
    real = order._generator

    class Watched:
        def __init__(self, *given: int) -> None:
            self.generator = real(*given)

        def permutation(self, n: int) -> np.ndarray:
            asked.append(n)
            return self.generator.permutation(n)

    monkeypatch.setattr(order, "BLOCK_ROWS", 1_000)
    monkeypatch.setattr(order, "_generator", Watched)
    Epoch(10_000_000, 64, 12345, 0).rows(50_000, 100)
    assert max(asked) == 10_000


@pytest.mark.parametrize("batch_size", [16, 50, 64])
def test_a_set_sorted_by_class_gives_batches_of_all_classes(batch_size: int) -> None:
    """Of 128 blocks of 8 rows, 16 of which make a window: about what the blocks' number allows."""
    n, classes = 1_024, 4
    labels = np.arange(n) * classes // n
    epoch = Epoch(n, batch_size, 0, 0)
    shares = [np.bincount(labels[rows], minlength=classes) for rows in epoch.rows(0, epoch.steps)]
    spread = np.std(np.array(shares) / batch_size, axis=0).mean()
    alone = np.sqrt(0.25 * 0.75 * (1 / batch_size + 1 / 16))  # of a batch, and of its blocks
    assert spread < 1.3 * alone


def test_no_two_lanes_or_windows_are_shuffled_alike() -> None:
    orders = [
        tuple(order._shuffled(64, 5, 0, lane, window)) for lane in range(4) for window in (0, 1)
    ]
    assert len(set(orders)) == 8


def test_lanes_change_windows_at_different_steps() -> None:
    """So that blocks are read a few at a time, and no batch is the first of all windows."""
    epoch = Epoch(3_000, 16, 0, 0)  # a window is 8 steps, and a lane takes a row a step
    ends = {(shift - 1) % steps for steps, shift in map(epoch._window, range(16))}
    assert len(ends) == 8


def test_no_row_stays_at_the_end_of_every_epoch() -> None:
    """The short last block moves about: what is left over differs by epoch."""
    n, batch_size = 1_003, 32
    left = [
        set(range(n)) - set(Epoch(n, batch_size, 0, number).rows(0, n // batch_size).flat)
        for number in range(20)
    ]
    assert set.intersection(*left) == set()
    assert all(len(each) == n % batch_size for each in left)
