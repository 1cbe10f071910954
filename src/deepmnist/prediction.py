"""From images to answers: the Predictor protocol, the Prediction record, the LiteRT predictor.

This is the base install's whole runtime. It takes images that already meet the input contract
(images.py) and knows nothing of files, pictures or TensorFlow. How it spends the cores was measured
(benchmarks/inference.py): of many images each core takes its own, and a few are split between all
cores only where that saves more than waking them costs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deepmnist import bundle, chatter
from deepmnist.contract import SIDE
from deepmnist.errors import BundleError, DataError
from deepmnist.rejection import DEFAULT_THRESHOLD, Scores, reason

TOP = 3  # classes listed with each answer
SHARE = 32  # images a core takes at a time: what the net makes of them stays in the core's cache
REST_SIZES = (8, 1)  # what is left is a sum of these, so that none is padded
SPLIT_BYTES = 1_000_000  # images times the model's bytes, a gauge of work, that all cores share


class Predictor(Protocol):
    """Anything that gives class probabilities for images; a hand-written fake is one too."""

    class_names: tuple[str, ...]

    def predict_proba(self, images: NDArray[np.uint8 | np.floating]) -> NDArray[np.float32]:
        """Probabilities float32 (n, classes) of images (n, 28, 28): uint8 0..255 or float 0..1."""
        ...


@dataclass(frozen=True)
class Prediction:
    """One answer: the most probable class, how probable, how sure, and the first few of all."""

    label: str
    probability: float  # of the label, if this is a digit
    top: tuple[tuple[str, float], ...]
    confidence: float  # the score that acceptance uses: low for what is no digit
    accepted: bool
    reason: str | None  # why it is not accepted


def predictions(
    scores: Scores, class_names: Sequence[str], threshold: float = DEFAULT_THRESHOLD
) -> list[Prediction]:
    """Answers for scores of n images, accepted from the confidence `threshold` on."""
    order = np.argsort(-scores.probabilities, axis=1, kind="stable")[:, :TOP]
    rows = zip(scores.probabilities, scores.single, scores.confidence, order, strict=True)
    answers = []
    for row, single, confidence, best in rows:
        top = tuple((class_names[i], float(row[i])) for i in best)
        accepted = bool(confidence >= threshold)
        why = None if accepted else reason(row, float(single), class_names)
        answers.append(Prediction(*top[0], top, float(confidence), accepted, why))
    return answers


class LiteRTPredictor:
    """The model of a bundle, run by LiteRT on all cores. Not safe to share between threads."""

    def __init__(
        self,
        runtime: bytes,
        class_names: Sequence[str],
        threshold: float = DEFAULT_THRESHOLD,
        coverages: Sequence[tuple[float, float]] = (),
        cores: int | None = None,
    ) -> None:
        """Run a .tflite file's content: `image` to `probabilities`, in some also to `single`.

        threshold, coverages: see rejection.py. cores: how many it may use; None for all.
        """
        self.class_names = tuple(class_names)
        self.threshold, self.coverages = threshold, tuple(coverages)
        self._runtime = runtime
        self._cores = cores or usable_cores()
        self._pool = ThreadPoolExecutor(self._cores)  # starts no thread before there is work
        self._sharers: list[_Runner] = []
        self._rest: dict[int, _Runner] = {}

    def predict_proba(self, images: NDArray[np.uint8 | np.floating]) -> NDArray[np.float32]:
        """Probabilities float32 (n, classes) of images (n, 28, 28): uint8 0..255 or float 0..1.

        DataError where images have another shape, dtype or range.
        """
        return self.scores(images).probabilities

    def scores(self, images: NDArray[np.uint8 | np.floating]) -> Scores:
        """The same with, for each image, the probability that it is one digit.

        That is 1 for every image where the model did not learn what is no digit.
        """
        check_images(images)
        found = Scores(
            np.empty((len(images), len(self.class_names)), np.float32),
            np.ones(len(images), np.float32),
        )
        shares = len(images) // SHARE
        if shares:
            self._answer_shares(shares, images, found)
        self._answer_rest(shares * SHARE, images, found)
        return found

    def predict(self, images: NDArray[np.uint8 | np.floating]) -> NDArray[np.int64]:
        """The most probable class of each image, int64 (n,), an index into class_names."""
        return self.predict_proba(images).argmax(axis=1)

    def _answer_shares(
        self,
        shares: int,
        images: NDArray[np.uint8 | np.floating],
        into: Scores,
    ) -> None:
        """Let each core take the next share, until all are taken: a core held up takes fewer."""
        while len(self._sharers) < min(self._cores, shares):
            self._sharers.append(self._runner(SHARE, threads=1))
        starts = iter(range(0, shares * SHARE, SHARE))

        def work(runner: _Runner) -> None:
            for start in starts:  # one iterator for all, so that no share is taken twice
                rows = slice(start, start + SHARE)
                runner.answer(images[rows], into, rows)

        list(self._pool.map(work, self._sharers))  # list: raises here what a thread raised

    def _answer_rest(
        self,
        done: int,
        images: NDArray[np.uint8 | np.floating],
        into: Scores,
    ) -> None:
        """Run what makes no share, each batch on one core or split between all."""
        for size in REST_SIZES:
            while len(images) - done >= size:
                if size not in self._rest:
                    split = size * len(self._runtime) > SPLIT_BYTES
                    self._rest[size] = self._runner(size, threads=self._cores if split else 1)
                rows = slice(done, done + size)
                self._rest[size].answer(images[rows], into, rows)
                done += size

    def _runner(self, size: int, threads: int) -> _Runner:
        return _Runner(self._runtime, size, len(self.class_names), threads)


class _Runner:
    """One interpreter for one batch size: changing the size of one costs more than keeping two."""

    def __init__(self, runtime: bytes, size: int, classes: int, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with chatter.dropped():
                self.interpreter = Interpreter(model_content=runtime, num_threads=threads)
                (image,) = self.interpreter.get_input_details()
                self.interpreter.resize_tensor_input(image["index"], (size, SIDE, SIDE))
                self.interpreter.allocate_tensors()
                (self.image,) = self.interpreter.get_input_details()
                outputs = self.interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"the model cannot be run by LiteRT: {error}") from error
        # Names do not survive every conversion; the numbers of dimensions do.
        self.outputs = {len(output["shape"]): output for output in outputs}
        self._check(size, classes)
        # LiteRT's own memory: a view of it must be gone when the model runs, so each is made anew.
        self.input_view = self.interpreter.tensor(self.image["index"])
        views = {
            rank: self.interpreter.tensor(each["index"]) for rank, each in self.outputs.items()
        }
        self.probabilities_view, self.single_view = views[2], views.get(1)

    def _check(self, size: int, classes: int) -> None:
        takes, needed = _described([self.image]), f"float32 {(size, SIDE, SIDE)}"
        gives = _described([self.outputs[rank] for rank in sorted(self.outputs, reverse=True)])
        probabilities = f"float32 {(size, classes)}"
        if takes != needed or gives not in (probabilities, f"{probabilities}, float32 {(size,)}"):
            raise BundleError(
                f"the model takes {takes} and gives {gives}; with {classes} class names it "
                f"must take {needed} and give {probabilities}; export it anew"
            )

    def answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        """Fill `rows` of `into` with the scores of checked images (size, 28, 28)."""
        write_unit_range(images, self.input_view())
        self.interpreter.invoke()
        into.probabilities[rows] = self.probabilities_view()
        if self.single_view is not None:
            into.single[rows] = self.single_view()


def _described(tensors: Sequence[Any]) -> str:
    return ", ".join(
        f"{tensor['dtype'].__name__} {tuple(map(int, tensor['shape']))}" for tensor in tensors
    )


def load(path: str | Path = bundle.SHIPPED) -> LiteRTPredictor:
    """The model of the bundle (or of the run folder) at `path`, its files checked.

    Without a path, the one that comes with deepmnist. BundleError where it is missing, foreign,
    too new or altered.
    """
    return open_bundle(bundle.load(path))


def open_bundle(opened: bundle.Bundle) -> LiteRTPredictor:
    """The model of a bundle that has been checked."""
    manifest, runtime = opened.manifest, opened.runtime.read_bytes()
    if manifest.rejection is None:
        return LiteRTPredictor(runtime, manifest.class_names)
    rejection = manifest.rejection
    return LiteRTPredictor(runtime, manifest.class_names, rejection.threshold, rejection.coverages)


def usable_cores() -> int:
    """Cores this process may run on: fewer than the machine's where its owner says so (taskset)."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_images(images: NDArray[np.uint8 | np.floating]) -> None:
    """DataError unless images are an array (n, 28, 28), uint8 or float in 0..1."""
    if not isinstance(images, np.ndarray):
        raise DataError(
            f"images are a {type(images).__name__}; give a NumPy array (n, {SIDE}, {SIDE})"
        )
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"images have shape {images.shape}; they must be (n, {SIDE}, {SIDE})")
    if images.dtype == np.uint8:
        return
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"images are {images.dtype}; give uint8 in 0..255 or float in 0..1")
    if images.size and not (images.min() >= 0 and images.max() <= 1):  # false for NaN too
        raise DataError(
            f"float images lie in {images.min():g}..{images.max():g}; they must lie in 0..1 "
            "(0 paper, 1 ink); give uint8 for 0..255"
        )


def write_unit_range(images: NDArray[np.uint8 | np.floating], into: NDArray[np.float32]) -> None:
    """Put checked images into a float32 array of their shape, in 0..1."""
    if images.dtype == np.uint8:
        np.divide(images, np.float32(255), out=into, dtype=np.float32)
    else:
        np.copyto(into, images, casting="same_kind")
