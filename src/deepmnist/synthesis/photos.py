"""From ink to a picture as people take them: paper, light, pens, lines, cameras, in one draw.

`photo` is what a phone or a scanner gives, `drawing` what a mouse or a tablet does. Both are grey,
uint8, dark on light or light on dark, of any size from some 20 to 110 pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist.synthesis.pens import SIDE, Draw, Levels

Grey = NDArray[np.uint8]
SIDES = (24, 112)  # pixels, the side of a picture


def photo(ink: Levels, draw: Draw) -> Grey:
    """A grey picture of ink (SIDE, SIDE) on paper."""
    ink = _cropped(_marked(ink, draw), draw)
    high, wide = ink.shape
    paper = draw.uniform(120, 250)
    depth = draw.uniform(0.25, 0.95)
    if draw.random() < 0.5:
        depth = draw.uniform(0.6, 0.95)
    light = paper * _light((high, wide), draw)
    picture = light * (1 - depth * ink)
    if draw.random() < 0.6:
        picture = cv2.GaussianBlur(picture, (0, 0), draw.uniform(0.3, 1.1))
    picture = picture + draw.normal(0, draw.exponential(3.0) * min(1.0, depth * 1.5), ink.shape)
    return _kept(_polarised(picture, draw), draw)


def drawing(ink: Levels, draw: Draw) -> Grey:
    """A grey picture of ink (SIDE, SIDE) without light or grain, as a program leaves it."""
    ink = _cropped(ink, draw)
    if draw.random() < 0.5:
        ink = (ink > 0.5).astype(np.float32)
    return np.asarray(np.rint(255 * (1 - ink if draw.random() < 0.5 else ink)), np.uint8)


def _cropped(ink: Levels, draw: Draw) -> Levels:
    """Some of the paper around the ink, in the resolution of the picture."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    margins = draw.uniform(-0.01, 0.25, 4) * SIDE
    top, bottom = max(0, rows[0] - margins[0]), min(SIDE, rows[-1] + 1 + margins[1])
    left, right = max(0, columns[0] - margins[2]), min(SIDE, columns[-1] + 1 + margins[3])
    if right - left < 0.3 * (bottom - top):  # a bar: nobody cuts one out as a sliver
        left, right = max(0, left - 0.2 * SIDE), min(SIDE, right + 0.2 * SIDE)
    cut = ink[round(top) : round(bottom), round(left) : round(right)]
    scale = draw.uniform(*SIDES) / max(cut.shape)
    size = max(8, round(cut.shape[1] * scale)), max(8, round(cut.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cut, size, interpolation=how), np.float32)


def _light(shape: tuple[int, int], draw: Draw) -> NDArray[np.float64]:
    """1 where light falls fully: a slope, in some pictures the edge of a shadow too."""
    high, wide = shape
    rows, columns = np.mgrid[:high, :wide]
    rows, columns = rows / high - 0.5, columns / wide - 0.5
    angle, other = draw.uniform(0, 2 * np.pi, 2)
    slope = draw.uniform(0, 0.4) * (rows * np.sin(angle) + columns * np.cos(angle))
    light = 1 - draw.uniform(0, 0.1) + slope
    if draw.random() < 0.2:
        across = rows * np.sin(other) + columns * np.cos(other) - draw.uniform(-0.4, 0.4)
        light = light * (1 - draw.uniform(0.2, 0.5) / (1 + np.exp(-across * draw.uniform(8, 60))))
    return np.asarray(light)


def _marked(ink: Levels, draw: Draw) -> Levels:
    """In some pictures rules, a box, a neighbour cut off or specks, lighter than the ink or not."""
    kind = draw.random()
    marks = np.zeros_like(ink)
    if kind < 0.08:
        _rule(marks, draw)
    elif kind < 0.2:
        _box(marks, draw)
    elif kind < 0.3:
        _neighbour(marks, ink, draw)
    elif kind < 0.38:
        for _ in range(draw.integers(1, 9)):
            place = [int(v) for v in draw.integers(0, SIDE, 2)]
            cv2.circle(marks, place, int(draw.integers(1, 3)), 1.0, -1, cv2.LINE_AA)
    return np.maximum(ink, np.float32(draw.uniform(0.4, 1)) * marks)


def _rule(marks: Levels, draw: Draw) -> None:
    tilt, gap = draw.uniform(-4, 4), int(draw.integers(25, 60))
    for row in range(int(draw.integers(0, gap)), SIDE, gap):
        ends = (-5, round(row - tilt)), (SIDE + 5, round(row + tilt))
        cv2.line(marks, *ends, 1.0, int(draw.integers(1, 3)), cv2.LINE_AA)


def _box(marks: Levels, draw: Draw) -> None:
    low, high = draw.integers(1, 10, 2), SIDE - draw.integers(1, 10, 2)
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    corners = (corners + draw.integers(-2, 3, (4, 2))).astype(np.int32)
    thickness = int(draw.integers(1, 4))
    cv2.polylines(marks, [corners], draw.random() < 0.7, 1.0, thickness, cv2.LINE_AA)


def _neighbour(marks: Levels, ink: Levels, draw: Draw) -> None:
    """Parts of other writing at the left and right border, not where the ink is."""
    for _ in range(draw.integers(1, 3)):
        place = int(draw.choice([0, SIDE - 1])), int(draw.integers(SIDE // 4, 3 * SIDE // 4))
        axes = tuple(int(axis) for axis in draw.integers(4, 20, 2))
        width = int(draw.integers(2, 7))
        cv2.ellipse(marks, place, axes, 0, 0, 360, 1.0, width, cv2.LINE_AA)
    marks[cv2.dilate(ink, np.ones((9, 9), np.uint8)) > 0.1] = 0


def _polarised(picture: NDArray[np.float64], draw: Draw) -> Grey:
    grey = np.clip(picture, 0, 255).astype(np.uint8)
    return np.asarray(255 - grey if draw.random() < 0.2 else grey)


def _kept(grey: Grey, draw: Draw) -> Grey:
    """As the camera's file keeps it: most pictures are JPEG."""
    if draw.random() < 0.4:
        return grey
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(draw.integers(35, 96))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", grey, quality)[1], cv2.IMREAD_GRAYSCALE))
