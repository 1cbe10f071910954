"""Bringing arrays of images, and pictures, to 28x28: never silently.

Images that are 28x28 pass untouched. Others are refused with their size, or resized where the
caller asked for it: arrays as they are (they are prepared digits of another size), pictures by
the input contract of images.py (they are anything). It reads no file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE
from deepmnist.errors import DataError

MAX_RESIZED = 2**32 // SIDE**2  # images, which lie in memory: 5.5 million
MAX_SIDE = 2**15 - 1  # pixels: OpenCV's own limit


def to_side(images: NDArray[np.uint8], name: str, *, resize: bool) -> NDArray[np.uint8]:
    """Images uint8 (n, height, width) as (n, 28, 28), where `resize` allows; else unchanged.

    Shrinks by area and enlarges linearly. What are no images is returned as it is: Dataset
    refuses it, and says why. DataError naming them for more or larger ones than are resized.
    """
    if not resize or images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
        return images
    if images.shape[1:] == (SIDE, SIDE):
        return images
    _check_resizable(images.shape, name)
    import cv2

    shrinks = max(images.shape[1:]) >= SIDE
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = np.empty((len(images), SIDE, SIDE), np.uint8)
    for row, image in enumerate(images):
        resized[row] = cv2.resize(
            np.ascontiguousarray(image), (SIDE, SIDE), None, 0, 0, interpolation
        )
    return resized


def _check_resizable(shape: tuple[int, ...], name: str) -> None:
    count, height, width = shape
    if count > MAX_RESIZED:
        raise DataError(
            f"{name} holds {count:,} images of {height}x{width} pixels; at most {MAX_RESIZED:,} "
            f"are resized at once: give fewer, or images of {SIDE}x{SIDE}"
        )
    if max(height, width) > MAX_SIDE:
        raise DataError(
            f"{name} holds images of {height}x{width} pixels; sides of at most {MAX_SIDE:,} are "
            "resized: give smaller ones"
        )


def picture_to_side(picture: NDArray[np.uint8], name: str, *, resize: bool) -> NDArray[np.uint8]:
    """A grey picture uint8 (height, width) as (28, 28).

    28x28 is taken as it is, white ink on black. Another size is prepared by the input contract
    where `resize` allows, and a DataError naming the picture where it does not.
    """
    if picture.shape == (SIDE, SIDE):
        return picture
    if not resize:
        height, width = picture.shape
        raise DataError(
            f"{name} is {height}x{width} pixels, not {SIDE}x{SIDE}; "
            "pass --resize (resize=True) to have every picture prepared"
        )
    from deepmnist.images import prepare

    return prepare(picture)
