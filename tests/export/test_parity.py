"""Parity: what is counted, and what is not let through."""

from __future__ import annotations

import numpy as np
import pytest

from deepmnist.errors import ParityError
from deepmnist.export import parity
from deepmnist.export.evidence import Evidence
from deepmnist.export.exporting import FORMATS
from deepmnist.export.parity import Comparison, Report, Tolerance

NAN = float("nan")


def report(same: int, difference: float) -> Report:
    fine = Comparison("some", 10, 10, 0.0)
    other = Comparison("golden pictures", 200, same, difference)
    return Report("onnx", "classifier", "int8", Tolerance(0.1, 0.99), (fine, other))


@pytest.mark.parametrize(("same", "difference"), [(200, 0.0), (198, 0.1)])
def test_what_is_within_the_tolerance_passes(same: int, difference: float) -> None:
    report(same, difference).check()


@pytest.mark.parametrize(
    ("same", "difference"), [(197, 0.0), (200, 0.1001), (200, float("inf")), (200, NAN)]
)
def test_what_is_past_it_does_not(same: int, difference: float) -> None:
    with pytest.raises(ParityError, match=f"answers {same} of 200 golden pictures alike") as caught:
        report(same, difference).check()
    assert "\n" not in str(caught.value)


def test_every_precision_of_every_format_has_a_tolerance_and_no_other_has() -> None:
    offered = {
        name: {each for allowed in how.precisions.values() for each in allowed}
        for name, how in FORMATS.items()
    }
    assert {name: {*given} for name, given in parity.TOLERANCES.items()} == offered


class Shifted:
    """Answers as another, with each image's probabilities turned by `places` classes."""

    def __init__(self, fake, places: int, change: float = 0.0) -> None:
        self.class_names, self.fake = fake.class_names, fake
        self.places, self.change = places, change

    def predict_proba(self, images):
        found = np.roll(self.fake.predict_proba(images), self.places, axis=1)
        found[-1, 0] += self.change
        return found


@pytest.mark.parametrize(
    ("places", "change", "same", "difference"),
    [(0, 0.0, 20, 0.0), (0, 0.05, 20, 0.05), (1, 0.0, 0, 0.9), (0, NAN, 20, float("inf"))],
)
def test_same_answers_are_counted_and_the_largest_difference_found(
    fake_predictor, places: int, change: float, same: int, difference: float
) -> None:
    images = np.random.default_rng(1).integers(1, 9, (20, 28, 28)).astype(np.uint8)
    images[-1] = 0
    images[-1, 0, 0] = 3
    evidence = Evidence("some", images, images)
    some, golden = parity.of_classifier(
        fake_predictor, Shifted(fake_predictor, places, change), evidence
    )
    assert (some.images, some.n) == ("some", 20)
    assert golden.n == 90  # but for the blank one
    if not np.isnan(change):
        assert some.same == same
    assert some.difference == pytest.approx(difference, abs=1e-6)


def test_a_reader_is_compared_in_label_acceptance_and_confidence() -> None:
    def answer(label: int, confidence: float, accepted: bool):
        row = np.full((1, 10), 0.05, np.float32)
        row[0, label] = 0.55
        return {
            "probabilities": row,
            "confidence": np.float32([confidence]),
            "accepted": np.array([accepted]),
        }

    images = np.zeros((3, 28, 28), np.uint8)
    evidence = Evidence("some", images, images)
    given = answer(3, 0.5, True)
    for other, same, difference in (
        (given, 3, 0.0),
        (answer(3, 0.5, False), 0, 0.0),
        (answer(3, 0.4, True), 3, 0.1),
        (answer(4, 0.5, True), 0, 0.5),
    ):
        found = parity.of_reader(lambda _: given, lambda picture, it=other: it, evidence)
        assert (found[0].n, found[0].same) == (3, same)
        assert found[0].difference == pytest.approx(difference, abs=1e-6)
