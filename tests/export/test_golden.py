"""Golden pictures: every digit in every hardship, the same ones each time."""

import numpy as np

from deepmnist import images
from deepmnist.export import golden


def test_every_digit_is_there_in_every_hardship() -> None:
    names = set(golden.pictures())
    expected = {f"{each.__name__}-{digit}" for each in golden.HARDSHIPS for digit in range(10)}
    assert names == expected | {"blank"}


def test_the_seed_alone_decides() -> None:
    first, again, other = golden.pictures(1), golden.pictures(1), golden.pictures(2)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert first["plain-4"].shape != other["plain-4"].shape


def test_they_are_grey_pictures_of_many_sizes_with_a_digit_in_each() -> None:
    pictures = golden.pictures()
    assert {picture.dtype for picture in pictures.values()} == {np.dtype(np.uint8)}
    assert len({picture.shape for picture in pictures.values()}) > 40
    blank = [name for name, picture in pictures.items() if not images.prepare(picture).any()]
    assert blank == ["blank"]
