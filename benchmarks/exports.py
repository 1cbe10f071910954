"""Every export of the model that comes along: size, accuracy, agreement, speed.

    pip install 'deepmnist[export]'
    python -m benchmarks.exports [--rounds 9] [--data-dir FOLDER]

Each is read back as anyone reads it, `prediction.load`, and runs on all cores of this process. All
take turns, so that a busy moment of a shared machine falls on all of them; read the medians. What
runs on LiteRT tries how it answers one image soonest, and has tried before it is timed. The
accuracy is of MNIST's test images, and agreement the share of them that the model itself labels
alike. A reader takes one picture at a time, of any size; its time leaves out decoding the picture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import inference, results, terminal
from deepmnist import bundle, canvas, evaluation, machine, prediction
from deepmnist.data import load
from deepmnist.data.dataset import Dataset
from deepmnist.export import exporting, golden
from deepmnist.export.exporting import FORMATS, Exported
from deepmnist.metadata import Kind
from deepmnist.prediction import LiteRTPredictor

PRODUCT = "bundle"  # what comes with deepmnist, unexported
PICTURE = "ruled-4"  # of the golden ones
RUNTIMES = ("onnxruntime", "onnx", "tf2onnx")


def main(
    rounds: Annotated[int, typer.Option(help="Turns each takes.")] = 9,
    data_dir: Annotated[Path | None, typer.Option(help="Where MNIST lies.")] = None,
) -> None:
    """Measure, print a table, write benchmarks/results/exports.json."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    test = load("mnist", data_dir).test_part
    with TemporaryDirectory() as folder:
        classifiers = _exported(Path(folder), "classifier", data_dir)
        readers = _exported(Path(folder), "reader", data_dir)
        figures = {
            "rounds": rounds,
            "acquainted": inference.ACQUAINTED,
            "model": bundle.load(bundle.SHIPPED).manifest.config["recipe"],
            "runtimes": {name: metadata.version(name) for name in RUNTIMES},
            "test_n": len(test),
            "classifiers": measured(classifiers, test, rounds),
            "readers": measured_readers(readers, rounds),
        }
    for kind in ("classifiers", "readers"):
        _print(figures[kind])  # type: ignore[arg-type]
    print(results.write("exports", {"versions": machine.versions(), **figures}))


def _exported(folder: Path, kind: Kind, data_dir: Path | None) -> dict[str, Exported]:
    """Every file of a kind that can be had, by format and precision."""
    found = {}
    for name, how in FORMATS.items():
        for precision in how.precisions[kind]:
            print(f"exporting a {kind} as {name}, {precision}", flush=True)
            found[f"{name} {precision}"] = exporting.export(
                folder / f"{kind}-{precision}{how.suffix}",
                name,
                precision=precision,
                kind=kind,
                data_dir=data_dir,
            )
    return found


def measured(
    exports: Mapping[str, Exported], test: Dataset, rounds: int
) -> dict[str, dict[str, Any]]:
    """Figures of the model itself and of each export, by name."""
    predictors = {PRODUCT: prediction.load()}
    predictors |= {name: prediction.load(each.path) for name, each in exports.items()}
    images = test.gather(slice(None))
    labels = {name: predictor.predict(images) for name, predictor in predictors.items()}
    figures: dict[str, dict[str, Any]] = {
        name: {
            "accuracy": evaluation.evaluate(predictor, test).accuracy,
            "same": float((labels[name] == labels[PRODUCT]).mean()),
        }
        for name, predictor in predictors.items()
    }
    figures[PRODUCT]["bytes"] = bundle.load(bundle.SHIPPED).runtime.stat().st_size
    for name, each in exports.items():
        figures[name] |= _file(each)
    ways = {name: predictor.predict_proba for name, predictor in predictors.items()}
    one = {name: partial(inference.one_image_us, way, images) for name, way in ways.items()}
    many = {name: partial(inference.images_per_second, way, images) for name, way in ways.items()}
    for name, predictor in predictors.items():
        if isinstance(predictor, LiteRTPredictor):
            inference.acquaint(one[name])
    times, rates = inference.in_turns(one, rounds), inference.in_turns(many, rounds)
    for name in figures:
        figures[name] |= {"one_image_us": times[name], "images_per_second": rates[name]}
    return figures


def measured_readers(exports: Mapping[str, Exported], rounds: int) -> dict[str, dict[str, Any]]:
    """Figures of each reader, by name: microseconds from a decoded picture to its answer."""
    picture = golden.pictures()[PICTURE]

    def timer(path: Path) -> Callable[[], float]:
        graph, _ = prediction.open_graph(path)

        def read(_: NDArray[np.uint8]) -> NDArray[np.float32]:
            return graph(picture=canvas.of(picture)[np.newaxis])["probabilities"]

        return partial(inference.one_image_us, read, picture[np.newaxis])

    times = inference.in_turns({name: timer(each.path) for name, each in exports.items()}, rounds)
    return {name: {**_file(each), "one_image_us": times[name]} for name, each in exports.items()}


def _file(exported: Exported) -> dict[str, Any]:
    told = exported.parity
    return {
        "format": told.format,
        "precision": told.precision,
        "bytes": exported.bytes,
        "largest_difference": max(each.difference for each in told.comparisons),
        "tolerance": told.tolerance.difference,
    }


def _print(figures: Mapping[str, Mapping[str, Any]]) -> None:
    for name, values in figures.items():
        line = (
            f"{name:>20}  {values['bytes']:>9,} bytes  {values['one_image_us']['median']:8,.0f} us"
        )
        if "accuracy" in values:
            rate = values["images_per_second"]["median"]
            line += f"  {rate:8,.0f} images/s  {values['accuracy']:.2%}  same {values['same']:.2%}"
        print(line)


if __name__ == "__main__":
    terminal.run(main)
