"""One affine resample: still digits, still on paper, and a function of the seed alone."""

import numpy as np
import pytest
import tensorflow as tf

from deepmnist import recipes
from deepmnist.augmentation import augment

SEED = tf.constant([7, 1])


def square(n: int = 6) -> tf.Tensor:
    images = np.zeros((n, 28, 28), np.float32)
    images[:, 10:18, 10:18] = 1.0
    return tf.constant(images)


def centre_of_mass(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.mgrid[:28, :28]
    return (rows * image).sum() / image.sum(), (columns * image).sum() / image.sum()


def test_no_range_leaves_images_as_they_are() -> None:
    config = recipes.configure("fast")
    assert not config.augments
    np.testing.assert_allclose(augment(square(), SEED, config), square(), atol=1e-6)


def test_equal_seeds_give_equal_images_and_others_do_not() -> None:
    config = recipes.configure("fast", rotation_deg=20.0, shift_px=2.0, scale=0.1, shear=0.1)
    first, again = augment(square(), SEED, config), augment(square(), SEED, config)
    other = augment(square(), tf.constant([7, 2]), config)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_each_image_of_a_batch_gets_its_own_draw() -> None:
    images = augment(square(), SEED, recipes.configure("fast", shift_px=3.0)).numpy()
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


def test_shift_moves_the_centre_by_no_more_than_asked() -> None:
    images = augment(square(64), SEED, recipes.configure("fast", shift_px=2.0)).numpy()
    centres = np.array([centre_of_mass(image) for image in images])
    distance = np.abs(centres - 13.5)
    assert distance.max() <= 2.01
    assert distance.max() > 1.0


@pytest.mark.parametrize("change", [{"rotation_deg": 30.0}, {"scale": 0.2}, {"shear": 0.3}])
def test_rotation_scale_and_shear_keep_the_centre_and_change_the_rest(change: dict) -> None:
    images = augment(square(32), SEED, recipes.configure("fast", **change)).numpy()
    centres = np.array([centre_of_mass(image) for image in images])
    np.testing.assert_allclose(centres, 13.5, atol=0.1)
    assert np.abs(images - square(32)).max() > 0.2


def test_a_digit_is_never_mirrored() -> None:
    mark = np.zeros((64, 28, 28), np.float32)
    mark[:, 6:22, 10:13] = 1.0  # a stem with its foot to the right, an L
    mark[:, 19:22, 10:20] = 1.0
    config = recipes.configure("fast", rotation_deg=15.0, scale=0.1, shear=0.1)
    images = augment(tf.constant(mark), SEED, config).numpy()
    assert (images[:, 14:, 15:].sum((1, 2)) > images[:, :14, 15:].sum((1, 2))).all()


def test_what_comes_in_from_outside_is_paper() -> None:
    config = recipes.configure("fast", shift_px=10.0)
    images = augment(tf.ones((16, 28, 28)), SEED, config).numpy()
    assert images.min() == 0.0
    assert images.max() <= 1.0 + 1e-6
