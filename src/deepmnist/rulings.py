"""Rule lines and form boxes taken out of ink, and the strokes that cross them mended.

A ruling is long, thin, nearly straight, nearly level or upright, and goes on past the writing at
both its ends: that tells it from the bar of a 7 or the base of a 2. Its pixels are dropped, and
where strokes stand on both its sides the gap is filled. This module knows no digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist.connected import HEIGHT, LEFT, WIDTH, components
from deepmnist.ink import Ink, Mask, near, padded

SEGMENT = 1 / 4  # of a ruling's least length: what runs level for so long may be part of one
SLENDER = 1 / 7  # of its length: a ruling is at most so thick
STEEPEST = 0.14  # rows a column (8 degrees): beyond it a line is no ruling
BEND = 2  # pixels a ruling may leave its straight line, on top of half its thickness
MOST_LINES = 60  # of either direction: more are a texture, and the longest are taken
TAIL = 3  # pixels by which a ruling's faint ends reach further than its full breadth
EDGE_ZONE = 0.3  # of a side: further in, a ruling must run from border to border
BORDER = 0.04  # of a side: what ends so near to the border has been cut off by it
LEAST_REST = 4  # stroke widths: what is left must be so tall, or the lines were the writing
WHOLE = 0.95  # of a side: from border to border


@dataclass(frozen=True)
class _Line:
    """A level line: row = offset + slope * column, between two columns; thickness in pixels."""

    slope: float
    offset: float
    start: int
    stop: int
    thickness: float

    def moved(self, down: int, right: int) -> _Line:
        """The same line where the picture's corner lies so many pixels up and left."""
        offset = self.offset + down - self.slope * right
        return _Line(self.slope, offset, self.start + right, self.stop + right, self.thickness)

    def patch(self, shape: tuple[int, ...], wider: float = 0) -> _Patch:
        """Its own pixels in a picture, what little it bends, and `wider` rows more."""
        reach = self.thickness / 2 + BEND + wider / 2
        ends = [self.offset + self.slope * column for column in (self.start, self.stop)]
        top, bottom = max(0, math.floor(min(ends) - reach)), math.ceil(max(ends) + reach) + 1
        left, right = max(0, self.start - TAIL), self.stop + TAIL
        bottom, right = min(bottom, shape[0]), min(right, shape[1])
        rows, columns = np.ogrid[top:bottom, left:right]
        mask = np.abs(rows - self.offset - self.slope * columns) <= reach
        return _Patch((slice(top, bottom), slice(left, right)), mask)


@dataclass(frozen=True)
class _Patch:
    """Some pixels of a picture: a box, and which of those in it."""

    box: tuple[slice, slice]
    mask: Mask

    def set(self, picture: Mask, value: bool) -> None:
        """Change these pixels of a picture."""
        picture[self.box][self.mask] = value


def removed(ink: Ink, least_length: float) -> Ink:
    """The ink without rulings of at least `least_length` pixels; crossing strokes are mended."""
    level, upright = _lines(ink.strokes, least_length), _lines(ink.strokes.T, least_length)
    if not level and not upright:
        return ink
    shape = ink.strokes.shape
    across, along = _ends(upright, shape[::-1]).T, _ends(level, shape).T
    level = [line for line in level if _placed(line, across)]
    upright = [line for line in upright if _placed(line, along)]
    rest = _without(ink.strokes, level, upright)
    if not (level or upright) or _height(rest) < LEAST_REST * ink.width:
        return ink
    return _mended(ink, _passing(level, rest), _passing(upright, rest.T))


def _without(strokes: Mask, level: list[_Line], upright: list[_Line]) -> Mask:
    """The strokes without the pixels of lines; of upright lines rows and columns are swapped."""
    rest = strokes.copy()
    for picture, lines in ((rest, level), (rest.T, upright)):
        for line in lines:
            line.patch(picture.shape).set(picture, False)
    return rest


def _ends(crossing: list[_Line], shape: tuple[int, ...]) -> Mask:
    """Where rulings may well end: at the picture's border, or on a line that crosses theirs."""
    rows, columns = (max(2, round(side * BORDER)) for side in shape)
    ends = np.ones(shape, np.bool_)
    ends[rows : shape[0] - rows, columns : shape[1] - columns] = False
    for line in crossing:
        line.patch(shape, wider=2 * BEND).set(ends, True)
    return ends


def _height(rest: Mask) -> int:
    """Pixels, of the tallest connected piece."""
    return int(components(rest)[1][:, HEIGHT].max())


def _lines(strokes: Mask, least_length: float) -> list[_Line]:
    """Long slender level lines; the written ones among them too."""
    segment = max(5, round(least_length * SEGMENT))
    if _reach(strokes) < least_length:
        return []
    thick = cv2.dilate(np.ascontiguousarray(strokes).view(np.uint8), np.ones((3, 1), np.uint8))
    runs = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, segment), np.uint8))
    if _reach(runs) < least_length:
        return []
    bridged = cv2.morphologyEx(runs, cv2.MORPH_CLOSE, np.ones((1, 2 * segment), np.uint8))
    labels, boxes = components(bridged > 0)
    order = np.argsort(-boxes[:, WIDTH], kind="stable")[:MOST_LINES]
    found = []
    for index in order[boxes[order, WIDTH] >= least_length]:
        left, top, width, height, _ = boxes[index].tolist()
        box = np.s_[top : top + height, left : left + width]
        found.append(_fitted((labels[box] == index) & (runs[box] > 0)).moved(top, left))
    return [
        line
        for line in found
        if abs(line.slope) <= STEEPEST and line.thickness <= SLENDER * (line.stop - line.start)
    ]


def _reach(pixels: NDArray[np.bool_ | np.uint8]) -> int:
    """Columns from the first with a pixel to the last; no line is longer."""
    columns = np.flatnonzero(pixels.any(axis=0))
    return int(columns[-1] - columns[0]) + 1 if len(columns) else 0


def _fitted(pixels: Mask) -> _Line:
    """The line through the middles of the columns, by least squares, twice without the strays."""
    columns = np.flatnonzero(pixels.any(axis=0))
    heights = pixels[:, columns].sum(axis=0)
    middles = (np.arange(len(pixels)) @ pixels[:, columns]) / heights
    close = np.ones(len(columns), np.bool_)
    slope, offset = 0.0, float(np.median(middles))
    for _ in range(3):
        slope, offset = _regression(columns[close], middles[close])
        distances = np.abs(middles - offset - slope * columns)
        close = distances <= max(1.0, float(np.median(distances)) * 2)
    thickness = max(1.0, float(np.median(heights)) - 2)  # the dilation's two pixels
    return _Line(slope, offset, int(columns[0]), int(columns[-1]) + 1, thickness)


def _regression(columns: NDArray[np.int64], rows: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset of the least squares line; a single column gives a level one."""
    middle, height = float(columns.mean()), float(rows.mean())
    spread = float(((columns - middle) ** 2).sum())
    slope = float(((columns - middle) * (rows - height)).sum()) / spread if spread else 0.0
    return slope, height - slope * middle


def _placed(line: _Line, ends: Mask) -> bool:
    """Whether it runs all across, or from line to line, or near the border and ends at one."""
    height, width = ends.shape
    met = [
        bool(ends[min(max(0, round(line.offset + line.slope * column)), height - 1), column])
        for column in (line.start, line.stop - 1)
    ]
    middle = (line.offset + line.slope * (line.start + line.stop) / 2) / height
    at_edge = min(middle, 1 - middle) <= EDGE_ZONE
    return line.stop - line.start >= WHOLE * width or all(met) or (at_edge and any(met))


def _passing(lines: list[_Line], rest: Mask) -> list[_Line]:
    """The lines that go on past all that touches them, at both their ends."""
    labels, boxes = components(rest)
    starts, stops = boxes[:, LEFT], boxes[:, LEFT] + boxes[:, WIDTH]
    passing = []
    for line in lines:
        patch = line.patch(rest.shape, wider=2 * BEND)
        touching = labels[patch.box][patch.mask & rest[patch.box]]
        margin = max(2.0, line.thickness)
        inside = (starts >= line.start + margin) & (stops <= line.stop - margin)
        if inside[touching].all():
            passing.append(line)
    return passing


def _mended(ink: Ink, level: list[_Line], upright: list[_Line]) -> Ink:
    strokes = _without(ink.strokes, level, upright)
    bridges = np.zeros_like(strokes)
    for line in level:
        _bridge(strokes, line, bridges)
    for line in upright:
        _bridge(strokes.T, line, bridges.T)
    bridges &= ink.strokes
    levels = np.where(bridges, np.float32(1), np.where(strokes, ink.levels, np.float32(0)))
    bare = _without(near(strokes | bridges) & ~strokes, level, upright)
    levels[bare] = np.maximum(levels, ink.levels)[bare]
    return replace(ink, levels=levels, strokes=strokes | bridges)


def _bridge(strokes: Mask, line: _Line, bridges: Mask) -> None:
    """Mark the pixels of a line where strokes stand on both its sides."""
    patch = line.patch(strokes.shape)
    gap = int(patch.mask.sum(axis=0).max()) + 3
    lows = [max(0, side.start - gap) for side in patch.box]
    around = strokes[lows[0] : patch.box[0].stop + gap, lows[1] : patch.box[1].stop + gap]
    pen = np.ones((gap, 3), np.uint8)
    closed = cv2.morphologyEx(padded(around, gap).view(np.uint8), cv2.MORPH_CLOSE, pen)
    rows, columns = (
        slice(side.start - low + gap, side.stop - low + gap)
        for side, low in zip(patch.box, lows, strict=True)
    )
    bridges[patch.box] |= (closed[rows, columns] > 0) & patch.mask
