"""An exported graph as a function of named arrays, and a predictor made of one.

Whatever the runtime, a graph's inputs and outputs are those of `ends`, by name, shape and dtype; a
file of other ends is refused before it runs. ONNX Runtime and TensorFlow share work out themselves,
so a predictor only gives them images in batches that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE
from deepmnist.errors import BundleError
from deepmnist.metadata import Metadata
from deepmnist.prediction.arrays import write_unit_range
from deepmnist.prediction.predictor import ModelPredictor
from deepmnist.rejection import DEFAULT_THRESHOLD, Scores

BATCH = 256  # images at a time
CANVAS = 256  # pixels of each side of a reader's picture (canvas.SIDE, which loads OpenCV)

Shape: TypeAlias = tuple[int | None, ...]  # None: any number
End: TypeAlias = tuple[str, Shape]  # dtype and shape
Ends: TypeAlias = dict[str, End]


class Graph(Protocol):
    """A graph that runs: arrays by input name in, arrays by output name out."""

    def __call__(self, **arrays: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Raises BundleError where the runtime cannot run it."""
        ...


def ends(metadata: Metadata) -> tuple[Ends, Ends]:
    """The inputs and outputs that a file with this metadata must have; `single` may be missing."""
    classes = len(metadata.class_names)
    if metadata.kind == "reader":
        return {"picture": ("uint8", (1, CANVAS, CANVAS))}, {
            "probabilities": ("float32", (1, classes)),
            "confidence": ("float32", (1,)),
            "accepted": ("bool", (1,)),
            "seen": ("uint8", (1, SIDE, SIDE)),
        }
    return {"image": ("float32", (None, SIDE, SIDE))}, {
        "probabilities": ("float32", (None, classes)),
        "single": ("float32", (None,)),
    }


def check_ends(name: str, metadata: Metadata, inputs: Ends, outputs: Ends) -> None:
    """BundleError unless the graph in the file `name` has the ends its metadata asks for."""
    takes, gives = ends(metadata)
    allowed = [gives, {each: end for each, end in gives.items() if each != "single"}]
    if inputs != takes or outputs not in allowed:
        raise BundleError(
            f"{name} takes {_told(inputs)} and gives {_told(outputs)}; a {metadata.kind} of "
            f"{len(metadata.class_names)} classes takes {_told(takes)} and gives {_told(gives)}; "
            "export it anew"
        )


def _told(ends: Ends) -> str:
    return ", ".join(
        f"{name[:40]} {dtype} {shape}" for name, (dtype, shape) in sorted(ends.items())
    )


class GraphPredictor(ModelPredictor):
    """A classifier's graph as a predictor. Not safe to share between threads."""

    def __init__(
        self,
        graph: Graph,
        class_names: Sequence[str],
        threshold: float = DEFAULT_THRESHOLD,
        coverages: Sequence[tuple[float, float]] = (),
    ) -> None:
        """graph: its ends checked. threshold, coverages: see rejection.py."""
        super().__init__(class_names, threshold, coverages)
        self._graph = graph

    def _fill(self, images: NDArray[np.uint8 | np.floating], into: Scores) -> None:
        for start in range(0, len(images), BATCH):
            self._answer(images[start : start + BATCH], into, slice(start, start + BATCH))

    def _answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        image = np.empty(images.shape, np.float32)
        write_unit_range(images, image)
        outputs = self._graph(image=image)
        expected = {"probabilities": into.probabilities[rows], "single": into.single[rows]}
        for name, output in outputs.items():
            if output.shape != expected[name].shape:
                raise BundleError(
                    f"the model gives {name} {output.shape} for {len(images)} images; it must give "
                    f"{expected[name].shape}; export it anew"
                )
            expected[name][:] = output
