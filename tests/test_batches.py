"""batches.py: every epoch is each image once, the order a function of (seed, step) alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmnist import batches, recipes
from deepmnist.batches import Plan
from deepmnist.recipes import TrainingConfig

sizes = st.tuples(st.integers(1, 200), st.integers(1, 50)).map(lambda pair: (max(pair), min(pair)))
seeds = st.integers(0, 2**31 - 1)


def config(**values: object) -> TrainingConfig:
    return recipes.configure("fast", **{"minimum_steps": 0, **values})


@given(sizes, seeds, st.integers(0, 3))
def test_an_epoch_takes_every_image_at_most_once_and_drops_less_than_a_batch(
    size: tuple[int, int], seed: int, epoch: int
) -> None:
    n, batch_size = size
    plan = Plan(n, batch_size, 10**6, seed)
    rows = plan.rows(epoch * plan.steps_per_epoch, plan.steps_per_epoch)
    assert rows.shape == (n // batch_size, batch_size)
    assert len(np.unique(rows)) == rows.size > n - batch_size
    assert set(rows.flat) <= set(range(n))


def test_an_epoch_that_divides_evenly_is_a_permutation_of_all_images() -> None:
    rows = Plan(60, 20, 100, 0).rows(0, 3)
    assert sorted(rows.flat) == list(range(60))
    assert not np.array_equal(rows.ravel(), np.arange(60))


@given(sizes, seeds, st.data())
def test_chunks_of_any_lengths_concatenated_are_the_epoch(
    size: tuple[int, int], seed: int, data: st.DataObject
) -> None:
    plan = Plan(*size, 10**6, seed)
    whole = plan.rows(plan.steps_per_epoch, plan.steps_per_epoch)
    step, chunks = plan.steps_per_epoch, []
    while step < 2 * plan.steps_per_epoch:
        count = data.draw(st.integers(1, plan.until_epoch_end(step)))
        chunks.append(plan.rows(step, count))
        step += count
    assert np.array_equal(np.concatenate(chunks), whole)


def test_order_is_a_function_of_seed_and_epoch_whatever_was_asked_before() -> None:
    plan = Plan(1_000, 10, 10**6, 7)
    first, later = plan.rows(3, 5), plan.rows(100, 5)
    Plan(1_000, 10, 10**6, 8).rows(3, 5)  # another run in the same process
    assert np.array_equal(plan.rows(3, 5), first)
    assert np.array_equal(Plan(1_000, 10, 10**6, 7).rows(100, 5), later)
    assert not np.array_equal(plan.rows(103, 5), first)  # the same place in another epoch
    assert not np.array_equal(Plan(1_000, 10, 10**6, 8).rows(3, 5), first)


def test_order_is_the_one_recorded_runs_were_trained_in() -> None:
    """Another order would make every stored checkpoint resume into another run."""
    assert Plan(10, 10, 1, 0).rows(0, 1).tolist() == [[0, 7, 8, 6, 9, 5, 1, 3, 2, 4]]


@given(sizes, st.integers(1, 1_000), st.data())
def test_until_epoch_end_never_crosses_an_epoch_or_the_run(
    size: tuple[int, int], steps: int, data: st.DataObject
) -> None:
    plan = Plan(*size, steps, 0)
    step = data.draw(st.integers(0, steps - 1))
    count = plan.until_epoch_end(step)
    assert 1 <= count <= steps - step
    assert step // plan.steps_per_epoch == (step + count - 1) // plan.steps_per_epoch
    assert step + count == steps or (step + count) % plan.steps_per_epoch == 0


# --- how long a run is --------------------------------------------------------------------------


def test_epochs_are_counted_in_whole_batches() -> None:
    assert batches.plan(config(epochs=3, batch_size=32), 100) == Plan(100, 32, 3 * 3, 0)


def test_part_of_an_epoch_is_rounded_to_whole_steps_and_at_least_one() -> None:
    assert batches.plan(config(epochs=0.5, batch_size=10), 100).steps == 5
    assert batches.plan(config(epochs=0.001, batch_size=10), 100).steps == 1


def test_steps_stand_in_for_epochs_and_for_minimum_steps() -> None:
    assert batches.plan(config(steps=7, minimum_steps=100), 1_000).steps == 7


def test_a_small_set_gets_minimum_steps_and_a_large_one_its_epochs() -> None:
    by_epochs = config(epochs=2, batch_size=10, minimum_steps=100)
    assert batches.plan(by_epochs, 50).steps == 100
    assert batches.plan(by_epochs, 5_000).steps == 1_000


@pytest.mark.parametrize("n", [1, 5, 255])
def test_a_batch_is_never_larger_than_the_set(n: int) -> None:
    plan = batches.plan(config(batch_size=256), n)
    assert (plan.batch_size, plan.steps_per_epoch) == (n, 1)
    assert sorted(plan.rows(0, 1).flat) == list(range(n))


def test_seed_is_the_configuration_s() -> None:
    assert batches.plan(config(seed=42), 300).seed == 42
