"""A grid of cells, such as a sudoku, read from a photo: its frame, its cells, what is in each.

The frame is the largest thing with four corners. Seen from the side it is made square again; a cell
is then where it must be, and what its own lines leave in its middle is its digit. This module knows
no files; the digits are judged as reader.py judges them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import images, ink, reader, rejection, rulings, sheet
from deepmnist.connected import AREA, components
from deepmnist.errors import ConfigError, PictureError
from deepmnist.prediction import Predictor

MOST_CELLS = 500
CELL = 72  # pixels of a cell, once the frame is square
TURNED = 32_000  # pixels: OpenCV before 5 turns no picture with a side of 32,767
OVERLAP = 0.08  # of a cell, that it is cut wider: paper bends
LEAST_FRAME = 0.04  # of the picture: a frame is no smaller
STRAIGHT = 0.75  # of the area of its four corners: what covers less is no frame
RULING = 0.55  # of a cell: straight lines so long are its own
LEAST_DIGIT = 0.3  # of a cell's height
MIDDLE = 0.2  # of a cell, on each side: the rest is its middle, where a digit's strokes lie
LEAST_IN_MIDDLE = 0.3  # of a stroke's pixels: with fewer in the middle it is a line or a neighbour
BORDER = 0.12  # of a cell, on each side: its own lines lie there

EMPTY = "."  # an empty cell in a line's text

Corners = NDArray[np.float32]  # (4, 2), column and row: top left, top right, bottom right and left


def read_grid(
    picture: NDArray[np.uint8],
    predictor: Predictor,
    rows: int,
    columns: int,
    coverage: float | None = None,
) -> reader.Page:
    """The cells of a grid, row by row; an empty one has the label ''.

    PictureError where no frame is found, ConfigError where rows times columns are not 1 to 500.
    """
    if rows < 1 or columns < 1 or rows * columns > MOST_CELLS:
        raise ConfigError(
            f"a grid of {rows} x {columns} cells; give at least 1 x 1 and at most {MOST_CELLS} "
            "cells in all, such as 9x9"
        )
    images.check(picture)
    corners = frame(picture)
    square = _squared(picture, corners, rows, columns)
    found = ink.find(square, 1, max(square.shape))
    cells = [_cell(found, row, column) for row in range(rows) for column in range(columns)]
    seen = np.stack([images.of_strokes(*cell) for cell in cells])
    scores = rejection.scores(predictor, seen)
    judge = reader.Judge(predictor.class_names, rejection.threshold(predictor, coverage))
    boxes = _boxes(corners, rows, columns, picture.shape)
    digits = [
        judge.digit(box, image, each, float(single)) if image.any() else _empty(box, each)
        for box, image, each, single in zip(
            boxes, seen, scores.probabilities, scores.single, strict=True
        )
    ]
    return reader.Page(
        tuple(
            reader.line_of(digits[start : start + columns], EMPTY)
            for start in range(0, len(digits), columns)
        )
    )


# ---- the frame ----------------------------------------------------------------------------------


def frame(picture: NDArray[np.uint8]) -> Corners:
    """The four corners, in pixels of the picture, of the largest frame in it; or PictureError."""
    found = ink.find(picture, sheet.LEAST_SIDE, sheet.WORK_SIDE)
    strokes = cv2.dilate(found.strokes.astype(np.uint8), np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(strokes, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    frames = [corners for outline in outlines if (corners := _corners(outline)) is not None]
    areas = [cv2.contourArea(corners) for corners in frames]
    if not areas or max(areas) < LEAST_FRAME * strokes.size:
        raise PictureError(
            "no frame of a grid is found in the picture; photograph the whole grid, from above, "
            "with some paper around it"
        )
    scale = np.array(picture.shape[::-1]) / np.array(found.strokes.shape[::-1])
    return np.asarray(frames[int(np.argmax(areas))] * scale, np.float32)


def _corners(outline: NDArray[np.int32]) -> Corners | None:
    """The four corners of an outline that is nearly a quadrilateral."""
    hull = cv2.convexHull(outline)[:, 0].astype(np.float32)
    if len(hull) < 4 or cv2.contourArea(hull) < 100:
        return None
    sums, differences = hull.sum(axis=1), hull[:, 0] - hull[:, 1]
    order = [sums.argmin(), differences.argmax(), sums.argmax(), differences.argmin()]
    corners = hull[order]
    covered = cv2.contourArea(corners) / cv2.contourArea(hull)
    return corners if covered >= STRAIGHT + 0.1 and len(set(map(int, order))) == 4 else None


def _squared(
    picture: NDArray[np.uint8], corners: Corners, rows: int, columns: int
) -> NDArray[np.uint8]:
    """The frame's inside with cells of CELL pixels, and OVERLAP of a cell around it."""
    small = ink.resized(picture, min(1.0, TURNED / max(picture.shape)))
    scale = np.array(small.shape[::-1], np.float32) / np.array(picture.shape[::-1], np.float32)
    turn = cv2.getPerspectiveTransform(corners * scale, _lattice(rows, columns))
    size = _length(columns), _length(rows)
    return np.asarray(cv2.warpPerspective(small, turn, size, borderMode=cv2.BORDER_REPLICATE))


def _length(cells: int) -> int:
    return round(CELL * (cells + 2 * OVERLAP))


def _lattice(rows: int, columns: int) -> Corners:
    low = CELL * OVERLAP
    right, bottom = low + CELL * columns, low + CELL * rows
    return np.array([(low, low), (right, low), (right, bottom), (low, bottom)], np.float32)


def _boxes(corners: Corners, rows: int, columns: int, shape: tuple[int, ...]) -> list[sheet.Box]:
    """Each cell's upright box in the picture, row by row."""
    back = cv2.getPerspectiveTransform(_lattice(rows, columns), corners)
    boxes = []
    for row, column in np.ndindex(rows, columns):
        low = np.array([column, row]) * CELL + CELL * OVERLAP
        cell = low + CELL * np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
        points = cv2.perspectiveTransform(cell[np.newaxis].astype(np.float64), back)[0]
        boxes.append(sheet.box_around(points, shape))
    return boxes


# ---- cells --------------------------------------------------------------------------------------


def _cell(found: ink.Ink, row: int, column: int) -> tuple[ink.Levels, ink.Mask]:
    """Levels and strokes of the digit in a cell; no strokes where it is empty."""
    side = round(CELL * (1 + 2 * OVERLAP))
    area = np.s_[row * CELL : row * CELL + side, column * CELL : column * CELL + side]
    inside = _without_lines(ink.Ink(found.levels[area], found.strokes[area], found.width), side)
    labels, boxes = components(inside.strokes)
    middle = _inner(MIDDLE * side, side)
    in_middle = np.bincount(labels[middle].ravel(), minlength=len(boxes))
    kept = in_middle > LEAST_IN_MIDDLE * boxes[:, AREA]
    kept[0] = False  # the paper
    strokes = kept[labels]
    heights = np.flatnonzero(strokes.any(axis=1))
    if len(heights) == 0 or np.ptp(heights) < LEAST_DIGIT * CELL:
        strokes = np.zeros_like(strokes)
    return inside.levels, strokes


def _without_lines(cell: ink.Ink, side: int) -> ink.Ink:
    """A cell's ink without its lines, which lie along its border: straight strokes inside stay."""
    cleared = rulings.removed(cell, RULING * CELL)
    levels, strokes = cleared.levels.copy(), cleared.strokes.copy()
    inner = _inner(BORDER * side, side)
    levels[inner], strokes[inner] = cell.levels[inner], cell.strokes[inner]
    return ink.Ink(levels, strokes, cell.width)


def _inner(margin: float, side: int) -> tuple[slice, slice]:
    """What is left of a square without so many pixels along each side."""
    within = slice(round(margin), side - round(margin))
    return within, within


def _empty(box: sheet.Box, probabilities: NDArray[np.float32]) -> reader.Digit:
    return reader.Digit(
        box, "", 1.0, 0.0, 1.0, True, None, np.zeros((28, 28), np.uint8), 0 * probabilities
    )
