"""The canvas: 256 x 256, proportions kept, in the middle, paper going on beside it."""

import numpy as np
import pytest

from deepmnist import canvas
from deepmnist.errors import PictureError


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (300, 7), (28, 28), (256, 256), (900, 1200)])
def test_every_size_becomes_a_canvas(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = canvas.of(picture)
    assert made.shape == (256, 256)
    assert made.dtype == np.uint8
    assert made.flags.c_contiguous


def test_a_picture_of_that_size_is_its_own_canvas() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    np.testing.assert_array_equal(canvas.of(picture), picture)


def test_proportions_are_kept_and_the_picture_lies_in_the_middle() -> None:
    picture = np.full((40, 20), 200, np.uint8)
    picture[10:30, 5:15] = 0
    rows, columns = np.nonzero(canvas.of(picture) < 100)
    assert (rows.min(), rows.max()) == (64, 191)
    assert (columns.min(), columns.max()) == (96, 159)


@pytest.mark.parametrize("turned", [False, True])
def test_each_band_goes_on_with_the_level_beside_it(turned: bool) -> None:
    picture = np.full((80, 40), 200, np.uint8)
    picture[:, 20:] = 120  # in shade
    picture[30:50, 18:22] = 0
    made = canvas.of(picture.T if turned else picture)
    made = made.T if turned else made
    assert (made[:, :64] == 200).all()
    assert (made[:, 192:] == 120).all()


def test_what_is_no_grey_picture_is_refused() -> None:
    with pytest.raises(PictureError, match="no grey picture; prepare takes uint8"):
        canvas.of(np.zeros((3, 3, 3), np.uint8))
