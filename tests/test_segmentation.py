"""A line cut into digits: what the net sees of a piece, and which way through a line is taken."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deepmnist import ink, segmentation
from deepmnist.layout import Piece


@pytest.mark.parametrize("level", [0.7, 0.45, 0.3])
def test_a_small_piece_is_seen_alike_however_faint_it_is(level: float) -> None:
    drawn = np.zeros((40, 30), np.uint8)
    cv2.putText(drawn, "4", (3, 33), cv2.FONT_HERSHEY_SIMPLEX, 1.1, 255, 3, cv2.LINE_AA)
    levels = drawn.astype(np.float32) / 255
    piece = Piece(0, 0, levels > 0.5)

    def seen(strength: float) -> np.ndarray:
        found = ink.Ink(strength * levels, piece.mask, 3.0)
        return segmentation.image_of(piece, found).astype(int)

    assert np.abs(seen(level) - seen(1.0)).max() <= 1
