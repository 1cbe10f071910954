"""Runtimes side by side: every image is answered, answers must agree, ratios are as they say."""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import inference, results
from deepmnist import recipes


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (50, 28, 28)).astype(np.uint8)


def answers(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Ten numbers that tell an image from any other."""
    return images[:, 0, :10].astype(np.float32) / 255


def fill(images: NDArray[np.uint8], into: NDArray[np.float32]) -> None:
    assert len(images) == len(into) == 8
    into[:] = answers(images)


def test_what_is_shown_was_measured_with_the_nets_as_they_are() -> None:
    shown = json.loads((results.FOLDER / "inference.json").read_text())
    now = {name: recipes.RECIPES[name].architecture for name in shown["nets"]}
    assert shown["architectures"] == now


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("n", [8, 9, 15, 16, 17, 50])
def test_whole_batches_answer_any_number_of_images(
    images: NDArray[np.uint8], workers: int, n: int
) -> None:
    found = inference.in_batches([fill] * workers, 8)(images[:n])
    np.testing.assert_array_equal(found, answers(images[:n]))


def test_of_each_runtime_the_way_counts_whose_median_was_best_in_the_turns_themselves() -> None:
    def timer(said: Any) -> Callable[[], float]:
        return iter(said).__next__

    ways: Any = {"A": {"one": [90, 20, 20], "two": [30, 30, 30]}, "B": {"one": [3, 1, 2]}}
    least, most = (inference.best(ways, timer, 3, choose) for choose in (min, max))
    assert (least["A"]["way"], least["A"]["median"]) == ("one", 20)
    assert (most["A"]["way"], most["A"]["median"]) == ("two", 30)
    assert (least["B"]["way"], least["B"]["median"], least["B"]["n"]) == ("one", 2, 3)


def test_ways_of_taking_many_tell_whose_threads_they_are() -> None:
    made = []

    def make(size: int, threads: int) -> Any:
        made.append((size, threads))
        return fill

    own, shared = inference.bulk_ways(make, 2), inference.bulk_ways(make, 2, shared=True)
    assert "64 at a time, 2 x 1 thread" in own
    assert "64 at a time, 1 x 2 threads" in own
    assert "64 at a time, 2 at once" in shared
    assert len(own) == len(shared) == 2 * len(inference.BATCHES)
    assert made.count((64, 1)) == 2 * 2


def test_answers_that_differ_are_not_timed(images: NDArray[np.uint8]) -> None:
    def other(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = answers(some)
        found[-1, -1] += 2e-4
        return found

    assert inference.check_agreement([answers, answers], images) == 0
    with pytest.raises(ValueError, match=r"answers differ by 0\.00020\d*; at most 0\.0001"):
        inference.check_agreement([answers, answers, other], images)
    with pytest.raises(ValueError, match="answers differ by nan"):
        inference.check_agreement([answers, lambda some: answers(some) * np.nan], images[:1])


def test_a_net_that_answers_all_images_alike_proves_no_agreement(
    images: NDArray[np.uint8],
) -> None:
    with pytest.raises(ValueError, match="all images are answered alike"):
        inference.check_agreement([lambda some: np.full((len(some), 10), 0.1)] * 2, images)


def test_the_product_stands_against_the_fastest_of_the_others() -> None:
    def figures(one: float, in_a_row: float, many: float) -> dict[str, Any]:
        found = {"one_image_us": one, "in_a_row_us": in_a_row, "images_per_second": many}
        return {name: {"median": median} for name, median in found.items()}

    ours = {inference.PRODUCT: figures(11, 6, 90)}
    found = inference.standing({**ours, "A": figures(10, 8, 50), "B": figures(20, 5, 100)})
    assert found == pytest.approx(
        {
            "one_image_time_to_fastest": 1.1,
            "in_a_row_time_to_fastest": 1.2,
            "bulk_rate_to_fastest": 0.9,
        }
    )


def test_every_runtime_takes_its_turn_each_round() -> None:
    taken: list[str] = []

    def timer(name: str) -> Callable[[], float]:
        return lambda: taken.append(name) or len(taken)  # type: ignore[func-returns-value]

    figures = inference.in_turns({name: timer(name) for name in "ABC"}, rounds=4)
    assert [sorted(taken[turn : turn + 3]) for turn in range(0, 12, 3)] == [["A", "B", "C"]] * 4
    assert len({tuple(taken[turn : turn + 3]) for turn in range(0, 12, 3)}) > 1
    places = [place for place, name in enumerate(taken, 1) if name == "A"]
    assert figures["A"]["n"] == 4
    assert figures["A"]["median"] == sum(places[1:3]) / 2


def test_one_image_and_many_are_timed_from_call_to_answer(images: NDArray[np.uint8]) -> None:
    def classify(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(0.001 * len(some))
        return answers(some)

    assert inference.one_image_us(classify, images) > 1_000
    assert inference.images_per_second(classify, images) < 1_000
