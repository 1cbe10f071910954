"""Many images: ONNX Runtime, where it is installed and the work is long enough to load it for.

It takes longer to load than LiteRT, and which of them computes a net sooner depends on the net and
on the processor (benchmarks/inference.py), so both are tried. What it runs is the bundle's own
file, translated when it is loaded, and it answers only where it agrees with LiteRT on a batch of
noise; in every other case LiteRT keeps the work.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmnist import chatter
from deepmnist.contract import SIDE
from deepmnist.prediction import translation
from deepmnist.prediction.arrays import write_unit_range
from deepmnist.prediction.runners import Runner
from deepmnist.prediction.translation import TranslationError
from deepmnist.rejection import Scores

LONG_WORK = 200e9  # images times the model's bytes, a gauge of work; loading pays from here on
TOLERANCE = 1e-4  # largest difference from LiteRT; it is 1e-6 where both are right
TRIAL_S, TRIALS = 0.5, 3  # for so long, and as often at least, two take turns


def is_long(images: int, runtime: bytes) -> bool:
    """Whether so many images are worth loading ONNX Runtime for."""
    return images * len(runtime) >= LONG_WORK


def runners(
    runtime: bytes, size: int, classes: int, count: int, threads: int, held_to: Runner
) -> list[Runner]:
    """ONNX Runtime with a LiteRT file: `count`, of so many threads each.

    An empty list where it cannot be had, or disagrees with held_to: LiteRT with that file, for
    batches of the same size.
    """
    try:
        return [*_agreeing(runtime, size, classes, count, threads, held_to)]
    except (ImportError, TranslationError):
        return []


def is_sooner(one: Runner, other: Runner, size: int, classes: int) -> bool:
    """Whether `one` answers a batch sooner than `other`: by medians, turn by turn."""
    took: list[tuple[float, float]] = []
    end = time.perf_counter() + TRIAL_S
    while len(took) < TRIALS or time.perf_counter() < end:
        took.append((_seconds(one, size, classes), _seconds(other, size, classes)))
    first, second = map(statistics.median, zip(*took, strict=True))
    return first < second


def _seconds(runner: Runner, size: int, classes: int) -> float:
    noise, scores = _noise(size), _empty(size, classes)
    started = time.perf_counter()
    runner.answer(noise, scores, slice(size))
    return time.perf_counter() - started


def _agreeing(
    runtime: bytes, size: int, classes: int, count: int, threads: int, held_to: Runner
) -> list[_Session]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    providers = ["CPUExecutionProvider"]
    file = translation.to_onnx(runtime, size)
    try:
        with chatter.dropped():
            made = [onnxruntime.InferenceSession(file, options, providers) for _ in range(count)]
            sessions = [_Session(session) for session in made]
            difference = _difference(sessions[0], held_to, size, classes)
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise TranslationError("what was made is not run by ONNX Runtime") from error
    return sessions if difference <= TOLERANCE else []


class _Session:
    """One session of ONNX Runtime's, bound once to memory of ours: images in, answers out."""

    def __init__(self, session: Any) -> None:
        self._session, self._bound = session, session.io_binding()
        (image,), outputs = session.get_inputs(), session.get_outputs()
        self._image = _memory(self._bound.bind_input, image)
        self._outputs = [_memory(self._bound.bind_output, output) for output in outputs]

    def answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        """See Runner. What has one number for each image is `single`, as in a LiteRT file."""
        write_unit_range(images, self._image)
        self._session.run_with_iobinding(self._bound)
        for values in self._outputs:
            (into.single if values.ndim == 1 else into.probabilities)[rows] = values


def _memory(bind: Callable[..., None], tensor: Any) -> NDArray[np.float32]:
    array = np.zeros(tensor.shape, np.float32)
    bind(tensor.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    return array


def _difference(one: Runner, other: Runner, size: int, classes: int) -> float:
    """The largest between what two make of noise."""
    found = [_answered(runner, size, classes) for runner in (one, other)]
    first, second = (np.column_stack([each.probabilities, each.single]) for each in found)
    return float(np.abs(first - second).max())


def _answered(runner: Runner, size: int, classes: int) -> Scores:
    """What it makes of noise."""
    scores = _empty(size, classes)
    runner.answer(_noise(size), scores, slice(size))
    return scores


def _noise(size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (size, SIDE, SIDE)).astype(np.uint8)


def _empty(size: int, classes: int) -> Scores:
    return Scores(np.zeros((size, classes), np.float32), np.ones(size, np.float32))
