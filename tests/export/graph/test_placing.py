"""The last step: 20 pixels, centre of mass, strokes an eighth thick, at any size and place."""

import numpy as np
import pytest
import tensorflow as tf

from deepmnist import images
from deepmnist.export.graph import placing, strokes


def placed(mask: np.ndarray) -> np.ndarray:
    given = tf.constant(mask, tf.float32)
    return placing.image(given, given, strokes.width(given)).numpy()


@pytest.mark.parametrize("box", [(3, 125, 50, 70), (10, 50, 4, 120), (60, 100, 70, 110)])
def test_any_box_comes_to_twenty_pixels_and_its_centre(box: tuple[int, int, int, int]) -> None:
    mask = np.zeros((128, 128), np.float32)
    mask[box[0] : box[1], box[2] : box[3]] = 1
    image = placed(mask).astype(np.uint8)
    assert images.meets_contract(image)
    expected = images.of_strokes(mask, mask > 0)
    assert np.abs(image - expected.astype(float)).mean() / 255 < 0.01


def test_thin_strokes_become_an_eighth_of_the_longest_side() -> None:
    mask = np.zeros((128, 128), np.float32)
    mask[20:110, 60:62] = 1
    image = placed(mask)
    assert 2 <= (image[14] > 127).sum() <= 3


def test_nothing_gives_zeros() -> None:
    assert not placed(np.zeros((128, 128), np.float32)).any()
