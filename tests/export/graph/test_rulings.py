"""Rulings in the graph: lines across, boxes and their tilt are gone; bars of digits are not."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from deepmnist.export.graph import rulings

SIDE, WIDTH = 64, 3
WHOLE = tf.constant([[0.0, 1.0], [0.0, 1.0]])
DIGIT = np.zeros((SIDE, SIDE), np.uint8)
cv2.ellipse(DIGIT, (32, 32), (10, 18), 0, 0, 360, 1, WIDTH)


def gone(mask: np.ndarray, width: float = WIDTH) -> np.ndarray:
    given = tf.constant(mask, tf.float32)
    return rulings.gone(given, tf.constant(float(width)), WHOLE).numpy() > 0


def with_line(start: tuple[int, int], stop: tuple[int, int], thickness: int = 2) -> np.ndarray:
    mask = DIGIT.copy()
    cv2.line(mask, start, stop, 1, thickness)
    return mask


@pytest.mark.parametrize("tilt", [-7, -3, 0, 4, 8])
@pytest.mark.parametrize("turned", [False, True])
def test_a_line_from_border_to_border_is_gone_and_the_digit_is_not(tilt: int, turned: bool) -> None:
    mask = with_line((0, 58 - tilt // 2), (63, 58 - tilt // 2 + tilt))
    mask, digit = (mask.T, DIGIT.T) if turned else (mask, DIGIT)
    left = (mask > 0) & ~gone(mask)
    assert left[digit > 0].mean() > 0.9
    assert left[digit == 0].sum() <= 0.1 * (mask > 0)[digit == 0].sum()


def test_strokes_that_cross_a_line_stay_whole() -> None:
    mask = with_line((0, 32), (63, 32))
    left = (mask > 0) & ~gone(mask)
    assert cv2.connectedComponents(left.astype(np.uint8), connectivity=8)[0] == 2


def test_a_box_is_gone() -> None:
    mask = DIGIT.copy()
    cv2.rectangle(mask, (4, 5), (59, 58), 1, 2)
    left = (mask > 0) & ~gone(mask)
    assert left[DIGIT == 0].sum() <= 0.1 * (mask > 0)[DIGIT == 0].sum()
    assert left[DIGIT > 0].all()


def test_the_bar_of_a_seven_stays_though_it_runs_from_border_to_border() -> None:
    seven = np.zeros((SIDE, SIDE), np.uint8)
    cv2.line(seven, (0, 8), (63, 8), 1, 4)
    cv2.line(seven, (61, 8), (36, 63), 1, 4)
    assert not (gone(seven, 4) & (seven > 0)).any()


def test_a_line_that_stops_in_mid_paper_stays() -> None:
    mask = with_line((0, 40), (48, 40))
    assert not gone(mask).any()


def test_lines_alone_are_writing() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, 30:33] = 1
    assert not gone(mask).any()
