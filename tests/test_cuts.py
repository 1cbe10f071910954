"""Cuts between touching strokes."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as arrays

from deepmnist import cuts
from deepmnist.layout import Piece

STROKE, SIZE = 4.0, 40.0


def two_rings(lean: int = 0) -> Piece:
    """Two rings that touch, the upper half shifted by `lean` pixels."""
    mask = np.zeros((44, 80), np.uint8)
    cv2.ellipse(mask, (20, 22), (15, 19), 0, 0, 360, 255, 4)
    cv2.ellipse(mask, (54, 22), (15, 19), 0, 0, 360, 255, 4)
    turn = np.array([[1, -lean / 44, lean / 2], [0, 1, 0]], np.float64)
    return Piece(5, 7, cv2.warpAffine(mask, turn, (80, 44)) > 127)


def test_two_rings_that_touch_are_parted_where_they_touch() -> None:
    found = cuts.find(two_rings(), STROKE, SIZE)
    middle = min(found, key=lambda cut: abs(int(cut.columns[22]) - 37))
    assert abs(int(middle.columns[22]) - 37) <= 2
    left, right = cuts.divided(two_rings(), [middle])
    assert abs(left.mask.sum() - right.mask.sum()) < 0.1 * left.mask.sum()


def test_a_cut_leans_with_slanted_strokes() -> None:
    mask = np.zeros((44, 60), np.uint8)
    for left in (18, 32):
        cv2.line(mask, (left + 12, 2), (left - 12, 41), 255, 4)
    cv2.line(mask, (20, 22), (30, 22), 255, 3)
    found = cuts.find(Piece(0, 0, mask > 0), STROKE, SIZE)
    assert any(cut.columns[4] - cut.columns[-5] > 4 and cut.ink < 12 for cut in found)


@given(arrays.arrays(np.bool_, (12, 40)))
def test_no_ink_is_lost_or_doubled(mask) -> None:
    if not mask.any():
        return
    piece = Piece(3, 4, mask)
    parts = cuts.divided(piece, cuts.find(piece, 3.0, 12.0))
    total = np.zeros((30, 60), int)
    for part in parts:
        rows = slice(part.top, part.bottom)
        total[rows, part.left : part.right] += part.mask
    np.testing.assert_array_equal(total[3:15, 4:44], mask)
