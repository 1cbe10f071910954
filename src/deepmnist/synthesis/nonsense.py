"""What is no digit, or more than one: scribbles, shapes, doodles, digits side by side.

Each function gives ink (SIDE, SIDE) for a draw. Letters are printing.py's.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from deepmnist.synthesis import handwriting, printing
from deepmnist.synthesis.pens import SIDE, Draw, Levels, Points, curve, inked, stroked, written


def scribble(draw: Draw) -> Levels:
    """One to four strokes that mean nothing."""
    strokes = [draw.random((int(draw.integers(3, 11)), 2)) for _ in range(draw.integers(1, 5))]
    return inked(strokes, _size(draw), SIDE * draw.uniform(0.02, 0.09))


def doodle(draw: Draw) -> Levels:
    """Two to eight shapes on, in and beside each other, as a drawing has them."""
    lines: list[Points] = []
    for _ in range(draw.integers(2, 9)):
        shape = SHAPES[draw.integers(len(SHAPES))](draw)
        size = SIDE * draw.uniform(0.1, 0.6, 2)
        place = SIDE * draw.uniform(0.1, 0.55, 2)
        lines += [line * size + place for line in written(shape, draw)]
    return stroked(lines, SIDE * draw.uniform(0.015, 0.06))


def sign(draw: Draw) -> Levels:
    """One shape by itself."""
    shape = LONE_SHAPES[draw.integers(len(LONE_SHAPES))](draw)
    return inked(written(shape, draw), _size(draw), SIDE * draw.uniform(0.03, 0.11))


def several(draw: Draw) -> Levels:
    """Two or three digits side by side, near each other or touching."""
    count = 2 if draw.random() < 0.8 else 3
    digits = [any_digit(draw) for _ in range(count)]
    apart = draw.uniform(0.75, 1.15)
    wide, cuts = 0, []
    for ink in digits:
        columns = np.flatnonzero(ink.max(axis=0) > 0.2)
        cut = ink[:, columns[0] : columns[-1] + 1]
        cuts.append((wide, cut))
        wide += max(3, round(cut.shape[1] * apart))
    row = np.zeros((SIDE, wide + SIDE), np.float32)
    for left, cut in cuts:
        part = row[:, left : left + cut.shape[1]]
        np.maximum(part, cut, out=part)
    columns = np.flatnonzero(row.max(axis=0) > 0.2)
    row = row[:, : columns[-1] + 1]
    scale = min(1.0, 0.9 * SIDE / row.shape[1])
    small = cv2.resize(row, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return _middle(small)


def any_digit(draw: Draw) -> Levels:
    """A digit, written or printed."""
    label = int(draw.integers(10))
    return handwriting.digit(label, draw) if draw.random() < 0.8 else printing.digit(label, draw)


def _middle(ink: Levels) -> Levels:
    high, wide = ink.shape
    top, left = (SIDE - high) // 2, (SIDE - wide) // 2
    canvas = np.zeros((SIDE, SIDE), np.float32)
    canvas[top : top + high, left : left + wide] = ink
    return canvas


def _size(draw: Draw) -> tuple[float, float]:
    high = SIDE * draw.uniform(0.5, 0.85)
    return min(high * draw.uniform(0.5, 1.4), 0.85 * SIDE), high


# ---- shapes, in a unit square -------------------------------------------------------------------

Shape = Callable[[Draw], list[Points]]


def _polygon(corners: int, turn: float) -> list[Points]:
    angles = turn + np.arange(corners + 1) * 2 * np.pi / corners
    return [_corners(np.column_stack([np.cos(angles), np.sin(angles)]) / 2 + 0.5)]


def _corners(points: Points) -> Points:
    """Every point twice, so that the curve has corners."""
    return np.repeat(points, 2, axis=0)


def triangle(draw: Draw) -> list[Points]:
    return _polygon(3, draw.uniform(0, 2 * np.pi))


def rectangle(draw: Draw) -> list[Points]:
    return _polygon(4, np.pi / 4)


def diamond(draw: Draw) -> list[Points]:
    return _polygon(4, 0)


def many_sided(draw: Draw) -> list[Points]:
    return _polygon(int(draw.integers(5, 8)), draw.uniform(0, np.pi))


def ring(draw: Draw) -> list[Points]:
    angles = np.linspace(0, 2 * np.pi, 9)
    return [np.column_stack([np.cos(angles), np.sin(angles)]) / 2 + 0.5]


def arc(draw: Draw) -> list[Points]:
    start, reach = draw.uniform(0, 2 * np.pi), draw.uniform(1.5, 4)
    angles = np.linspace(start, start + reach, 6)
    return [np.column_stack([np.cos(angles), np.sin(angles)]) / 2 + 0.5]


def rainbow(draw: Draw) -> list[Points]:
    angles = np.linspace(np.pi, 2 * np.pi, 7)
    arch = np.column_stack([np.cos(angles), np.sin(angles)]) / 2
    return [arch * radius + (0.5, 1) for radius in np.linspace(1, 0.4, int(draw.integers(2, 6)))]


def star(draw: Draw) -> list[Points]:
    angles = np.arange(6) * 4 * np.pi / 5 - np.pi / 2
    return [_corners(np.column_stack([np.cos(angles), np.sin(angles)]) / 2 + 0.5)]


def zigzag(draw: Draw) -> list[Points]:
    count = int(draw.integers(4, 9))
    points = np.column_stack([np.linspace(0, 1, count), np.arange(count) % 2])
    return [points if draw.random() < 0.5 else _corners(points)]


def spiral(draw: Draw) -> list[Points]:
    angles = np.linspace(0, draw.uniform(4, 7) * np.pi, 24)
    radius = np.linspace(0.05, 0.5, 24)
    return [np.column_stack([radius * np.cos(angles), radius * np.sin(angles)]) + 0.5]


def crossed(draw: Draw) -> list[Points]:
    ways = np.array([[(0, 0.5), (1, 0.5)], [(0.5, 0), (0.5, 1)]])
    oblique = np.array([[(0, 0), (1, 1)], [(0, 1), (1, 0)]])
    return list(ways if draw.random() < 0.5 else oblique)


def hash_sign(draw: Draw) -> list[Points]:
    low, high = 0.33, 0.67
    bars = [
        [(0, low), (1, low)],
        [(0, high), (1, high)],
        [(low, 0), (low, 1)],
        [(high, 0), (high, 1)],
    ]
    return [np.array(bar, np.float64) for bar in bars]


def tick(draw: Draw) -> list[Points]:
    return [np.array([(0, 0.6), (0.35, 1), (0.35, 1), (1, 0)])]


def arrow(draw: Draw) -> list[Points]:
    head = np.array([(0.6, 0.2), (1, 0.5), (1, 0.5), (0.6, 0.8)])
    return [np.array([(0, 0.5), (1, 0.5)]), head]


def house(draw: Draw) -> list[Points]:
    roof = np.array([(0, 0.45), (0.5, 0), (1, 0.45), (0, 0.45)])
    walls = np.array([(0.1, 0.45), (0.1, 1), (0.9, 1), (0.9, 0.45)])
    return [_corners(roof), _corners(walls)]


def face(draw: Draw) -> list[Points]:
    eyes = [curve(np.array([(x, 0.35), (x + 0.03, 0.4)])) for x in (0.3, 0.65)]
    return [*ring(draw), *eyes, np.array([(0.3, 0.65), (0.5, 0.75), (0.7, 0.65)])]


def flower(draw: Draw) -> list[Points]:
    angles = np.linspace(0, 2 * np.pi, 49)
    radius = 0.32 + 0.18 * np.sin(int(draw.integers(4, 8)) * angles)
    return [np.column_stack([radius * np.cos(angles), radius * np.sin(angles)]) + 0.5]


def bars(draw: Draw) -> list[Points]:
    places = np.linspace(0, 1, int(draw.integers(2, 5)))
    lines = [np.array([(0.0, place), (1.0, place)]) for place in places]
    return [line[:, ::-1] for line in lines] if draw.random() < 0.4 else lines


def cup(draw: Draw) -> list[Points]:
    """An arch open to a side: a U, a C or their like."""
    u = np.array([(0, 0), (0.02, 0.6), (0.5, 1), (0.98, 0.6), (1, 0)])
    turned = [u, 1 - u, u[:, ::-1]]
    return [turned[draw.integers(3)]]


def wedge(draw: Draw) -> list[Points]:
    """A V, upright or on its head, or an L."""
    v = np.array([(0, 0), (0.5, 1), (0.5, 1), (1, 0)])
    corner = np.array([(0.0, 0.0), (0, 1), (0, 1), (0.8, 1)])
    return [(v, 1 - v, corner)[draw.integers(3)]]


def peaks(draw: Draw) -> list[Points]:
    """An M, a W or an N."""
    m = np.array([(0, 1), (0.1, 0), (0.5, 0.8), (0.9, 0), (1, 1)])
    n = np.array([(0.0, 1), (0, 0), (1, 1), (1, 0)])
    return [_corners((m, 1 - m, n)[draw.integers(3)])]


# By themselves, those that no sloppy digit looks like: a hexagon is somebody's 0.
LONE_SHAPES: tuple[Shape, ...] = (
    triangle, rectangle, rainbow, star, zigzag, spiral, crossed, hash_sign,
    tick, arrow, house, face, flower, bars, cup, wedge, peaks,
)  # fmt: skip
SHAPES: tuple[Shape, ...] = (
    *LONE_SHAPES, ring, ring, ring, arc, arc, rectangle, triangle, diamond, many_sided,
)  # fmt: skip
