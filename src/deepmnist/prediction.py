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
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepmnist import bundle, chatter
from deepmnist.contract import SIDE
from deepmnist.errors import BundleError, DataError

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
    """One answer: the most probable class, its probability, and the first few of all."""

    label: str
    probability: float
    top: tuple[tuple[str, float], ...]


def predictions(probabilities: NDArray[np.float32], class_names: Sequence[str]) -> list[Prediction]:
    """Answers for probabilities (n, classes), most probable class first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
    answers = []
    for row, best in zip(probabilities, order, strict=True):
        top = tuple((class_names[i], float(row[i])) for i in best)
        answers.append(Prediction(*top[0], top))
    return answers


class LiteRTPredictor:
    """The model of a bundle, run by LiteRT on all cores. Not safe to share between threads."""

    def __init__(self, runtime: bytes, class_names: Sequence[str]) -> None:
        """Run the content of a .tflite file with input `image` and output `probabilities`."""
        self.class_names = tuple(class_names)
        self._runtime = runtime
        self._cores = usable_cores()
        self._pool = ThreadPoolExecutor(self._cores)  # starts no thread before there is work
        self._sharers: list[_Runner] = []
        self._rest: dict[int, _Runner] = {}

    def predict_proba(self, images: NDArray[np.uint8 | np.floating]) -> NDArray[np.float32]:
        """Probabilities float32 (n, classes) of images (n, 28, 28): uint8 0..255 or float 0..1.

        DataError where images have another shape, dtype or range.
        """
        check_images(images)
        probabilities = np.empty((len(images), len(self.class_names)), np.float32)
        shares = len(images) // SHARE
        if shares:
            self._answer_shares(shares, images, probabilities)
        self._answer_rest(shares * SHARE, images, probabilities)
        return probabilities

    def predict(self, images: NDArray[np.uint8 | np.floating]) -> NDArray[np.int64]:
        """The most probable class of each image, int64 (n,), an index into class_names."""
        return self.predict_proba(images).argmax(axis=1)

    def _answer_shares(
        self,
        shares: int,
        images: NDArray[np.uint8 | np.floating],
        into: NDArray[np.float32],
    ) -> None:
        """Let each core take the next share, until all are taken: a core held up takes fewer."""
        while len(self._sharers) < min(self._cores, shares):
            self._sharers.append(self._runner(SHARE, threads=1))
        starts = iter(range(0, shares * SHARE, SHARE))

        def work(runner: _Runner) -> None:
            for start in starts:  # one iterator for all, so that no share is taken twice
                rows = slice(start, start + SHARE)
                runner.answer(images[rows], into[rows])

        list(self._pool.map(work, self._sharers))  # list: raises here what a thread raised

    def _answer_rest(
        self,
        done: int,
        images: NDArray[np.uint8 | np.floating],
        into: NDArray[np.float32],
    ) -> None:
        """Run what makes no share, each batch on one core or split between all."""
        for size in REST_SIZES:
            while len(images) - done >= size:
                if size not in self._rest:
                    split = size * len(self._runtime) > SPLIT_BYTES
                    self._rest[size] = self._runner(size, threads=self._cores if split else 1)
                rows = slice(done, done + size)
                self._rest[size].answer(images[rows], into[rows])
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
                (self.probabilities,) = self.interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"the model cannot be run by LiteRT: {error}") from error
        self._check(size, classes)
        # LiteRT's own memory: a view of it must be gone when the model runs, so each is made anew.
        self.input_view = self.interpreter.tensor(self.image["index"])
        self.output_view = self.interpreter.tensor(self.probabilities["index"])

    def _check(self, size: int, classes: int) -> None:
        found = [
            f"{tensor['dtype'].__name__} {tuple(map(int, tensor['shape']))}"
            for tensor in (self.image, self.probabilities)
        ]
        needed = [f"float32 {(size, SIDE, SIDE)}", f"float32 {(size, classes)}"]
        if found != needed:
            raise BundleError(
                f"the model takes {found[0]} and gives {found[1]}; with {classes} class names it "
                f"must take {needed[0]} and give {needed[1]}; export it anew"
            )

    def answer(self, images: NDArray[np.uint8 | np.floating], into: NDArray[np.float32]) -> None:
        """Fill `into` (size, classes) with the probabilities of checked images (size, 28, 28)."""
        write_unit_range(images, self.input_view())
        self.interpreter.invoke()
        into[:] = self.output_view()


def load(path: str | Path) -> LiteRTPredictor:
    """The model of the bundle (or of the run folder) at `path`, its files checked.

    BundleError where it is missing, foreign, too new or altered.
    """
    return open_bundle(bundle.load(path))


def open_bundle(opened: bundle.Bundle) -> LiteRTPredictor:
    """The model of a bundle that has been checked."""
    return LiteRTPredictor(opened.runtime.read_bytes(), opened.manifest.class_names)


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
