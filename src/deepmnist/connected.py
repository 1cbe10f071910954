"""Connected strokes of a mask, and the box around each.

OpenCV labels them; the boxes are taken from runs of ink, row by row, which is several times faster
than OpenCV's own statistics where ink is rare. This module knows nothing of ink and digits.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LEFT, TOP, WIDTH, HEIGHT, AREA = range(5)  # columns of boxes


def components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Labels int32 (height, width), 0 for no ink, and boxes int64 (labels, 5): see LEFT to AREA.

    Pixels that touch at a corner are connected. Row 0, of no ink, is all zeros.
    """
    count, labels = cv2.connectedComponents(_bytes(mask), connectivity=8)
    rows, starts, stops = _runs(mask)
    own = labels[rows, starts]
    boxes = np.zeros((count, 5), np.int64)
    boxes[1:, LEFT] = mask.shape[1]
    np.minimum.at(boxes[:, LEFT], own, starts)
    np.maximum.at(boxes[:, WIDTH], own, stops)
    boxes[own[::-1], TOP] = rows[::-1]  # of several runs the last one written stays: the highest
    boxes[own, HEIGHT] = rows + 1
    boxes[:, WIDTH] -= boxes[:, LEFT]
    boxes[:, HEIGHT] -= boxes[:, TOP]
    boxes[:, AREA] = np.bincount(own, stops - starts, minlength=count)
    return labels, boxes


def _runs(
    mask: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Row, first column and the column after the last of each run of ink, row by row."""
    height, width = mask.shape
    edges = np.zeros((height, width + 1), np.bool_)  # between a pixel and the one on its left
    edges[:, 0], edges[:, -1] = mask[:, 0], mask[:, -1]
    np.not_equal(mask[:, 1:], mask[:, :-1], out=edges[:, 1:-1])
    rows, columns = np.divmod(np.flatnonzero(edges), width + 1)
    return rows[::2], columns[::2], columns[1::2]


def _bytes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(mask).view(np.uint8)
