"""A decoded picture in any of Pillow's modes to one in greys: colours, depths, transparency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHITES = {"I": (255, 65_535), "F": (1, 255, 65_535)}  # what white may be where no depth says it
DEEP = ("I;16", "I;16L", "I;16B", "I;16N")  # 16-bit grey, in either byte order
HOLES_OF_INK = 0.25  # share of a picture that is transparent, above which the rest is ink


def grey(picture: Image.Image) -> Image.Image:
    """Mode L of any mode that Pillow decodes to."""
    if picture.mode in DEEP:
        return _scaled(np.asarray(picture).astype(np.uint16), 0, 65_535)
    if picture.mode in WHITES:
        return _scaled_by_range(np.asarray(picture), WHITES[picture.mode])
    if picture.has_transparency_data:
        return _on_paper(picture.convert("RGBA"))
    return _luma(picture)


def _luma(picture: Image.Image) -> Image.Image:
    return picture if picture.mode == "L" else picture.convert("RGB").convert("L")


def _scaled(levels: NDArray[Any], black: float, white: float) -> Image.Image:
    scale = 255 / ((white - black) or 1)
    return Image.fromarray(cv2.convertScaleAbs(levels, alpha=scale, beta=-black * scale))


def _scaled_by_range(numbers: NDArray[Any], whites: Sequence[int]) -> Image.Image:
    """Grey of numbers without a stated white: the least usual white that none of them exceeds.

    Numbers below 0 or above every usual white are stretched, lowest to black, highest to white.
    """
    lowest, highest = float(numbers.min()), float(numbers.max())
    if not np.isfinite([lowest, highest]).all():
        raise ValueError("some pixels are no finite number")
    for white in whites:
        if lowest >= 0 and highest <= white:
            return _scaled(numbers, 0, white)
    return _scaled(numbers, lowest, highest)


def _on_paper(picture: Image.Image) -> Image.Image:
    """An RGBA picture laid on white or black paper, so that its ink can be seen.

    Where more than a quarter is transparent, what is opaque is ink, and the paper is whichever is
    farther from its mean: white ink comes on black. Otherwise what is opaque brings its own paper
    (a picture with round corners), and the holes are filled with whichever is nearer.
    """
    alpha, luma = picture.getchannel("A"), _luma(picture)
    black, white = (Image.new("L", picture.size, level) for level in (0, 255))
    opacity = np.asarray(alpha).mean() / 255
    ink_is_opaque = opacity < 1 - HOLES_OF_INK
    on_black = Image.composite(luma, black, alpha)
    opaque_is_bright = np.asarray(on_black).mean() > opacity * 255 / 2
    return on_black if ink_is_opaque == opaque_is_bright else Image.composite(luma, white, alpha)
