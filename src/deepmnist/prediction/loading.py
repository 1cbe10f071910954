"""One door to every model on disk: a bundle, a run, or a file that `deepmnist export` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deepmnist import bundle
from deepmnist.bundle import RejectionRecord
from deepmnist.errors import BundleError, reason
from deepmnist.metadata import Metadata
from deepmnist.prediction import graphs, litert, onnx, saved_model
from deepmnist.prediction.predictor import ModelPredictor
from deepmnist.rejection import DEFAULT_THRESHOLD

LITERT, ONNX = ".tflite", ".onnx"  # how such a file's name ends; a SavedModel is a folder


@dataclass(frozen=True)
class Opened:
    """A model that has been checked, and where it is from."""

    predictor: ModelPredictor
    path: Path
    dataset: str  # what it was trained on
    identity: str | None  # SHA-256 of those images; an exported file does not tell it


def load(path: str | Path = bundle.SHIPPED) -> ModelPredictor:
    """The model at `path`: a bundle, a run folder, or a classifier that `deepmnist export` wrote.

    Without a path, the one that comes with deepmnist. BundleError where it is missing, foreign,
    too new or altered; MissingExtraError where its runtime is not installed.
    """
    return opened(path).predictor


def opened(path: str | Path = bundle.SHIPPED) -> Opened:
    """The same, with where it is from."""
    path = Path(path)
    if not is_export(path):
        checked = bundle.load(path)
        learnt = checked.manifest.dataset
        return Opened(open_bundle(checked), checked.folder, learnt.name, learnt.identity)
    graph, told = open_graph(path)
    _check_classifier(path, told)
    thresholds = _thresholds(told.rejection)
    predictor: ModelPredictor = graphs.GraphPredictor(graph, told.class_names, *thresholds)
    if path.suffix == LITERT:  # on all cores, which a graph by itself is not
        predictor = litert.LiteRTPredictor(_content(path), told.class_names, *thresholds)
    return Opened(predictor, path, told.dataset, None)


def open_bundle(checked: bundle.Bundle, onnx: bool | None = None) -> litert.LiteRTPredictor:
    """The model of a bundle that has been checked. BundleError where it is not arithmetic alone.

    onnx: see LiteRTPredictor.
    """
    manifest, runtime = checked.manifest, checked.runtime.read_bytes()
    litert.check(runtime, "the model")
    thresholds = _thresholds(manifest.rejection)
    return litert.LiteRTPredictor(runtime, manifest.class_names, *thresholds, onnx=onnx)


def open_graph(path: Path) -> tuple[graphs.Graph, Metadata]:
    """An exported file, of either kind, as a function of named arrays; and what it tells of itself.

    BundleError, MissingExtraError: see `load`.
    """
    if path.is_dir():
        return saved_model.opened(path)
    content = _content(path)
    if litert.is_litert(content):
        return litert.opened(content, path)
    return onnx.opened(content, path)


def is_export(path: Path) -> bool:
    """Whether `path` looks like something that `deepmnist export` wrote."""
    try:
        return (path.is_file() and path.suffix in {LITERT, ONNX}) or (
            path / saved_model.GRAPH
        ).is_file()
    except (OSError, ValueError):  # a name too long, a NUL in it; bundle.load tells of it
        return False


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > bundle.MAX_FILE_BYTES:
            raise BundleError(f"{path} is larger than {bundle.MAX_FILE_BYTES:,} bytes: no export")
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {reason(error)}") from error


def _check_classifier(path: Path, told: Metadata) -> None:
    if told.kind != "classifier":
        raise BundleError(
            f"{path} is a {told.kind}: it takes whole pictures, and here a classifier of 28x28 "
            "images is needed; export one with --kind classifier, or run this one as "
            "docs/deploy.md shows"
        )


def _thresholds(
    rejection: RejectionRecord | None,
) -> tuple[float, list[tuple[float, float]]]:
    return (
        (DEFAULT_THRESHOLD, []) if rejection is None else (rejection.threshold, rejection.coverages)
    )
