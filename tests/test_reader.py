"""Pages drawn by code, read from pixels to answers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from deepmnist import expectation, reader
from deepmnist.errors import ConfigError, PictureError
from deepmnist.reader import Page
from deepmnist.rejection import Scores
from tests.writing import HEIGHT, WIDTH, PlainHandPredictor, page

DIGITS = tuple("0123456789")
PREDICTOR = PlainHandPredictor()


def texts(found: Page) -> list[str]:
    return [line.text for line in found.lines]


@pytest.mark.parametrize("text", ["0123456789", "31415", "7", "111"])
@pytest.mark.parametrize("light_ink", [False, True])
def test_a_line_is_read_left_to_right_in_either_polarity(text: str, light_ink: bool) -> None:
    picture = 255 - page(text) if light_ink else page(text)
    assert texts(reader.read(picture, PREDICTOR)) == [text]


def test_lines_are_read_top_to_bottom() -> None:
    assert texts(reader.read(page("2050", "394", "8677"), PREDICTOR)) == ["2050", "394", "8677"]


def test_boxes_lie_around_the_digits_in_pixels_of_the_picture() -> None:
    picture = page("25")
    for scale in (1, 3):
        large = cv2.resize(picture, None, fx=scale, fy=scale)
        (line,) = reader.read(large, PREDICTOR).lines
        for number, digit in enumerate(line.digits):
            left, top = 60 + number * (WIDTH + 18), 60
            right, bottom = left + WIDTH, top + HEIGHT
            wanted = np.array([left, top, right, bottom]) * scale
            assert np.abs(np.array(digit.box) - wanted).max() <= 12 * scale


def test_a_page_read_in_another_size_has_its_boxes_in_pixels_of_the_picture_as_given() -> None:
    picture = page("25")
    read = reader.read(picture, PREDICTOR)
    given = (2 * picture.shape[0] + 1, 2 * picture.shape[1] - 1)
    scaled = reader.scaled(read, picture.shape, given)
    assert texts(scaled) == ["25"]
    for small, large in zip(read.lines[0].digits, scaled.lines[0].digits, strict=True):
        assert np.abs(np.array(large.box) - 2 * np.array(small.box)).max() <= 2
        assert large.box[2] <= given[1]
        assert large.box[3] <= given[0]
    assert reader.scaled(read, picture.shape, picture.shape) is read


@pytest.mark.parametrize("degrees", [-40, -15, 12, 35])
def test_a_tilted_line_is_turned_level_and_its_boxes_stay_in_the_picture(degrees: int) -> None:
    picture = np.pad(page("25836"), ((150, 150), (60, 60)), constant_values=220)
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turned = cv2.warpAffine(picture, turn, (width, height), borderValue=220)
    found = reader.read(turned, PREDICTOR)
    assert texts(found) == ["25836"]
    for digit in found.lines[0].digits:
        left, top, right, bottom = digit.box
        assert (turned[top:bottom, left:right] < 100).any()


def test_rule_lines_under_and_through_digits_are_overlooked() -> None:
    picture = page("25836", "40172")
    for row in (60 + HEIGHT // 3, 60 + HEIGHT + 4, 60 + 2 * HEIGHT + 44):
        cv2.line(picture, (0, row), (picture.shape[1] - 1, row + 3), 70, 2, cv2.LINE_AA)
    assert texts(reader.read(picture, PREDICTOR)) == ["25836", "40172"]


def test_boxes_of_a_form_are_overlooked() -> None:
    picture = page("2583", gap=40)
    for number in range(4):
        left = 60 + number * (WIDTH + 40)
        cv2.rectangle(picture, (left - 18, 40), (left + WIDTH + 18, 60 + HEIGHT + 20), 70, 2)
    assert texts(reader.read(picture, PREDICTOR)) == ["2583"]


def test_touching_digits_are_cut() -> None:
    assert texts(reader.read(page("2558", gap=2), PREDICTOR)) == ["2558"]


def test_a_broken_stroke_is_mended() -> None:
    picture = page("252")
    picture[60 + HEIGHT // 2 + 8 : 60 + HEIGHT // 2 + 12] = 220
    assert texts(reader.read(picture, PREDICTOR)) == ["252"]


def test_specks_are_no_digits() -> None:
    picture = page("252")
    for column in (30, 98, 140, 200):
        cv2.circle(picture, (column, 84), 3, 40, -1)
    assert texts(reader.read(picture, PREDICTOR)) == ["252"]


# ---- probabilities and reasons ------------------------------------------------------------------


class DoubtfulPredictor(PlainHandPredictor):
    """Takes each image for one digit with a probability of 0.9 only."""

    threshold, coverages = 0.9, ()

    def scores(self, images: NDArray[np.uint8]) -> Scores:
        return Scores(self.predict_proba(images), np.full(len(images), 0.9, np.float32))


def test_a_line_is_right_where_each_is_one_digit_and_the_one_it_is_read_as() -> None:
    (line,) = reader.read(page("258"), DoubtfulPredictor()).lines
    assert line.text == "258"
    product = np.prod([digit.probability for digit in line.digits])
    assert line.probability == pytest.approx(0.9**3 * product)


def test_clear_digits_are_accepted() -> None:
    (line,) = reader.read(page("258"), PREDICTOR).lines
    assert all(digit.accepted and digit.reason is None for digit in line.digits)
    assert all(digit.seen.shape == (28, 28) for digit in line.digits)


def test_a_digit_at_the_edge_of_the_picture_is_not_accepted_and_says_why() -> None:
    picture = page("258")[:, : 60 + 2 * (WIDTH + 18) + 14]
    last = reader.read(picture, PREDICTOR).lines[0].digits[-1]
    assert not last.accepted
    assert last.confidence < last.probability
    assert last.reason == "touches the edge of the picture"


def test_a_tiny_digit_is_not_accepted_and_says_why() -> None:
    picture = np.full((60, 200), 220, np.uint8)
    cv2.putText(picture, "5", (100, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.25, 40, 1)
    digits = [digit for line in reader.read(picture, PREDICTOR).lines for digit in line.digits]
    assert digits
    assert all((digit.reason or "").startswith("too small: ") for digit in digits)


def test_a_digit_too_small_to_tell_is_so_however_its_picture_arrives() -> None:
    arrives_whole = np.full((3200, 3200), 220, np.uint8)
    cv2.putText(arrives_whole, "5", (1600, 1600), cv2.FONT_HERSHEY_SIMPLEX, 0.55, 40, 2)
    arrives_halved = cv2.resize(arrives_whole, (1600, 1600), interpolation=cv2.INTER_AREA)
    for picture in (arrives_whole, arrives_halved):
        ((digit,),) = (line.digits for line in reader.read(picture, PREDICTOR).lines)
        assert (digit.reason or "").startswith("too small: ")


JUDGE = reader.Judge(tuple("0123456789"), 0.9)


def test_doubt_between_two_labels_is_named() -> None:
    probabilities = np.full(10, 0.01, np.float32)
    probabilities[[4, 9]] = 0.5, 0.42
    digit = JUDGE.digit((0, 0, 9, 9), np.zeros((28, 28), np.uint8), probabilities, 1.0)
    assert digit.reason == "unsure between 4 and 9"
    assert not digit.accepted


def test_a_digit_of_the_one_class_there_is_is_accepted_or_says_why_not() -> None:
    judge, sure = reader.Judge(("7",), 0.9), np.ones(1, np.float32)
    seen = np.zeros((28, 28), np.uint8)
    accepted, refused = (judge.digit((0, 0, 9, 9), seen, sure, single) for single in (1.0, 0.5))
    assert (accepted.accepted, accepted.reason) == (True, None)
    assert (refused.accepted, refused.reason) == (False, "not a digit, perhaps")


def test_no_reason_is_looked_for_where_a_digit_is_accepted(monkeypatch) -> None:
    monkeypatch.setattr(reader.rejection, "reason", lambda *given: pytest.fail("it was"))
    sure = np.eye(10, dtype=np.float32)[3]
    assert JUDGE.digit((0, 0, 9, 9), np.zeros((28, 28), np.uint8), sure, 1.0).accepted


def test_what_is_hardly_one_digit_is_not_accepted_however_clear_the_label() -> None:
    probabilities = np.zeros(10, np.float32)
    probabilities[3] = 1
    digit = JUDGE.digit((0, 0, 9, 9), np.zeros((28, 28), np.uint8), probabilities, 0.2)
    assert (digit.accepted, digit.confidence) == (False, pytest.approx(0.2))
    assert digit.reason == "not a digit, perhaps"


def test_a_picture_on_its_side_says_so() -> None:
    found = reader.read(np.rot90(page("25349")).copy(), PREDICTOR)
    assert found.note is not None
    assert "turned by 90 degrees" in found.note
    assert not any(digit.accepted for line in found.lines for digit in line.digits)


# ---- what is expected ---------------------------------------------------------------------------


def test_what_is_expected_is_read_though_another_string_is_likelier() -> None:
    expected = expectation.parse(["1[4-6]\\d"])
    (line,) = reader.read(page("183"), PREDICTOR, expected).lines
    assert line.text[0] == "1"
    assert line.text[1] in "456"
    assert line.text[2] == "3"
    assert not line.digits[1].accepted


def test_a_line_that_cannot_be_as_expected_is_read_as_it_is_and_not_accepted() -> None:
    (line,) = reader.read(page("25"), PREDICTOR, expectation.parse(["9"])).lines
    assert line.text == "25"
    assert {digit.reason for digit in line.digits} == {"does not fit what is expected: 9"}


def test_nothing_can_be_expected_of_other_classes_than_digits() -> None:
    class Letters(PlainHandPredictor):
        class_names = tuple("abcdefghij")

        def __init__(self) -> None:
            pass

    with pytest.raises(ConfigError, match="is expected of digits; this model's classes are a, b"):
        reader.read(page("25"), Letters(), expectation.parse(["5"]))


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (300, 2), (50, 50)])
@pytest.mark.parametrize("level", [0, 90, 255])
def test_an_empty_picture_has_no_lines_and_a_note(shape: tuple[int, int], level: int) -> None:
    found = reader.read(np.full(shape, level, np.uint8), PREDICTOR)
    assert found.lines == ()
    assert found.note is not None
    assert found.note.startswith("nothing found")


@pytest.mark.parametrize("seed", range(3))
def test_blots_are_no_digits_that_are_accepted(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 1, (300, 300))
    blots = np.where(cv2.GaussianBlur(noise, (0, 0), 8) > 0.06, 40, 220).astype(np.uint8)
    digits = [digit for line in reader.read(blots, PREDICTOR).lines for digit in line.digits]
    assert len(digits) > 2
    assert not any(digit.accepted for digit in digits)


def test_too_many_strokes_are_refused_in_one_line() -> None:
    picture = np.full((1200, 1200), 220, np.uint8)
    picture[10:-10:20, 10:-10] = np.tile([40] * 8 + [220] * 12, 60)[: 1200 - 20]
    picture[10:-10] = np.repeat(picture[10:-10:20], 20, axis=0)[: 1200 - 20]
    picture[::20] = picture[1::20] = picture[2::20] = picture[3::20] = 220
    with pytest.raises(PictureError, match=r"holds [\d,]+ separate strokes; at most 1,500"):
        reader.read(picture, PREDICTOR)


def test_what_is_no_grey_picture_is_refused() -> None:
    with pytest.raises(PictureError, match="is no grey picture"):
        reader.read(np.zeros((20, 20, 3), np.uint8), PREDICTOR)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 48), st.integers(1, 48))))
def test_any_picture_is_read_or_refused(picture) -> None:
    try:
        found = reader.read(picture, PREDICTOR)
    except PictureError:
        return
    for line in found.lines:
        assert line.text == "".join(digit.label for digit in line.digits)
        for left, top, right, bottom in (digit.box for digit in line.digits):
            assert 0 <= left < right <= picture.shape[1]
            assert 0 <= top < bottom <= picture.shape[0]
