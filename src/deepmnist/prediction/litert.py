"""LiteRT, the base install's whole runtime, and what an exported .tflite file tells of itself.

How it spends the cores was measured (benchmarks/inference.py): of many images each core takes its
own, and a few are split between all cores only where that saves more than waking them costs, which
is tried (runners.py). Long work is given to ONNX Runtime, where there is one and it is the sooner
(many.py); a few images may be, where somebody has asked a thousand times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmnist import chatter
from deepmnist.contract import SIDE
from deepmnist.errors import BundleError, reason
from deepmnist.metadata import KEY, Metadata, decoded
from deepmnist.prediction import many
from deepmnist.prediction.arrays import write_unit_range
from deepmnist.prediction.cores import usable_cores
from deepmnist.prediction.graphs import Ends, Graph, check_ends
from deepmnist.prediction.predictor import ModelPredictor
from deepmnist.prediction.runners import Runner, Soonest
from deepmnist.prediction.translation import DAMAGE
from deepmnist.rejection import DEFAULT_THRESHOLD, Scores

SHARE = 32  # images a core takes at a time: what the net makes of them stays in the core's cache
LARGE_SHARE = 64  # the same where there are many, so that less is spent between two shares
MANY = 2_048  # images for each core; with fewer, a core without a last share would wait too long
ALL = slice(None)  # images of a batch
REST_SIZES = (8, 1)  # what is left is a sum of these, so that none is padded
MAGIC = b"TFL3"  # bytes 4 to 7 of a .tflite file
# What exports are made of. Of one graph alone: control flow would need others to go to.
ARITHMETIC = """
    ABS ADD ARG_MAX AVERAGE_POOL_2D BATCH_MATMUL CAST CEIL CONCATENATION CONV_2D CUMSUM
    DEPTHWISE_CONV_2D DEQUANTIZE DIV EQUAL EXP EXPAND_DIMS FLOOR FULLY_CONNECTED GATHER GREATER
    GREATER_EQUAL LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN
    MINIMUM MUL NEG PACK PAD QUANTIZE REDUCE_MAX REDUCE_MIN RELU RESHAPE REVERSE_V2 ROUND RSQRT
    SELECT_V2 SHAPE SIGN SOFTMAX SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM
    TOPK_V2 TRANSPOSE UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM
"""
MOST_LISTED = 1_000  # operations, or metadata, in a file; an export lists dozens
SPLIT_BYTES = 400_000  # images times the model's bytes, a gauge of work, that all cores may share


class LiteRTPredictor(ModelPredictor):
    """A model run by LiteRT on all cores. Not safe to share between threads."""

    def __init__(
        self,
        runtime: bytes,
        class_names: Sequence[str],
        threshold: float = DEFAULT_THRESHOLD,
        coverages: Sequence[tuple[float, float]] = (),
        cores: int | None = None,
        onnx: bool | None = None,
    ) -> None:
        """Run a .tflite file's content: `image` to `probabilities`, in some also to `single`.

        threshold, coverages: see rejection.py. cores: how many it may use; None for all.
        onnx: whether ONNX Runtime answers many images, as `onnx_is_sooner` has decided for a whole
        job. Then nothing is tried: an answer does not depend on what is sooner here and now.
        """
        super().__init__(class_names, threshold, coverages)
        self._runtime = runtime
        self._cores = cores or usable_cores()
        self._pool = ThreadPoolExecutor(self._cores)  # starts no thread before there is work
        self._onnx = onnx
        self._sharers: dict[int, list[Runner]] = {}  # by the size of a share
        self._decided: set[int] = set()  # those sizes for which ONNX Runtime was thought of
        self._rest: dict[int, Runner] = {}

    def _fill(self, images: NDArray[np.uint8 | np.floating], into: Scores) -> None:
        if (few := self._rest.get(len(images))) is not None:  # as one image is, again and again
            few.answer(images, into, ALL)
            return
        done = self._answer_shares(images, into) if len(images) >= SHARE else 0
        self._answer_rest(done, images, into)

    def _answer_shares(self, images: NDArray[np.uint8 | np.floating], into: Scores) -> int:
        """Let each core take the next share, until all are taken: a core held up takes fewer.

        How many images that makes.
        """
        size = LARGE_SHARE if len(images) >= MANY * self._cores else SHARE
        shares = len(images) // size
        sharers = self._made_sharers(size, shares, len(images))
        starts = iter(range(0, shares * size, size))

        def work(runner: Runner) -> None:
            for start in starts:  # one iterator for all, so that no share is taken twice
                rows = slice(start, start + size)
                runner.answer(images[rows], into, rows)

        list(self._pool.map(work, sharers))  # list: raises here what a thread raised
        return shares * size

    def _made_sharers(self, size: int, shares: int, images: int) -> list[Runner]:
        sharers = self._sharers.setdefault(size, [])
        while len(sharers) < min(self._cores, shares):
            sharers.append(self._runner(size, threads=1))
        if self._may_be_onnx(images) and size not in self._decided:
            self._decided.add(size)
            classes = len(self.class_names)
            found = many.runners(self._runtime, size, classes, self._cores, 1, sharers[0])
            if found and (self._onnx or many.is_sooner(found[0], sharers[0], size, classes)):
                self._sharers[size] = found
        return self._sharers[size]

    def _may_be_onnx(self, images: int) -> bool:
        return many.is_long(images, self._runtime) if self._onnx is None else self._onnx

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
                    self._rest[size] = self._for_few(size)
                rows = slice(done, done + size)
                self._rest[size].answer(images[rows], into, rows)
                done += size

    def _for_few(self, size: int) -> Runner:
        """On one core or on all: where that may pay, whichever turns out to be the sooner.

        Waking other cores costs what the machine makes it cost: a virtual or busy one, more than
        their help is worth.
        """
        decided = self._onnx is not None
        if decided or self._cores == 1 or size * len(self._runtime) <= SPLIT_BYTES:
            return self._runner(size, threads=1)
        return Soonest(_ways(self._runtime, size, len(self.class_names), self._cores))

    def _runner(self, size: int, threads: int) -> _Runner:
        return _Runner(self._runtime, size, len(self.class_names), threads)


def onnx_is_sooner(runtime: bytes, classes: int, images: int) -> bool:
    """Whether ONNX Runtime answers so many images sooner here than LiteRT, loading counted.

    A job asks once, and tells all who work at it: each has to answer by the same runtime.
    """
    if not many.is_long(images, runtime):
        return False
    alone = _Runner(runtime, LARGE_SHARE, classes, threads=1)
    found = many.runners(runtime, LARGE_SHARE, classes, 1, 1, alone)
    return bool(found) and many.is_sooner(found[0], alone, LARGE_SHARE, classes)


def _ways(runtime: bytes, size: int, classes: int, cores: int) -> Iterator[Runner]:
    """Each when it is asked for, so that a few answers need one interpreter only.

    They do not hold the predictor, which holds them: it is gone as soon as nobody has it.
    """
    alone = _Runner(runtime, size, classes, threads=1)
    yield alone
    yield _Runner(runtime, size, classes, cores)
    # one session: ONNX Runtime's threads stay awake for a while
    yield from many.runners(runtime, size, classes, 1, cores, held_to=alone)


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
        try:
            self.interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"the model cannot be run by LiteRT: {reason(error)}") from error
        into.probabilities[rows] = self.probabilities_view()
        if self.single_view is not None:
            into.single[rows] = self.single_view()


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
    check(content, str(path))
    try:
        with chatter.dropped():
            interpreter = Interpreter(model_content=content, num_threads=1)
            interpreter.allocate_tensors()  # it chatters here, or when it first answers
            run = interpreter.get_signature_runner()
            takes, gives = _ends(run.get_input_details()), _ends(run.get_output_details())
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"{path} cannot be run by LiteRT: {error}") from error
    check_ends(str(path), metadata, takes, gives)
    return _function(run, path), metadata


def _function(run: Any, path: Path) -> Graph:
    def answer(**arrays: Any) -> dict[str, Any]:
        try:
            return dict(run(**arrays))
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{path} cannot be run by LiteRT: {reason(error)}") from error

    return answer


def check(content: bytes, name: str) -> None:
    """BundleError where a .tflite file's content is anything but one graph of arithmetic."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, Model

    numbers = {number: each for each, number in vars(BuiltinOperator).items()}
    try:
        model = Model.GetRootAs(content)
        listed = _checked_length(model.OperatorCodesLength(), "operations", name)
        codes = [model.OperatorCodes(i) for i in range(listed)]
        used = [max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes]
        graphs = model.SubgraphsLength()
    except DAMAGE as error:
        raise BundleError(f"{name} cannot be run by LiteRT: it is damaged ({error})") from error
    foreign = {numbers.get(each, str(each)) for each in used} - {*ARITHMETIC.split()}
    if foreign or graphs != 1:
        held = f"the operation {min(foreign)}" if foreign else f"{graphs} graphs"
        raise BundleError(
            f"{name} holds {held}; an export is one graph of arithmetic alone: use a file that "
            "`deepmnist export` wrote"
        )


def _checked_length(listed: int, what: str, name: str) -> int:
    """`listed`, which a file may claim without having so many."""
    if listed > MOST_LISTED:
        raise BundleError(
            f"{name} lists {listed:,} {what}; at most {MOST_LISTED:,} are read: use a file that "
            "`deepmnist export` wrote"
        )
    return listed


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
        listed = _checked_length(model.MetadataLength(), "metadata", str(path))
        entries = [model.Metadata(i) for i in range(listed)]
        own = [each.Buffer() for each in entries if each.Name() == KEY.encode()]
        return model.Buffers(own[0]).DataAsNumpy().tobytes() if own else None
    except DAMAGE as error:
        raise BundleError(f"{path} is damaged ({error}); copy or export it again") from error
