"""A line cut into digits: what the net sees of a piece, and which way through a line is taken."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deepmnist import expectation, ink, segmentation
from deepmnist.expectation import Walk
from deepmnist.layout import Piece
from deepmnist.segmentation import Candidate
from tests.likeliest import best


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


@pytest.mark.parametrize(
    "texts", [["luhn"], ["luhn", "mod97"], [r"[1-3]\d+", "luhn"], ["isbn10"], ["5"]]
)
@pytest.mark.parametrize("seed", range(5))
def test_digits_that_stand_apart_are_read_as_the_best_string_that_fits(
    texts: list[str], seed: int
) -> None:
    expected = expectation.parse(texts)
    rows = np.random.default_rng(seed).dirichlet(np.full(10, 0.5), 10)
    rows = (rows + 0.01) / 1.1
    piece = Piece(0, 0, np.ones((20, 14), np.bool_))
    seen = np.zeros((28, 28), np.uint8)
    known = {(n, n + 1): Candidate(piece, seen, row, 1.0) for n, row in enumerate(rows)}
    parts = [segmentation._Part(piece)] * 10
    found = segmentation._cheapest(parts, known, 20.0, Walk(expected, 10))
    fitting = best(rows, expected)
    text = None if found is None else "".join(str(each.digit) for each in found)
    assert text == (fitting and fitting[0])
