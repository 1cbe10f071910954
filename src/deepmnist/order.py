"""In which order an epoch takes the rows of a set: a function of (seed, epoch), at any size.

A set that fits one window is one permutation of all its rows. A larger one is shuffled at two
levels, in memory that grows with the blocks alone, so that a batch is read from few places:

* blocks of neighbouring rows are put into a random order, and that sequence is dealt to lanes, each
  a stretch of it; every batch takes the same places from the same lane;
* a lane goes through its stretch in windows, and takes the rows of a window in a random order. The
  lanes' windows begin at different steps.

Lanes are what several workers divide among them: who takes a half, a quarter, ... of each batch
meets a half, a quarter of the blocks. How well it shuffles: docs/scale.md. It knows numbers of
rows; it does not know what they hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 128  # neighbours that are read together: 100 kB of images
WINDOW_ROWS = 9 * 2**15  # that all lanes shuffle at a time: 231 MB of images
LANES = 16  # so many workers, or a divisor, meet blocks of their own

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Epoch:
    """One pass over `n` rows in `steps` batches of `batch_size`; what is over has no turn."""

    n: int
    batch_size: int
    seed: int
    number: int

    @property
    def steps(self) -> int:
        """Whole batches."""
        return self.n // self.batch_size

    @property
    def lanes(self) -> int:
        """LANES, or one an image where a batch has fewer."""
        return min(LANES, self.batch_size)

    def rows(self, step: int, count: int) -> Rows:
        """Rows (count, batch_size) of the `count` batches from `step` of this epoch."""
        if self.n <= WINDOW_ROWS:
            start = step * self.batch_size
            order = _permutation(self.n, self.seed, self.number)
            return order[start : start + count * self.batch_size].reshape(count, -1)
        places = [self._lane(lane, step, count) for lane in range(self.lanes)]
        return self._rows_at(np.concatenate(places, axis=1))

    def _lane(self, lane: int, step: int, count: int) -> Rows:
        """Places (count, width) in the sequence of blocks that a lane takes in these steps."""
        first, width = self._stretch(lane)
        steps, shift = self._window(lane)
        windows = range((step + shift) // steps, (step + count - 1 + shift) // steps + 1)
        parts = []
        for window in windows:
            begin = max(window * steps - shift, 0)
            end = min((window + 1) * steps - shift, self.steps)
            shuffled = _shuffled((end - begin) * width, self.seed, self.number, lane, window)
            here = shuffled.reshape(-1, width)[max(step - begin, 0) : step + count - begin]
            parts.append(here + first + begin * width)
        return np.concatenate(parts)

    def _stretch(self, lane: int) -> tuple[int, int]:
        """Where a lane begins in the sequence of blocks, and how many rows of a batch it gives."""
        begin, end = (each * self.batch_size // self.lanes for each in (lane, lane + 1))
        return begin * self.steps, end - begin

    def _window(self, lane: int) -> tuple[int, int]:
        """Steps that a window lasts, and how many of its first one a lane leaves out."""
        steps = max(1, WINDOW_ROWS // self.batch_size)
        return steps, lane * steps // self.lanes

    def _rows_at(self, places: Rows) -> Rows:
        """The rows at places of the sequence of blocks, one of which may be short."""
        blocks = -(-self.n // BLOCK_ROWS)
        sequence = _permutation(blocks, self.seed, self.number)
        lacking = blocks * BLOCK_ROWS - self.n  # rows of the last block that are not there
        gap = int(_place_of_last(blocks, self.seed, self.number) + 1) * BLOCK_ROWS - lacking
        block, within = np.divmod(places + lacking * (places >= gap), BLOCK_ROWS)
        rows: Rows = sequence[block] * BLOCK_ROWS + within
        return rows


def _generator(seed: int, epoch: int, lane: int = -1, window: int = 0) -> np.random.Generator:
    """Of an epoch, or of one window of a lane: no two draw the same part of Philox' sequence."""
    bits = np.random.Philox(key=[seed, epoch], counter=[0, 0, window, lane + 1])
    return np.random.Generator(bits)


@lru_cache(maxsize=1)
def _permutation(n: int, seed: int, epoch: int) -> Rows:
    """Of rows, or of blocks; kept until another is asked for, since a run asks in chunks."""
    return _generator(seed, epoch).permutation(n)


@lru_cache(maxsize=1)
def _place_of_last(blocks: int, seed: int, epoch: int) -> int:
    """Where in the sequence of blocks the last one, which may be short, has come to lie."""
    return int(np.argmax(_permutation(blocks, seed, epoch)))


@lru_cache(maxsize=2 * LANES)
def _shuffled(rows: int, seed: int, epoch: int, lane: int, window: int) -> Rows:
    """The order of a window's rows; kept while a lane may be in it or has just begun another."""
    return _generator(seed, epoch, lane, window).permutation(rows)
