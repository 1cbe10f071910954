"""The reader's benchmark with hand-written readers: the JSON says what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import apart, contenders, pace, reader, reader_table, results, tables, wild
from benchmarks.contenders import Answer, Grey
from deepmnist import bundle, prediction
from deepmnist.errors import PictureError
from tests.writing import PlainHandPredictor

LABELS = [
    ("one.png", "1", "paper"), ("two.png", "2", "paper"), ("three.png", "3", "drawn"),
    ("line.png", "12|34", "line"), ("grid.png", "1." * 40 + "1", "sudoku"),
    ("a.png", "", "negative"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of one level each, the level 10 times the row's number."""
    lines = ["path,label,kind,source,licence"]
    for number, (name, label, kind) in enumerate(LABELS):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8), 10 * number, np.uint8))
        lines.append(f"{name},{label},{kind},owner{number % 2}/name@1:x,MIT")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


class Scripted:
    """Reads paper badly in its first way and well in its second; refuses the drawing."""

    single_ways = ("badly", "well")
    line_ways = ("badly",)

    def __init__(self, name: str = "tesseract") -> None:
        self.name = name
        self.versions = {"scripted": "1"}

    def one(self, picture: Grey, way: str) -> Answer:
        """By the picture's level."""
        row = int(picture[0, 0]) // 10
        if row == 2:
            raise PictureError("no")
        if row == 5:
            return Answer("7", 0.4)
        return Answer(LABELS[row][1] if way == "well" else "9", 0.9)

    def lines(self, picture: Grey, way: str, count: int) -> str:
        """One mark short."""
        assert count == 2
        return "12|3"

    def cells(self, picture: Grey) -> str:
        """One cell wrong."""
        return "1." * 40 + "2"


def test_the_figures_are_those_of_the_better_way_by_kind(folder: Path) -> None:
    figures = reader.measured(Scripted(), wild.rows(folder))
    assert figures["ways"] == {
        "paper": "well", "printed": "badly", "drawn": "badly", "line": "badly", "negative": "well"
    }  # fmt: skip
    paper = figures["singles"]["paper"]
    assert (paper["right"], paper["n"]) == (2, 2)
    assert {*paper["by_source"]} == {"owner0", "owner1"}
    assert figures["singles"]["drawn"]["right"] == 0  # refused: nothing was read
    assert figures["singles"]["printed"]["n"] == 0
    assert figures["line"]["right"] == 0
    assert (figures["line"]["character_errors"], figures["line"]["characters"]) == (1, 5)
    assert (figures["sudoku"]["right"], figures["sudoku"]["n"]) == (80, 81)
    assert figures["negative"]["auroc"] == pytest.approx(2 / 3)  # the refused digit is below it
    assert sum(each["n"] for each in figures["reliability"]["bins"]) == 3


def test_cells_of_another_number_are_all_wrong() -> None:
    assert reader.cells_right("12.", "12.") == 3
    assert reader.cells_right("12.", "1..") == 2
    assert reader.cells_right("12.", "12") == 0


def test_the_command_writes_json_with_a_table_and_says_who_is_missing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(prediction, "load", lambda path: PlainHandPredictor())
    monkeypatch.setattr(reader, "Ours", lambda predictor: Scripted("deepmnist"))
    monkeypatch.setattr(contenders, "peers", lambda: ([Scripted()], {"rapidocr": "not here"}))
    monkeypatch.setattr(
        pace,
        "measure",
        lambda *_: {
            "images_per_second": {"net": 2e4, "prepared": 1.2e4},
            "crop_pixels": 300,
            "crops_per_second": 512.3,
            "photo": {"pixels": [3_000, 4_000], "milliseconds": 140.4, "milliseconds_decoding": 50},
        },
    )
    grown = {"pictures": 10_000, "held_after_first": 2**28, "held": 2**28 + 2**20}
    monkeypatch.setattr(apart, "run", lambda *given: grown if given[0] is pace.memory else None)
    reader.main(folder, tmp_path / "bundle", mistakes=tmp_path / "sheets", most=0, memory=10_000)
    figures = json.loads((tmp_path / "reader.json").read_text())
    assert figures["benchmark"] == "reader"
    assert figures["missing"] == {"rapidocr": "not here"}
    assert {*figures["readers"]} == {"deepmnist", "tesseract"}
    assert (tmp_path / "sheets" / "tesseract-line.png").exists()

    written = tables.reading(tmp_path)
    assert "| read rightly | n | deepmnist | Tesseract |" in written
    assert "| paper, one digit | 2 | 100.0 % (34.2–100.0) | 100.0 % (34.2–100.0) |" in written
    assert "| – owner1 | 1 |" in written
    text = " ".join(written.split())
    assert "RapidOCR was not at hand." in text
    assert "512 crops of 300 pixels" in text
    assert "memory grows by 1 MiB" in text


def test_a_sample_is_printed_and_not_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(prediction, "load", lambda path: PlainHandPredictor())
    monkeypatch.setattr(reader, "Ours", lambda predictor: Scripted())
    monkeypatch.setattr(pace, "measure", lambda *_: {})
    reader.main(folder, tmp_path / "bundle", mistakes=None, most=1, peers=False, memory=0)
    assert not (tmp_path / "reader.json").exists()


def test_no_table_before_it_is_measured(tmp_path: Path) -> None:
    assert tables.reading(tmp_path) == "Not measured yet.\n"


def test_a_reader_without_grids_or_negatives_leaves_its_cells_empty() -> None:
    assert reader_table._row("x", [None])[-1] == ""
    assert reader_table._other("x", [None], "n", "auroc", str)[-1] == ""


def test_a_sample_takes_evenly_spaced_pictures_of_each_source() -> None:
    rows = [wild.Row(Path(str(i)), "", "paper", "ab"[i % 2]) for i in range(20)]
    chosen = wild.sample(rows, 2)
    assert [row.path.name for row in chosen] == ["0", "10", "1", "11"]
    assert wild.sample(rows, 0) == rows
    assert len(wild.sample(rows, 99)) == 20


def test_boxes_are_put_into_lines_top_to_bottom_and_left_to_right() -> None:
    def box(left: float, top: float) -> list[tuple[float, float]]:
        return [(left, top), (left + 9, top), (left + 9, top + 10), (left, top + 10)]

    boxes = np.array([box(50, 41), box(0, 40), box(30, 2), box(0, 0)])
    assert contenders.in_lines(boxes, ["4", "3", "2", "1"]) == ["12", "34"]


def test_the_photo_and_the_crops_are_as_large_as_they_say() -> None:
    assert pace.crop(3).shape == (pace.CROP_SIDE, pace.CROP_SIDE)
    assert (pace.crop(3) != pace.crop(13)).any()
    assert pace.decode(pace.jpeg(pace.crop(0))).shape == (pace.CROP_SIDE, pace.CROP_SIDE)


def test_what_one_core_does_is_measured_with_one_and_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process held to one, with a predictor of one: what a worker of `score` has."""
    given = []

    def on_one_core(function: Any, *arguments: Any) -> Any:
        given.append(function)
        return function(*arguments)

    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(apart, "on_one_core", on_one_core)
    monkeypatch.setattr(pace, "measure", lambda predictor: {"predictor": predictor._cores})
    threads = cv2.getNumThreads()
    try:
        pace.main(bundle.SHIPPED)
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(threads)
    figures = json.loads((tmp_path / "pace.json").read_text())
    assert given == [pace.of_one_core]
    assert (figures["cores"], figures["predictor"]) == (1, 1)
