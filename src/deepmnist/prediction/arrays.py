"""Images as every runtime takes them: checked, and brought to 0..1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE
from deepmnist.errors import DataError

BYTE = np.dtype(np.uint8)  # made once, as is the next: anew each time they take a microsecond
FULL = np.float32(255)


def check_images(images: NDArray[np.uint8 | np.floating]) -> None:
    """DataError unless images are an array (n, 28, 28), uint8 or float in 0..1."""
    if not isinstance(images, np.ndarray):
        raise DataError(
            f"images are a {type(images).__name__}; give a NumPy array (n, {SIDE}, {SIDE})"
        )
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"images have shape {images.shape}; they must be (n, {SIDE}, {SIDE})")
    if images.dtype == BYTE:
        return
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"images are {images.dtype}; give uint8 in 0..255 or float in 0..1")
    if images.size and not (images.min() >= 0 and images.max() <= 1):  # false for NaN too
        raise DataError(
            f"float images lie in {images.min():g}..{images.max():g}; they must lie in 0..1 "
            "(0 paper, 1 ink); give uint8 for 0..255"
        )


def write_unit_range(images: NDArray[np.uint8 | np.floating], into: NDArray[np.float32]) -> None:
    """Put checked images into a float32 array of their shape, in 0..1."""
    into[...] = images
    if images.dtype == BYTE:  # in a second pass: one that also converts is three times as slow
        np.divide(into, FULL, out=into)
