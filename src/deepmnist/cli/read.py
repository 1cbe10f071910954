"""deepmnist read."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from deepmnist.cli import models
from deepmnist.cli.answers import STDIN, UNREADABLE, VERDICT, Format, cells, verdict
from deepmnist.cli.models import Coverage, Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepmnist.pictures import Grey
    from deepmnist.reader import Digit, Page


@dataclass(frozen=True)
class Answer:
    """What was read in a picture, or why it could not be read."""

    path: str
    page: Page | None = None
    error: str | None = None


def read(
    picture: Annotated[
        list[str], Argument(metavar="PICTURE...", help="Pictures, folders, globs; - is stdin.")
    ],
    model: Model = None,
    coverage: Coverage = None,
    output: Annotated[Format, Option("--format", help="How to print.")] = Format.table,
    expect: Annotated[
        list[str] | None,
        Option(
            help="What each line is: a length (5, 4-6), a pattern (\\d{5}), luhn, isbn10, isbn13, "
            "mod97, values (117|250) or a file of them (@FILE). Again for more."
        ),
    ] = None,
    grid: Annotated[
        str | None, Option(help="Read a grid of so many rows and columns, such as 9x9.")
    ] = None,
    annotate: Annotated[
        Path | None, Option(help="Draw what was found into this PNG; for one picture.")
    ] = None,
) -> None:
    """Find the digits in each picture and read them, line by line, left to right."""
    from deepmnist import pictures
    from deepmnist.errors import ConfigError

    paths = [path for argument in picture for path in pictures.find([argument])]
    if annotate is not None and len(paths) != 1:
        raise ConfigError(
            f"--annotate draws one picture; {len(paths)} were given; read them singly"
        )
    how = _reader(model, expect or [], grid, coverage)
    answers = [_answer(str(path), how, annotate) for path in paths]
    PRINTERS[output](answers)
    for answer in answers:
        if answer.page is not None and answer.page.note:
            print(f"note: {answer.path}: {answer.page.note}", file=sys.stderr)
    if any(answer.error for answer in answers):
        raise typer.Exit(UNREADABLE)


def _reader(
    model: Path | None, expect: list[str], grid: str | None, coverage: float | None
) -> Callable[[Grey], Page]:
    """The function that reads one picture as the options say."""
    from deepmnist import expectation, prediction, reader
    from deepmnist.errors import ConfigError
    from deepmnist.grid import read_grid

    expected = expectation.parse(expect) if expect else expectation.ANYTHING
    if grid is not None and expect:
        raise ConfigError("--grid and --expect do not go together; give one of them")
    size = _grid_size(grid) if grid is not None else None
    predictor = prediction.load(models.path(model))
    if size is not None:
        return lambda picture: read_grid(picture, predictor, *size, coverage)
    return lambda picture: reader.read(picture, predictor, expected, coverage)


def _grid_size(text: str) -> tuple[int, int]:
    from deepmnist.errors import ConfigError

    found = re.fullmatch(r"([0-9]{1,3})x([0-9]{1,3})", text.lower())
    if found is None:
        raise ConfigError(f"--grid {text!r} is no size; give rows x columns, such as 9x9")
    return int(found[1]), int(found[2])


def _answer(path: str, how: Callable[[Grey], Page], annotate: Path | None) -> Answer:
    from deepmnist import annotation, atomic, pictures, reader
    from deepmnist.errors import PictureError

    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(pictures.MAX_FILE_BYTES + 1)
        else:
            content = pictures.content(Path(path))
        picture = pictures.decode_reduced(content, path, reader.WORK_SIDE)
        page = how(picture.grey)
    except PictureError as error:
        return Answer(path, error=str(error))
    if annotate is not None:
        atomic.write(annotate, annotation.encoded(picture.grey, page))
    return Answer(path, reader.scaled(page, picture.grey.shape, picture.shape))


# ---- printing -----------------------------------------------------------------------------------


def _print_json(answers: list[Answer]) -> None:
    print(json.dumps([_plain(answer) for answer in answers], indent=2))


def _plain(answer: Answer) -> dict[str, Any]:
    if answer.page is None:
        return {"path": answer.path, "error": answer.error}
    lines = [
        {
            "text": line.text,
            "probability": line.probability,
            "digits": [{"box": list(each.box), **verdict(each)} for each in line.digits],
        }
        for line in answer.page.lines
    ]
    return {"path": answer.path, "lines": lines}


PLACE = ("line", "digit", "left", "top", "right", "bottom")
COLUMNS = ("path", *PLACE, *VERDICT, "error")


def _print_csv(answers: list[Answer]) -> None:
    """A row a digit; lines and digits are counted from 1."""
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    for answer in answers:
        if answer.page is None:
            writer.writerow([answer.path, *[""] * (len(COLUMNS) - 2), answer.error])
            continue
        for line_number, number, digit in _numbered(answer.page):
            place = [line_number, number, *digit.box]
            writer.writerow([answer.path, *place, *cells(digit), ""])


def _numbered(page: Page) -> Iterator[tuple[int, int, Digit]]:
    for line_number, line in enumerate(page.lines, start=1):
        for number, digit in enumerate(line.digits, start=1):
            yield line_number, number, digit


def _print_table(answers: list[Answer]) -> None:
    width = max((len(answer.path) for answer in answers), default=0)
    for answer in answers:
        if answer.page is None:
            print(f"{answer.path:<{width}}  error: {answer.error}")
            continue
        if not answer.page.lines:
            print(f"{answer.path:<{width}}  no digits")
        for line in answer.page.lines:
            print(f"{answer.path:<{width}}  {line.text}  {line.probability:.2%}")
            for number, digit in enumerate(line.digits, start=1):
                if not digit.accepted:
                    print(f"{'':<{width}}    digit {number}, {digit.label}: {digit.reason}")


PRINTERS = {Format.table: _print_table, Format.json: _print_json, Format.csv: _print_csv}
