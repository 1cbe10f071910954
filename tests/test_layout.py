"""Pieces, tilt and lines."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deepmnist import ink, layout
from deepmnist.errors import PictureError
from deepmnist.ink import Ink
from deepmnist.layout import Piece


def block(left: int, top: int, width: int = 20, height: int = 40) -> Piece:
    return Piece(top, left, np.ones((height, width), np.bool_))


def inked(*pieces: Piece, shape: tuple[int, int] = (300, 400), width: float = 20) -> Ink:
    strokes = np.zeros(shape, np.bool_)
    for piece in pieces:
        strokes[piece.top : piece.bottom, piece.left : piece.right] |= piece.mask
    return Ink(strokes.astype(np.float32), strokes, width)


def test_pieces_are_joined_in_one_box() -> None:
    both = layout.joined([block(0, 0), block(30, 10)])
    assert (both.top, both.left, both.bottom, both.right) == (0, 0, 50, 50)
    assert both.mask.sum() == 2 * 20 * 40


def test_specks_and_page_edges_are_no_pieces() -> None:
    ink = inked(block(100, 100), block(150, 100), block(200, 120, 5, 5), block(0, 0, 30, 300))
    assert [piece.left for piece in layout.pieces(ink)] == [100, 150]


def test_a_digit_s_height_overlooks_boxes_around_digits() -> None:
    digits = [block(100 + 80 * number, 100) for number in range(3)]
    frames = []
    for digit in digits:
        frame = np.ones((90, 70), np.bool_)
        frame[3:-3, 3:-3] = False
        frames.append(Piece(digit.top - 25, digit.left - 25, frame))
    assert layout.digit_height(inked(*digits, *frames)) == 40


@pytest.mark.parametrize("degrees", [-40, -10, 10, 40])
def test_the_tilt_of_a_line_is_measured(degrees: int) -> None:
    slope = np.tan(np.radians(degrees))
    line = [block(50 * n, round(400 + 50 * n * slope)) for n in range(6)]
    assert layout.tilt(line, 40) == pytest.approx(degrees, abs=1)


def test_a_level_line_and_a_heap_have_no_tilt() -> None:
    assert layout.tilt([block(50 * n, 100 + n % 2) for n in range(6)], 40) == 0
    heap = np.random.default_rng(0).integers(0, 300, (12, 2))
    assert layout.tilt([block(int(x), int(y)) for x, y in heap], 40) == 0


def test_lines_are_parted_and_small_strokes_join_theirs() -> None:
    upper = [block(50 * n, 100 + 3 * n) for n in range(4)]
    lower = [block(50 * n + 9, 180 + 3 * n) for n in range(3)]
    dot, lone = block(48, 95, 8, 8), block(350, 280, 8, 8)
    found = layout.lines([*upper, *lower, dot, lone], 40)
    assert [len(line) for line in found] == [5, 3]
    assert dot in found[0]


def test_strokes_that_lie_around_each_other_are_refused_in_one_line() -> None:
    picture = np.full((1600, 1600), 255, np.uint8)
    for top in range(10, 790, 12):
        corners = np.array([(40, top), (800, top + 800), (1560, top)])
        cv2.polylines(picture, [corners], isClosed=False, color=0, thickness=3)
    found = ink.find(picture, 480, 1600)
    with pytest.raises(PictureError, match=r"boxes around have [\d,]+ pixels; at most 50,000,000"):
        layout.pieces(found)
