"""deepmnist predict."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from deepmnist import verdict
from deepmnist.cli import models
from deepmnist.cli.answers import STDIN, UNREADABLE, Format, cells, standard_input, tell
from deepmnist.cli.models import Coverage, Model

if TYPE_CHECKING:
    from deepmnist.classification import Answer, Source
    from deepmnist.prediction import Predictor

DATA_FILES = {".csv", ".npz", ".parquet"}  # each row is an image that meets the contract already


def predict(
    picture: Annotated[
        list[str], Argument(metavar="IMAGE...", help="Pictures, folders, globs; - is stdin.")
    ],
    model: Model = None,
    coverage: Coverage = None,
    output: Annotated[Format, Option("--format", help="How to print.")] = Format.table,
    csv_file: Annotated[
        Path | None, Option("--csv", help="Also write ImageId,Label as Kaggle takes it.")
    ] = None,
) -> None:
    """Say which digit each picture shows.

    A data file (.csv, .npz, .parquet) counts as its rows; of one with a test part, as that part's.
    """
    from deepmnist import prediction

    predictor = prediction.load(models.path(model))
    answers = list(_answers(predictor, picture, coverage))
    PRINTERS[output](answers)
    if csv_file is not None:
        _write_kaggle(csv_file, answers)
    if any(answer.error for answer in answers):
        raise typer.Exit(UNREADABLE)


def _answers(
    predictor: Predictor, arguments: list[str], coverage: float | None
) -> Iterator[Answer]:
    """Answers in the order given; neighbouring pictures share batches."""
    from deepmnist import classification, pictures

    for is_data, group in groupby(pictures.find(arguments), _is_data):
        if not is_data:
            yield from classification.classify(predictor, map(_source, group), coverage)
            continue
        from deepmnist.data import load  # which takes longer than a picture's answer

        for path in group:
            rows = load(path, hold_out=False).test_part
            yield from classification.classify_rows(predictor, rows, coverage)


def _is_data(path: Path) -> bool:
    return path.suffix.lower() in DATA_FILES


def _source(path: Path) -> Source:
    from deepmnist.errors import PictureError

    if str(path) != STDIN:
        return str(path), None
    try:
        return STDIN, standard_input()
    except PictureError as error:
        return STDIN, error


def _print_json(answers: list[Answer]) -> None:
    print(json.dumps([_plain(answer) for answer in answers], indent=2))


def _plain(answer: Answer) -> dict[str, Any]:
    if answer.prediction is None:
        return {"path": answer.path, "error": answer.error}
    found = answer.prediction
    return {
        "path": answer.path,
        **verdict.of(found),
        "top": [list(pair) for pair in found.top],
    }


def _print_csv(answers: list[Answer]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(["path", *verdict.FIELDS, "error"])
    for answer in answers:
        found = answer.prediction
        answered = cells(found) if found else [""] * len(verdict.FIELDS)
        writer.writerow([answer.path, *answered, answer.error or ""])


def _print_table(answers: list[Answer]) -> None:
    width = max((len(answer.path) for answer in answers), default=0)
    for answer in answers:
        if answer.prediction is None:
            tell(f"{answer.path:<{width}}  error: {answer.error}")
            continue
        found = answer.prediction
        others = "  ".join(f"{label} {share:.2%}" for label, share in found.top[1:])
        doubt = "" if found.accepted else f"  {found.reason}"
        tell(f"{answer.path:<{width}}  {found.label}  {found.probability:.2%}  ({others}){doubt}")


def _write_kaggle(path: Path, answers: list[Answer]) -> None:
    """ImageId counts from 1 over all answers; a picture that cannot be read has no line."""
    from deepmnist import atomic

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["ImageId", "Label"])
    for number, answer in enumerate(answers, start=1):
        if answer.prediction is not None:
            writer.writerow([number, answer.prediction.label])
    atomic.write(path, text.getvalue().encode())


PRINTERS = {Format.table: _print_table, Format.json: _print_json, Format.csv: _print_csv}
