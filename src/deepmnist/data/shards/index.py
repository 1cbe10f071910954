"""What a folder of shards holds: `shards.json`, checked against the files before it is believed.

Files have no names in it: they follow from part, number and count, so that none can lead elsewhere.
Every file's size is checked when the folder is opened; its hash is by `check`, which reads it all.
Labels are loaded, a byte an image; images stay where they are (images.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE
from deepmnist.data.dataset import Corpus, Dataset
from deepmnist.data.headers import (
    IMAGE_BYTES,
    IMAGES_HEADER_BYTES,
    LABELS_HEADER_BYTES,
    labels_header,
)
from deepmnist.data.shards.images import Shard, ShardedImages, ShardFiles
from deepmnist.errors import DataError, one_line, reason

SCHEMA_VERSION = 1
INDEX = "shards.json"
MAX_INDEX_BYTES = 2**27  # of a million shards
PARTS = ("train", "test")
MAX_ROWS = 2**31 - 1  # of a shard
ANEW = "make it anew with `deepmnist data shard`"

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class ShardRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One shard: a file of images and one of labels."""

    rows: Annotated[int, msgspec.Meta(ge=1, le=MAX_ROWS)]
    images: Sha256
    labels: Sha256


class Made(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What shards were made of: with another source or option they would be others."""

    source: str  # its name
    images: Count  # of its training part
    labels: Sha256  # of that part's
    pixels: Sha256 | None = None  # of the first images of both parts; None in older indexes
    rows: Count  # of a shard, at most
    copies: Count  # changed ones of each image; 0: the images as they are
    seed: Count


class Index(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What shards.json holds."""

    schema_version: int = SCHEMA_VERSION
    shape: tuple[int, int] = (SIDE, SIDE)
    class_names: list[str]
    train: list[ShardRecord]
    test: list[ShardRecord] = []
    made: Made | None = None


class _Version(msgspec.Struct):
    schema_version: int


def is_folder(folder: Path) -> bool:
    """Whether `folder` is one of shards."""
    return (folder / INDEX).is_file()


def read_folder(folder: Path, name: str | None = None) -> Corpus:
    """The parts of a folder of shards, their images not loaded.

    DataError, naming the file, for an index that is none or of another version, for a shard that is
    missing, torn or too long, and for a label outside the classes.
    """
    name, index = name or folder.name, read_index(folder)
    parts = {part: _dataset(folder, index, part, f"{name}/{part}") for part in PARTS}
    if not any(parts.values()):
        raise DataError(f"{folder / INDEX} lists no shard; {ANEW}")
    return Corpus(parts["train"], parts["test"], name)


def read_index(folder: Path) -> Index:
    """What shards.json says. DataError where it is missing, damaged or of another version."""
    path = folder / INDEX
    try:
        size = path.stat().st_size
        text = path.read_bytes() if size <= MAX_INDEX_BYTES else b""
    except OSError as error:
        raise DataError(f"cannot read {path}: {reason(error)}") from error
    if size > MAX_INDEX_BYTES:
        raise DataError(f"{path} has {size:,} bytes; an index has at most {MAX_INDEX_BYTES:,}")
    index = _decoded(path, text)
    if index.shape != (SIDE, SIDE):
        height, width = index.shape
        raise DataError(f"{path}: images are {height}x{width} pixels, not {SIDE}x{SIDE}; {ANEW}")
    return index


def check(folder: Path) -> tuple[Path, ...]:
    """Every file of a folder of shards, held against its SHA-256; DataError naming the first bad.

    Reads all of it, a file at a time.
    """
    index, paths = read_index(folder), []
    for part in PARTS:
        for images, labels, record in files(folder, index, part):
            for path, stated in ((images, record.images), (labels, record.labels)):
                found = sha256(path)
                if found != stated:
                    raise DataError(
                        f"{path} is altered: its SHA-256 is {found[:12]}..., {INDEX} says "
                        f"{stated[:12]}...; get it again"
                    )
                paths.append(path)
    return tuple(paths)


def files(folder: Path, index: Index, part: str) -> Iterator[tuple[Path, Path, ShardRecord]]:
    """The files of images and of labels of each shard of a part, with their record."""
    records: list[ShardRecord] = getattr(index, part)
    for number, record in enumerate(records):
        yield *paths_of(folder, part, number, len(records)), record


def paths_of(folder: Path, part: str, number: int, count: int) -> tuple[Path, Path]:
    """Where the images and the labels of shard `number` of `count` are."""
    stem = f"{part}-{number:05}-of-{count:05}"
    return folder / f"{stem}-images-idx3-ubyte", folder / f"{stem}-labels-idx1-ubyte"


def sha256(path: Path) -> str:
    """Of a file, read a piece at a time. DataError where it cannot be."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {reason(error)}") from error


def _decoded(path: Path, text: bytes) -> Index:
    try:
        version = msgspec.json.decode(text, type=_Version).schema_version
        if version != SCHEMA_VERSION:
            raise DataError(
                f"{path} has schema version {version}; this deepmnist reads {SCHEMA_VERSION}; "
                f"upgrade deepmnist, or {ANEW}"
            )
        return msgspec.json.decode(text, type=Index)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path} is no index of shards: {one_line(error)[:200]}; {ANEW}") from error


def _dataset(folder: Path, index: Index, part: str, name: str) -> Dataset | None:
    shards, labelled = [], []
    for images, labels, record in files(folder, index, part):
        _check_size(images, IMAGES_HEADER_BYTES + record.rows * IMAGE_BYTES)
        _check_size(labels, LABELS_HEADER_BYTES + record.rows)
        shards.append(Shard(images, record.rows, record.images + record.labels))
        labelled.append((labels, record.rows))
    if not shards:
        return None
    class_names = tuple(index.class_names)
    stored = ShardedImages(ShardFiles(shards))
    return Dataset(stored, _labels(labelled, len(class_names)), class_names, name)


def _check_size(path: Path, wanted: int) -> None:
    try:
        held = path.stat().st_size
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: {INDEX} lists it; get it again") from error
    if held != wanted:
        fault = "is truncated" if held < wanted else "is too long"
        raise DataError(f"{path} {fault}: {INDEX} says {wanted:,} bytes, it has {held:,}")


def _labels(files: list[tuple[Path, int]], classes: int) -> NDArray[np.uint8]:
    """The labels of all shards, whose files have the right sizes."""
    labels = np.empty(sum(rows for _, rows in files), np.uint8)
    start = 0
    for path, rows in files:
        content = path.read_bytes()
        if content[:LABELS_HEADER_BYTES] != labels_header(rows):
            raise DataError(
                f"{path} does not begin as an IDX file of {rows:,} labels; get it again"
            )
        here = labels[start : start + rows]
        here[:] = np.frombuffer(content, np.uint8, rows, LABELS_HEADER_BYTES)
        if here.max() >= classes:
            row = int(np.argmax(here >= classes))
            raise DataError(
                f"{path}: label {here[row]} of image {row} is outside the classes 0..{classes - 1}"
            )
        start += rows
    return labels
