"""When an answer is accepted: how sure it is that this is one digit, and which; else, why not.

A model that learnt what is no digit gives, beside the classes' probabilities, the probability that
an image is one digit at all. Confidence is the product of that and of the best class's. The
threshold comes with the model; `coverage` moves it: the share of digits, measured on pictures the
model did not learn, that are accepted. Other models take everything for a digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from deepmnist.errors import ConfigError

DEFAULT_THRESHOLD = 0.9  # of a model that brings none
UNSURE = 0.05  # a second class as probable as this is named
NO_DIGIT = 0.5  # less probably one digit than this, that is what is wrong, whatever the classes

NOTHING = "nothing in the picture"


class Scores(NamedTuple):
    """What a model makes of n images."""

    probabilities: NDArray[np.float32]  # (n, classes), of each class, if it is one digit
    single: NDArray[np.float32]  # (n,), that it is one digit

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Float32 (n,), 0..1: that the most probable class is right."""
        return self.single * self.probabilities.max(axis=1)


class _Answering(Protocol):
    def predict_proba(self, images: NDArray[np.uint8 | np.floating]) -> NDArray[np.float32]: ...


@runtime_checkable
class Rejecting(Protocol):
    """A predictor that knows what is no digit."""

    coverages: Sequence[tuple[float, float]]  # (share of digits accepted, threshold), rising share
    threshold: float

    def scores(self, images: NDArray[np.uint8 | np.floating]) -> Scores:
        """Of images (n, 28, 28): uint8 0..255 or float 0..1."""
        ...


def scores(predictor: _Answering, images: NDArray[np.uint8 | np.floating]) -> Scores:
    """Scores of images (n, 28, 28), uint8 0..255 or float 0..1, by any predictor.

    An image of zeros is never a digit.
    """
    if isinstance(predictor, Rejecting):
        found = predictor.scores(images)
    else:
        found = Scores(predictor.predict_proba(images), np.ones(len(images), np.float32))
    return Scores(found.probabilities, found.single * images.any(axis=(1, 2)))


def threshold(predictor: object, coverage: float | None = None) -> float:
    """The confidence from which on answers are accepted; by `coverage`, 0..1, if that is given.

    ConfigError where coverage is outside 0..1, or the model does not tell how its own runs.
    """
    if coverage is None:
        return predictor.threshold if isinstance(predictor, Rejecting) else DEFAULT_THRESHOLD
    if not 0 < coverage <= 1:
        raise ConfigError(f"coverage {coverage:g}: give a share of digits above 0 and up to 1")
    if not isinstance(predictor, Rejecting) or not predictor.coverages:
        raise ConfigError(
            f"coverage {coverage:g}: this model does not tell how many digits it accepts at which "
            "confidence; leave coverage out, or use the model that comes with deepmnist"
        )
    shares, thresholds = zip(*predictor.coverages, strict=True)
    return float(np.interp(coverage, [0.0, *shares], [1.0, *thresholds]))


def coverages(
    confidence: NDArray[np.float32], shares: Sequence[float]
) -> list[tuple[float, float]]:
    """(share, threshold) pairs: at the threshold, that share of digits' confidences (n,) passes."""
    return [(share, float(np.quantile(confidence, 1 - share))) for share in shares]


def reason(probabilities: NDArray[np.float32], single: float, class_names: Sequence[str]) -> str:
    """Why an answer with probabilities (classes,) was not accepted, for people."""
    if single == 0:
        return NOTHING
    *others, first = np.argsort(probabilities, kind="stable")
    if others and single >= NO_DIGIT and probabilities[others[-1]] >= UNSURE:
        return f"unsure between {class_names[first]} and {class_names[others[-1]]}"
    return "not a digit, perhaps"
