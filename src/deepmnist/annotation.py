"""What was read, drawn into the picture: a box and a label for each digit, green where accepted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import chatter
from deepmnist.errors import PictureError
from deepmnist.reader import Page

ACCEPTED = (40, 150, 0)  # blue, green, red
DOUBTED = (0, 0, 220)
LEAST_SIDE = 600  # pixels: a smaller picture is enlarged, so that labels can be read


def drawn(picture: NDArray[np.uint8], page: Page) -> NDArray[np.uint8]:
    """The grey picture, uint8 (height, width), in colour (height, width, 3) with its digits."""
    scale = max(1.0, LEAST_SIDE / max(picture.shape))
    size = [max(1, round(side * scale)) for side in picture.shape[::-1]]
    canvas = cv2.cvtColor(cv2.resize(picture, size), cv2.COLOR_GRAY2BGR)
    pen = max(1, round(max(size) / 600))
    for digit in (digit for line in page.lines for digit in line.digits):
        left, top, right, bottom = (round(place * scale) for place in digit.box)
        colour = ACCEPTED if digit.accepted else DOUBTED
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), colour, pen)
        place = left, max(top - 2 * pen, 12 * pen)
        cv2.putText(canvas, digit.label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6 * pen, colour, pen)
    return np.asarray(canvas, np.uint8)


def encoded(picture: NDArray[np.uint8], page: Page) -> bytes:
    """The same as a PNG file. PictureError where its sides are longer than OpenCV writes."""
    with chatter.dropped():  # OpenCV and libpng print what the flag says
        made, file = cv2.imencode(".png", drawn(picture, page))
    if not made:
        height, width = picture.shape
        raise PictureError(
            f"what was found cannot be drawn into a PNG of {width} x {height} pixels; crop the "
            "picture to the digits that matter"
        )
    return bytes(file)
