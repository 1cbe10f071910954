"""Images that lie in many files, read as one array; few files are open, few blocks in memory.

Rows are read by the block of neighbours that they lie in, and the blocks used last are kept: those
of a window of order.py, whose batches come back to them, and some more. A run of rows is read as it
is and not kept. Threads may share it; to another process only paths go, so it must see the same
files. It knows rows and bytes; it knows no labels and no index.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE
from deepmnist.data.headers import IMAGE_BYTES, IMAGES_HEADER_BYTES, images_header
from deepmnist.data.rows import AllBut
from deepmnist.errors import DataError, reason
from deepmnist.order import BLOCK_ROWS, LANES, WINDOW_ROWS

MAX_OPEN = 32  # files
KEPT_BLOCKS = (
    WINDOW_ROWS // BLOCK_ROWS * 5 // 4 + 2 * LANES
)  # a window, and what is going or coming


@dataclass(frozen=True)
class Shard:
    """One file of images: where, how many rows, and the SHA-256 that its index gives."""

    path: Path
    rows: int
    sha256: str


class ShardFiles:
    """The rows of shards, numbered through; at most MAX_OPEN files are open at a time."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = shards
        self.ends = np.cumsum([shard.rows for shard in shards])
        self._open: OrderedDict[int, BinaryIO] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, first: int, into: NDArray[np.uint8]) -> None:
        """Fill `into`, uint8 (n, 784), with the n rows from `first`. DataError naming the shard."""
        number = int(np.searchsorted(self.ends, first, side="right"))
        done = 0
        while done < len(into):
            shard = self.shards[number]
            skipped = first + done - (int(self.ends[number]) - shard.rows)
            count = min(shard.rows - skipped, len(into) - done)
            with self._lock:
                self._read(number, skipped, into[done : done + count])
            done, number = done + count, number + 1

    def _read(self, number: int, skipped: int, into: NDArray[np.uint8]) -> None:
        path, held = self.shards[number].path, 0
        view = into.data.cast("B")
        try:
            file = self._opened(number)
            file.seek(IMAGES_HEADER_BYTES + skipped * IMAGE_BYTES)
            while held < len(view):  # a system gives no more than 2 GiB at once
                got = file.readinto(view[held:])  # type: ignore[attr-defined]
                if not got:
                    raise DataError(f"{path} has become shorter since it was opened; get it again")
                held += got
        except OSError as error:
            raise DataError(f"cannot read {path}: {reason(error)}") from error

    def _opened(self, number: int) -> BinaryIO:
        """The file, opened now or before; the one not used for longest is closed for it."""
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        shard = self.shards[number]
        file = shard.path.open("rb", buffering=0)
        if file.read(IMAGES_HEADER_BYTES) != images_header(shard.rows):
            file.close()
            raise DataError(
                f"{shard.path} does not begin as an IDX file of {shard.rows:,} images of "
                f"{SIDE}x{SIDE}, which its index says it is; get it again"
            )
        if len(self._open) >= MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        self._open[number] = file
        return self._open[number]

    def __reduce__(self) -> tuple[type[ShardFiles], tuple[list[Shard]]]:
        """For another process, which may be in another folder; it opens files of its own."""
        return ShardFiles, ([replace(each, path=each.path.absolute()) for each in self.shards],)

    def __del__(self) -> None:
        for file in self._open.values():
            file.close()


class ShardedImages:
    """Rows of shards, indexed as an array uint8 (n, 28, 28) is: by a number, a slice or an array.

    identity: SHA-256 of what the index says of the shards, and of which rows are meant.
    """

    ndim = 3
    dtype = np.dtype(np.uint8)

    def __init__(self, files: ShardFiles, rows: AllBut | None = None) -> None:
        self.files = files
        self.rows = AllBut.of(int(files.ends[-1])) if rows is None else rows
        self.shape = (len(self.rows), SIDE, SIDE)
        self._blocks = _Blocks(self)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return self._run(start, max(start, stop)).reshape(-1, SIDE, SIDE)
            key = np.arange(start, stop, step)
        places = np.asarray(key)
        places = np.flatnonzero(places) if places.dtype == bool else places.astype(np.int64)
        places = np.where(places < 0, places + len(self), places)
        if places.size and not 0 <= places.min() <= places.max() < len(self):
            raise IndexError(f"a row is outside the {len(self)} that there are")
        return self._blocks.take(places.ravel()).reshape(*places.shape, SIDE, SIDE)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def __reduce__(self) -> tuple[type[ShardedImages], tuple[ShardFiles, AllBut]]:
        return ShardedImages, (self.files, self.rows)

    @property
    def identity(self) -> str:
        """See above."""
        rows = self.rows
        return self.identity_of(np.array([*rows.excluded, rows.first, rows.count], np.int64))

    def identity_of(self, rows: NDArray[np.integer]) -> str:
        """SHA-256 of what the index says of the shards, and of `rows`."""
        digest = hashlib.sha256()
        for shard in self.files.shards:
            digest.update(f"{shard.rows} {shard.sha256}\n".encode())
        digest.update(np.ascontiguousarray(rows, np.int64).data)
        return digest.hexdigest()

    def narrowed(self, by: slice | AllBut) -> ShardedImages:
        """Fewer rows of the same files; nothing is read."""
        return ShardedImages(self.files, self.rows.narrowed(by))

    def _run(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Images uint8 (stop - start, 784) at neighbouring places; what lies between is dropped."""
        rows = self.rows[start:stop]
        if len(rows) == 0:
            return np.empty((0, IMAGE_BYTES), np.uint8)
        images = np.empty((int(rows[-1] - rows[0]) + 1, IMAGE_BYTES), np.uint8)
        self.files.read(int(rows[0]), images)
        return images if len(images) == len(rows) else images[rows - rows[0]]


class _Blocks:
    """The blocks used last, in one array with room for KEPT_BLOCKS of them."""

    def __init__(self, images: ShardedImages) -> None:
        self._images = images
        self._slots: OrderedDict[int, int] = OrderedDict()  # of which block is where
        self._lock = threading.Lock()

    @cached_property
    def _room(self) -> NDArray[np.uint8]:
        """Uint8 (blocks, rows, 784). The system gives memory as blocks come to lie in it."""
        count = min(KEPT_BLOCKS, -(-len(self._images) // BLOCK_ROWS))
        return np.empty((count, BLOCK_ROWS, IMAGE_BYTES), np.uint8)

    def take(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Images uint8 (n, 784) at `places`, as many blocks at a time as there is room for."""
        taken = np.empty((len(places), IMAGE_BYTES), np.uint8)
        blocks, which = np.unique(places // BLOCK_ROWS, return_inverse=True)
        within = places % BLOCK_ROWS
        with self._lock:
            for start in range(0, len(blocks), KEPT_BLOCKS):
                slots = self._present(blocks[start : start + KEPT_BLOCKS].tolist())
                here = np.flatnonzero((which >= start) & (which < start + KEPT_BLOCKS))
                taken[here] = self._room[slots[which[here] - start], within[here]]
        return taken

    def _present(self, blocks: list[int]) -> NDArray[np.int64]:
        """Where each of the blocks is, after those that are not there have been read."""
        for block in blocks:
            if block in self._slots:
                self._slots.move_to_end(block)
        for block in blocks:
            if block not in self._slots:
                self._load(block)
        return np.array([self._slots[block] for block in blocks])

    def _load(self, block: int) -> None:
        """Read a block into a free slot, or into that of the one not used for longest."""
        start = block * BLOCK_ROWS
        images = self._images._run(start, min(start + BLOCK_ROWS, len(self._images)))
        free = len(self._slots)
        slot = free if free < len(self._room) else self._slots.popitem(last=False)[1]
        self._room[slot, : len(images)] = images
        self._slots[block] = slot
