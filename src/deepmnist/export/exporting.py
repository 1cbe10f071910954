"""A trained model written as a file of another format, held to its answers, or not written at all.

The formats are a table: a module each, which puts a file at a path. What every file gets alike is
here: the checks before, the metadata, the parity after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import keras
import msgspec
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from deepmnist import atomic, bundle, machine, metadata, prediction, weights
from deepmnist.errors import ConfigError, MissingExtraError, nearest
from deepmnist.export import evidence, functions, litert, parity, reading, saved_model
from deepmnist.metadata import Kind, Metadata, Precision
from deepmnist.prediction.graphs import GraphPredictor
from deepmnist.rejection import DEFAULT_THRESHOLD

REPORT = ".parity.json"  # after the file's name


def _write_onnx(
    path: Path, make: functions.Make, told: Metadata, samples: NDArray[np.float32]
) -> None:
    from deepmnist.export import onnx  # needs what the other formats do not

    onnx.write(path, make, told, samples)


@dataclass(frozen=True)
class Format:
    """What a model may be written as."""

    suffix: str  # of the file's name; "" for a folder
    write: Callable[[Path, functions.Make, Metadata, NDArray[np.float32]], None]
    precisions: dict[Kind, tuple[Precision, ...]]
    needs: tuple[str, ...] = ()  # packages that only the extra 'export' brings


BOTH: tuple[Precision, ...] = ("float32", "float16")
ALL: tuple[Precision, ...] = (*BOTH, "int8")
FORMATS = {
    "saved_model": Format("", saved_model.write, {"classifier": BOTH, "reader": BOTH}),
    "litert": Format(".tflite", litert.write, {"classifier": ALL, "reader": BOTH}),
    "onnx": Format(
        ".onnx",
        _write_onnx,
        {"classifier": ALL, "reader": BOTH},
        needs=("onnx", "onnxruntime", "tf2onnx"),
    ),
}


@dataclass(frozen=True)
class Exported:
    """A file that was written, and how it compares with the model."""

    path: Path
    bytes: int  # of the file, or of all files of the folder
    metadata: Metadata
    parity: parity.Report

    @property
    def report(self) -> Path:
        """The comparison as JSON, beside the file."""
        return self.path.with_name(self.path.name + REPORT)


def export(
    out: str | Path,
    format: str,
    *,
    model: str | Path = bundle.SHIPPED,
    precision: Precision = "float32",
    kind: Kind = "classifier",
    data_dir: Path | None = None,
) -> Exported:
    """Write the model of a bundle (or run folder) at `out`, as a file of another format.

    format: saved_model (a folder), litert (.tflite) or onnx (.onnx). kind: a classifier takes
    images (n, 28, 28) that meet the input contract; a reader takes one picture on its canvas and
    prepares it itself. Inputs and outputs by name: prediction/graphs.py. float16 stores weights in
    half; int8 is fitted to validation images, found as evidence.py says, in `data_dir` first.

    ConfigError for what cannot be had; BundleError for a model that cannot be read; ParityError,
    and nothing is written, where its answers differ by more than parity.TOLERANCES; StorageError
    where something is at `out` already; MissingExtraError.
    """
    out = Path(out)
    how = checked(out, format, precision, kind)
    opened = bundle.load(model)
    manifest = opened.manifest
    metadata.check_model(manifest, kind, str(opened.folder))
    net = weights.read(opened, [len(manifest.class_names), len(manifest.class_names) + 1])
    told = metadata.of(
        manifest, kind, precision, machine.versions(), manifest.files[bundle.WEIGHTS].sha256
    )
    share = manifest.config.get("validation_share")  # a file may say anything
    held_out = share if isinstance(share, float) and 0 < share < 1 else None
    found = evidence.gathered(manifest.dataset.name, data_dir, validation_share=held_out)
    make = cache(partial(_function, net, told))  # traced once
    with atomic.replacing(out) as unfinished, atomic.replacing(_report(out)) as unfinished_report:
        how.write(unfinished, make, told, _unit_range(found.samples))
        compared = _compared(unfinished, opened, make, found)
        report = parity.Report(
            format, kind, precision, parity.TOLERANCES[format][precision], compared
        )
        report.check()
        text = msgspec.json.format(msgspec.json.encode(report.to_dict()), indent=2)
        unfinished_report.write_bytes(text + b"\n")
    return Exported(out, _size(out), told, report)


def checked(out: Path, format: str, precision: str, kind: str) -> Format:
    """The format, where such a file can be had and `out` is free for it.

    ConfigError, StorageError, MissingExtraError: see `export`.
    """
    if format not in FORMATS:
        raise ConfigError(f"format {format!r}: {nearest(format, FORMATS)}")
    how = FORMATS[format]
    if kind not in how.precisions:
        raise ConfigError(f"kind {kind!r}: {nearest(kind, how.precisions)}")
    allowed = how.precisions[kind]
    if precision not in allowed:
        raise ConfigError(
            f"a {kind} in {format} cannot be had in {precision!r}; "
            f"it can in {' and '.join(allowed)}; {_elsewhere(precision)}"
        )
    if out.suffix != how.suffix and (how.suffix or out.suffix in {".tflite", ".onnx"}):
        needed = f"end in {how.suffix}" if how.suffix else "name a folder, without such an ending"
        raise ConfigError(f"--out {out}: for {format} it must {needed}")
    for path in (out, _report(out)):
        atomic.check_free(path)
    if not all(find_spec(package) for package in how.needs):
        raise MissingExtraError(f"exporting to {format}", "export")
    return how


def _elsewhere(precision: str) -> str:
    """Where else a precision can be had."""
    found = [
        f"a {kind} in {name}"
        for name, how in FORMATS.items()
        for kind, precisions in how.precisions.items()
        if precision in precisions
    ]
    return f"{precision} there is for {' and '.join(found) or 'nothing'}"


def _report(out: Path) -> Path:
    return out.with_name(out.name + REPORT)


def _function(net: keras.Model, told: Metadata, half: bool) -> functions.Function:
    if told.kind == "classifier":
        return functions.classifier(net, told.temperature, len(told.class_names), half)
    threshold = DEFAULT_THRESHOLD if told.rejection is None else told.rejection.threshold
    return reading.reader(net, told.temperature, threshold, half)


def _unit_range(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    levels = np.empty(images.shape, np.float32)
    prediction.write_unit_range(images, levels)
    return levels


def _compared(
    path: Path, opened: bundle.Bundle, make: functions.Make, found: evidence.Evidence
) -> tuple[parity.Comparison, ...]:
    """A classifier beside what the bundle answers; a reader beside the same graph in TensorFlow."""
    graph, told = prediction.open_graph(path)
    if told.kind == "classifier":
        exported = GraphPredictor(graph, told.class_names)
        return parity.of_classifier(prediction.open_bundle(opened), exported, found)
    read = make(False)

    def original(picture: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
        return {name: value.numpy() for name, value in read(tf.constant(picture)).items()}

    return parity.of_reader(original, graph, found)


def _size(path: Path) -> int:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
