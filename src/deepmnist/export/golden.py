"""Golden pictures: digits drawn by code in various hardships, which every runtime must meet.

A function of the seed alone: no picture is stored, none is anyone's handwriting. What the one-graph
reader sees in them is held to images.prepare by tests/export/test_reading.py; where a runtime
cannot run Python, write them out as files and compare with the same bound.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import ink

Grey = NDArray[np.uint8]
Levels = NDArray[np.float64]  # ink, 0 paper .. 1 full
Draw = np.random.Generator
HEIGHT, WIDTH = 120, 100  # pixels of a picture, before it is brought to its size
FONT = cv2.FONT_HERSHEY_SIMPLEX


def pictures(seed: int = 0) -> dict[str, Grey]:
    """Grey pictures, uint8 of several sizes, by name: HARDSHIP-DIGIT, each digit in each hardship.

    `blank` is one more, with nothing in it.
    """
    found = {"blank": np.full((HEIGHT, WIDTH), 190, np.uint8)}
    for number, hardship in enumerate(HARDSHIPS):
        for digit in range(10):
            draw = np.random.default_rng([seed, number, digit])
            levels = hardship(_written(digit, draw), draw)
            grey = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
            found[f"{hardship.__name__}-{digit}"] = ink.resized(grey, draw.uniform(0.5, 3))
    return found


def _written(digit: int, draw: Draw) -> Levels:
    """Ink of a digit somewhere in the picture, its strokes of some width."""
    stroke = np.zeros((HEIGHT, WIDTH), np.uint8)
    scale, thickness = draw.uniform(1.8, 2.8), int(draw.integers(3, 10))
    width, height = cv2.getTextSize(str(digit), FONT, scale, thickness)[0]
    left, top = (draw.integers(14, side) for side in (WIDTH - width - 13, HEIGHT - height - 13))
    corner = int(left), int(top + height)
    cv2.putText(stroke, str(digit), corner, FONT, scale, 255, thickness, cv2.LINE_AA)
    return stroke / 255.0


def _on(paper: float, stroke: Levels, depth: float = 140) -> Levels:
    return paper - depth * stroke


def plain(stroke: Levels, draw: Draw) -> Levels:
    """Dark on light."""
    return _on(215, stroke)


def chalk(stroke: Levels, draw: Draw) -> Levels:
    """Light on dark, with noise."""
    return _on(60, stroke, -150) + draw.normal(0, 5, stroke.shape)


def faint(stroke: Levels, draw: Draw) -> Levels:
    """Pencil on coloured paper."""
    return _on(170, cv2.GaussianBlur(stroke, (0, 0), 1), 40) + draw.normal(0, 2, stroke.shape)


def shade(stroke: Levels, draw: Draw) -> Levels:
    """A shadow with an edge, and light that fades to one side."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    edge = draw.uniform(0.3, 0.7) * WIDTH + draw.uniform(-0.4, 0.4) * rows
    light = 1 - 0.4 / (1 + np.exp(-(columns - edge) / 3)) - 0.2 * rows / HEIGHT
    return _on(215, stroke) * light


def noise(stroke: Levels, draw: Draw) -> Levels:
    """A camera in the dark."""
    return _on(190, stroke, 110) + draw.normal(0, 12, stroke.shape)


def ruled(stroke: Levels, draw: Draw) -> Levels:
    """A rule line across the picture, below the digit."""
    rule = np.zeros((HEIGHT, WIDTH), np.uint8)
    foot = int(np.flatnonzero(stroke.max(axis=1) > 0.5)[-1])
    row = foot + int(draw.integers(4, 11))
    cv2.line(rule, (-5, row), (WIDTH + 5, row + int(draw.integers(-2, 3))), 200, 2, cv2.LINE_AA)
    return _on(215, np.maximum(stroke, rule / 255)) + draw.normal(0, 2, stroke.shape)


def boxed(stroke: Levels, draw: Draw) -> Levels:
    """A form's box around it."""
    box = np.zeros((HEIGHT, WIDTH), np.uint8)
    margin = int(draw.integers(3, 8))
    cv2.rectangle(box, (margin, margin), (WIDTH - margin, HEIGHT - margin), 255, 2, cv2.LINE_AA)
    return _on(215, np.maximum(stroke, box / 255))


def specked(stroke: Levels, draw: Draw) -> Levels:
    """Dust."""
    dust = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(6):
        place = int(draw.integers(5, WIDTH - 5)), int(draw.integers(5, HEIGHT - 5))
        cv2.circle(dust, place, 1, 255, -1)
    return _on(215, np.maximum(stroke, dust / 255))


def neighboured(stroke: Levels, draw: Draw) -> Levels:
    """A piece of the digit beside it, cut off by the border."""
    other = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(other, (0, int(draw.integers(30, 90))), (6, 18), 0, 0, 360, 255, 4, cv2.LINE_AA)
    return _on(215, np.maximum(stroke, other / 255)) + draw.normal(0, 2, stroke.shape)


HARDSHIPS: tuple[Callable[[Levels, Draw], Levels], ...] = (
    plain, chalk, faint, shade, noise, ruled, boxed, specked, neighboured,
)  # fmt: skip
