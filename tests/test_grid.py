"""Grids drawn by code, photographed from the side, read cell by cell."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deepmnist import grid, ink
from deepmnist.errors import ConfigError, PictureError
from tests.writing import HEIGHT, WIDTH, PlainHandPredictor, write

PREDICTOR = PlainHandPredictor()
CELL = 80
ROWS = ("25.8", "....", "3694")


def sheet() -> np.ndarray:
    """A grid of 3 x 4 cells with a thick frame, upright, 60 pixels of paper around it."""
    height, width = 3 * CELL, 4 * CELL
    picture = np.full((height + 120, width + 120), 220, np.uint8)
    for row in range(4):
        cv2.line(picture, (60, 60 + row * CELL), (60 + width, 60 + row * CELL), 60, 3)
    for column in range(5):
        cv2.line(picture, (60 + column * CELL, 60), (60 + column * CELL, 60 + height), 60, 3)
    for row, text in enumerate(ROWS):
        for column, mark in enumerate(text):
            if mark != ".":
                left, top = 60 + column * CELL, 60 + row * CELL
                write(picture, mark, left + (CELL - WIDTH) // 2, top + (CELL - HEIGHT) // 2)
    return picture


def slanted(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = corners + np.array([(20, 10), (-35, 30), (-5, -20), (30, 5)], np.float32)
    turn = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(picture, turn, (width, height), borderValue=220)


@pytest.mark.parametrize("view", [lambda picture: picture, slanted], ids=["upright", "slanted"])
def test_each_cell_is_read_and_empty_ones_are_empty(view) -> None:
    found = grid.read_grid(view(sheet()), PREDICTOR, 3, 4)
    assert tuple(line.text for line in found.lines) == ROWS
    assert [digit.label for digit in found.lines[1].digits] == [""] * 4


def test_empty_cells_leave_a_line_s_probability_alone() -> None:
    full, empty, _ = grid.read_grid(sheet(), PREDICTOR, 3, 4).lines
    filled = [digit for digit in full.digits if digit.label]
    assert full.probability == pytest.approx(np.prod([each.confidence for each in filled]))
    assert empty.probability == 1.0


def test_boxes_are_the_cells_in_the_picture() -> None:
    found = grid.read_grid(sheet(), PREDICTOR, 3, 4)
    for row, line in enumerate(found.lines):
        for column, digit in enumerate(line.digits):
            wanted = np.array([column, row, column + 1, row + 1]) * CELL + 60
            assert np.abs(np.array(digit.box) - wanted).max() <= 4


def test_lines_are_taken_out_along_a_cell_and_never_inside_it(monkeypatch) -> None:
    side = 84
    cell = ink.Ink(np.ones((side, side), np.float32), np.ones((side, side), np.bool_), 3.0)
    monkeypatch.setattr(grid.rulings, "removed", lambda found, least: found.only(~found.strokes))
    left = grid._without_lines(cell, side).strokes
    border = round(grid.BORDER * side)
    assert left[border:-border, border:-border].all()
    assert left.sum() == (side - 2 * border) ** 2


def test_a_corner_of_the_frame_is_no_digit_though_its_box_is_as_large_as_the_cell() -> None:
    picture = sheet()
    cv2.line(picture, (60 + 15, 60 + 2 * CELL - 6), (60 + CELL - 6, 60 + 2 * CELL - 6), 40, 4)
    cv2.line(picture, (60 + CELL - 6, 60 + CELL + 15), (60 + CELL - 6, 60 + 2 * CELL - 6), 40, 4)
    found = grid.read_grid(picture, PREDICTOR, 3, 4)
    assert found.lines[1].digits[0].label == ""


@pytest.mark.parametrize("turned", [False, True], ids=["wide", "high"])
def test_a_picture_longer_than_opencv_turns_is_read(monkeypatch, turned: bool) -> None:
    """OpenCV before 5 refuses sides of 32,767 pixels; each is shown here what it was given."""
    picture = np.full((1_000, 40_000), 220, np.uint8)
    cv2.rectangle(picture, (60, 60), (39_940, 940), 40, 20)
    cv2.rectangle(picture, (26_000, 250), (30_000, 750), 40, -1)
    given = []
    turn = cv2.warpPerspective
    monkeypatch.setattr(
        cv2, "warpPerspective", lambda *a, **b: (given.append(max(a[0].shape)), turn(*a, **b))[1]
    )
    size = (5, 1) if turned else (1, 5)
    found = grid.read_grid(picture.T.copy() if turned else picture, PREDICTOR, *size)
    assert max(given) < 32_767
    digits = [digit for line in found.lines for digit in line.digits]
    assert [bool(digit.label) for digit in digits] == [False, False, False, True, False]
    lengths = [digit.box[3 if turned else 2] for digit in digits]
    assert np.abs(np.array(lengths) - np.arange(1, 6) * 39_880 / 5 - 60).max() < 60


def test_a_picture_without_a_frame_is_refused() -> None:
    with pytest.raises(PictureError, match="no frame of a grid is found in the picture"):
        grid.read_grid(np.full((200, 200), 220, np.uint8), PREDICTOR, 9, 9)


@pytest.mark.parametrize("size", [(0, 9), (9, -1), (30, 30)])
def test_a_size_out_of_range_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=r"cells; give at least 1 x 1 and at most 500"):
        grid.read_grid(sheet(), PREDICTOR, *size)
