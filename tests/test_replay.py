"""replay.py: what is held out, and how often corrections are repeated."""

from __future__ import annotations

import numpy as np
import pytest

from deepmnist import replay
from deepmnist.data import Dataset
from deepmnist.synthesis.corpus import CLASS_NAMES, joined


def alike(n: int, label: int) -> Dataset:
    """n images of a class, no two the same."""
    images = np.random.default_rng(label).integers(0, 60, (n, 28, 28)).astype(np.uint8)
    return Dataset(images, np.full(n, label, np.uint8), CLASS_NAMES, "alike")


def test_a_fifth_of_each_class_that_has_five_is_held_out() -> None:
    given = joined([alike(4, 1), alike(5, 2), alike(14, 3)], "given")
    learnt, held_out = replay.hold_out(given)
    assert held_out is not None
    assert np.bincount(held_out.required_labels(), minlength=4).tolist() == [0, 0, 1, 2]
    assert len(learnt) + len(held_out) == len(given)


def test_what_is_held_out_stays_so_in_another_order_with_as_much_again() -> None:
    given = alike(100, 1)
    held_out = replay.hold_out(given)[1]
    turned = given.take(np.arange(100)[::-1])
    again = replay.hold_out(joined([turned, turned], "twice"))[1]
    assert held_out is not None
    assert again is not None
    assert {image.tobytes() for image in again.images} == {
        image.tobytes() for image in held_out.images
    }
    assert len(again) == 2 * len(held_out) == 40  # equal ones lie on one side


def test_of_one_picture_given_again_and_again_nothing_is_held_out() -> None:
    given = alike(1, 7).take(np.zeros(20, np.int64))
    assert replay.hold_out(given) == (given, None)


def test_without_five_of_a_class_nothing_is_held_out() -> None:
    given = joined([alike(4, 1), alike(4, 2)], "given")
    assert replay.hold_out(given) == (given, None)


@pytest.mark.parametrize(
    ("corrections", "replayed", "count"),
    [
        (3, 30_000, 3 * replay.MOST_REPEATS),  # a handful does not take over
        (100, 30_000, 10_000),  # a quarter of all
        (20_000, 30_000, 20_000),  # each is learnt
    ],
)
def test_corrections_are_repeated_to_their_share(
    corrections: int, replayed: int, count: int
) -> None:
    images = np.zeros((corrections, 28, 28), np.uint8)
    images[:, 0, :2] = np.arange(corrections)[:, None] // (1, 256) % 256
    given = Dataset(images, np.zeros(corrections, np.uint8), CLASS_NAMES)
    repeated = replay.repeated(given, replayed, seed=0).images[:, 0, :2].astype(int)
    assert len(repeated) == count
    often = np.bincount(repeated[:, 0] + 256 * repeated[:, 1], minlength=corrections)
    assert np.ptp(often) <= 1
