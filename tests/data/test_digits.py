"""The embedded digits look like MNIST's and are always split alike."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from deepmnist.data.dataset import Corpus
from deepmnist.data.digits import read_digits
from deepmnist.errors import MissingExtraError

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return read_digits()


def test_a_fifth_of_every_class_is_the_test_part(corpus: Corpus) -> None:
    train, test = (np.bincount(part.labels) for part in (corpus.train, corpus.test))
    assert train.sum() + test.sum() == 1797
    assert np.abs(test / (train + test) - 0.2).max() < 0.005


def test_no_image_is_in_both_parts(corpus: Corpus) -> None:
    train = {image.tobytes() for image in corpus.train.images}
    assert not train & {image.tobytes() for image in corpus.test.images}


def test_the_split_never_changes(corpus: Corpus) -> None:
    assert read_digits().test.identity == corpus.test.identity


def test_images_fill_a_box_of_twenty_with_full_range(corpus: Corpus) -> None:
    images = corpus.train.images
    assert images.min() == 0
    assert images.max() == 255
    for axis in (1, 2):
        assert (images.any(axis=axis).sum(axis=1) <= 20).all()


def test_the_centre_of_mass_lies_in_the_middle(corpus: Corpus) -> None:
    images = corpus.train.images.astype(float)
    mass = images.sum(axis=(1, 2))
    rows = (images.sum(axis=2) @ np.arange(28)) / mass
    columns = (images.sum(axis=1) @ np.arange(28)) / mass
    assert max(np.abs(rows - 14).max(), np.abs(columns - 14).max()) <= 0.5


def test_a_missing_scikit_learn_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'deepmnist\[train\]'"):
        read_digits()
