"""What the recipes reach. Slow, so that MNIST's part runs only where MNIST is at hand."""

import os
from pathlib import Path

import numpy as np
import pytest

import deepmnist

DATA_DIR = Path(os.environ.get("DEEPMNIST_DATA_DIR", "nowhere"))


def needs_mnist(test):
    """Mark a test as one that trains on real MNIST."""
    absent = not (DATA_DIR / "mnist").is_dir()
    reason = "DEEPMNIST_DATA_DIR names no folder that holds MNIST"
    return pytest.mark.accuracy(pytest.mark.skipif(absent, reason=reason)(test))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> deepmnist.Result:
    """The default recipe on MNIST."""
    out = tmp_path_factory.mktemp("mnist") / "run"
    return deepmnist.train("mnist", data_dir=DATA_DIR, out=out, quiet=True)


@pytest.fixture(scope="module")
def corpus() -> deepmnist.Corpus:
    return deepmnist.load_dataset("mnist", DATA_DIR)


@needs_mnist
def test_the_default_recipe_reads_99_of_100(trained: deepmnist.Result) -> None:
    # One seed: three standard deviations below the mean that benchmarks/results/recipes.json holds.
    assert 0.988 <= trained.test_accuracy < 0.998  # more in a second would be a leak


@needs_mnist
def test_no_test_image_is_among_the_training_images(corpus: deepmnist.Corpus) -> None:
    assert (len(corpus.training_part), len(corpus.test_part)) == (60_000, 10_000)
    test = {image.tobytes() for image in corpus.test_part.images}
    assert not any(image.tobytes() in test for image in corpus.training_part.images)


@needs_mnist
def test_the_bundle_answers_as_it_was_tested_and_says_how_sure_it_is(
    trained: deepmnist.Result, corpus: deepmnist.Corpus
) -> None:
    report = deepmnist.evaluate(deepmnist.load(trained.bundle), corpus.test_part)
    assert report.correct == trained.test_correct
    assert report.expected_calibration_error < 0.01


@needs_mnist
def test_wrong_labels_are_counted_wrong(
    trained: deepmnist.Result, corpus: deepmnist.Corpus
) -> None:
    test = corpus.test_part
    wrong = deepmnist.Dataset(test.images, ((test.labels + 1) % 10).astype(np.uint8))
    assert deepmnist.evaluate(deepmnist.load(trained.bundle), wrong).accuracy < 0.01


def test_the_stand_in_digits_reach_98_of_100(tmp_path: Path) -> None:
    result = deepmnist.train("digits", out=tmp_path / "run", quiet=True)
    assert 0.98 <= result.test_accuracy < 1.0
