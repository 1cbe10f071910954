"""The first bytes of an IDX file, read and written: a magic number, then the sizes, big-endian.

It knows no files and no arrays, so that whoever reads images where they lie can use it.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Protocol

from deepmnist.contract import SIDE
from deepmnist.errors import DataError

IMAGES_MAGIC = 0x00000803  # two zero bytes, 08 for unsigned bytes, 03 dimensions
LABELS_MAGIC = 0x00000801
IMAGES_HEADER_BYTES, LABELS_HEADER_BYTES = 16, 8
IMAGE_BYTES = SIDE * SIDE


class Readable(Protocol):
    """What gives bytes in order."""

    def read(self, count: int, /) -> bytes:
        """So many, fewer at the end."""
        ...


def header(file: Readable, path: Path | str, magic: int, dimensions: int) -> tuple[int, ...]:
    """The shape that a file's first bytes claim. DataError where they are no header."""
    wanted = 4 * (1 + dimensions)
    start = file.read(wanted)
    if len(start) < wanted:
        raise DataError(f"{path} is truncated: {len(start)} bytes, its header alone has {wanted}")
    found, *shape = struct.unpack(f">{1 + dimensions}I", start)
    if found != magic:
        kind = "images" if magic == IMAGES_MAGIC else "labels"
        raise DataError(
            f"{path} is no IDX file of {kind}: its magic number is 0x{found:08x}, not 0x{magic:08x}"
        )
    return tuple(shape)


def images_header(count: int) -> bytes:
    """That of a file of so many images of 28x28."""
    return struct.pack(">4I", IMAGES_MAGIC, count, SIDE, SIDE)


def labels_header(count: int) -> bytes:
    """That of a file of so many labels."""
    return struct.pack(">2I", LABELS_MAGIC, count)
