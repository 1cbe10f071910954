"""Nothing is resized unless it was asked for; what is resized keeps its levels."""

from __future__ import annotations

import numpy as np
import pytest

from deepmnist.data.resizing import picture_to_side, to_side
from deepmnist.errors import DataError


@pytest.mark.parametrize("resize", [True, False])
def test_images_of_the_right_size_are_the_same_object(tiny, resize) -> None:
    assert to_side(tiny.images, "x", resize=resize) is tiny.images


def test_images_are_shrunk_by_area() -> None:
    image = np.zeros((1, 56, 56), np.uint8)
    image[0, ::2] = 200
    assert (to_side(image, "x", resize=True) == 100).all()


def test_images_are_enlarged_without_ringing() -> None:
    image = np.zeros((1, 8, 8), np.uint8)
    image[0, 2:6, 2:6] = 255
    enlarged = to_side(image, "x", resize=True)[0]
    assert (enlarged[13:15, 13:15] == 255).all()
    assert not enlarged[:3].any()


def test_images_stay_as_they_are_without_resize() -> None:
    assert to_side(np.zeros((1, 8, 8), np.uint8), "x", resize=False).shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (
            (5_478_275, 1, 1),
            "x holds 5,478,275 images of 1x1 pixels; at most 5,478,274 are resized",
        ),
        ((1, 1, 32_768), "x holds images of 1x32768 pixels; sides of at most 32,767 are resized"),
    ],
)
def test_more_or_larger_images_than_are_resized_are_refused_by_name(shape, told: str) -> None:
    images = np.broadcast_to(np.uint8(0), shape)  # takes no memory
    with pytest.raises(DataError, match=f"^{told}"):
        to_side(images, "x", resize=True)


def test_a_picture_of_the_right_size_is_taken_as_it_is(tiny) -> None:
    picture = tiny.images[0]
    assert picture_to_side(picture, "x", resize=True) is picture


def test_a_picture_of_another_size_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"a.png is 30x40 pixels, not 28x28; pass --resize"):
        picture_to_side(np.zeros((30, 40), np.uint8), "a.png", resize=False)


def test_a_picture_of_another_size_is_prepared_on_request() -> None:
    picture = np.full((100, 80), 255, np.uint8)
    picture[20:80, 38:44] = 0  # a dark stroke on white paper
    image = picture_to_side(picture, "a.png", resize=True)
    assert image.shape == (28, 28)
    assert image[0, 0] == 0
    assert image[14, 14] > 200
