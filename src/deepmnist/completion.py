"""A net of digits completed: calibrated, converted, given thresholds, tested once, written.

What pretraining.py and improvement.py end with. A net with one output more than there are digits
says with it that an image is none; its thresholds come from made pictures it did not learn. The
temperature comes from MNIST's images held out. How a net was trained is no business of this
module's, nor what else its manifest tells.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepmnist import bundle, calibration, card, evaluation, figures, machine, rejection, training
from deepmnist.contract import CONTRACT_VERSION
from deepmnist.data.dataset import DIGITS, Dataset
from deepmnist.export import layers, litert
from deepmnist.prediction import LiteRTPredictor
from deepmnist.synthesis import corpus

if TYPE_CHECKING:
    import keras

SHARES = (0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 1.0)  # of digits accepted
COVERAGE = 0.99  # of them, unless told


@dataclass(frozen=True)
class Completed:
    """A net with all that a bundle needs but its manifest's account of the training."""

    net: keras.Model
    temperature: float
    runtime: bytes  # the LiteRT file
    rejection: bundle.RejectionRecord | None  # None: it takes everything for a digit
    tested: evaluation.Report  # of the test set
    numbers: dict[str, bundle.Value]  # what was measured, for the manifest

    def predictor(self) -> LiteRTPredictor:
        """The net as it will answer."""
        if self.rejection is None:
            return LiteRTPredictor(self.runtime, DIGITS)
        return LiteRTPredictor(
            self.runtime, DIGITS, self.rejection.threshold, self.rejection.coverages
        )


def complete(net: keras.Model, held_out: Dataset, made: Dataset | None, test: Dataset) -> Completed:
    """Calibrate, convert, find the thresholds, read the test set once.

    net: from image to logits of the ten digits, or of those and of what is none. held_out: MNIST's
    images that it did not learn. made: pictures that it did not learn, eleven classes; None where
    the net takes everything for a digit.
    """
    logits = training.logits(net, held_out)[:, : len(DIGITS)]
    temperature = calibration.fit_temperature(logits, held_out.required_labels())
    runtime = litert.convert(net, temperature, len(DIGITS))
    predictor = LiteRTPredictor(runtime, DIGITS)
    record, separated = (None, {}) if made is None else _rejection(predictor, held_out, made)
    tested = evaluation.evaluate(predictor, test)
    return Completed(
        net, temperature, runtime, record, tested, {**figures.tested(tested), **separated}
    )


def write(
    out: Path,
    trained: training.Trained,
    completed: Completed,
    data: bundle.DataRecord,
    numbers: dict[str, bundle.Value] | None = None,
    origin: bundle.OriginRecord | None = None,
) -> bundle.Bundle:
    """The bundle at `out`, whole or not at all. StorageError where the system refuses.

    numbers: what its manifest tells beside what completing measured. origin: of a model that was
    learnt on from another.
    """
    manifest = bundle.Manifest(
        class_names=list(DIGITS),
        input_contract=CONTRACT_VERSION,
        temperature=completed.temperature,
        parameters=completed.net.count_params(),
        config=asdict(trained.config),
        dataset=data,
        numbers={
            **completed.numbers,
            **(numbers or {}),
            "train_seconds": round(trained.train_seconds, 1),
        },
        versions=machine.versions(),
        rejection=completed.rejection,
        origin=origin,
    )

    def fill(unfinished: Path) -> None:
        (unfinished / bundle.RUNTIME).write_bytes(completed.runtime)
        completed.net.save(unfinished / bundle.WEIGHTS)
        (unfinished / bundle.CARD).write_text(card.render(manifest), encoding="utf-8")
        layers.put(completed.net, unfinished)

    return bundle.save(out, manifest, fill)


def _rejection(
    predictor: LiteRTPredictor, held_out: Dataset, made: Dataset
) -> tuple[bundle.RejectionRecord, dict[str, bundle.Value]]:
    """Thresholds by coverage of digits not learnt, MNIST's and made; and how much else passes."""
    labels = made.required_labels()
    of_made = rejection.scores(predictor, made.gather(slice(None)))
    plain = rejection.scores(predictor, held_out.gather(slice(None)))
    is_digit = labels != corpus.NONE
    digits = np.concatenate([of_made.confidence[is_digit], plain.confidence])
    others = of_made.confidence[~is_digit]
    coverages = rejection.coverages(digits, SHARES)
    threshold = dict(coverages)[COVERAGE]
    numbers: dict[str, bundle.Value] = {
        "validation_accuracy": _right(plain.probabilities, held_out.required_labels()),
        "made_digits_accuracy": _right(of_made.probabilities[is_digit], labels[is_digit]),
        "made_others_accepted": float((others >= threshold).mean()),
        "made_others_accepted_at_95": float((others >= dict(coverages)[0.95]).mean()),
    }
    return bundle.RejectionRecord(threshold, coverages), numbers


def _right(probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    return float((probabilities.argmax(axis=1) == labels).mean())
