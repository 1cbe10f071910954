"""Whether an exported file gives the answers of the model it was made from.

Real images and the golden pictures go through both. Counted are the same answers, and the largest
difference of any probability is held to a tolerance, which is stated here and nowhere else in code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmnist import canvas, images, rejection
from deepmnist.contract import INK
from deepmnist.errors import ParityError
from deepmnist.export import golden
from deepmnist.export.evidence import Evidence
from deepmnist.metadata import Precision
from deepmnist.prediction.graphs import Graph
from deepmnist.prediction.predictor import ModelPredictor

READER_IMAGES = 100  # real images that a reader is held to: each is a whole picture's work


@dataclass(frozen=True)
class Tolerance:
    """How far an export's answers may be from the model's own."""

    difference: float  # largest, of a probability
    same: float  # least share of equal answers


TOLERANCES: dict[str, dict[Precision, Tolerance]] = {
    "saved_model": {"float32": Tolerance(2e-5, 1.0), "float16": Tolerance(0.01, 0.995)},
    "litert": {
        "float32": Tolerance(2e-5, 1.0),
        "float16": Tolerance(0.01, 0.995),
        "int8": Tolerance(0.25, 0.99),
    },
    "onnx": {
        "float32": Tolerance(2e-5, 1.0),
        "float16": Tolerance(0.01, 0.995),
        "int8": Tolerance(0.25, 0.99),
    },
}


@dataclass(frozen=True)
class Comparison:
    """Original and export on one set of images."""

    images: str  # where they are from
    n: int
    same: int  # answers: the label and, of a reader, whether it is accepted
    difference: float  # largest, of a probability or a confidence


@dataclass(frozen=True)
class Report:
    """All comparisons of one export, and what it is held to."""

    format: str
    kind: str
    precision: str
    tolerance: Tolerance
    comparisons: tuple[Comparison, ...]

    def check(self) -> None:
        """ParityError where a comparison is past the tolerance."""
        allowed = self.tolerance
        for each in self.comparisons:
            if each.difference <= allowed.difference and each.same >= allowed.same * each.n:
                continue
            raise ParityError(
                f"the {self.kind} in {self.format}, {self.precision}, differs from the model by up "
                f"to {each.difference:.2g}, and answers {each.same} of {each.n} {each.images} "
                f"alike; allowed are {allowed.difference:g} and {allowed.same:.1%}; nothing was "
                "written: take a finer --precision"
            )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def of_classifier(
    original: ModelPredictor, exported: ModelPredictor, evidence: Evidence
) -> tuple[Comparison, ...]:
    """Both on the evidence and on the golden pictures, prepared.

    Images of nothing are left out: they are never taken for a digit, whatever a net makes of them.
    """
    prepared = np.stack([images.prepare(picture) for picture in golden.pictures().values()])
    sets = {evidence.name: evidence.images, "golden pictures": prepared}
    return tuple(
        compared(name, given[given.any(axis=(1, 2))], original, exported)
        for name, given in sets.items()
    )


def compared(
    name: str, given: NDArray[np.uint8], original: ModelPredictor, exported: ModelPredictor
) -> Comparison:
    """What two predictors make of the same images."""
    one, other = (rejection.scores(predictor, given) for predictor in (original, exported))
    same = one.probabilities.argmax(axis=1) == other.probabilities.argmax(axis=1)
    apart = [
        _apart(getattr(one, each), getattr(other, each)) for each in ("probabilities", "single")
    ]
    return Comparison(name, len(given), int(same.sum()), max(apart))


Read = Callable[[NDArray[np.uint8]], dict[str, NDArray[Any]]]


def of_reader(original: Read, exported: Graph, evidence: Evidence) -> tuple[Comparison, ...]:
    """Both on some of the evidence, as ink on paper, and on the golden pictures."""
    paper = [INK - image for image in evidence.images[:READER_IMAGES]]
    return (
        _read(evidence.name, paper, original, exported),
        _read("golden pictures", [*golden.pictures().values()], original, exported),
    )


def _read(
    name: str, pictures: Sequence[NDArray[np.uint8]], original: Read, exported: Graph
) -> Comparison:
    same, apart = 0, 0.0
    for picture in pictures:
        given = canvas.of(picture)[np.newaxis]
        one, other = original(given), exported(picture=given)
        same += bool(
            one["probabilities"].argmax() == other["probabilities"].argmax()
            and one["accepted"] == other["accepted"]
        )
        for each in ("probabilities", "confidence"):
            apart = max(apart, _apart(one[each], other[each]))
    return Comparison(name, len(pictures), same, apart)


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The largest difference; infinite where anything is no number."""
    apart = float(np.abs(one - other).max())
    return apart if np.isfinite(apart) else float("inf")
