"""Rulings taken out, writing left and mended."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from deepmnist import rulings
from deepmnist.ink import Ink

Mask = NDArray[np.bool_]
SIDE = 120
LEAST = 70.0


def inked(draw) -> Ink:
    picture = np.zeros((SIDE, SIDE), np.uint8)
    draw(picture)
    return Ink((picture / 255).astype(np.float32), picture > 127, 4.0)


def zero(picture) -> None:
    cv2.ellipse(picture, (60, 60), (18, 30), 0, 0, 360, 255, 5)


def cleaned(*draws) -> Mask:
    def draw(picture) -> None:
        for each in draws:
            each(picture)

    return rulings.removed(inked(draw), LEAST).strokes


def off(a: Mask, b: Mask) -> float:
    """Pixels that differ, as a share of those of b."""
    return float((a ^ b).sum() / b.sum())


@pytest.mark.parametrize("tilt", [-5, 0, 5])
@pytest.mark.parametrize("row", [40, 60, 88])
def test_a_rule_across_is_removed_and_the_strokes_it_crosses_are_mended(
    tilt: int, row: int
) -> None:
    def rule(picture) -> None:
        cv2.line(picture, (0, row - tilt), (SIDE - 1, row + tilt), 255, 2)

    assert off(cleaned(zero, rule), inked(zero).strokes) < 0.15


@pytest.mark.parametrize("inset", [0, 8, 16])
def test_a_box_is_removed(inset: int) -> None:
    def box(picture) -> None:
        cv2.rectangle(picture, (inset, inset), (SIDE - 1 - inset, SIDE - 1 - inset), 255, 3)

    np.testing.assert_array_equal(cleaned(zero, box), inked(zero).strokes)


def one(picture) -> None:
    cv2.line(picture, (60, 5), (60, 114), 255, 5)


def seven(picture) -> None:
    cv2.polylines(picture, [np.array([(5, 8), (112, 8), (40, 114)])], False, 255, 6)


def one_with_a_base(picture) -> None:
    cv2.polylines(picture, [np.array([(40, 40), (60, 15), (60, 105)])], False, 255, 5)
    cv2.line(picture, (20, 105), (100, 105), 255, 5)


@pytest.mark.parametrize("digit", [one, seven, one_with_a_base])
def test_long_straight_strokes_of_a_digit_are_kept(digit) -> None:
    np.testing.assert_array_equal(cleaned(digit), inked(digit).strokes)


def test_rulings_and_nothing_else_are_left_alone() -> None:
    def rule(picture) -> None:
        cv2.line(picture, (0, 60), (SIDE - 1, 60), 255, 2)

    assert cleaned(rule).any()


@settings(deadline=None)
@given(arrays.arrays(np.bool_, (30, 40)))
def test_no_stroke_appears_where_there_was_none(strokes: Mask) -> None:
    before = Ink(strokes.astype(np.float32), strokes, 2.0)
    after = rulings.removed(before, 12)
    assert not (after.strokes & ~strokes).any()
    assert after.levels.shape == strokes.shape
