"""The model that comes with deepmnist: trained on MNIST and on made pictures, to read real ones.

    python -m deepmnist.pretraining [--out FOLDER] [--seed 0]        (make pretrained)

It learns MNIST's training images as they are, photographs of them that never were, and made digits,
letters and scribbles (synthesis/); the eleventh class is what is no digit. No real photograph is
learnt from or looked at. Thresholds come from made pictures that were not learnt; MNIST's test set
is read once, at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from deepmnist import (
    bundle,
    calibration,
    card,
    display,
    evaluation,
    machine,
    prediction,
    rejection,
    training,
)
from deepmnist.contract import CONTRACT_VERSION
from deepmnist.data import Dataset, load, split_validation
from deepmnist.data.dataset import DIGITS
from deepmnist.export import litert
from deepmnist.recipes import BALANCED, TrainingConfig
from deepmnist.synthesis import corpus
from deepmnist.training import Trained

CONFIG: TrainingConfig = replace(BALANCED, recipe="reader", architecture="reader", epochs=8)
MADE = 160_000  # images learnt beside MNIST's 55,000 and one photograph of each
MADE_ASIDE = 10_000  # images for thresholds
ASIDE = 1_000_003  # added to the seed of those
SHARES = (0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 1.0)  # of digits accepted
COVERAGE = 0.99  # of them, unless told


@dataclass(frozen=True)
class Sets:
    """What is learnt, and what is not."""

    learnt: Dataset  # eleven classes
    mnist: Dataset  # of MNIST's training images, those held out
    made: Dataset  # made pictures and photographs of `mnist`, eleven classes


def main(
    out: Annotated[Path, typer.Option(help="Where the bundle goes.")] = bundle.SHIPPED,
    seed: Annotated[int, typer.Option(help="Of pictures, weights and order.")] = 0,
) -> None:
    """Make the pictures, train, test once, write the bundle."""
    screen = display.choose()
    mnist = load("mnist")
    screen.message("making pictures; this takes some minutes")
    sets = make(mnist.training_part, seed)
    screen.message(f"{len(sets.learnt):,} images to learn")
    config = replace(CONFIG, seed=seed)
    trained = training.train(
        sets.learnt, sets.made, config, observe=screen.update, begin=screen.begin
    )
    screen.end()
    made = save(out, trained, sets, mnist.test_part)
    screen.message(f"{made.folder}: {made.manifest.numbers}")


def make(digits: Dataset, seed: int) -> Sets:
    """Everything that is learnt or set aside, a function of the seed alone."""
    kept, held_out = split_validation(digits)
    learnt = [
        eleven(kept),
        corpus.photographed(kept, seed),
        corpus.made(MADE, seed),
    ]
    aside = [corpus.photographed(held_out, seed + ASIDE), corpus.made(MADE_ASIDE, seed + ASIDE)]
    return Sets(joined(learnt, "mnist and made"), held_out, joined(aside, "made, aside"))


def eleven(digits: Dataset) -> Dataset:
    """The same images, with a class more for what is no digit."""
    return replace(digits, class_names=corpus.CLASS_NAMES)


def joined(parts: Sequence[Dataset], name: str) -> Dataset:
    """All images of sets that have the same classes."""
    images = np.concatenate([part.gather(slice(None)) for part in parts])
    labels = np.concatenate([part.required_labels() for part in parts])
    return Dataset(images, labels, parts[0].class_names, name)


def save(out: Path, trained: Trained, sets: Sets, test: Dataset) -> bundle.Bundle:
    """Calibrate, convert, find the thresholds, read the test set once; write the bundle."""
    logits = training.logits(trained.model, sets.mnist)
    temperature = calibration.fit_temperature(
        logits[:, : len(DIGITS)], sets.mnist.required_labels()
    )
    runtime = litert.convert(trained.model, temperature, len(DIGITS))
    predictor = prediction.LiteRTPredictor(runtime, DIGITS)
    record, separated = _rejection(predictor, sets)
    tested = evaluation.evaluate(predictor, test)
    manifest = _manifest(trained, sets, temperature, record, {**_tested(tested), **separated})

    def fill(unfinished: Path) -> None:
        (unfinished / bundle.RUNTIME).write_bytes(runtime)
        trained.model.save(unfinished / bundle.WEIGHTS)
        (unfinished / bundle.CARD).write_text(card.render(manifest), encoding="utf-8")

    return bundle.save(out, manifest, fill)


def _rejection(
    predictor: prediction.LiteRTPredictor, sets: Sets
) -> tuple[bundle.RejectionRecord, dict[str, bundle.Value]]:
    """Thresholds by coverage of digits not learnt, MNIST's and made; and how much else passes."""
    labels = sets.made.required_labels()
    made = rejection.scores(predictor, sets.made.gather(slice(None)))
    plain = rejection.scores(predictor, sets.mnist.gather(slice(None)))
    is_digit = labels != corpus.NONE
    digits = np.concatenate([made.confidence[is_digit], plain.confidence])
    others = made.confidence[~is_digit]
    coverages = rejection.coverages(digits, SHARES)
    threshold = dict(coverages)[COVERAGE]
    numbers: dict[str, bundle.Value] = {
        "validation_accuracy": _right(plain.probabilities, sets.mnist.required_labels()),
        "made_digits_accuracy": _right(made.probabilities[is_digit], labels[is_digit]),
        "made_others_accepted": float((others >= threshold).mean()),
        "made_others_accepted_at_95": float((others >= dict(coverages)[0.95]).mean()),
    }
    return bundle.RejectionRecord(threshold, coverages), numbers


def _right(probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    return float((probabilities.argmax(axis=1) == labels).mean())


def _tested(tested: evaluation.Report) -> dict[str, bundle.Value]:
    low, high = tested.interval
    return {
        "test_accuracy": tested.accuracy,
        "test_correct": tested.correct,
        "test_n": tested.n,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "negative_log_likelihood": tested.negative_log_likelihood,
        "expected_calibration_error": tested.expected_calibration_error,
    }


def _manifest(
    trained: Trained,
    sets: Sets,
    temperature: float,
    record: bundle.RejectionRecord,
    numbers: dict[str, bundle.Value],
) -> bundle.Manifest:
    return bundle.Manifest(
        class_names=list(DIGITS),
        input_contract=CONTRACT_VERSION,
        temperature=temperature,
        parameters=trained.model.count_params(),
        config=asdict(trained.config),
        dataset=bundle.DataRecord(
            name="mnist",
            identity=sets.learnt.identity,
            training=len(sets.learnt),
            validation=len(sets.mnist) + len(sets.made),
            fallback=False,
        ),
        numbers={**numbers, "train_seconds": round(trained.train_seconds, 1)},
        versions=machine.versions(),
        rejection=record,
    )


if __name__ == "__main__":
    typer.run(main)
