"""deepmnist evaluate."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from deepmnist.cli import models
from deepmnist.cli.answers import tell
from deepmnist.cli.models import Model

if TYPE_CHECKING:
    from deepmnist.data import Corpus
    from deepmnist.prediction.loading import Opened


def evaluate(
    model: Model = None,
    dataset: Annotated[
        str | None, Option(help="Known name or path. [default: what the model was trained on]")
    ] = None,
    data_dir: Annotated[Path | None, Option(help="Folder with one sub-folder a data set.")] = None,
    resize: Annotated[bool, Option("--resize", help="Resize images that are not 28x28.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print every figure as JSON.")] = False,
) -> None:
    """Measure a model on a data set's test images: accuracy, calibration, confusions, mistakes."""
    from deepmnist import evaluation, prediction
    from deepmnist.data import load, unlearnt

    chosen = prediction.opened(models.path(model))
    spec = dataset or _remembered(chosen)
    corpus = load(spec, data_dir, resize=resize, hold_out=False)
    if chosen.identity is not None:
        corpus = unlearnt(corpus, chosen.identity)
    elif corpus.train is None and corpus.name == chosen.dataset:
        corpus = load(spec, data_dir, resize=resize)  # of an exported file's data the name is known
    if dataset is None:
        _warn_of_another(chosen, corpus)
    report = evaluation.evaluate(chosen.predictor, corpus.test_part)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        from deepmnist.cli import tables

        tables.print_report(report, str(chosen.path))


def _remembered(chosen: Opened) -> str:
    """What the model was trained on, to load it again. Of a path only the last part is known."""
    from deepmnist.data import SOURCES
    from deepmnist.errors import DataError

    name = chosen.dataset
    if name not in SOURCES and not os.path.exists(name):  # Path.exists may raise, by what it holds
        raise DataError(
            f"{chosen.path} was trained on '{name}', which is not here; "
            "give it, or another data set, with --dataset"
        )
    return name


def _warn_of_another(chosen: Opened, corpus: Corpus) -> None:
    """A warning where another set lies under the name; known names hold the same everywhere.

    corpus: as `unlearnt` leaves it, with a training part where it could be told to be the same.
    """
    from deepmnist.data import SOURCES

    if chosen.identity is None or chosen.dataset in SOURCES:
        return
    if corpus.train is None or corpus.train.identity != chosen.identity:
        tell(
            f"warning: {chosen.dataset} here is not the set that {chosen.path} was trained on, but "
            "another of that name; give the one to measure on with --dataset",
            sys.stderr,
        )
