"""Picture files to what was read in them: what `deepmnist read` and the service's POST /read share.

A file's content is decoded, read as the options say, and told in plain values. The JSON of both
doors is made here, so that they cannot differ. Knows no terminal and no HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepmnist import annotation, atomic, expectation, pictures, reader, sheet, verdict
from deepmnist.errors import ConfigError, PictureError
from deepmnist.grid import read_grid
from deepmnist.pictures import Grey
from deepmnist.prediction import Predictor
from deepmnist.reader import Page

Way = Callable[[Grey, Predictor], Page]


@dataclass(frozen=True)
class Answer:
    """What was read in a picture, or why it could not be read."""

    path: str | None  # None: the picture came without a name
    page: Page | None = None
    error: str | None = None


def way(expect: Sequence[str], grid: str | None, coverage: float | None) -> Way:
    """How one picture is read, by the options of `deepmnist read`.

    ConfigError where an expectation or the grid's size is no known form, or both are given.
    """
    expected = expectation.parse(expect) if expect else expectation.ANYTHING
    if grid is None:
        return lambda picture, predictor: reader.read(picture, predictor, expected, coverage)
    if expect:
        raise ConfigError("--grid and --expect do not go together; give one of them")
    size = _grid_size(grid)
    return lambda picture, predictor: read_grid(picture, predictor, *size, coverage)


def _grid_size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,3})x([0-9]{1,3})", text.lower())
    if found is None:
        raise ConfigError(f"--grid {text!r} is no size; give rows x columns, such as 9x9")
    return int(found[1]), int(found[2])


def transcribe(
    content: bytes,
    path: str | None,
    predictor: Predictor,
    how: Way,
    annotate: Path | None = None,
    most_pixels: int | None = None,
) -> Answer:
    """What is read in a picture file's content, boxes in pixels of the picture as given.

    With `annotate`, what was found is drawn into a PNG there. A picture that cannot be decoded or
    read or drawn into, or has more pixels than `most_pixels`, becomes an answer with an error.
    """
    name = "the picture" if path is None else path
    try:
        picture = pictures.decode_reduced(content, name, sheet.WORK_SIDE, most_pixels)
        page = how(picture.grey, predictor)
        if annotate is not None:
            atomic.write(annotate, annotation.encoded(picture.grey, page))
    except PictureError as error:
        return Answer(path, error=str(error))
    return Answer(path, reader.scaled(page, picture.grey.shape, picture.shape))


def plain(answer: Answer) -> dict[str, Any]:
    """An answer as JSON has it: path and lines of digits, or path and error."""
    if answer.page is None:
        return {"path": answer.path, "error": answer.error}
    lines = [
        {
            "text": line.text,
            "probability": line.probability,
            "digits": [{"box": list(each.box), **verdict.of(each)} for each in line.digits],
        }
        for line in answer.page.lines
    ]
    return {"path": answer.path, "lines": lines}
