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
    return recipes.configure("fast", **{"minimum_steps": 0, "warmup_batch": 1.0, **values})


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
        count = data.draw(st.integers(1, plan.alike(step)))
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
def test_steps_that_are_alike_are_of_one_epoch_and_of_batches_of_one_size(
    size: tuple[int, int], steps: int, data: st.DataObject
) -> None:
    warmup = data.draw(st.integers(0, steps))
    plan = Plan(*size, steps, 0, warmup, data.draw(st.integers(1, size[1])))
    step = data.draw(st.integers(0, steps - 1))
    last = step + plan.alike(step) - 1
    assert step <= last < steps
    assert step // plan.steps_per_epoch == last // plan.steps_per_epoch
    assert (step < warmup) == (last < warmup)
    # and no further step is
    after = last + 1
    assert after in (warmup, steps) or after % plan.steps_per_epoch == 0


def test_the_first_batches_are_the_beginnings_of_those_that_they_stand_for() -> None:
    plan, whole = Plan(100, 10, 12, 3, 4, 5), Plan(100, 10, 12, 3)
    assert np.array_equal(plan.rows(1, 3), whole.rows(1, 3)[:, :5])
    assert np.array_equal(plan.rows(4, 6), whole.rows(4, 6))


@given(sizes, st.integers(1, 50), st.data())
def test_images_left_are_those_of_the_batches_left(
    size: tuple[int, int], steps: int, data: st.DataObject
) -> None:
    warmup = data.draw(st.integers(0, steps))
    plan = Plan(*size, steps, 0, warmup, data.draw(st.integers(1, size[1])))
    step = data.draw(st.integers(0, steps))
    left = sum(plan.rows(each, 1).size for each in range(step, steps))
    assert plan.images_from(step) == left
    assert plan.smallest == min(plan.rows(each, 1).size for each in range(steps))


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


def test_batches_are_small_while_the_rate_rises() -> None:
    rising = config(steps=40, batch_size=10, warmup=0.25, warmup_batch=0.3)
    assert batches.plan(rising, 100) == Plan(100, 10, 40, rising.seed, 10, 3)
    assert batches.plan(config(steps=40, batch_size=2, warmup_batch=0.1), 100).warmup_size == 1


@pytest.mark.parametrize("change", [{}, {"schedule": "constant", "warmup_batch": 0.3}])
def test_no_batch_is_small_where_the_rate_does_not_rise_or_none_was_asked_for(
    change: dict[str, object],
) -> None:
    plan = batches.plan(config(steps=40, batch_size=10, **change), 100)
    assert (plan.warmup, plan.smallest) == (0, 10)


def test_seed_is_the_configuration_s() -> None:
    assert batches.plan(config(seed=42), 300).seed == 42
