"""Parquet with a column `image`: 28x28 whole numbers, or encoded pictures as Hugging Face has them.

Images are fixed-size binary of 784 bytes, or lists of 784, or of 28 lists of 28. Pictures are
binary, or a struct with `bytes`. A piece is whole row groups: of a damaged group the rows before
the damage are read, and the groups around it in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepmnist.cluster.places import Entry, Place
from deepmnist.cluster.records import (
    IMAGE,
    PART_WEIGHT,
    PICTURE,
    TO_THE_END,
    Images,
    Kind,
    Picture,
    Piece,
    Read,
    Unreadable,
)
from deepmnist.contract import INK, SIDE
from deepmnist.data.parquet import MAX_GROUP_BYTES, batch_rows, pictures_column
from deepmnist.errors import DataError, MissingExtraError, reason

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

PIXELS = SIDE * SIDE
BLOCK_ROWS = 4_096  # of images; of pictures as many as data/parquet.py reads at once


def cut(place: Place, entry: Entry) -> Iterator[Piece]:
    """The pieces of a file, whole row groups. DataError where it is damaged, or has no images."""
    with _opened(place, entry.path) as file:
        weight = PICTURE if _holds_pictures(file) else IMAGE
        groups = [file.metadata.row_group(each).num_rows for each in range(file.num_row_groups)]
    start = stop = 0
    for number, count in enumerate(groups, 1):
        stop += count
        if number == len(groups) or weight * (stop - start) >= PART_WEIGHT:
            yield Piece(
                entry.path,
                Kind.parquet,
                entry.size,
                entry.modified_ns,
                start,
                stop,
                weight=weight * (stop - start),
            )
            start = stop


def rows(place: Place, piece: Piece) -> Iterator[Read]:
    """The rows of a piece. DataError where the file is damaged, or has no images."""
    with _opened(place, piece.path) as file:
        start = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if start >= piece.start and (piece.stop == TO_THE_END or start < piece.stop):
                yield from _group(file, group, start, count, piece.path)
            start += count


def _group(file: pq.ParquetFile, group: int, start: int, count: int, path: str) -> Iterator[Read]:
    """The rows of one row group, the first of which is row `start` of the file, from 0."""
    import pyarrow as pa

    unpacked = file.metadata.row_group(group).total_byte_size
    if unpacked > MAX_GROUP_BYTES:
        why = f"row group {group} unpacks to {unpacked:,} bytes; at most {MAX_GROUP_BYTES:,}"
        yield Unreadable(path, start + 1, count, why)
        return
    end = start + count
    block = batch_rows(unpacked) if _holds_pictures(file) else BLOCK_ROWS
    try:
        for batch in file.iter_batches(block, [group], [pictures_column(file.schema_arrow)]):
            yield from _rows(batch.column(0), start, path)
            start += len(batch)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        yield Unreadable(path, start + 1, end - start, f"row group {group}: {reason(error)}")


def _rows(column: pa.Array, start: int, path: str) -> Iterator[Read]:
    """The rows of some cells, the first of which is row `start` of the file, from 0."""
    if _is_picture(column.type):
        yield from _pictures(column, start, path)
        return
    good, images = _images(column)
    rows = np.arange(start, start + len(column)) + 1
    if len(images):
        yield Images(path, rows[good], images)
    for row in rows[~good]:
        yield Unreadable(path, int(row), 1, f"no {SIDE}x{SIDE} whole numbers of 0..{INK}")


def _pictures(column: pa.Array, start: int, path: str) -> Iterator[Read]:
    for row, cell in enumerate(column, start + 1):
        data = cell.as_py()
        data = data.get("bytes") if isinstance(data, dict) else data
        if data is None:
            yield Unreadable(path, row, 1, "no picture: its bytes are not in the file")
        else:
            yield Picture(path, row, partial(bytes, data), image_as_is=True)


def _images(column: pa.Array) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Which cells hold images, bool (n,), and those images, uint8 (m, 28, 28)."""
    if not _is_list(column.type):
        pixels = np.frombuffer(b"".join(column.drop_null().to_pylist()), np.uint8)
        return np.asarray(column.is_valid()), pixels.reshape(-1, SIDE, SIDE)
    nested = _is_list(column.type.value_type)
    good, values = _unnested(column, SIDE if nested else PIXELS)
    if nested:
        even, values = _unnested(values, SIDE)
        whole = even.reshape(-1, SIDE).all(axis=1)
        if not whole.all():  # rare: the same again without those rows
            good[good] = whole
            good[good], images = _images(column.filter(good))
            return good, images
    levels = values.fill_null(0) if values.null_count else values
    numbers = levels.to_numpy(zero_copy_only=False).reshape(-1, PIXELS)
    inside = (numbers.min(axis=1, initial=0) >= 0) & (numbers.max(axis=1, initial=0) <= INK)
    if values.null_count:
        inside &= np.asarray(values.is_valid()).reshape(-1, PIXELS).all(axis=1)
    good[good] = inside
    return good, numbers[inside].astype(np.uint8, copy=False).reshape(-1, SIDE, SIDE)


def _unnested(column: pa.Array, length: int) -> tuple[NDArray[np.bool_], pa.Array]:
    """Which lists have that length, bool (n,), and the values of those, one after another."""
    import pyarrow.compute as pc

    lengths = pc.list_value_length(column).fill_null(-1)
    good = lengths.to_numpy(zero_copy_only=False) == length
    return good, column.filter(good).flatten()


# ---- the file -----------------------------------------------------------------------------------


@contextmanager
def _opened(place: Place, path: str) -> Iterator[pq.ParquetFile]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("Parquet", "parquet") from error
    with place.open(path) as source:
        try:
            with pq.ParquetFile(source) as file:
                yield file
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise DataError(f"cannot read it as Parquet: {reason(error)}") from error


def _holds_pictures(file: pq.ParquetFile) -> bool:
    """Whether the images are encoded. DataError where there are none of either kind."""
    schema = file.schema_arrow
    if "image" not in schema.names:
        columns = ", ".join(schema.names[:10])
        raise DataError(f"no column 'image'; there is {columns or 'none'}")
    if (times := schema.names.count("image")) > 1:
        raise DataError(f"{times} columns 'image'; there must be one: rename or drop the others")
    kind = schema.field("image").type
    if not (_is_picture(kind) or _is_image(kind)):
        raise DataError(
            f"column 'image' is {kind}; it must be binary, a struct with 'bytes', "
            f"fixed-size binary of {PIXELS}, or lists of {PIXELS} or {SIDE} x {SIDE} integers"
        )
    return _is_picture(kind)


def _is_picture(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds

    if kinds.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind))


def _is_image(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds

    if kinds.is_fixed_size_binary(kind):
        return bool(kind.byte_width == PIXELS)
    if not _is_list(kind):
        return False
    inner = kind.value_type
    return bool(kinds.is_integer(inner.value_type if _is_list(inner) else inner))


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds

    checks = (kinds.is_list, kinds.is_large_list, kinds.is_fixed_size_list)
    return any(check(kind) for check in checks)
