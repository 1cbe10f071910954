"""The model that comes along: it is there, small, of this contract, and reads what it never saw.

Floors lie well under what its card says; benchmarks/reader.py measures it on real pictures.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepmnist import bundle, evaluation, images, prediction, rejection
from deepmnist.data import load
from deepmnist.data.dataset import Dataset
from deepmnist.prediction import LiteRTPredictor
from deepmnist.synthesis import corpus

MOST_BYTES = 2_000_000  # of the runtime file
UNSEEN = 77_000_077  # a seed that pretraining does not use
DATA = os.environ.get("DEEPMNIST_DATA_DIR", "")


@pytest.fixture(scope="module")
def predictor() -> LiteRTPredictor:
    return prediction.load()


@pytest.fixture(scope="module")
def made() -> Dataset:
    return corpus.made(2_000, UNSEEN, processes=1)


def test_it_is_small_and_tells_how_it_was_made() -> None:
    shipped = bundle.load(bundle.SHIPPED)
    assert shipped.runtime.stat().st_size <= MOST_BYTES
    assert shipped.manifest.config["recipe"] == "reader"
    assert (shipped.folder / bundle.CARD).read_text().count("## Acceptance") == 1


def test_it_reads_made_digits_it_never_saw(predictor: LiteRTPredictor, made: Dataset) -> None:
    labels = made.required_labels()
    digits = labels != corpus.NONE
    found = rejection.scores(predictor, made.gather(digits))
    assert (found.probabilities.argmax(axis=1) == labels[digits]).mean() > 0.97
    assert (found.confidence >= predictor.threshold).mean() > 0.95


def test_it_accepts_little_of_what_is_no_digit(predictor: LiteRTPredictor, made: Dataset) -> None:
    others = made.gather(made.required_labels() == corpus.NONE)
    assert (rejection.scores(predictor, others).confidence >= predictor.threshold).mean() < 0.05


def test_blank_paper_and_noise_are_not_accepted(predictor: LiteRTPredictor) -> None:
    draw = np.random.default_rng(0)
    papers = [np.full((80, 60), 210, np.uint8), draw.integers(190, 220, (90, 90)).astype(np.uint8)]
    seen = np.stack([images.prepare(paper) for paper in papers])
    assert (rejection.scores(predictor, seen).confidence < predictor.threshold).all()


@pytest.mark.parametrize("flag", [0.3, 0.5])
def test_a_1_with_a_flag_is_no_7(predictor: LiteRTPredictor, flag: float) -> None:
    paper = np.full((120, 90), 220, np.uint8)
    corners = np.array([(20, round(12 + 96 * flag)), (55, 12), (55, 108)])
    cv2.polylines(paper, [corners], False, 50, 8, cv2.LINE_AA)
    found = rejection.scores(predictor, images.prepare(paper)[np.newaxis])
    assert found.probabilities.argmax() == 1
    assert found.confidence[0] >= predictor.threshold


@pytest.mark.accuracy
@pytest.mark.skipif(not (Path(DATA) / "mnist").is_dir(), reason="MNIST is not at hand")
def test_it_reads_mnist_as_well_as_its_card_says(predictor: LiteRTPredictor) -> None:
    report = evaluation.evaluate(predictor, load("mnist").test_part)
    assert report.accuracy >= 0.995
    assert report.expected_calibration_error <= 0.004
    assert report.correct == bundle.load(bundle.SHIPPED).manifest.numbers["test_correct"]
