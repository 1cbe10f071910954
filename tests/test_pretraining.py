"""pretraining.py: a whole bundle from made pictures, with thresholds; the same for a seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepmnist import bundle, completion, prediction, pretraining, training
from deepmnist.data.dataset import Dataset
from deepmnist.synthesis import corpus


@pytest.fixture
def sets(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> pretraining.Sets:
    monkeypatch.setattr(pretraining, "MADE", 60)
    monkeypatch.setattr(pretraining, "MADE_ASIDE", 60)
    return pretraining.make(tiny, seed=3)


def test_what_is_learnt_and_what_is_set_aside_are_functions_of_the_seed(
    sets: pretraining.Sets, tiny: Dataset
) -> None:
    again, other = pretraining.make(tiny, seed=3), pretraining.make(tiny, seed=4)
    assert again.learnt.identity == sets.learnt.identity
    assert other.made.identity != sets.made.identity


def test_nothing_that_is_learnt_is_set_aside(sets: pretraining.Sets) -> None:
    learnt = {image.tobytes() for image in sets.learnt.images}
    assert not learnt & {image.tobytes() for image in sets.mnist.images}
    assert not learnt & {image.tobytes() for image in sets.made.images}
    assert (sets.learnt.required_labels() == corpus.NONE).any()
    assert not (sets.mnist.required_labels() == corpus.NONE).any()


def test_the_bundle_is_whole_and_brings_its_thresholds(
    sets: pretraining.Sets, tiny: Dataset, tmp_path: Path
) -> None:
    config = replace(pretraining.CONFIG, architecture="fast", steps=2, batch_size=32)
    trained = training.train(sets.learnt, sets.made, config)
    pretraining.save(tmp_path / "model", trained, sets, tiny)
    assert bundle.load(tmp_path / "model").layers is not None
    manifest = bundle.load(tmp_path / "model").manifest
    assert manifest.class_names == list("0123456789")
    assert manifest.rejection is not None
    shares, thresholds = zip(*manifest.rejection.coverages, strict=True)
    assert shares == completion.SHARES
    assert (np.diff(thresholds) <= 0).all()
    assert manifest.rejection.threshold == dict(manifest.rejection.coverages)[completion.COVERAGE]
    assert manifest.numbers["test_n"] == len(tiny)
    found = prediction.load(tmp_path / "model").scores(tiny.images[:3])
    assert found.single.min() < 1
