"""The picture's own edges are found on its canvas, and flat paper is not taken for a band."""

import numpy as np
import pytest
import tensorflow as tf

from deepmnist import canvas
from deepmnist.export.graph import bands


def edges_of(picture: np.ndarray) -> np.ndarray:
    return bands.edges(tf.constant(canvas.of(picture), tf.float32)).numpy() * canvas.SIDE


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(180, 200, (height, width), np.uint8)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("width", [31, 64, 119])
def test_a_narrow_photo_s_edges_are_its_own(width: int, turned: bool) -> None:
    picture = photo(128, width)
    expected = [[128 - width, 128 + width], [0, 256]]
    if turned:
        picture, expected = picture.T, expected[::-1]
    np.testing.assert_allclose(edges_of(picture), expected, atol=1)


def test_a_square_photo_s_edges_are_the_canvas_s() -> None:
    np.testing.assert_array_equal(edges_of(photo(64, 64)), [[0, 256], [0, 256]])


def test_flat_paper_around_a_drawn_digit_is_no_band() -> None:
    drawn = np.zeros((28, 28), np.uint8)
    drawn[4:24, 10:18] = 255
    np.testing.assert_array_equal(edges_of(drawn), [[0, 256], [0, 256]])


def test_a_blank_canvas_has_no_bands() -> None:
    np.testing.assert_array_equal(edges_of(np.full((40, 20), 7, np.uint8)), [[0, 256], [0, 256]])


def test_the_strip_lies_along_the_picture_s_edges() -> None:
    edges = bands.edges(tf.constant(canvas.of(photo(128, 64)), tf.float32))
    strip = bands.strip(edges, 64, 1 / 8, 1).numpy()
    inside = np.argwhere(strip == 0)
    np.testing.assert_array_equal(inside.min(axis=0), [8, 20])
    np.testing.assert_array_equal(inside.max(axis=0), [55, 43])
