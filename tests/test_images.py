"""The input contract, held on digits drawn by code."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from deepmnist import images
from deepmnist.errors import PictureError

Grey = NDArray[np.uint8]

# Strokes in a box of 1 x 1, x to the right and y down.
SEVEN = [[(0.05, 0.0), (0.65, 0.0), (0.25, 1.0)]]
FOUR = [[(0.45, 0.0), (0.0, 0.65), (0.75, 0.65)], [(0.55, 0.3), (0.55, 1.0)]]
FIVE = [[(0.6, 0), (0.1, 0), (0.1, 0.45), (0.45, 0.4), (0.62, 0.7), (0.4, 1.0), (0.0, 0.9)]]
DIGITS = {"seven": SEVEN, "four": FOUR, "five": FIVE}


def drawn(
    strokes: list = FIVE,
    side: int = 200,  # pixels
    size: float = 0.5,  # of the digit, as a share of the side
    at: tuple[float, float] = (0.3, 0.25),  # its left upper corner, as shares of the side
    width: float = 0.08,  # of the strokes, as a share of the digit's size
    paper: int = 230,
    ink: int = 40,
) -> Grey:
    picture = np.full((side, side), paper, np.uint8)
    for stroke in strokes:
        points = (np.array(stroke) * size + at) * side * 16
        thickness = max(1, round(width * size * side))
        lines = [points.round().astype(np.int32)]
        cv2.polylines(picture, lines, False, ink, thickness, cv2.LINE_AA, shift=4)
    return picture


def difference(a: Grey, b: Grey) -> float:
    """Mean absolute difference as a share of the mean ink: 2 for digits that do not overlap."""
    return float(np.abs(a.astype(float) - b).sum() / (a.sum(dtype=float) + b.sum()) * 2)


@pytest.mark.parametrize("name", DIGITS)
def test_an_image_meets_its_own_contract(name: str) -> None:
    image = images.prepare(drawn(DIGITS[name]))
    assert image.dtype == np.uint8
    assert image.max() == 255
    assert images.meets_contract(image)


@pytest.mark.parametrize("name", DIGITS)
def test_the_digit_is_the_one_drawn(name: str) -> None:
    image = images.prepare(drawn(DIGITS[name]))
    direct = drawn(
        DIGITS[name], side=28, size=18 / 28, at=(5 / 28, 5 / 28), width=0.12, paper=0, ink=255
    )
    assert difference(image, images.prepare(direct)) < 0.4
    others = [images.prepare(drawn(DIGITS[other])) for other in DIGITS if other != name]
    assert min(difference(image, other) for other in others) > 0.6


@settings(deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 64), st.integers(1, 64))))
def test_any_array_of_bytes_becomes_an_image(picture: Grey) -> None:
    before = picture.copy()
    image = images.prepare(picture)
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    assert image.max() in (0, 255) or images.meets_contract(image)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3000, 2), (1, 2), (64, 1)])
def test_any_shape_becomes_an_image(shape: tuple[int, int]) -> None:
    picture = np.full(shape, 255, np.uint8)
    picture[: shape[0] // 2 + 1, : shape[1] // 3 + 1] = 0
    assert images.prepare(picture).shape == (28, 28)


# ---- what already is an image -------------------------------------------------------------------


@pytest.mark.parametrize("name", DIGITS)
def test_an_image_is_passed_through_untouched(name: str) -> None:
    image = images.prepare(drawn(DIGITS[name]))
    np.testing.assert_array_equal(images.prepare(image), image)


@pytest.mark.parametrize("name", DIGITS)
def test_an_inverted_image_is_only_inverted(name: str) -> None:
    image = images.prepare(drawn(DIGITS[name]))
    np.testing.assert_array_equal(images.prepare(255 - image), image)


@pytest.mark.parametrize("name", DIGITS)
def test_an_image_of_softer_strokes_is_passed_through_in_either_polarity(name: str) -> None:
    image = images.prepare(drawn(DIGITS[name]))
    soft = np.minimum(image, 200)  # prepare would stretch these levels
    soft.flat[image.argmax()] = 255
    assert images.meets_contract(soft)
    np.testing.assert_array_equal(images.prepare(soft), soft)
    np.testing.assert_array_equal(images.prepare(255 - soft), soft)


def test_what_is_passed_through_is_a_copy() -> None:
    image = images.prepare(drawn())
    images.prepare(image)[:] = 1
    assert image.max() == 255


@pytest.mark.parametrize(
    "change",
    [
        lambda image: np.roll(image, 1, axis=1),
        lambda image: np.roll(image, -1, axis=0),
        lambda image: image // 2,
        lambda image: np.pad(image, 1),
        lambda image: np.maximum(image, 3),
        lambda image: np.pad(cv2.resize(image, (22, 22), interpolation=cv2.INTER_AREA), 3),
    ],
    ids=["one column off", "one row off", "faint", "30 x 30", "grey paper", "small"],
)
def test_what_breaks_the_contract_is_no_image(change) -> None:
    image = images.prepare(drawn())
    assert images.meets_contract(image)
    assert not images.meets_contract(change(image).astype(np.uint8))


# ---- paper, place, size, level ------------------------------------------------------------------


@pytest.mark.parametrize("at", [(0.02, 0.02), (0.45, 0.02), (0.6, 0.48), (0.03, 0.47)])
@pytest.mark.parametrize("name", DIGITS)
def test_the_place_of_a_digit_does_not_matter(name: str, at: tuple[float, float]) -> None:
    reference = images.prepare(drawn(DIGITS[name]))
    assert difference(reference, images.prepare(drawn(DIGITS[name], at=at))) < 0.12


@pytest.mark.parametrize(("side", "size"), [(60, 0.7), (100, 0.5), (400, 0.3), (2000, 0.5)])
@pytest.mark.parametrize("name", DIGITS)
def test_the_size_of_a_digit_does_not_matter(name: str, side: int, size: float) -> None:
    reference = images.prepare(drawn(DIGITS[name], width=0.12))
    other = images.prepare(drawn(DIGITS[name], side=side, size=size, width=0.12, at=(0.15, 0.15)))
    assert difference(reference, other) < 0.25


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (250, 215), (120, 60), (90, 200)])
def test_the_levels_of_ink_and_paper_do_not_matter(paper: int, ink: int) -> None:
    image = images.prepare(drawn(paper=paper, ink=ink))
    assert difference(images.prepare(drawn()), image) < 0.05


def test_a_hairline_becomes_a_full_stroke() -> None:
    image = images.prepare(drawn(side=400, size=0.8, at=(0.1, 0.1), width=0.005))
    full = images.prepare(drawn(side=400, size=0.8, at=(0.1, 0.1), width=0.12))
    assert (image > 200).sum() > 0.6 * (full > 200).sum()


def test_uneven_light_is_not_taken_for_ink() -> None:
    light = np.linspace(0.45, 1.0, 200)[:, np.newaxis] * np.linspace(0.8, 1.0, 200)
    picture = (drawn(ink=20) * light).round().astype(np.uint8)
    assert difference(images.prepare(drawn(ink=20)), images.prepare(picture)) < 0.2


def test_grain_of_the_paper_does_not_reach_the_image() -> None:
    noise = np.random.default_rng(1).normal(0, 6, (200, 200))
    picture = np.clip(drawn() + noise, 0, 255).astype(np.uint8)
    assert difference(images.prepare(drawn()), images.prepare(picture)) < 0.15


def test_specks_are_dropped() -> None:
    picture = drawn()
    for row, column in ((40, 180), (150, 40), (180, 170)):
        picture[row : row + 5, column : column + 5] = 40
    assert difference(images.prepare(drawn()), images.prepare(picture)) < 0.02


def test_a_second_stroke_of_the_digit_is_kept() -> None:
    apart = [FIVE[0][1:], [(0.2, -0.12), (0.6, -0.12)]]
    assert difference(images.prepare(drawn(apart)), images.prepare(drawn(apart[:1]))) > 0.3


@pytest.mark.parametrize("inset", [0, 14])
def test_a_box_around_the_digit_is_dropped(inset: int) -> None:
    picture = drawn()
    cv2.rectangle(picture, (inset, inset), (199 - inset, 199 - inset), 30, 3)
    assert difference(images.prepare(drawn()), images.prepare(picture)) < 0.1


def test_a_rule_through_the_digit_is_dropped_and_the_digit_mended() -> None:
    picture = drawn(width=0.1)
    cv2.line(picture, (0, 88), (199, 92), 40, 2, cv2.LINE_AA)
    assert difference(images.prepare(drawn(width=0.1)), images.prepare(picture)) < 0.2


def test_the_edge_of_a_hard_shadow_is_not_taken_for_ink() -> None:
    shade = np.where(np.add.outer(np.arange(200), np.arange(200)) > 190, 0.5, 1.0)
    picture = (drawn(ink=20) * shade).round().astype(np.uint8)
    assert difference(images.prepare(drawn(ink=20)), images.prepare(picture)) < 0.3


def test_a_dark_desk_beside_the_paper_is_not_the_paper() -> None:
    picture = drawn()
    picture[:, :22] = picture[:18] = 45
    picture[40:160, 50:160] = drawn()[40:160, 50:160]
    assert difference(images.prepare(drawn()), images.prepare(picture)) < 0.3


@pytest.mark.parametrize("sides", ["left", "left and lower", "all"])
def test_a_frame_along_the_border_is_dropped(sides: str) -> None:
    picture = drawn()
    picture[:, 2:9] = 30
    if sides != "left":
        picture[-8:-2, :] = 30
    if sides == "all":
        picture[2:9, :] = 30
        picture[:, -9:-3] = 30
    assert difference(images.prepare(drawn()), images.prepare(picture)) < 0.1


def test_a_digit_cropped_to_its_own_edges_is_kept() -> None:
    bar = np.full((60, 20), 255, np.uint8)
    bar[:, 6:14] = 0
    rows, columns = np.nonzero(images.prepare(bar) > 127)
    assert np.ptp(rows) > 15
    assert np.ptp(columns) < 8


# ---- nothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1, 128, 255])
@pytest.mark.parametrize("side", [1, 28, 300])
def test_one_level_gives_zeros(level: int, side: int) -> None:
    assert not images.prepare(np.full((side, side), level, np.uint8)).any()


@pytest.mark.parametrize("side", [28, 100, 700])
@pytest.mark.parametrize("deviation", [2, 8, 25])
def test_noise_gives_zeros(side: int, deviation: float) -> None:
    noise = np.random.default_rng(0).normal(180, deviation, (side, side))
    assert not images.prepare(np.clip(noise, 0, 255).astype(np.uint8)).any()


def test_ink_fainter_than_paper_grain_gives_zeros() -> None:
    assert not images.prepare(drawn(paper=230, ink=222)).any()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((28, 28), np.float32),
        np.zeros((28, 28, 3), np.uint8),
        np.zeros((0, 28), np.uint8),
        np.zeros(784, np.uint8),
    ],
)
def test_what_is_no_grey_picture_is_refused(array) -> None:
    with pytest.raises(PictureError, match=r"is no grey picture; prepare takes uint8 \(height, w"):
        images.prepare(array)
