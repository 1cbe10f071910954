"""transcription.py: a picture's content to plain values, the same by every door."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from deepmnist import transcription
from deepmnist.errors import ConfigError
from tests.writing import PlainHandPredictor, page


def encoded(text: str = "2050") -> bytes:
    file = io.BytesIO()
    Image.fromarray(page(text)).save(file, "PNG")
    return file.getvalue()


def test_a_picture_becomes_lines_of_digits_under_the_name_it_came_with() -> None:
    how = transcription.way([], None, None)
    answer = transcription.transcribe(encoded(), "a.png", PlainHandPredictor(), how)
    told = transcription.plain(answer)
    assert told["path"] == "a.png"
    assert [line["text"] for line in told["lines"]] == ["2050"]


@pytest.mark.parametrize(("path", "shown"), [(None, "the picture"), ("a.png", "a.png")])
def test_a_picture_that_cannot_be_read_becomes_an_error(path: str | None, shown: str) -> None:
    how = transcription.way([], None, None)
    answer = transcription.transcribe(b"no picture", path, PlainHandPredictor(), how)
    assert transcription.plain(answer) == {"path": path, "error": answer.error}
    assert answer.error is not None
    assert answer.error.startswith(f"{shown} is no picture")


def test_a_picture_of_more_pixels_than_are_allowed_is_not_decoded() -> None:
    how = transcription.way([], None, None)
    answer = transcription.transcribe(
        encoded(), None, PlainHandPredictor(), how, None, most_pixels=99
    )
    assert answer.error is not None
    assert "at most 99 pixels are decoded" in answer.error


def test_what_is_found_is_drawn_where_that_is_asked(tmp_path: Path) -> None:
    how = transcription.way(["4"], None, None)
    drawn = tmp_path / "drawn.png"
    transcription.transcribe(encoded(), None, PlainHandPredictor(), how, drawn)
    with Image.open(drawn) as picture:
        assert picture.format == "PNG"


def test_a_picture_too_long_to_be_drawn_into_is_an_error_and_the_old_drawing_stays(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = io.BytesIO()
    Image.new("L", (1_100_000, 4), 255).save(file, "PNG")
    drawn = tmp_path / "drawn.png"
    drawn.write_bytes(b"old")
    how = transcription.way([], None, None)
    answer = transcription.transcribe(file.getvalue(), None, PlainHandPredictor(), how, drawn)
    assert answer.error is not None
    assert "cannot be drawn into a PNG of 1100000 x 4 pixels" in answer.error
    assert drawn.read_bytes() == b"old"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("expect", "grid"), [(["4"], "2x2"), ([], "2"), (["nonsense"], None)])
def test_options_of_no_known_form_are_refused(expect: list[str], grid: str | None) -> None:
    with pytest.raises(ConfigError):
        transcription.way(expect, grid, None)
