"""What is short of all is not told as all."""

import pytest

from deepmnist.rounding import percent


@pytest.mark.parametrize(
    ("right", "n", "told"),
    [
        (59_999, 60_000, "99.998%"),
        (59_998, 60_000, "99.997%"),
        (9_912, 10_000, "99.12%"),
        (10_000, 10_000, "100.00%"),
        (1, 2, "50.00%"),
        (0, 1, "0.00%"),
        (9_999_999, 10_000_000, "99.99999%"),
    ],
)
def test_one_image_of_all_makes_a_difference(right: int, n: int, told: str) -> None:
    assert percent(right / n, n) == told
