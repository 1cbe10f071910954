"""A picture as it is read: its ink without rulings, lines level, and the way back to the picture.

It knows no digits and no net; layout.py finds lines in it, reader.py reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import ink, layout, rulings

LEAST_SIDE = 480  # pixels: a picture with a shorter longest side is enlarged to it
WORK_SIDE = 1600  # pixels: one with a longer is reduced to it
RULING = 1.25  # digits' heights: straight lines so long are of a form
LEAST_RULING = 24  # pixels
PAGE_RULING = 0.4  # of the longest side: such go first, so that a digit's height can be measured

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the picture as given


@dataclass(frozen=True)
class Sheet:
    """Ink without rulings, its lines level, and the way back to the picture as given."""

    ink: ink.Ink
    to_picture: NDArray[np.float64]  # (3, 3), homogeneous, of (column, row, 1)


def sheet_of(picture: NDArray[np.uint8]) -> Sheet:
    """Of a grey picture, uint8 (height, width). PictureError for more strokes than are read."""
    found = ink.find(picture, LEAST_SIDE, WORK_SIDE)
    height, width = found.strokes.shape
    back = np.diag([picture.shape[1] / width, picture.shape[0] / height, 1.0])
    found = rulings.removed(found, PAGE_RULING * max(height, width))
    found = rulings.removed(found, max(RULING * layout.digit_height(found), LEAST_RULING))
    size = layout.digit_height(found)
    degrees = layout.tilt(layout.pieces(found), size)
    if not degrees:
        return Sheet(found, back)
    turn = _turn(degrees, found.strokes.shape)
    return Sheet(_turned(found, turn), back @ np.linalg.inv(turn))


def _turn(degrees: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The matrix that makes lines level which fall by so many degrees; all stays in sight."""
    height, width = shape
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], np.float64)
    turn = np.vstack([cv2.getRotationMatrix2D((0, 0), degrees, 1), (0, 0, 1)])
    turn[:2, 2] -= (corners @ turn[:2, :2].T).min(axis=0)
    return turn


def _turned(found: ink.Ink, turn: NDArray[np.float64]) -> ink.Ink:
    height, width = found.strokes.shape
    far = np.array([(0, 0), (width, 0), (0, height), (width, height)]) @ turn[:2, :2].T
    size = tuple(int(side) for side in np.ceil(far.max(axis=0) - far.min(axis=0)))
    levels = cv2.warpAffine(found.levels, turn[:2], size, flags=cv2.INTER_LINEAR)
    strokes = cv2.warpAffine(found.strokes.astype(np.float32), turn[:2], size) > 0.5
    return ink.Ink(levels.astype(np.float32), strokes, found.width)


def box_of(piece: layout.Piece, sheet: Sheet, shape: tuple[int, ...]) -> Box:
    """The box around a piece of the sheet, in the picture as given, which is of a shape."""
    columns, rows = (piece.left, piece.right), (piece.top, piece.bottom)
    corners = np.array([(column, row, 1) for column in columns for row in rows])
    return box_around((corners @ sheet.to_picture.T)[:, :2], shape)


def box_around(points: NDArray[np.float64], shape: tuple[int, ...]) -> Box:
    """The upright box around points (n, 2) of column and row, inside a picture of a shape."""
    low = np.clip(np.floor(points.min(axis=0)), 0, (shape[1] - 1, shape[0] - 1))
    high = np.clip(np.ceil(points.max(axis=0)), low + 1, (shape[1], shape[0]))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def covered(box: Box, sheet: Sheet) -> NDArray[np.bool_]:
    """The pixels of the sheet that a box of the picture covers."""
    left, top, right, bottom = box
    corners = np.array([(left, top, 1), (right, top, 1), (right, bottom, 1), (left, bottom, 1)])
    points = (corners @ np.linalg.inv(sheet.to_picture).T)[:, :2]
    pixels = np.zeros(sheet.ink.strokes.shape, np.uint8)
    return np.asarray(cv2.fillConvexPoly(pixels, np.rint(points).astype(np.int32), 1), np.bool_)
