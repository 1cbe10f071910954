"""CSV in Kaggle's layout: a row an image, `label,pixel0,...,pixel783`, or without the label.

Read in blocks, each by array arithmetic on its bytes (a general reader takes ten times as long);
a block that is not plain goes through a slow reader, which copes with quotes, spaces and blank
lines and otherwise says the line and the column. A line is bounded, so no file can fill memory
before its first row is known to be one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE
from deepmnist.data.dataset import DIGITS, Dataset
from deepmnist.errors import DataError, reason

PIXELS = SIDE * SIDE
PIXEL_MAX = 255
MAX_LINE_BYTES = 65_536  # a row of 785 cells of 3 digits has 3,140
BLOCK_BYTES = 2**22
WHOLE_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?", re.ASCII)
NEWLINE, COMMA, ZERO, NINE = b"\n,09"


@dataclass(frozen=True)
class Layout:
    """What a cell may be: its column's name and its largest value."""

    path: Path | str
    labelled: bool
    classes: int

    @property
    def columns(self) -> int:
        return PIXELS + self.labelled

    def column_name(self, column: int) -> str:
        return "label" if self.labelled and column == 0 else f"pixel{column - self.labelled}"

    def largest(self, column: int) -> int:
        return self.classes - 1 if self.labelled and column == 0 else PIXEL_MAX


def read_csv(path: Path, class_names: tuple[str, ...] = DIGITS, name: str | None = None) -> Dataset:
    """The images of a CSV, with labels where it has 785 columns, without where it has 784.

    A first row that begins with `label`, or of which most cells are no numbers, is a header.
    DataError, with line and column, for a missing or extra column, text, a fraction, a pixel
    outside 0..255, a label outside the classes.
    """
    try:
        with path.open("rb") as file:
            layout, first_line = read_layout(file, path, len(class_names))
            blocks = [
                _values(block, line, layout) for block, line in _blocks(file, path, first_line)
            ]
    except OSError as error:
        raise DataError(f"cannot read {path}: {reason(error)}") from error
    rows = np.concatenate(blocks) if blocks else np.empty((0, layout.columns), np.uint8)
    if len(rows) == 0:
        raise DataError(f"{path} is empty: it holds no row of numbers")
    labels = rows[:, 0].copy() if layout.labelled else None
    images = rows[:, int(layout.labelled) :].reshape(-1, SIDE, SIDE)
    return Dataset(np.ascontiguousarray(images), labels, class_names, name or path.name)


def read_layout(file: BinaryIO, path: Path | str, classes: int) -> tuple[Layout, int]:
    """The layout that the first line shows, and the number of the first line of values.

    The file is left where that line begins. DataError where the first line is none of a CSV of
    images.
    """
    line = file.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise DataError(_too_long(path, 1))
    if not line:
        raise DataError(f"{path} is empty: it holds no byte")
    mark = b"\xef\xbb\xbf"
    cells = [cell.strip() for cell in _cells(line.removeprefix(mark), path, 1)]
    has_header = _is_header(cells)
    if not has_header:
        file.seek(len(mark) if line.startswith(mark) else 0)
    layout = Layout(path, len(cells) == PIXELS + 1, classes)
    if has_header:
        _check_header(cells, path)
    _check_count(len(cells), path, 1, (PIXELS, PIXELS + 1))
    return layout, 1 + has_header


def _is_header(cells: list[str]) -> bool:
    """A row of numbers with a slip in it, wherever, is none: it would be dropped without a word."""
    numbers = sum(bool(NUMBER.fullmatch(cell)) for cell in cells)
    return 2 * numbers < len(cells) or [cell.lower() for cell in cells[:1]] == ["label"]


def _check_header(header: list[str], path: Path | str) -> None:
    pixels = [cell for cell in header if re.fullmatch(r"pixel\d+", cell)]
    wanted = [f"pixel{index}" for index in range(PIXELS)]
    if pixels and pixels != wanted:
        missing = next((cell for cell in wanted if cell not in set(pixels)), None)
        fault = f"column {missing} is missing" if missing else "pixels are repeated or out of order"
        raise DataError(f"{path}, line 1: {fault}; wanted pixel0 to pixel{PIXELS - 1} in order")
    if len(header) == PIXELS + 1 and header[0].lower() != "label":
        found = _shown(header[0])
        raise DataError(
            f"{path}, line 1: the first of {len(header)} columns must be 'label', not {found}"
        )


def _check_count(found: int, path: Path | str, line: int, allowed: tuple[int, ...]) -> None:
    if found not in allowed:
        wanted = " or ".join(
            f"{columns} ({'label,' if columns > PIXELS else ''}pixel0..pixel{PIXELS - 1})"
            for columns in allowed
        )
        raise DataError(f"{path}, line {line}: {found} columns; wanted {wanted}")


def _blocks(file: BinaryIO, path: Path, line: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines, some megabytes at a time, each block with the number of its first line."""
    rest = b""
    while data := file.read(BLOCK_BYTES):
        head, newline, tail = (rest + data).rpartition(b"\n")
        if newline:
            yield head + newline, line
            line += head.count(b"\n") + 1
        rest = tail
        if len(rest) > MAX_LINE_BYTES:
            raise DataError(_too_long(path, line))
    if rest:
        yield rest + b"\n", line


def _values(block: bytes, line: int, layout: Layout) -> NDArray[np.uint8]:
    values = plain_values(block.replace(b"\r\n", b"\n"), layout)
    return careful_values(block, line, layout) if values is None else values


def plain_values(block: bytes, layout: Layout) -> NDArray[np.uint8] | None:
    """Values uint8 (rows, columns) of lines of 1 to 3 digits a cell; None for anything else."""
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero((data == COMMA) | (data == NEWLINE))
    lengths = np.diff(ends, prepend=-1) - 1
    in_digits = np.count_nonzero((data >= ZERO) & (data <= NINE)) == len(data) - len(ends)
    if len(ends) % layout.columns or not in_digits or lengths.min() < 1 or lengths.max() > 3:
        return None
    line_ends = data[ends].reshape(-1, layout.columns) == NEWLINE
    if line_ends[:, :-1].any() or not line_ends[:, -1].all():
        return None
    values = (data[ends - 1] - ZERO).astype(np.int16)
    for place, weight in ((2, 10), (3, 100)):
        longer = lengths >= place
        values[longer] += weight * (data[ends[longer] - place] - ZERO).astype(np.int16)
    values = values.reshape(-1, layout.columns)
    if values.max() > PIXEL_MAX or values[:, 0].max() > layout.largest(0):
        return None
    return values.astype(np.uint8)


def careful_values(block: bytes, line: int, layout: Layout) -> NDArray[np.uint8]:
    """The same for any line; the first cell that is no value is a DataError saying where.

    Lines of spaces alone are left out.
    """
    rows = []
    for number, text in enumerate(block.split(b"\n"), line):
        if len(text) > MAX_LINE_BYTES:
            raise DataError(_too_long(layout.path, number))
        if not text.strip():
            continue
        cells = _cells(text, layout.path, number)
        _check_count(len(cells), layout.path, number, (layout.columns,))
        rows.append([_value(cell, number, column, layout) for column, cell in enumerate(cells)])
    return np.array(rows, np.uint8).reshape(-1, layout.columns)


def _value(cell: str, line: int, column: int, layout: Layout) -> int:
    where = f"{layout.path}, line {line}, column {column + 1} ({layout.column_name(column)})"
    largest = layout.largest(column)
    if not WHOLE_NUMBER.fullmatch(cell.strip()):
        raise DataError(f"{where}: {_shown(cell)} is no whole number of 0..{largest}")
    value = int(cell)
    if value > largest:
        raise DataError(f"{where}: {value} is outside 0..{largest}")
    return value


def _cells(line: bytes, path: Path | str, number: int) -> list[str]:
    try:
        return next(csv.reader([line.decode().rstrip("\r\n")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}, line {number} is no line of CSV text: {error}") from error


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:40] + "...")


def _too_long(path: Path | str, line: int) -> str:
    return f"{path}, line {line} is longer than {MAX_LINE_BYTES:,} bytes: this is no CSV of images"
