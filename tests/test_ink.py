"""Ink told from paper, on digits drawn by code."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from deepmnist import images, ink

Grey = NDArray[np.uint8]
PICTURES = arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)))


def page(side: int = 120, paper: int = 220, pen: int = 5) -> Grey:
    """A 0 and a 1 in dark strokes of `pen` pixels."""
    picture = np.full((side, side), paper, np.uint8)
    cv2.ellipse(picture, (side // 3, side // 2), (side // 7, side // 4), 0, 0, 360, 40, pen)
    cv2.line(picture, (3 * side // 4, side // 4), (3 * side // 4, 3 * side // 4), 40, pen)
    return picture


# ---- polarity -----------------------------------------------------------------------------------


@settings(deadline=None)
@given(PICTURES)
@example(np.array([[48, 23]], np.uint8))  # of two middle levels, neither is the median alone
def test_both_polarities_of_anything_give_the_same_image(picture: Grey) -> None:
    if abs(ink._dark_paper_vote(picture)) > 1e-3:  # a tie has no side
        np.testing.assert_array_equal(images.prepare(picture), images.prepare(255 - picture))


@pytest.mark.parametrize("side", [28, 57, 200, 1200])
@pytest.mark.parametrize("pen", [2, 5])
def test_dark_ink_and_light_ink_are_told_apart(side: int, pen: int) -> None:
    picture = page(side, pen=max(1, pen * side // 120))
    assert not ink.paper_is_dark(picture)
    assert ink.paper_is_dark(255 - picture)


def test_a_dark_desk_around_one_corner_does_not_turn_the_polarity() -> None:
    picture = page()
    picture[:, :16] = picture[:14] = 50
    assert not ink.paper_is_dark(picture)


def test_a_thick_digit_that_fills_its_picture_is_ink() -> None:
    picture = np.full((100, 80), 230, np.uint8)
    cv2.ellipse(picture, (40, 50), (28, 38), 0, 0, 360, 30, 18)
    assert not ink.paper_is_dark(picture)


# ---- strokes ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(PICTURES, st.integers(1, 64), st.integers(64, 128))
def test_any_picture_has_ink_of_its_own_shape_between_0_and_1(
    picture: Grey, least: int, most: int
) -> None:
    found = ink.find(picture, least, most)
    assert found.levels.shape == found.strokes.shape
    assert least <= max(found.levels.shape) <= max(most, least)
    assert found.levels.dtype == np.float32
    assert found.levels.min() >= 0
    assert found.levels.max() <= 1
    assert (found.width > 0) == found.strokes.any()


@pytest.mark.parametrize("pen", [3, 5, 9])
def test_the_width_of_strokes_is_measured(pen: int) -> None:
    found = ink.find(page(pen=pen), 1, 512)
    assert abs(found.width - pen) < 1.8


def test_strokes_in_hard_shade_are_found_and_its_edge_is_not() -> None:
    plain = ink.find(page(), 1, 512)
    shaded = page().astype(float)
    shaded[:, 70:] *= 0.5
    found = ink.find(shaded.round().astype(np.uint8), 1, 512)
    assert (plain.strokes ^ found.strokes).sum() < 0.15 * plain.strokes.sum()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_one_level_has_no_strokes(level: int) -> None:
    assert not ink.find(np.full((50, 50), level, np.uint8), 1, 512).strokes.any()


def test_grain_of_the_paper_is_no_stroke_even_enlarged() -> None:
    noise = np.random.default_rng(0).normal(180, 25, (28, 28))
    found = ink.find(np.clip(noise, 0, 255).astype(np.uint8), 128, 512)
    assert not found.strokes.any()


def test_grain_of_a_large_picture_is_told_from_faint_strokes_by_a_sample_of_it() -> None:
    grain = np.random.default_rng(0).normal(0, 4, (700, 900))
    blank = ink.find(np.clip(200 + grain, 0, 255).astype(np.uint8), 1, 1024)
    assert not blank.strokes.any()
    picture = 200 + grain
    picture[300:400, 400:420] -= 40
    found = ink.find(np.clip(picture, 0, 255).astype(np.uint8), 1, 1024)
    assert found.strokes[305:395, 405:415].all()


@settings(deadline=None)
@given(arrays.arrays(np.float32, st.integers(1, 30), elements=st.floats(0, 1, width=32)))
def test_the_median_is_numpys(levels: NDArray[np.float32]) -> None:
    assert ink.median(levels) == pytest.approx(float(np.median(levels)), abs=1e-6)


def test_only_keeps_the_strokes_it_is_told_to() -> None:
    found = ink.find(page(), 1, 512)
    left = np.zeros_like(found.strokes)
    left[:, :60] = True
    assert not found.only(left).strokes[:, 60:].any()
    assert found.only(left).strokes.any()
