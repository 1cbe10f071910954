"""LiteRT, the base install's whole runtime, and what an exported .tflite file tells of itself.

How it spends the cores was measured (benchmarks/inference.py): each core takes images of its own,
and a single image is split between all, where that saves more than waking them costs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmnist import chatter
from deepmnist.contract import SIDE
from deepmnist.errors import BundleError
from deepmnist.metadata import KEY, Metadata, decoded
from deepmnist.prediction.arrays import write_unit_range
from deepmnist.prediction.cores import usable_cores
from deepmnist.prediction.graphs import Ends, Graph, check_ends
from deepmnist.prediction.predictor import ModelPredictor
from deepmnist.rejection import DEFAULT_THRESHOLD, Scores

SIZES = (32, 8, 1)  # images a core takes at a time; what the net makes of 32 stays in its cache
MAGIC = b"TFL3"  # bytes 4 to 7 of a .tflite file
# What reading a flatbuffer's tables may raise where their offsets lead nowhere.
DAMAGE = (struct.error, LookupError, ArithmeticError, ValueError, TypeError, AttributeError)
WORTH_SHARING = 1_000_000  # images times the model's bytes, a gauge of work, for all cores


class LiteRTPredictor(ModelPredictor):
    """A model run by LiteRT on all cores. Not safe to share between threads."""

    def __init__(
        self,
        runtime: bytes,
        class_names: Sequence[str],
        threshold: float = DEFAULT_THRESHOLD,
        coverages: Sequence[tuple[float, float]] = (),
        split: bool = True,
        cores: int | None = None,
    ) -> None:
        """Run a .tflite file's content: `image` to `probabilities`, in some also to `single`.

        threshold, coverages: see rejection.py. split: whether a few images may be split between
        cores: an answer comes sooner, but costs more, which matters where others wait for theirs.
        cores: how many it may use; None for all.
        """
        super().__init__(class_names, threshold, coverages)
        self._runtime = runtime
        self._cores = cores or usable_cores()
        self._split = split
        self._pool = ThreadPoolExecutor(self._cores)  # starts no thread before there is work
        self._runners: list[_Runners] = [{} for _ in range(self._cores)]  # of each core, by size
        self._single: _Runner | None = None

    def _fill(self, images: NDArray[np.uint8 | np.floating], into: Scores) -> None:
        pieces = _pieces(len(images), self._cores if self._split else 1)
        if len(images) == 1:
            self._answer_one(images, into)
        elif self._worth_sharing(len(images)):
            self._share_out(pieces, images, into)
        else:
            self._answer(self._runners[0], pieces, images, into)

    def _worth_sharing(self, count: int) -> bool:
        """Whether so many images are worth waking other cores for."""
        if self._split:
            return count * len(self._runtime) > WORTH_SHARING
        return count >= 2 * SIZES[0]

    def _answer_one(self, images: NDArray[np.uint8 | np.floating], into: Scores) -> None:
        """Run a single image, on one core or split between all."""
        if self._single is None:
            large = self._split and len(self._runtime) > WORTH_SHARING
            self._single = self._runner(1, self._cores if large else 1)
        self._single.answer(images, into, slice(0, 1))

    def _share_out(
        self, pieces: Sequence[slice], images: NDArray[np.uint8 | np.floating], into: Scores
    ) -> None:
        """Let each core take the next piece, until all are taken: a core held up takes fewer."""
        left = iter(pieces)  # one iterator for all, so that none is taken twice

        def work(runners: _Runners) -> None:
            self._answer(runners, left, images, into)

        list(self._pool.map(work, self._runners))  # list: raises here what a thread raised

    def _answer(
        self,
        runners: _Runners,
        pieces: Iterable[slice],
        images: NDArray[np.uint8 | np.floating],
        into: Scores,
    ) -> None:
        for rows in pieces:
            size = rows.stop - rows.start
            if size not in runners:
                runners[size] = self._runner(size, threads=1)
            runners[size].answer(images[rows], into, rows)

    def _runner(self, size: int, threads: int) -> _Runner:
        return _Runner(self._runtime, size, len(self.class_names), threads)


def _pieces(count: int, cores: int) -> list[slice]:
    """`count` images in pieces of SIZES, none padded: the largest of which every core gets one."""
    found, start = [], 0
    for size in SIZES:
        if count - start >= size * cores or size == 1:
            stop = count - (count - start) % size
            found += [slice(at, at + size) for at in range(start, stop, size)]
            start = stop
    return found


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


_Runners = dict[int, _Runner]


def _described(tensors: Sequence[Any]) -> str:
    return ", ".join(
        f"{tensor['dtype'].__name__} {tuple(map(int, tensor['shape']))}" for tensor in tensors
    )


def is_litert(content: bytes) -> bool:
    """Whether a file's content says that it is a .tflite file."""
    return content[4:8] == MAGIC


def opened(content: bytes, path: Path) -> tuple[Graph, Metadata]:
    """The one signature of a .tflite file's content, and what the file tells of itself.

    BundleError where it is none, or LiteRT cannot run it with operations of its own.
    """
    from ai_edge_litert.interpreter import Interpreter

    metadata = decoded(_told(content, path), str(path))
    try:
        with chatter.dropped():
            interpreter = Interpreter(model_content=content, num_threads=1)
            interpreter.allocate_tensors()  # it chatters here, or when it first answers
            run = interpreter.get_signature_runner()
            takes, gives = _ends(run.get_input_details()), _ends(run.get_output_details())
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"{path} cannot be run by LiteRT: {error}") from error
    check_ends(str(path), metadata, takes, gives)
    return lambda **arrays: dict(run(**arrays)), metadata


def _ends(details: dict[str, Any]) -> Ends:
    return {
        name: (
            each["dtype"].__name__.rstrip("_"),
            tuple(None if size < 0 else int(size) for size in each["shape_signature"]),
        )
        for name, each in details.items()
    }


def _told(content: bytes, path: Path) -> bytes | None:
    """What the flatbuffer's metadata hold under KEY; None where they hold nothing there."""
    from ai_edge_litert.schema_py_generated import Model

    try:
        model = Model.GetRootAs(content)
        entries = [model.Metadata(i) for i in range(model.MetadataLength())]
        own = [each.Buffer() for each in entries if each.Name() == KEY.encode()]
        return model.Buffers(own[0]).DataAsNumpy().tobytes() if own else None
    except DAMAGE as error:
        raise BundleError(f"{path} is damaged ({error}); copy or export it again") from error
