"""The canvas: a picture of any size on the 256 x 256 pixels that the exported reader takes.

Kept so small that a page or a phone can do it with what it has: one resize and two fills. It knows
neither ink nor paper. docs/input-contract.md, "As one graph", is its description.
"""

from __future__ import annotations

import numpy as np

from deepmnist import images, ink

SIDE = 256  # pixels


def of(picture: images.Grey) -> images.Grey:
    """The canvas, uint8 (256, 256), of a grey picture, uint8 (height, width).

    Its longest side becomes 256 pixels, by area when reduced, cubic when enlarged, and it lies in
    the middle. Each empty band beside it has one level: the median of the eighth of the picture
    that borders on it, so that paper goes on, in shade too. PictureError where the array is no grey
    picture.
    """
    images.check(picture)
    fitted = ink.resized(picture, SIDE / max(picture.shape))
    upright = fitted.shape[1] < SIDE  # the bands are at its left and right
    across = fitted.T if upright else fitted
    length = len(across)
    eighth, first = max(1, round(length * ink.STRIP)), (SIDE - length) // 2
    canvas = np.empty((SIDE, SIDE), np.uint8)
    canvas[:first] = round(float(np.median(across[:eighth])))
    canvas[first : first + length] = across
    canvas[first + length :] = round(float(np.median(across[-eighth:])))
    return np.ascontiguousarray(canvas.T if upright else canvas)
