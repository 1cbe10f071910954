"""The images that an export is fitted to and held to: real ones, never of a test set.

They are of the validation part of what the model was trained on, where that lies on this machine;
nothing is downloaded. Else the digits embedded in scikit-learn stand in, and made pictures for
fitting, which is said loudly.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepmnist import images
from deepmnist.data import load, split_validation
from deepmnist.errors import DataError
from deepmnist.export import golden

IMAGES = 1_000  # that an export is held to
SAMPLES = 500  # that int8 is fitted to: others
MADE_SEEDS = range(1, 6)  # of golden pictures; parity looks at those of seed 0


@dataclass(frozen=True)
class Evidence:
    """Images uint8 (n, 28, 28) that meet the input contract."""

    name: str  # where they are from
    images: NDArray[np.uint8]  # that the answers are compared on
    samples: NDArray[np.uint8]  # that int8 is fitted to


def gathered(
    dataset: str,
    data_dir: Path | None = None,
    count: int = IMAGES,
    validation_share: float | None = None,
) -> Evidence:
    """What there is for a model trained on `dataset`, a known name or a path, with that share."""
    try:
        training = load(dataset, data_dir, resize=True, download=False).training_part
    except DataError as error:
        warnings.warn(
            f"the export is held to the small embedded digits, and int8 fitted to made pictures: "
            f"{error}",
            stacklevel=2,
        )
        digits = load("digits").training_part.gather(slice(0, count))
        return Evidence("embedded digits", digits, _made())
    validation = split_validation(training, validation_share)[1]
    every = np.random.default_rng(0).permutation(len(validation))
    compared, fitted = every[:count], every[count : count + SAMPLES]
    if len(fitted) < SAMPLES:  # a small set: better the same images twice than few
        fitted = every[:SAMPLES]
    return Evidence(validation.name, validation.gather(compared), validation.gather(fitted))


def _made() -> NDArray[np.uint8]:
    pictures = [each for seed in MADE_SEEDS for each in golden.pictures(seed).values()]
    return np.stack([images.prepare(picture) for picture in pictures])
