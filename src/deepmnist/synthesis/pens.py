"""Curves drawn by a pen: control points become smooth strokes, strokes become ink.

A glyph is a list of strokes, a stroke control points (n, 2) of x and y, y downwards, in a unit
square. A point given twice is a corner. What the strokes mean is for others to know.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 96  # pixels, of every canvas
STEPS = 8  # points a curve has from one control point to the next
SLANT = 0.3  # columns a row, at most, by which a hand leans
TURN = 0.12  # radians, the spread of how a hand tilts what it writes
LEAST_EXTENT = 0.15  # of the unit square: what is narrower is not widened to fit
FRACTION_BITS = 4  # of a pixel, in which OpenCV takes coordinates

Points = NDArray[np.float64]  # (n, 2)
Levels = NDArray[np.float32]  # (SIDE, SIDE), 0 paper .. 1 ink
Draw = np.random.Generator


def curve(points: Points) -> Points:
    """A Catmull-Rom curve through points (n, 2), from the first to the last."""
    if len(points) < 2:
        return points
    padded = np.concatenate([points[:1], points, points[-1:]])
    before, start, end, after = (padded[i : len(padded) - 3 + i, np.newaxis] for i in range(4))
    t = np.linspace(0, 1, STEPS, endpoint=False)[:, np.newaxis]
    bend = (2 * before - 5 * start + 4 * end - after) * t**2
    twist = (3 * start - before - 3 * end + after) * t**3
    smooth = (2 * start + (end - before) * t + bend + twist) / 2
    return np.concatenate([smooth.reshape(-1, 2), points[-1:]])


def written(strokes: Sequence[Points], draw: Draw) -> list[Points]:
    """Strokes as a hand would repeat them: points shaken, the whole sheared and turned a little."""
    shake = draw.uniform(0.005, 0.035)
    slant, turn = draw.uniform(-SLANT, SLANT), draw.normal(0, TURN)
    shear = np.array([[1, 0], [-slant, 1]])
    rotate = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return [_shaken(stroke, shake, draw) @ shear @ rotate for stroke in strokes]


def _shaken(stroke: Points, shake: float, draw: Draw) -> Points:
    """Every point moved; one given twice stays a corner."""
    moved = stroke + draw.normal(0, shake, stroke.shape)
    same = np.flatnonzero((stroke[1:] == stroke[:-1]).all(axis=1)) + 1
    moved[same] = moved[same - 1]
    return moved


def inked(strokes: Sequence[Points], size: tuple[float, float], width: float) -> Levels:
    """Ink (SIDE, SIDE) of strokes fitted into `size` (wide, high) pixels about the middle.

    `width` is the pen's, in pixels. A bar, which has hardly a width of its own, gets none.
    """
    lines = [curve(stroke) for stroke in strokes]
    every = np.concatenate(lines)
    extent = np.maximum(np.ptp(every, axis=0), LEAST_EXTENT)
    scale = np.array(size) / extent
    middle = (every.min(axis=0) + every.max(axis=0)) / 2
    placed = [(line - middle) * scale + SIDE / 2 for line in lines]
    return stroked(placed, width)


def stroked(lines: Sequence[Points], width: float) -> Levels:
    """Ink (SIDE, SIDE) of polylines whose points are pixels."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    points = [np.rint(line * 2**FRACTION_BITS).astype(np.int32) for line in lines]
    thickness = max(1, round(width))
    cv2.polylines(canvas, points, False, 255, thickness, cv2.LINE_AA, FRACTION_BITS)
    return canvas.astype(np.float32) / np.float32(255)


def bent(ink: Levels, draw: Draw) -> Levels:
    """Ink (SIDE, SIDE) moved by a smooth field of up to some hundredths of the side."""
    field = draw.normal(0, draw.uniform(0.005, 0.03) * SIDE, (2, 5, 5)).astype(np.float32)
    columns, rows = (
        cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for part in field
    )
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return np.asarray(cv2.remap(ink, x + columns, y + rows, cv2.INTER_LINEAR), np.float32)
