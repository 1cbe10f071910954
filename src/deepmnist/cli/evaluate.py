"""deepmnist evaluate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from typer import Option

from deepmnist.cli import models
from deepmnist.cli.models import Model


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
    spec = dataset or chosen.dataset
    corpus = load(spec, data_dir, resize=resize, hold_out=False)
    if chosen.identity is not None:
        corpus = unlearnt(corpus, chosen.identity)
    elif corpus.train is None and corpus.name == chosen.dataset:
        corpus = load(spec, data_dir, resize=resize)  # of an exported file's data the name is known
    report = evaluation.evaluate(chosen.predictor, corpus.test_part)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        from deepmnist.cli import tables

        tables.print_report(report, str(chosen.path))
