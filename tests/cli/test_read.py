"""deepmnist read as a user meets it: formats, statuses, one line for each mistake."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepmnist import prediction, sheet
from tests.writing import PlainHandPredictor, page


@pytest.fixture
def read(deepmnist, monkeypatch):
    """Run the command in an empty folder with a made-up model: (exit status, stdout, stderr)."""
    monkeypatch.setattr(prediction, "load", lambda path: PlainHandPredictor())
    return lambda *arguments: deepmnist("read", *arguments, "--model", "any")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "page.png"
    Image.fromarray(page("2050", "394")).save(path)
    return path


def test_a_file_named_as_standard_input_is_read_as_a_file(
    read, picture, tmp_path, monkeypatch
) -> None:
    picture.rename(tmp_path / "-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"no picture")))
    status, out, _ = read("./-", "-", "--format", "json")
    of_file, of_input = json.loads(out)
    assert status == 1
    assert of_file["path"] == str(tmp_path / "-")
    assert "error" not in of_file
    assert of_input["error"].startswith("the picture on standard input is no picture")


def test_the_table_gives_a_line_for_each_line(read, picture) -> None:
    status, shown, errors = read(picture)
    assert (status, errors) == (0, "")
    assert [line.split()[1] for line in shown.splitlines()] == ["2050", "394"]


def test_boxes_are_in_pixels_of_a_photo_that_was_decoded_reduced(read, tmp_path) -> None:
    small = Image.fromarray(page("2050"))
    large = small.resize((small.width * 12, small.height * 12))
    large.save(tmp_path / "photo.jpg")
    assert max(large.size) >= 2 * sheet.WORK_SIDE
    _, shown, _ = read(tmp_path / "photo.jpg", "--format", "json")
    ((line,),) = [answer["lines"] for answer in json.loads(shown)]
    assert line["text"] == "2050"
    boxes = np.array([digit["box"] for digit in line["digits"]])
    ink = np.flatnonzero((np.asarray(large) < 128).any(axis=0))
    assert abs(boxes[:, 0].min() - ink[0]) <= 24
    assert abs(boxes[:, 2].max() - ink[-1]) <= 24


def test_json_is_a_list_of_pictures_of_lines_of_digits(read, picture) -> None:
    status, shown, _ = read(picture, "--format", "json")
    (answer,) = json.loads(shown)
    assert status == 0
    assert set(answer) == {"path", "lines"}
    assert [line["text"] for line in answer["lines"]] == ["2050", "394"]
    assert set(answer["lines"][0]) == {"text", "probability", "digits"}
    digit = answer["lines"][0]["digits"][0]
    assert list(digit) == ["box", "label", "probability", "confidence", "accepted", "reason"]
    assert len(digit["box"]) == 4
    assert digit["accepted"] is True


def test_csv_gives_a_row_for_each_digit(read, picture) -> None:
    _, shown, _ = read(picture, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert [(row["line"], row["digit"], row["label"]) for row in rows][:5] == [
        ("1", "1", "2"), ("1", "2", "0"), ("1", "3", "5"), ("1", "4", "0"), ("2", "1", "3"),
    ]  # fmt: skip


def test_what_was_found_is_drawn(read, picture, tmp_path) -> None:
    status, _, _ = read(picture, "--annotate", "out.png")
    assert status == 0
    drawn = np.asarray(Image.open(tmp_path / "out.png"))
    assert drawn.shape[2] == 3
    assert (np.ptp(drawn.astype(int), axis=2) > 100).sum() > 100  # boxes in colour


def test_what_is_expected_decides(read, picture) -> None:
    _, shown, _ = read(picture, "--expect", "4", "--expect", "20[67]0", "--format", "json")
    first, second = json.loads(shown)[0]["lines"]
    assert first["text"] in {"2060", "2070"}
    assert second["text"] in {"2060", "2070"}  # the best that fits, far from likely
    assert second["probability"] < 1e-3
    assert not all(digit["accepted"] for digit in second["digits"])


def test_an_empty_picture_is_an_answer_and_a_note(read, tmp_path) -> None:
    Image.new("L", (200, 100), 200).save(tmp_path / "empty.png")
    status, shown, notes = read("empty.png", "--format", "json")
    assert (status, json.loads(shown)) == (0, [{"path": "empty.png", "lines": []}])
    assert notes == (
        "note: empty.png: nothing found: the picture is blank, or what is in it is no digit\n"
    )


def test_an_unreadable_picture_does_not_stop_the_others(read, picture, tmp_path) -> None:
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    status, shown, _ = read("cut.jpg", picture, "--format", "json")
    bad, good = json.loads(shown)
    assert status == 1
    assert set(bad) == {"path", "error"}
    assert [line["text"] for line in good["lines"]] == ["2050", "394"]


def test_a_name_is_told_as_it_can_be_and_no_terminal_obeys_it(read, picture, tmp_path) -> None:
    names = [os.fsdecode(b"a\xff.png"), "b\x1b[31m.png"]
    for name in names:
        shutil.copy(picture, tmp_path / name)
    status, shown, _ = read(*names)
    assert status == 0
    assert [line.split()[0] for line in shown.splitlines()] == [
        *[r"a\udcff.png"] * 2,
        *[r"b\x1b[31m.png"] * 2,
    ]


def test_a_name_that_stdout_cannot_encode_loses_no_answer(read, picture, tmp_path, monkeypatch):
    shutil.copy(picture, tmp_path / os.fsdecode(b"a\xff.png"))
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert read(os.fsdecode(b"a\xff.png"), "--format", "csv")[0] == 0
    stdout.flush()
    assert stdout.buffer.getvalue().count(rb"a\udcff.png") == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--expect", "abc"], "'abc' cannot be expected: at character 1"),
        (["--grid", "9"], "--grid '9' is no size; give rows x columns, such as 9x9"),
        (["--grid", "99x99"], "give at least 1 x 1 and at most 500 cells"),
        (["--grid", "9x9", "--expect", "5"], "--grid and --expect do not go together"),
        (["also.png", "--annotate", "out.png"], "--annotate draws one picture; 2 were given"),
    ],
)
def test_a_mistake_is_one_line(read, picture, options, message) -> None:
    status, shown, errors = read(picture, *options)
    assert (status, shown) == (2, "")
    assert errors.count("\n") == 1
    assert message in errors


def test_a_picture_without_a_grid_says_so(read, picture) -> None:
    status, shown, _ = read(picture, "--grid", "9x9")
    assert status == 1
    assert "no frame of a grid is found" in shown
