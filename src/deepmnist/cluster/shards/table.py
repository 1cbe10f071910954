"""CSV in Kaggle's layout. A line that is no row goes among the unreadable, the others are read.

The file is read once to be cut, since a row's number is its line's. Labels in it are looked at as
numbers and not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from deepmnist.cluster import places
from deepmnist.cluster.places import Entry, Place
from deepmnist.cluster.records import (
    IMAGE,
    PART_WEIGHT,
    TO_THE_END,
    Images,
    Kind,
    Piece,
    Read,
    Unreadable,
)
from deepmnist.contract import SIDE
from deepmnist.data import table
from deepmnist.errors import DataError, reason

BLOCK_BYTES = 2**22
CLASSES = 256  # a label may be any byte


def cut(place: Place, entry: Entry) -> Iterator[Piece]:
    """The pieces of a file, at line ends. DataError where the first line is none of images."""
    with place.open(entry.path) as file, places.reading(entry.path):
        table.read_layout(file, entry.path, CLASSES)
        start, offset = 0, file.tell()
        for lines, end in _cuts(file):
            yield Piece(
                entry.path,
                Kind.table,
                entry.size,
                entry.modified_ns,
                start,
                start + lines,
                offset,
                weight=IMAGE * lines,
            )
            start, offset = start + lines, end


def _cuts(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """From here on: lines of a piece, and the byte after the last of them."""
    lines, last = 0, b"\n"
    while data := file.read(BLOCK_BYTES):
        lines += data.count(b"\n")
        last = data[-1:]
        newline = data.rfind(b"\n")
        if lines >= PART_WEIGHT and newline >= 0:
            yield lines, file.tell() - len(data) + newline + 1
            lines = 0
    unfinished = last != b"\n"
    if lines or unfinished:
        yield lines + unfinished, file.tell()


def rows(place: Place, piece: Piece) -> Iterator[Read]:
    """The images of a piece's lines. DataError where the first line of the file is bad."""
    with place.open(piece.path) as file, places.reading(piece.path):
        layout, first_line = table.read_layout(file, piece.path, CLASSES)
        if piece.offset:
            file.seek(piece.offset)
        stop = None if piece.stop == TO_THE_END else piece.stop
        for block, start in _blocks(file, piece.start, stop):
            yield from _values(block, start, first_line, layout)


def _blocks(file: BinaryIO, row: int, stop: int | None) -> Iterator[tuple[bytes, int]]:
    """Whole lines, some megabytes at a time, each block with its first row, up to row `stop`."""
    for block in _lines(file):
        lines = block.count(b"\n")
        if stop is not None and row + lines >= stop:
            if kept := block.split(b"\n")[: stop - row]:
                yield b"\n".join([*kept, b""]), row
            return
        yield block, row
        row += lines


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Blocks of whole lines. One that is too long is cut off: it must not fill memory."""
    rest = b""
    while data := file.read(BLOCK_BYTES):
        head, newline, rest = (rest + data).rpartition(b"\n")
        if newline:
            yield head + newline
        if len(rest) > table.MAX_LINE_BYTES:
            rest = rest[: table.MAX_LINE_BYTES + 1] + _after_line(file)
    if rest:
        yield rest + b"\n"


def _after_line(file: BinaryIO) -> bytes:
    """Pass over the rest of a line: what was read beyond it, its end first."""
    while data := file.read(BLOCK_BYTES):
        if (newline := data.find(b"\n")) >= 0:
            return data[newline:]
    return b""


def _values(block: bytes, start: int, first_line: int, layout: table.Layout) -> Iterator[Read]:
    """The rows of whole lines, the first of which is row `start` of the file, from 0.

    Bad lines come first, then the others at once: answered one by one they would take long.
    """
    values = table.plain_values(block.replace(b"\r\n", b"\n"), layout)
    if values is not None:
        yield _images(values, np.arange(start, start + len(values)), layout)
        return
    rows: list[int] = []
    good: list[np.ndarray] = []
    for row, line in enumerate(block.split(b"\n")[:-1], start):
        try:
            values = table.careful_values(line, first_line + row, layout)
        except DataError as error:
            yield Unreadable(str(layout.path), row + 1, 1, reason(error))
            continue
        if len(values):  # none of a blank line
            rows.append(row)
            good.append(values)
    if good:
        yield _images(np.concatenate(good), np.array(rows), layout)


def _images(values: np.ndarray, rows: np.ndarray, layout: table.Layout) -> Images:
    pixels = values[:, int(layout.labelled) :].reshape(-1, SIDE, SIDE)
    return Images(str(layout.path), rows + 1, pixels)
