"""What answers for images: the Predictor protocol, and the base of those that run a model's file.

A predictor takes images that already meet the input contract (images.py) and knows nothing of
pictures. Each runtime (litert.py, graphs.py) only fills in `scores`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepmnist.prediction.arrays import check_images
from deepmnist.rejection import DEFAULT_THRESHOLD, Scores

Images = NDArray[np.uint8 | np.floating]


class Predictor(Protocol):
    """Anything that gives class probabilities for images; a hand-written fake is one too."""

    class_names: tuple[str, ...]

    def predict_proba(self, images: NDArray[np.uint8 | np.floating]) -> NDArray[np.float32]:
        """Probabilities float32 (n, classes) of images (n, 28, 28): uint8 0..255 or float 0..1."""
        ...


class ModelPredictor(ABC):
    """A model's file, run by some runtime, with what the model says of its classes and thresholds.

    Not safe to share between threads.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        threshold: float = DEFAULT_THRESHOLD,
        coverages: Sequence[tuple[float, float]] = (),
    ) -> None:
        """threshold, coverages: see rejection.py."""
        self.class_names = tuple(class_names)
        self.threshold, self.coverages = threshold, tuple(coverages)

    def scores(self, images: Images) -> Scores:
        """What predict_proba gives and, for each image, the probability that it is one digit.

        That is 1 for every image where the model did not learn what is no digit.
        """
        check_images(images)
        single = np.empty(len(images), np.float32)
        single.fill(1)  # for one image in half the time of np.ones
        found = Scores(np.empty((len(images), len(self.class_names)), np.float32), single)
        self._fill(images, found)
        return found

    @abstractmethod
    def _fill(self, images: Images, into: Scores) -> None:
        """Put what the model gives for checked images into scores whose `single` is 1."""

    def predict_proba(self, images: Images) -> NDArray[np.float32]:
        """Probabilities float32 (n, classes) of images (n, 28, 28): uint8 0..255 or float 0..1.

        DataError where images have another shape, dtype or range.
        """
        return self.scores(images).probabilities

    def predict(self, images: Images) -> NDArray[np.int64]:
        """The most probable class of each image, int64 (n,), an index into class_names."""
        return self.predict_proba(images).argmax(axis=1)
