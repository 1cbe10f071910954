"""The record refuses what contradicts itself; splits are exact, seeded and lose nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepmnist.data import dataset as dataset_module
from deepmnist.data.dataset import DIGITS, Dataset, split_validation, stratified, to_labels
from deepmnist.data.rows import AllBut
from deepmnist.errors import ConfigError, DataError


def blank(n: int) -> np.ndarray:
    return np.zeros((n, 28, 28), np.uint8)


def test_identity_is_equal_for_equal_content(tiny: Dataset) -> None:
    same = Dataset(tiny.images.copy(), tiny.labels.copy(), name="another name")
    assert same.identity == tiny.identity


@pytest.mark.parametrize("part", ["images", "labels", "class_names"])
def test_identity_differs_when_any_content_differs(tiny: Dataset, part: str) -> None:
    images, labels, names = tiny.images.copy(), tiny.labels.copy(), list(DIGITS)
    images[3, 4, 5] ^= part == "images"
    labels[3] ^= part == "labels"
    names[0] = "zero" if part == "class_names" else "0"
    assert Dataset(images, labels, tuple(names)).identity != tiny.identity


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 28, 28), np.float32), "images are float32 of shape .* must be uint8"),
        (np.zeros((2, 784), np.uint8), r"shape \(2, 784\); they must be uint8 \(n, 28, 28\)"),
        (np.zeros((2, 32, 30), np.uint8), "32x30 pixels, not 28x28; pass --resize"),
        (blank(0), "is empty: it holds no image"),
    ],
)
def test_images_of_another_kind_are_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset(images, None)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3, np.uint8), "2 images but 3 labels"),
        (np.zeros(2, np.int64), "labels are int64 of shape .* must be uint8"),
        (np.array([0, 10], np.uint8), r"label 10 of image 1 is outside the classes 0\.\.9"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset(blank(2), labels)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "0 classes; there must be 1 to 256"),
        (tuple(map(str, range(257))), "257 classes"),
        (("a", "b", "a"), "a class name appears twice"),
        (("a\n", "a\n"), r"a class name appears twice among a\?, a\?$"),
        (("a\ud800", "b"), r"a class name is no text in UTF-8: \['a\\ud800', 'b'\]; name"),
    ],
)
def test_class_names_that_cannot_be_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset(blank(1), None, names)


@pytest.mark.parametrize("label", [-1, 10, 300, 256])
def test_labels_are_checked_before_they_are_narrowed(label: int) -> None:
    with pytest.raises(DataError, match=f"label {label} of image 2 is outside the classes"):
        to_labels(np.array([0, 9, label], np.int64), DIGITS, "x")


@pytest.mark.parametrize("labels", [np.array([0.0]), np.array([[1]]), np.array(["1"])])
def test_labels_that_are_no_row_of_whole_numbers_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"must be whole numbers of shape \(n,\)"):
        to_labels(labels, DIGITS, "x")


def test_training_without_labels_says_so() -> None:
    with pytest.raises(DataError, match="has no labels; training and evaluation need them"):
        Dataset(blank(1), None, name="x").required_labels()


def test_the_last_five_thousand_are_validation_of_a_large_set() -> None:
    large = Dataset(
        blank(50_000), np.arange(50_000, dtype=np.int64).astype(np.uint8) % 10, name="x"
    )
    training, validation = split_validation(large)
    assert (len(training), len(validation)) == (45_000, 5_000)
    assert np.shares_memory(training.images, large.images)  # a mapped set stays mapped
    assert np.array_equal(validation.labels, large.labels[-5_000:])


def test_a_large_set_sorted_by_class_is_split_in_proportion() -> None:
    labels = np.sort(np.arange(50_000) % 10).astype(np.uint8)
    _, validation = split_validation(Dataset(blank(50_000), labels, name="sorted"))
    assert np.bincount(validation.labels).tolist() == [500] * 10


@given(
    labels=st.lists(st.integers(0, 9), min_size=20, max_size=200),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_stratified_split_keeps_every_row_once_and_each_class_in_proportion(
    labels: list[int], share: float, seed: int
) -> None:
    dataset = Dataset(blank(len(labels)), np.array(labels, np.uint8))
    expected = [round(share * count) for count in np.bincount(labels, minlength=10)]
    if not 0 < sum(expected) < len(labels):
        return
    kept, held_out = stratified(dataset, share, seed)
    assert sorted([*kept, *held_out]) == list(range(len(labels)))
    assert np.bincount(dataset.labels[held_out], minlength=10).tolist() == expected
    assert np.array_equal(stratified(dataset, share, seed)[1], held_out)


def test_another_seed_holds_out_other_rows(tiny: Dataset) -> None:
    assert not np.array_equal(stratified(tiny, 0.25, 0)[1], stratified(tiny, 0.25, 1)[1])


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(tiny: Dataset, share: float) -> None:
    with pytest.raises(ConfigError, match="give one between 0 and 1"):
        split_validation(tiny, share)


def test_a_set_too_small_to_split_is_refused(tiny: Dataset) -> None:
    with pytest.raises(DataError, match="40 images: too few to hold out 10%"):
        split_validation(tiny)


@pytest.mark.parametrize(("share", "other"), [(0.1, "larger"), (0.95, "smaller")])
def test_a_set_too_small_for_a_share_is_told_which_would_do(
    tiny: Dataset, share: float, other: str
) -> None:
    with pytest.raises(DataError, match=f"give more images or hold out a {other} share$"):
        split_validation(tiny, share)


# --- sets too large for a list of their rows ------------------------------------------------------


@pytest.fixture
def large_at_1000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_module, "LARGE_SET", 1_000)
    monkeypatch.setattr(dataset_module, "CHUNK_ROWS", 97)


@pytest.mark.usefixtures("large_at_1000")
@given(st.integers(1_001, 2_000), st.floats(0.05, 0.9), st.integers(0, 2**32 - 1))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_split_of_a_large_set_keeps_every_row_once_and_each_class_in_proportion(
    n: int, share: float, seed: int
) -> None:
    labels = np.random.default_rng(seed).integers(0, 9, n).astype(np.uint8)  # a class is empty
    dataset = Dataset(blank(n), labels)
    kept, held_out = stratified(dataset, share, seed)
    assert isinstance(kept, AllBut)
    assert sorted([*kept[:], *held_out]) == list(range(n))
    assert np.array_equal(np.sort(held_out), held_out)
    expected = [round(share * count) for count in np.bincount(labels, minlength=10).tolist()]
    assert np.bincount(labels[held_out], minlength=10).tolist() == expected
    assert np.array_equal(stratified(dataset, share, seed)[1], held_out)
    assert not np.array_equal(stratified(dataset, share, seed + 1)[1], held_out)
    taken = dataset.take(kept)
    np.testing.assert_array_equal(taken.labels, labels[kept[:]])
    assert len(taken.images) == len(kept)


@pytest.mark.usefixtures("large_at_1000")
def test_every_row_of_a_large_set_is_as_likely_to_be_held_out() -> None:
    dataset = Dataset(blank(1_200), (np.arange(1_200) // 300).astype(np.uint8))
    times = np.zeros(1_200)
    for seed in range(400):
        times[stratified(dataset, 0.25, seed)[1]] += 1
    assert abs(times.mean() - 100) < 1e-9
    assert abs(times.std() - np.sqrt(400 * 0.25 * 0.75)) < 1.0
    assert abs(times[:150].mean() - times[150:300].mean()) < 3.0


def test_what_is_drawn_without_a_stated_share_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_module, "DRAWN_IMAGES", 60)
    monkeypatch.setattr(dataset_module, "LARGE_SET", 600)
    labels = np.sort(np.arange(1_200) % 10).astype(np.uint8)
    dataset = Dataset(blank(1_200), labels)
    assert [len(part) for part in split_validation(dataset)] == [1_140, 60]
    assert [len(part) for part in split_validation(dataset, 0.1)] == [1_080, 120]
