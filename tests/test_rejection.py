"""rejection.py: what is no digit gets little confidence; coverage moves the threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from deepmnist import rejection
from deepmnist.errors import ConfigError
from deepmnist.rejection import Scores

INKED = np.full((2, 28, 28), 9, np.uint8)


class Plain:
    """Knows classes, and takes everything for one of them."""

    class_names = ("a", "b")

    def predict_proba(self, images: NDArray[np.uint8 | np.floating]) -> NDArray[np.float32]:
        return np.tile(np.array([0.25, 0.75], np.float32), (len(images), 1))


class Knowing(Plain):
    """Knows what is none of them."""

    threshold = 0.4
    coverages: Sequence[tuple[float, float]] = ((0.5, 0.8), (0.9, 0.6), (1.0, 0.0))

    def scores(self, images: NDArray[np.uint8 | np.floating]) -> Scores:
        return Scores(
            self.predict_proba(images), np.linspace(1, 0.2, len(images), dtype=np.float32)
        )


def test_confidence_is_that_it_is_one_digit_and_that_digit() -> None:
    found = rejection.scores(Knowing(), INKED)
    assert found.confidence == pytest.approx([0.75, 0.15])


def test_a_model_without_rejection_takes_everything_for_a_digit_but_an_empty_image() -> None:
    images = INKED.copy()
    images[1] = 0
    assert rejection.scores(Plain(), images).confidence == pytest.approx([0.75, 0])


def test_an_empty_image_is_no_digit_whatever_a_model_says_of_it() -> None:
    assert rejection.scores(Knowing(), np.zeros_like(INKED)).single == pytest.approx([0, 0])


def test_the_threshold_is_the_models_own_or_that_of_the_coverage() -> None:
    assert rejection.threshold(Knowing()) == 0.4
    assert rejection.threshold(Plain()) == rejection.DEFAULT_THRESHOLD
    assert rejection.threshold(Knowing(), 0.9) == pytest.approx(0.6)
    assert rejection.threshold(Knowing(), 0.7) == pytest.approx(0.7)
    assert rejection.threshold(Knowing(), 1) == 0


@pytest.mark.parametrize(
    ("single", "reason"), [(0.0, rejection.NOTHING), (0.2, "not a digit, perhaps")]
)
def test_one_class_alone_is_unsure_of_no_other(single: float, reason: str) -> None:
    assert rejection.reason(np.ones(1, np.float32), single, ("7",)) == reason


def test_less_coverage_never_lowers_the_threshold() -> None:
    found = [rejection.threshold(Knowing(), share) for share in np.linspace(0.01, 1, 50)]
    assert (np.diff(found) <= 0).all()


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_coverage_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="give a share of digits above 0 and up to 1"):
        rejection.threshold(Knowing(), share)


def test_coverage_of_a_model_that_does_not_tell_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"coverage 0\.9: this model does not tell"):
        rejection.threshold(Plain(), 0.9)


def test_at_each_threshold_its_share_of_digits_passes() -> None:
    confidence = np.random.default_rng(0).random(1_000).astype(np.float32)
    for share, threshold in rejection.coverages(confidence, (0.5, 0.9, 0.99, 1.0)):
        assert (confidence >= threshold).mean() == pytest.approx(share, abs=0.002)
