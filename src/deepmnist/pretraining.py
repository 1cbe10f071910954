"""The model that comes with deepmnist: trained on MNIST and on made pictures, to read real ones.

    python -m deepmnist.pretraining [--out FOLDER] [--seed 0]        (make pretrained)

It learns MNIST's training images as they are, photographs of them that never were, and made digits,
letters and scribbles (synthesis/); the eleventh class is what is no digit. No real photograph is
learnt from or looked at. Thresholds come from made pictures that were not learnt; MNIST's test set
is read once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from deepmnist import bundle, completion, display, training
from deepmnist.data import Dataset, load, split_validation
from deepmnist.recipes import BALANCED, TrainingConfig
from deepmnist.synthesis import corpus
from deepmnist.training import Trained

CONFIG: TrainingConfig = replace(
    BALANCED, recipe="reader", architecture="reader", epochs=8, shift_px=2.0
)
MADE = 160_000  # images learnt beside MNIST's 55,000 and one photograph of each
MADE_ASIDE = 10_000  # images for thresholds
ASIDE = 1_000_003  # added to the seed of those


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
        corpus.eleven(kept),
        corpus.photographed(kept, seed),
        corpus.made(MADE, seed),
    ]
    aside = [corpus.photographed(held_out, seed + ASIDE), corpus.made(MADE_ASIDE, seed + ASIDE)]
    return Sets(
        corpus.joined(learnt, "mnist and made"), held_out, corpus.joined(aside, "made, aside")
    )


def save(out: Path, trained: Trained, sets: Sets, test: Dataset) -> bundle.Bundle:
    """Calibrate, convert, find the thresholds, read the test set once; write the bundle."""
    completed = completion.complete(trained.model, sets.mnist, sets.made, test)
    data = bundle.DataRecord(
        name="mnist",
        identity=sets.learnt.identity,
        training=len(sets.learnt),
        validation=len(sets.mnist) + len(sets.made),
        fallback=False,
    )
    return completion.write(out, trained, completed, data)


if __name__ == "__main__":
    typer.run(main)
