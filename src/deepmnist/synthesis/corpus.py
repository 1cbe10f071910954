"""Sets of made images: digits, and what is none, each prepared as a picture would be.

Most of the pictures are photographed (photos.py) and prepared by `images.prepare`; of the others
the ink is known, and only brought to size. Each image is a function of (seed, its number) alone,
however many processes make them. The eleventh class, NONE, is whatever is no single digit.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import images
from deepmnist.contract import SIDE as IMAGE_SIDE
from deepmnist.data.dataset import DIGITS, Dataset
from deepmnist.prediction import usable_cores
from deepmnist.synthesis import handwriting, nonsense, photos, printing
from deepmnist.synthesis.pens import SIDE, Draw, Levels

NONE = 10  # the label of what is no single digit
CLASS_NAMES = (*DIGITS, "none")
TASK = 250  # images a process makes at a time
PHOTOGRAPHED = 0.6  # of the pictures; the others' ink is known
DRAWN = 0.2  # of the photographed: without light or grain
LEAST_WIDTH = 0.8  # of its height: several digits that look narrower are not to be told from one

Grey = NDArray[np.uint8]


def given(image: Grey, draw: Draw) -> Levels:
    """Ink (SIDE, SIDE) of a digit of MNIST, enlarged, with a pen's sharp edges."""
    side = round(SIDE * draw.uniform(0.75, 1.15))
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    ink = np.clip((large / 255 - draw.uniform(0.2, 0.5)) / 0.25, 0, 1)
    room = abs(SIDE - side) // 2
    if side >= SIDE:
        return np.asarray(ink[room : room + SIDE, room : room + SIDE])
    canvas = np.zeros((SIDE, SIDE), np.float32)
    canvas[room : room + side, room : room + side] = ink
    return canvas


@dataclass(frozen=True)
class Kind:
    """One kind of picture: its share of a set, and how its ink is made."""

    share: float
    ink: Callable[[Draw], tuple[Levels, int]]  # ink (SIDE, SIDE) and its label


def _labelled(make: Callable[[int, Draw], Levels]) -> Callable[[Draw], tuple[Levels, int]]:
    def ink(draw: Draw) -> tuple[Levels, int]:
        label = int(draw.integers(10))
        return make(label, draw), label

    return ink


def _none(make: Callable[[Draw], Levels]) -> Callable[[Draw], tuple[Levels, int]]:
    return lambda draw: (make(draw), NONE)


MADE: dict[str, Kind] = {
    "handwriting": Kind(0.37, _labelled(handwriting.digit)),
    "printing": Kind(0.12, _labelled(printing.digit)),
    "letter": Kind(0.26, _none(printing.letter)),
    "scribble": Kind(0.06, _none(nonsense.scribble)),
    "doodle": Kind(0.09, _none(nonsense.doodle)),
    "sign": Kind(0.05, _none(nonsense.sign)),
    "several": Kind(0.05, _none(nonsense.several)),
}


def made(count: int, seed: int, processes: int | None = None) -> Dataset:
    """Some `count` made images, the kinds in their shares; those that show nothing are left out."""
    tasks = [(seed, range(start, min(start + TASK, count))) for start in range(0, count, TASK)]
    return _collected(_made, tasks, "made", processes)


def photographed(dataset: Dataset, seed: int, processes: int | None = None) -> Dataset:
    """A photograph, prepared, of each image of `dataset`, which holds digits as MNIST has them."""
    labels = dataset.required_labels()
    parts = [slice(start, start + TASK) for start in range(0, len(dataset), TASK)]
    tasks = [(seed, part.start, dataset.gather(part), labels[part]) for part in parts]
    return _collected(_photographed, tasks, f"{dataset.name}, photographed", processes)


def eleven(digits: Dataset) -> Dataset:
    """The same images, with a class more for what is no digit."""
    return replace(digits, class_names=CLASS_NAMES)


def joined(parts: Sequence[Dataset], name: str) -> Dataset:
    """All images of sets that have the same classes."""
    images = np.concatenate([part.gather(slice(None)) for part in parts])
    labels = np.concatenate([part.required_labels() for part in parts])
    return Dataset(images, labels, parts[0].class_names, name)


Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # images (n, 28, 28), labels (n,)
KINDS = tuple(MADE.values())
SHARES = np.array([kind.share for kind in KINDS])


def _made(task: tuple[int, range]) -> Part:
    seed, numbers = task
    found = []
    for number in numbers:
        draw = np.random.default_rng([seed, number])
        kind = KINDS[draw.choice(len(KINDS), p=SHARES)]
        ink, label = kind.ink(draw)
        image = _seen(ink, draw)
        if image.any() and not (kind is MADE["several"] and _is_narrow(image)):
            found.append((image, label))
    return _stacked(found)


def _photographed(task: tuple[int, int, Grey, NDArray[np.uint8]]) -> Part:
    seed, first, pictures, labels = task
    found = []
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True), start=first):
        draw = np.random.default_rng([seed, 1, number])
        image = images.prepare(_picture(given(picture, draw), draw))
        if image.any():
            found.append((image, int(label)))
    return _stacked(found)


def _seen(ink: Levels, draw: Draw) -> Grey:
    if draw.random() < PHOTOGRAPHED:
        return images.prepare(_picture(ink, draw))
    return images.of_strokes(ink, ink > 0.5)


def _picture(ink: Levels, draw: Draw) -> Grey:
    return photos.drawing(ink, draw) if draw.random() < DRAWN else photos.photo(ink, draw)


def _is_narrow(image: Grey) -> bool:
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return bool(np.ptp(columns) < LEAST_WIDTH * np.ptp(rows))


def _stacked(found: list[tuple[Grey, int]]) -> Part:
    shape = (len(found), IMAGE_SIDE, IMAGE_SIDE)
    pictures = np.array([image for image, _ in found], np.uint8).reshape(shape)
    return pictures, np.array([label for _, label in found], np.uint8)


def _collected(
    work: Callable[[Any], Part], tasks: Sequence[Any], name: str, processes: int | None
) -> Dataset:
    """What `work` makes of each task, in their order; the eleven classes."""
    processes = processes or usable_cores()
    with ProcessPoolExecutor(processes, get_context("spawn"), _one_thread) as pool:
        parts = list(pool.map(work, tasks))
    pictures, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Dataset(pictures, labels, CLASS_NAMES, name)


def _one_thread() -> None:
    """Processes share the cores already, and Ctrl-C is for the one that waits for them."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
