"""What a model that is improved learns, and what it does not: corrections beside what it knows.

MNIST's training images and, for a net that knows what is no digit, made pictures are replayed, so
that neither is forgotten. One in five corrections is held out. Corrections are repeated to a share
of the whole, since a few of them among thousands would not be heard; the order is batches.py's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from deepmnist.data import Corpus, Dataset, split_validation
from deepmnist.data.dataset import DIGITS
from deepmnist.errors import DataError
from deepmnist.synthesis import corpus

HELD_OUT = 5  # one of so many corrections of each class is not learnt
SHARE = 0.25  # of each batch, on average, that is corrections
MOST_REPEATS = 200  # of a correction among the images learnt: a handful has a smaller share
ASIDE = 1_000_003  # added to the seed of made pictures that thresholds come from


@dataclass(frozen=True)
class Amounts:
    """How many images are replayed, and set aside."""

    mnist: int = 20_000  # of MNIST's training images, to learn
    made: int = 4_000  # made pictures, to learn
    made_aside: int = 2_000  # made pictures, and as many photographs of MNIST's images held out


AMOUNTS = Amounts()


@dataclass(frozen=True)
class Sets:
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


def digits_alone(corrections: Dataset) -> Dataset:
    """The corrections that are digits, as ten classes."""
    rows = np.flatnonzero(corrections.required_labels() != corpus.NONE)
    if len(rows) == 0:
        raise DataError(
            f"{corrections.name} says 'none' of everything, and this model does not know what is "
            "no digit; improve one that does, such as the one that comes along"
        )
    return replace(corrections.take(rows), class_names=DIGITS)


def gather(
    corrections: Dataset,
    mnist: Corpus,
    knows_none: bool,
    amounts: Amounts,
    seed: int,
    validation_share: float | None = None,
) -> Sets:
    """All sets, a function of what is given and the seed; corrections have the net's classes.

    knows_none: whether the net has eleven. validation_share: as it was trained with, so that what
    is aside is what it has not learnt. DataError where MNIST lacks a part.
    """
    learnt, held_out = hold_out(corrections)
    kept, aside = split_validation(mnist.training_part, validation_share)
    rows = np.random.default_rng(seed).permutation(len(kept))[: amounts.mnist]
    replayed = [kept.take(np.sort(rows))]
    made_aside = None
    if knows_none:
        replayed = [corpus.eleven(replayed[0]), corpus.made(amounts.made, seed)]
        made_aside = _made_aside(aside, amounts, seed + ASIDE)
    pool = corpus.joined(
        [*replayed, repeated(learnt, sum(map(len, replayed)), seed)], "corrections"
    )
    return Sets(learnt, held_out, pool, aside, made_aside, mnist.test_part, mnist.name)


def hold_out(corrections: Dataset) -> tuple[Dataset, Dataset | None]:
    """(to learn, held out): of each class one image in five, with all that are equal to it.

    None is held out where a class has no five that differ.

    They are of the same hands and pictures: what is measured on them is how well those are known.
    Which they are is a matter of their pixels alone, so that a model which is improved again, by
    the same and some more, is measured on hardly anything that it learnt the first time.
    """
    labels = corrections.required_labels()
    places = np.array(
        [hashlib.sha256(image.tobytes()).hexdigest() for image in corrections.gather(slice(None))]
    )
    held_out = np.zeros(len(corrections), bool)
    for label in range(len(corrections.class_names)):
        own = labels == label
        different = np.unique(places[own])  # in order
        if count := len(different) // HELD_OUT:
            held_out |= own & (places <= different[count - 1])
    if not held_out.any():
        return corrections, None
    kept, chosen = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    return corrections.take(kept), corrections.take(chosen)


def repeated(learnt: Dataset, replayed: int, seed: int) -> Dataset:
    """Corrections, each as often as any other, to be SHARE of a pool with what is replayed."""
    wanted = round(replayed * SHARE / (1 - SHARE))
    count = max(len(learnt), min(wanted, MOST_REPEATS * len(learnt)))
    order = np.random.default_rng(seed).permutation(len(learnt))
    return learnt.take(np.resize(order, count))


def _made_aside(aside: Dataset, amounts: Amounts, seed: int) -> Dataset:
    photographs = corpus.photographed(aside.take(slice(0, amounts.made_aside)), seed)
    return corpus.joined([photographs, corpus.made(amounts.made_aside, seed)], "made, aside")
