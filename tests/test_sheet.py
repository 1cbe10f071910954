"""sheet.py: the way from what is read back to the picture as given."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deepmnist import layout
from deepmnist.sheet import box_around, box_of, covered, sheet_of
from tests.writing import page


@pytest.mark.parametrize("degrees", [0, 20])
def test_a_piece_s_box_covers_it_however_the_lines_were_turned(degrees: int) -> None:
    picture = np.pad(page("2468"), ((150, 150), (60, 60)), constant_values=220)
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    picture = cv2.warpAffine(picture, turn, (width, height), borderValue=220)
    sheet = sheet_of(picture)
    pieces = layout.pieces(sheet.ink)
    assert len(pieces) >= 4
    for piece in pieces:
        area = covered(box_of(piece, sheet, picture.shape), sheet)
        place = np.s_[piece.top : piece.bottom, piece.left : piece.right]
        assert area[place][piece.mask].all()


def test_a_box_lies_in_the_picture_and_holds_a_pixel() -> None:
    assert box_around(np.array([(-3.0, 2.2), (40.0, 2.3)]), (10, 20)) == (0, 2, 20, 3)
    assert box_around(np.array([(25.0, 12.0)]), (10, 20)) == (19, 9, 20, 10)
