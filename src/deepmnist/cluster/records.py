"""What passes between the rooms of cluster/: pieces of files, parts of a source, rows read of them.

Rows are counted from 1 where people see them and from 0 in a piece. Paths are relative to the
source. Nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

PART_WEIGHT = 65_536  # a part is full from here on: seconds of work, and some megabytes of answers
IMAGE, PICTURE, READ = 1, 64, 512  # weights of a row: a 28x28 image, a picture, one to be read
TO_THE_END = -1  # a piece's stop, where nobody knows yet how many rows there are


class Kind(StrEnum):
    """What a file is, by its name."""

    parquet = "parquet"
    table = "table"
    idx = "idx"
    tar = "tar"
    picture = "picture"


@dataclass(frozen=True)
class Piece:
    """Some rows of one file, and what the file was when it was cut."""

    path: str
    kind: Kind
    size: int  # bytes of the whole file
    modified_ns: int
    start: int = 0  # the first row
    stop: int = TO_THE_END  # the first row after
    offset: int = 0  # bytes before the first row, where rows lie at bytes
    weight: int = PART_WEIGHT  # of all its rows, a gauge of work


@dataclass(frozen=True)
class Part:
    """What is scored at once, and answered in one file."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def weight(self) -> int:
        """A gauge of the work in it."""
        return sum(piece.weight for piece in self.pieces)


# ---- rows, as shards/ reads them ----------------------------------------------------------------


@dataclass(frozen=True)
class Images:
    """Rows that are images already, rising."""

    path: str
    rows: NDArray[np.int64]  # (n,), counted from 1
    images: NDArray[np.uint8]  # (n, 28, 28)


@dataclass(frozen=True)
class Picture:
    """One picture, not decoded, perhaps not even fetched."""

    path: str
    row: int | None  # None: the file is the picture
    load: Callable[[], bytes]  # DataError where it cannot be read
    image_as_is: bool  # 28x28 pixels are an image already, as everywhere in a data file


@dataclass(frozen=True)
class Unreadable:
    """Rows that cannot be read, and why."""

    path: str
    row: int | None  # the first of them; None: the file is the row, or none can be told apart
    rows: int | None  # how many; None: nobody can tell
    reason: str


Read = Images | Picture | Unreadable
