"""A trained model taught a hand it did not know, from corrections, without forgetting the others.

Its Keras weights are learnt on, at a low rate for one cycle, from the corrections and a replay of
what it knows (replay.py). What is left is a new bundle, completed as the first was; or none, where
MNIST's test images are read worse than they may be. Reading corrections is corrections.py's work,
and what is drawn while a net learns display.py's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepmnist import (
    atomic,
    bundle,
    completion,
    devices,
    display,
    evaluation,
    model,
    prediction,
    recipes,
    rejection,
    replay,
    teaching,
    training,
    weights,
)
from deepmnist.data import Corpus, Dataset
from deepmnist.data.dataset import DIGITS
from deepmnist.errors import BundleError, ConfigError, ForgettingError
from deepmnist.recipes import TrainingConfig
from deepmnist.replay import Amounts, Sets
from deepmnist.synthesis import corpus

if TYPE_CHECKING:
    import keras

MAY_LOSE = 0.001  # of MNIST's test images: more may not be read worse than before


SILENT = display.Silent()


@dataclass(frozen=True)
class Count:
    """How many of a set are read right. What is no digit is right where it is taken for none."""

    right: int
    n: int

    @property
    def share(self) -> float | None:
        """None of an empty set."""
        return self.right / self.n if self.n else None


@dataclass(frozen=True)
class Measured:
    """What a model reads right."""

    test: Count  # MNIST's test images
    held_out: Count  # corrections that were not learnt
    learnt: Count  # corrections that were


@dataclass(frozen=True)
class Improved:
    """The new model, and what it came to beside the old one."""

    bundle: bundle.Bundle
    before: Measured
    after: Measured
    left_out: int  # corrections that say `none`, to a model that does not know of it
    train_seconds: float


def improve(
    base: bundle.Bundle,
    corrections: Dataset,
    mnist: Corpus,
    out: Path,
    *,
    steps: int = recipes.IMPROVING_STEPS,
    seed: int = 0,
    accept_loss: bool = False,
    amounts: Amounts = replay.AMOUNTS,
    screen: display.Display = SILENT,
) -> Improved:
    """Learn corrections (corrections.read) on from `base`; the new bundle is written at `out`.

    StorageError where something lies at `out`, ConfigError where steps or seed are out of range,
    BundleError where `base` cannot be learnt on from, DataError where no correction says anything
    to it, ForgettingError where more than MAY_LOSE of MNIST's test images were lost, unless
    `accept_loss`. Nothing is written before the end.
    """
    atomic.check_free(out)
    devices.prepare_gpus()
    net, config = _opened(base, steps, seed)
    knows_none = net.output_shape[1] > len(DIGITS)
    given = corrections if knows_none else replay.digits_alone(corrections)
    if knows_none:
        screen.message("Making pictures to replay; this takes some seconds")
    sets = replay.gather(given, mnist, knows_none, amounts, seed, config.validation_share)
    before = _measured(prediction.open_bundle(base), sets)
    trained = _trained(sets, config, net, screen)
    screen.message("Testing")
    completed = completion.complete(trained.model, sets.aside, sets.made_aside, sets.test)
    after = _measured(completed.predictor(), sets, completed.tested)
    if not accept_loss:
        _check_loss(before, after)
    atomic.check_free(out)  # what came there in the meantime stays
    numbers, origin = _numbers(before, after), _origin(base, sets, after)
    written = completion.write(out, trained, completed, _data(sets), numbers, origin)
    left_out = len(corrections) - len(given)
    return Improved(written, before, after, left_out, trained.train_seconds)


def _trained(
    sets: Sets, config: TrainingConfig, net: keras.Model, screen: display.Display
) -> training.Trained:
    try:
        trained = training.train(
            sets.pool,
            sets.validation,
            config,
            observe=screen.update,
            begin=screen.begin,
            weights=net.get_weights(),
        )
    finally:
        screen.end()
    return training.average([trained], config, sets.validation)


# ---- what is learnt on from ---------------------------------------------------------------------


def _opened(base: bundle.Bundle, steps: int, seed: int) -> tuple[keras.Model, TrainingConfig]:
    """The net of a bundle, and the configuration by which it goes on learning."""
    names = base.manifest.class_names
    if tuple(names) != DIGITS:
        raise BundleError(
            f"{base.folder} tells {teaching.listed(names)}; only a model of the digits 0 to 9 can "
            "be improved; train one of other classes anew"
        )
    config = _configured(base, steps, seed)
    net = weights.read(base, [len(DIGITS), len(corpus.CLASS_NAMES)])
    fresh = model.build(config, net.output_shape[1])
    shapes = [[array.shape for array in each.get_weights()] for each in (net, fresh)]
    if shapes[0] != shapes[1]:
        raise BundleError(
            f"{base.weights} is no single net of architecture '{config.architecture}'; only such "
            "can be improved, no ensemble; train one, such as the recipe balanced"
        )
    return net, config


def _configured(base: bundle.Bundle, steps: int, seed: int) -> TrainingConfig:
    """As the base was trained, augmentation and all, but for a low rate and one short cycle."""
    try:
        trained = recipes.checked(base.manifest.config)
    except ConfigError as error:
        raise BundleError(
            f"{base.folder} does not tell how it was trained ({error}); train it anew"
        ) from error
    return recipes.improving(trained, steps, seed)


# ---- before and after ---------------------------------------------------------------------------


def _measured(
    predictor: prediction.LiteRTPredictor, sets: Sets, tested: evaluation.Report | None = None
) -> Measured:
    """What a model reads right; `tested` where that is known of the test images already."""
    tested = tested or evaluation.evaluate(predictor, sets.test)
    return Measured(
        Count(tested.correct, tested.n),
        _count(predictor, sets.held_out),
        _count(predictor, sets.learnt),
    )


def _count(predictor: prediction.Predictor, corrections: Dataset | None) -> Count:
    if corrections is None:
        return Count(0, 0)
    found = rejection.scores(predictor, corrections.gather(slice(None)))
    said = np.where(
        found.single < rejection.NO_DIGIT, corpus.NONE, found.probabilities.argmax(axis=1)
    )
    right = said == corrections.required_labels()
    return Count(int(right.sum()), len(corrections))


def _check_loss(before: Measured, after: Measured) -> None:
    old, new = before.test, after.test
    lost = old.right - new.right
    if lost <= MAY_LOSE * new.n:
        return
    gained = after.held_out if after.held_out.n else after.learnt
    had = before.held_out if after.held_out.n else before.learnt
    which = "held out" if after.held_out.n else "learnt"
    raise ForgettingError(
        f"the improved model reads {new.right:,} of MNIST's {new.n:,} test images right, "
        f"{lost:,} fewer than before; at most {MAY_LOSE * new.n:,.0f} may be lost, so it was not "
        f"saved; of the {gained.n:,} corrections {which} it reads {gained.right:,} right, before "
        f"{had.right:,}; give more corrections or fewer steps, or accept the loss (--accept-loss)"
    )


# ---- the bundle ---------------------------------------------------------------------------------


def _data(sets: Sets) -> bundle.DataRecord:
    aside = len(sets.aside) + (len(sets.made_aside) if sets.made_aside else 0)
    return bundle.DataRecord(
        name=sets.name,
        identity=sets.pool.identity,
        training=len(sets.pool),
        validation=aside,
        fallback=False,
    )


def _numbers(before: Measured, after: Measured) -> dict[str, bundle.Value]:
    return {
        "test_accuracy_before": before.test.share,
        "held_out_accuracy": after.held_out.share,
        "held_out_accuracy_before": before.held_out.share,
    }


def _origin(base: bundle.Bundle, sets: Sets, after: Measured) -> bundle.OriginRecord:
    return bundle.OriginRecord(
        sha256=teaching.identity(base),
        recipe=teaching.recipe(base),
        corrections=len(sets.learnt),
        held_out=after.held_out.n,
        identity=sets.learnt.identity,
    )
