"""Images in a file too large for memory: mapped, narrowed without a copy, read without staying.

A touched page of a map counts as resident, and one touch may bring two megabytes with it, so that
random rows of a large file soon hold all of it. `gather` therefore reads rows from the file that
the map keeps open; the system's cache is the same, the process stays small. Arrays that lie in
memory go through the same functions as they are. It knows arrays; it knows no labels and no format.
"""

from __future__ import annotations

import math
import mmap
import os
import weakref
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deepmnist.data.rows import AllBut
from deepmnist.data.shards.images import ShardedImages
from deepmnist.data.streamed import StreamedImages
from deepmnist.errors import DataError, reason

COPIED_BYTES = 2**26  # a selection of mapped images up to this size is simply copied

Rows = slice | NDArray[np.integer]
Selection = Rows | AllBut


class OpenMap(mmap.mmap):
    """A read-only map of a whole file that stays open, so that it can be read beside the map."""

    path: Path
    descriptor: int
    address: int  # where in this process the file's first byte is


class MappedRows:
    """Rows of images on disk; read when they are indexed.

    It stands in for an array uint8 (n, 28, 28) where that would fill memory; `np.asarray` makes it
    one.
    """

    def __init__(
        self,
        images: NDArray[np.uint8] | ShardedImages | StreamedImages,
        rows: NDArray[np.integer] | AllBut,
    ) -> None:
        self.images = images
        self.rows = rows
        self.shape = (len(rows), *images.shape[1:])
        self.ndim = images.ndim
        self.dtype = images.dtype

    @property
    def identity(self) -> str | None:
        """SHA-256 of what shards hold of these rows, as their index says; None of a mapped file."""
        if not isinstance(self.images, ShardedImages):
            return None
        return self.images.identity_of(np.ascontiguousarray(self.rows[:]))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int | Rows) -> NDArray[np.uint8]:
        return gather(self.images, np.asarray(self.rows[key]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)


Images = NDArray[np.uint8] | MappedRows | ShardedImages | StreamedImages


def open_array(
    path: Path,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    offset: int,
    order: Literal["C", "F"] = "C",
) -> NDArray[Any]:
    """The array that begins `offset` bytes into the file, mapped, read-only.

    DataError where the file cannot be mapped, or no longer holds that much.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            opened = OpenMap(descriptor, 0, access=mmap.ACCESS_READ)
        except BaseException:
            os.close(descriptor)
            raise
        weakref.finalize(opened, os.close, descriptor)
        opened.path, opened.descriptor = path, descriptor
        opened.address = _address(np.frombuffer(opened, np.uint8))
        return np.ndarray(shape, dtype, opened, offset, order=order)
    except (OSError, ValueError, TypeError) as error:  # TypeError: shorter than the array
        raise DataError(f"cannot map {path}: {error}; get it again") from error


def select(images: Images, rows: Selection) -> Images:
    """`images` narrowed to `rows`: stored ones of more than COPIED_BYTES are not read for it."""
    if isinstance(images, MappedRows):
        return MappedRows(images.images, _narrowed(images.rows, rows))
    if isinstance(images, ShardedImages):
        if not isinstance(rows, np.ndarray):
            return images.narrowed(rows)
    elif isinstance(images, StreamedImages):
        rows = AllBut.of(len(images)).narrowed(rows) if isinstance(rows, slice) else rows
    elif map_of(images) is None or isinstance(rows, slice):
        return rows.taken_from(images) if isinstance(rows, AllBut) else images[rows]
    selected = MappedRows(images, rows)
    return selected[:] if math.prod(selected.shape) <= COPIED_BYTES else selected


def _narrowed(rows: NDArray[np.integer] | AllBut, by: Selection) -> NDArray[np.integer] | AllBut:
    if isinstance(by, np.ndarray):
        return rows[by]
    if isinstance(rows, AllBut):
        return rows.narrowed(by)
    return rows[by] if isinstance(by, slice) else by.taken_from(rows)


def stated_identity(images: Images) -> str | None:
    """SHA-256 of images that need not be read for it, since an index tells theirs; else None."""
    return images.identity if isinstance(images, MappedRows | ShardedImages) else None


def gather(images: Images, rows: Rows) -> NDArray[np.uint8]:
    """`images[rows]`, uint8 (*rows.shape, 28, 28); of a mapped file no page is left resident.

    DataError where the file has been cut short or cannot be read any more.
    """
    if not isinstance(images, np.ndarray):
        return images[rows]
    opened = map_of(images)
    if not isinstance(opened, OpenMap) or not _readable_by_rows(images, rows):
        return images[rows]
    size = images[:1].nbytes
    begin = _address(images) - opened.address
    if isinstance(rows, slice):
        start, stop, _ = rows.indices(len(images))
        shape: tuple[int, ...] = (max(0, stop - start),)
        content = _read(opened, begin + start * size, shape[0] * size)
    else:
        shape = rows.shape
        offsets = begin + rows.ravel().astype(np.int64) * size
        content = b"".join([_read(opened, offset, size) for offset in offsets.tolist()])
    return np.frombuffer(content, images.dtype).reshape(*shape, *images.shape[1:])


def _readable_by_rows(images: NDArray[np.uint8], rows: Rows) -> bool:
    """Whether each row is one run of bytes, and each number the place of one from the start."""
    if not images.flags.c_contiguous or not hasattr(os, "pread"):  # Windows has none
        return False
    if isinstance(rows, slice):
        return rows.step in (None, 1)
    return rows.size > 0 and rows.dtype.kind in "iu" and 0 <= rows.min() <= rows.max() < len(images)


def _read(opened: OpenMap, offset: int, size: int) -> bytes:
    try:
        content = os.pread(opened.descriptor, size, offset)
    except OSError as error:
        raise DataError(f"cannot read {opened.path}: {reason(error)}") from error
    if 0 < len(content) < size:  # a system gives no more than 2 GiB at once
        content += _read(opened, offset + len(content), size - len(content))
    if len(content) != size:
        raise DataError(f"{opened.path} has become shorter since it was opened; get it again")
    return content


def map_of(array: NDArray[Any]) -> mmap.mmap | None:
    """The map whose memory the array looks at; None where it lies in memory of its own."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
