"""Dataset: the one record that every source becomes and everything downstream takes.

It knows images, labels and class names, and how to hold a part of them out. It does not know
where they came from on disk, how they are batched, or what a model does with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE
from deepmnist.data import mapped
from deepmnist.data.rows import AllBut
from deepmnist.errors import ConfigError, DataError, one_line

DIGITS = tuple("0123456789")

VALIDATION_IMAGES = 5_000  # the tutorial's own loader holds out the last 5,000
VALIDATION_SHARE = 0.1  # of a set too small to spare 5,000
SMALL_SET = 10 * VALIDATION_IMAGES
DRAWN_IMAGES = 50_000  # that a drawn tenth holds at most: more images tell hardly more
LARGE_SET = 10 * DRAWN_IMAGES  # from here on, what is drawn is found without a list of all rows
CHUNK_ROWS = 2**20  # looked at at once
MAX_CLASSES = 256  # labels are uint8


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images.

    images: uint8 (n, 28, 28), 0 is paper and 255 is ink. May be memory-mapped or in shards; many
        rows taken out of such a set are a MappedRows. Both are indexed as an array is.
    labels: uint8 (n,), an index into class_names; None where the source has none.
    class_names: one name a class.
    name: where it came from, for people: "mnist/train".
    """

    images: mapped.Images
    labels: NDArray[np.uint8] | None
    class_names: tuple[str, ...] = DIGITS
    name: str = "unnamed"

    def __post_init__(self) -> None:
        _check_class_names(self.class_names, self.name)
        _check_images(self.images, self.name)
        if self.labels is not None:
            _check_labels(self.labels, len(self.images), len(self.class_names), self.name)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, n={len(self)}, classes={len(self.class_names)})"

    @cached_property
    def identity(self) -> str:
        """SHA-256 over class names, shape, labels and pixels: equal for equal content.

        Of shards, over what their index says of each and which rows are meant: they are not read.
        """
        digest = hashlib.sha256()
        digest.update(_encoded(self.class_names))
        digest.update(repr(self.images.shape).encode())
        if stated := mapped.stated_identity(self.images):
            digest.update(stated.encode())
            return digest.hexdigest()
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels).data)
        for start in range(0, len(self), 65_536):  # a memory-mapped set is never resident at once
            digest.update(np.ascontiguousarray(self.gather(slice(start, start + 65_536))).data)
        return digest.hexdigest()

    def required_labels(self) -> NDArray[np.uint8]:
        """The labels, or DataError where the source has none."""
        if self.labels is None:
            raise DataError(f"{self.name} has no labels; training and evaluation need them")
        return self.labels

    def take(self, rows: mapped.Selection, name: str | None = None) -> Dataset:
        """The same data set, narrowed to `rows`, in their order; a large stored one is not read.

        rows: a slice, row numbers, a mask of all rows, or all but some.
        """
        rows, labels = _plain(rows, len(self)), self.labels
        if labels is not None:
            labels = rows.taken_from(labels) if isinstance(rows, AllBut) else labels[rows]
        images = mapped.select(self.images, rows)
        return Dataset(images, labels, self.class_names, name or self.name)

    def gather(self, rows: mapped.Rows) -> NDArray[np.uint8]:
        """The images of `rows`, uint8 (*rows.shape, 28, 28), a file on disk not staying resident.

        DataError where a file has been cut short since it was opened.
        """
        return mapped.gather(self.images, rows)


@dataclass(frozen=True, eq=False)
class Corpus:
    """What a source holds: a part to train on, a part to test on, either of which may be missing.

    name: the known name ("mnist") or the file or folder it came from.
    """

    train: Dataset | None
    test: Dataset | None
    name: str

    @property
    def training_part(self) -> Dataset:
        """The part to train on, or DataError where the source has none."""
        if self.train is None:
            raise DataError(f"{self.name} has no labelled images to train on")
        return self.train

    @property
    def test_part(self) -> Dataset:
        """The part to test on, or DataError where the source has none."""
        if self.test is None:
            raise DataError(f"{self.name} has no images to test on")
        return self.test


def split_validation(
    dataset: Dataset, share: float | None = None, seed: int = 0
) -> tuple[Dataset, Dataset]:
    """Split into (training, validation).

    share=None holds out the last 5,000 images, as the tutorial's loader does; or, of a set of
    fewer than 50,000 or one whose last 5,000 lack a class (it is sorted), a seeded tenth, 50,000
    images at most. A share in (0, 1) holds out that part, drawn by `seed` in equal proportion from
    every class; any other share is a ConfigError.
    """
    training: mapped.Selection
    validation: mapped.Selection
    cut = len(dataset) - VALIDATION_IMAGES
    if share is None and len(dataset) >= SMALL_SET and _tail_has_every_class(dataset, cut):
        training, validation = slice(0, cut), slice(cut, None)
    elif share is None:
        training, validation = drawn(dataset, VALIDATION_SHARE, seed)
    else:
        training, validation = stratified(dataset, share, seed)
    return (
        dataset.take(training, f"{dataset.name}[training]"),
        dataset.take(validation, f"{dataset.name}[validation]"),
    )


def drawn(
    dataset: Dataset, share: float, seed: int, *, fixed: bool = False
) -> tuple[NDArray[np.int64] | AllBut, NDArray[np.int64]]:
    """`stratified`, of at most DRAWN_IMAGES."""
    return stratified(dataset, min(share, DRAWN_IMAGES / len(dataset)), seed, fixed=fixed)


def stratified(
    dataset: Dataset, share: float, seed: int, *, fixed: bool = False
) -> tuple[NDArray[np.int64] | AllBut, NDArray[np.int64]]:
    """Rows (kept, held out): `share` of every class is held out, drawn by `seed`, in file order.

    fixed: nobody can give another share, so the DataError about too few images advises none.
    """
    if not 0 < share < 1:
        raise ConfigError(
            f"the share to hold out is {share}; give one between 0 and 1, such as 0.1"
        )
    labels, classes = dataset.required_labels(), len(dataset.class_names)
    draw = _drawn if len(dataset) <= LARGE_SET else _drawn_of_many
    held_out = draw(labels, classes, share, np.random.default_rng(seed))
    if not 0 < len(held_out) < len(dataset):
        other = "larger" if len(held_out) == 0 else "smaller"
        advice = "" if fixed else f" or hold out a {other} share"
        raise DataError(
            f"{dataset.name} has {len(dataset)} images: too few to hold out {share:.0%} of each "
            f"class; give more images{advice}"
        )
    if len(dataset) > LARGE_SET:
        return AllBut.of(len(dataset), held_out), held_out
    return np.delete(np.arange(len(dataset)), held_out), held_out


def _drawn(
    labels: NDArray[np.uint8], classes: int, share: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """The rows to hold out, rising."""
    held_out = np.zeros(len(labels), bool)
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        held_out[generator.permutation(rows)[: round(share * len(rows))]] = True
    return np.flatnonzero(held_out)


def _drawn_of_many(
    labels: NDArray[np.uint8], classes: int, share: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """As `_drawn`, by another draw: which of its class each is, found by going through once."""
    counts = _class_counts(labels, classes)
    wanted = [
        np.sort(generator.choice(count, round(share * count), replace=False, shuffle=False))
        for count in counts.tolist()
    ]
    seen, rows = np.zeros(classes, np.int64), []
    for start, chunk in _chunks(labels):
        for label in np.unique(chunk).tolist():
            here = np.flatnonzero(chunk == label)
            ranks = wanted[label] - seen[label]
            first, last = np.searchsorted(ranks, (0, len(here)))
            rows.append(here[ranks[first:last]] + start)
            seen[label] += len(here)
    return np.sort(np.concatenate(rows))


def _chunks(labels: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The labels in runs of CHUNK_ROWS, each with where it begins."""
    for start in range(0, len(labels), CHUNK_ROWS):
        yield start, labels[start : start + CHUNK_ROWS]


def _class_counts(labels: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    counts = np.zeros(classes, np.int64)
    for _, chunk in _chunks(labels):
        counts += np.bincount(chunk, minlength=classes)
    return counts


def to_labels(
    values: NDArray[np.generic], class_names: tuple[str, ...], name: str
) -> NDArray[np.uint8]:
    """Whole numbers of any width as labels uint8 (n,), checked before they are narrowed.

    DataError for anything but whole numbers (n,), and for one outside the classes, with its row.
    """
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise DataError(
            f"{name}: labels are {values.dtype} of shape {values.shape}; "
            "they must be whole numbers of shape (n,)"
        )
    _check_range(values, len(class_names), name)
    return values.astype(np.uint8)


def classes_missing(part: NDArray[np.uint8], dataset: Dataset) -> list[str]:
    """Names of the classes that a data set has and a part of its labels has not."""
    names, labels = dataset.class_names, dataset.required_labels()
    there, here = (_class_counts(each, len(names)) > 0 for each in (part, labels))
    return [names[label] for label in np.flatnonzero(here & ~there)]


def _tail_has_every_class(dataset: Dataset, cut: int) -> bool:
    return not classes_missing(dataset.required_labels()[cut:], dataset)


def _plain(rows: mapped.Selection, n: int) -> mapped.Selection:
    """Steps and masks as row numbers, since stored images know runs and numbers alone."""
    if isinstance(rows, slice) and rows.step not in (None, 1):
        return np.arange(*rows.indices(n))
    if isinstance(rows, np.ndarray) and rows.dtype == bool:
        if rows.shape != (n,):
            raise IndexError(f"a mask of shape {rows.shape} for {n} images")
        return np.flatnonzero(rows)
    return rows


def _encoded(class_names: tuple[str, ...]) -> bytes:
    return "\0".join(class_names).encode()


def _check_class_names(class_names: tuple[str, ...], name: str) -> None:
    if not 1 <= len(class_names) <= MAX_CLASSES:
        raise DataError(f"{name}: {len(class_names)} classes; there must be 1 to {MAX_CLASSES}")
    if len(set(class_names)) != len(class_names):
        names = one_line(", ".join(class_names))
        raise DataError(f"{name}: a class name appears twice among {names}")
    try:
        _encoded(class_names)
    except UnicodeEncodeError as error:
        raise DataError(
            f"{name}: a class name is no text in UTF-8: {ascii(list(class_names))[:200]}; name the "
            "class otherwise"
        ) from error


def _check_images(images: mapped.Images, name: str) -> None:
    if images.dtype != np.uint8 or images.ndim != 3:
        raise DataError(
            f"{name}: images are {images.dtype} of shape {images.shape}; "
            f"they must be uint8 (n, {SIDE}, {SIDE})"
        )
    if images.shape[1:] != (SIDE, SIDE):
        height, width = images.shape[1:]
        raise DataError(
            f"{name}: images are {height}x{width} pixels, not {SIDE}x{SIDE}; "
            "pass --resize (resize=True) to have them resized"
        )
    if len(images) == 0:
        raise DataError(f"{name} is empty: it holds no image")


def _check_labels(labels: NDArray[np.uint8], n: int, classes: int, name: str) -> None:
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise DataError(
            f"{name}: labels are {labels.dtype} of shape {labels.shape}; they must be uint8 ({n},)"
        )
    if len(labels) != n:
        raise DataError(f"{name}: {n} images but {len(labels)} labels; there must be one an image")
    _check_range(labels, classes, name)


def _check_range(labels: NDArray[Any], classes: int, name: str) -> None:
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        outside = (labels < 0) | (labels >= classes)
        row = int(np.argmax(outside))
        raise DataError(
            f"{name}: label {labels[row]} of image {row} is outside the classes 0..{classes - 1}"
        )
