"""deepmnist read."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from deepmnist import verdict
from deepmnist.cli import models
from deepmnist.cli.answers import STDIN, UNREADABLE, Format, cells, standard_input, tell
from deepmnist.cli.models import Coverage, Model

if TYPE_CHECKING:
    from deepmnist.prediction import Predictor
    from deepmnist.reader import Digit, Page
    from deepmnist.transcription import Answer, Way


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
    from deepmnist import pictures, prediction, transcription
    from deepmnist.errors import ConfigError

    paths = pictures.find(picture)
    if annotate is not None and len(paths) != 1:
        raise ConfigError(
            f"--annotate draws one picture; {len(paths)} were given; read them singly"
        )
    how = transcription.way(expect or [], grid, coverage)
    predictor = prediction.load(models.path(model))
    answers = [_answer(str(path), predictor, how, annotate) for path in paths]
    PRINTERS[output](answers)
    for answer in answers:
        if answer.page is not None and answer.page.note:
            tell(f"note: {answer.path}: {answer.page.note}", sys.stderr)
    if any(answer.error for answer in answers):
        raise typer.Exit(UNREADABLE)


def _answer(path: str, predictor: Predictor, how: Way, annotate: Path | None) -> Answer:
    from deepmnist import pictures, transcription
    from deepmnist.errors import PictureError

    try:
        content = standard_input() if path == STDIN else pictures.content(Path(path))
    except PictureError as error:
        return transcription.Answer(path, error=str(error))
    return transcription.transcribe(content, path, predictor, how, annotate)


# ---- printing -----------------------------------------------------------------------------------


def _print_json(answers: list[Answer]) -> None:
    from deepmnist import transcription

    print(json.dumps([transcription.plain(answer) for answer in answers], indent=2))


PLACE = ("line", "digit", "left", "top", "right", "bottom")
COLUMNS = ("path", *PLACE, *verdict.FIELDS, "error")


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
    width = max((len(answer.path or "") for answer in answers), default=0)
    for answer in answers:
        if answer.page is None:
            tell(f"{answer.path:<{width}}  error: {answer.error}")
            continue
        if not answer.page.lines:
            tell(f"{answer.path:<{width}}  no digits")
        for line in answer.page.lines:
            tell(f"{answer.path:<{width}}  {line.text}  {line.probability:.2%}")
            for number, digit in enumerate(line.digits, start=1):
                if not digit.accepted:
                    tell(f"{'':<{width}}    digit {number}, {digit.label}: {digit.reason}")


PRINTERS = {Format.table: _print_table, Format.json: _print_json, Format.csv: _print_csv}
