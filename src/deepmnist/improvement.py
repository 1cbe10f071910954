"""A trained model taught a hand it did not know, from corrections, without forgetting the others.

Its Keras weights are learnt on, at a low rate for one cycle, from the corrections and a replay of
what it knows: MNIST's training images and, where it knows what is no digit, made pictures. A fifth
of the corrections is held out. What is left is a new bundle, completed as the first was; or none,
where MNIST's test images are read worse than they may be. Reading corrections is corrections.py's
work, and what is drawn while a net learns display.py's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
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
    machine,
    model,
    prediction,
    recipes,
    rejection,
    teaching,
    training,
    weights,
)
from deepmnist.completion import Completed, eleven, joined
from deepmnist.contract import CONTRACT_VERSION
from deepmnist.data import Corpus, Dataset, split_validation
from deepmnist.data.dataset import DIGITS
from deepmnist.errors import BundleError, ConfigError, DataError, ForgettingError
from deepmnist.recipes import TrainingConfig
from deepmnist.synthesis import corpus

if TYPE_CHECKING:
    import keras

HELD_OUT = 5  # one of so many corrections of each class is not learnt
SHARE = 0.25  # of each batch, on average, that is corrections
MOST_REPEATS = 200  # of a correction among the images learnt: a handful has a smaller share
MAY_LOSE = 0.001  # of MNIST's test images: more may not be read worse than before
ASIDE = 1_000_003  # added to the seed of made pictures that thresholds come from


@dataclass(frozen=True)
class Amounts:
    """How many images are replayed, and set aside."""

    mnist: int = 20_000  # of MNIST's training images, to learn
    made: int = 4_000  # made pictures, to learn
    made_aside: int = 2_000  # made pictures, and as many photographs of MNIST's images held out


AMOUNTS = Amounts()
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
    amounts: Amounts = AMOUNTS,
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
    given = corrections if knows_none else _digits_alone(corrections)
    if knows_none:
        screen.message("Making pictures to replay; this takes some seconds")
    sets = _sets(given, mnist, knows_none, amounts, seed)
    before = _measured(prediction.open_bundle(base), sets)
    trained = _trained(sets, config, net, screen)
    screen.message("Testing")
    completed = completion.complete(trained.model, sets.aside, sets.made_aside, sets.test)
    after = _measured(completed.predictor(), sets, completed.tested)
    if not accept_loss:
        _check_loss(before, after)
    atomic.check_free(out)  # what came there in the meantime stays
    manifest = _manifest(base, trained, completed, sets, before, after)
    written = completion.write(out, completed, manifest)
    left_out = len(corrections) - len(given)
    return Improved(written, before, after, left_out, trained.train_seconds)


def _trained(
    sets: _Sets, config: TrainingConfig, net: keras.Model, screen: display.Display
) -> training.Trained:
    try:
        return training.train(
            sets.pool,
            sets.validation,
            config,
            observe=screen.update,
            begin=screen.begin,
            weights=net.get_weights(),
        )
    finally:
        screen.end()


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


# ---- what is learnt, and what is not ------------------------------------------------------------


@dataclass(frozen=True)
class _Sets:
    """Every image, by what it is for."""

    learnt: Dataset  # corrections
    held_out: Dataset | None  # corrections; None where no class has five
    pool: Dataset  # what the net learns: corrections, repeated, and what is replayed
    aside: Dataset  # MNIST's training images that are held out
    made_aside: Dataset | None  # made pictures; None for a net that takes all for digits
    test: Dataset  # MNIST's
    name: str  # of what is replayed: mnist

    @property
    def validation(self) -> Dataset:
        """`aside`, with the classes of the pool."""
        return replace(self.aside, class_names=self.pool.class_names)

    @property
    def corrections(self) -> int:
        """All of them."""
        return len(self.learnt) + (len(self.held_out) if self.held_out else 0)


def _digits_alone(corrections: Dataset) -> Dataset:
    """The corrections that are digits, as ten classes."""
    rows = np.flatnonzero(corrections.required_labels() != corpus.NONE)
    if len(rows) == 0:
        raise DataError(
            f"{corrections.name} says 'none' of everything, and this model does not know what is "
            "no digit; improve one that does, such as the one that comes along"
        )
    return replace(corrections.take(rows), class_names=DIGITS)


def _sets(
    corrections: Dataset, mnist: Corpus, knows_none: bool, amounts: Amounts, seed: int
) -> _Sets:
    learnt, held_out = hold_out(corrections, seed)
    kept, aside = split_validation(mnist.training_part)
    rows = np.random.default_rng(seed).permutation(len(kept))[: amounts.mnist]
    replayed = [kept.take(np.sort(rows))]
    made_aside = None
    if knows_none:
        replayed = [eleven(replayed[0]), corpus.made(amounts.made, seed)]
        made_aside = _made_aside(aside, amounts, seed + ASIDE)
    pool = joined([*replayed, _repeated(learnt, sum(map(len, replayed)), seed)], "corrections")
    return _Sets(learnt, held_out, pool, aside, made_aside, mnist.test_part, mnist.name)


def hold_out(corrections: Dataset, seed: int) -> tuple[Dataset, Dataset | None]:
    """(to learn, held out): of each class one in five, drawn by `seed`; None where that is none.

    They are of the same hands and pictures: what is measured on them is how well those are known.
    """
    labels = corrections.required_labels()
    generator = np.random.default_rng(seed)
    held_out = np.zeros(len(corrections), bool)
    for label in range(len(corrections.class_names)):
        rows = generator.permutation(np.flatnonzero(labels == label))
        held_out[rows[: len(rows) // HELD_OUT]] = True
    if not held_out.any():
        return corrections, None
    kept, chosen = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    return corrections.take(kept), corrections.take(chosen)


def _repeated(learnt: Dataset, replayed: int, seed: int) -> Dataset:
    """Corrections, each as often as any other, to be SHARE of a pool with what is replayed."""
    wanted = round(replayed * SHARE / (1 - SHARE))
    count = max(len(learnt), min(wanted, MOST_REPEATS * len(learnt)))
    order = np.random.default_rng(seed).permutation(len(learnt))
    return learnt.take(np.resize(order, count))


def _made_aside(aside: Dataset, amounts: Amounts, seed: int) -> Dataset:
    photographs = corpus.photographed(aside.take(slice(0, amounts.made_aside)), seed)
    return joined([photographs, corpus.made(amounts.made_aside, seed)], "made, aside")


# ---- before and after ---------------------------------------------------------------------------


def _measured(
    predictor: prediction.LiteRTPredictor, sets: _Sets, tested: evaluation.Report | None = None
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


def _manifest(
    base: bundle.Bundle,
    trained: training.Trained,
    completed: Completed,
    sets: _Sets,
    before: Measured,
    after: Measured,
) -> bundle.Manifest:
    aside = len(sets.aside) + (len(sets.made_aside) if sets.made_aside else 0)
    return bundle.Manifest(
        class_names=list(DIGITS),
        input_contract=CONTRACT_VERSION,
        temperature=completed.temperature,
        parameters=trained.model.count_params(),
        config=asdict(trained.config),
        dataset=bundle.DataRecord(
            name=sets.name,
            identity=sets.pool.identity,
            training=len(sets.pool),
            validation=aside,
            fallback=False,
        ),
        numbers={
            **completed.numbers,
            "test_accuracy_before": before.test.share,
            "held_out_accuracy": after.held_out.share,
            "held_out_accuracy_before": before.held_out.share,
            "train_seconds": round(trained.train_seconds, 1),
        },
        versions=machine.versions(),
        rejection=completed.rejection,
        origin=bundle.OriginRecord(
            sha256=teaching.identity(base),
            recipe=teaching.recipe(base),
            corrections=len(sets.learnt),
            held_out=sets.corrections - len(sets.learnt),
            identity=sets.learnt.identity,
        ),
    )
