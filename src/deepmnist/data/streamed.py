"""Images that are decoded a run at a time, for who goes through them in order and keeps none.

Indexed as an array is; the run used last stays in memory, and no other. Rows that jump about are
read rightly and slowly. It knows runs; how one is decoded is its source's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE


@dataclass(frozen=True)
class Run:
    """Neighbouring images: how many, and what reads them, uint8 (rows, 28, 28)."""

    rows: int
    read: Callable[[], NDArray[np.uint8]]


class StreamedImages:
    """Runs as one array uint8 (n, 28, 28)."""

    ndim = 3
    dtype = np.dtype(np.uint8)

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = [run for run in runs if run.rows]
        self.ends = np.cumsum([run.rows for run in self.runs], dtype=np.int64)
        self.shape = (int(self.ends[-1]) if self.runs else 0, SIDE, SIDE)
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        places = np.arange(len(self))[key] if isinstance(key, slice) else np.asarray(key)
        if places.size and not 0 <= places.min() <= places.max() < len(self):
            raise IndexError(f"a row is outside the {len(self)} that there are")
        flat = places.ravel().astype(np.int64)
        images = np.empty((len(flat), SIDE, SIDE), np.uint8)
        which = np.searchsorted(self.ends, flat, side="right")
        for number in np.unique(which).tolist():
            here = which == number
            first = self.ends[number] - self.runs[number].rows
            images[here] = self._run(number)[flat[here] - first]
        return images.reshape(*places.shape, SIDE, SIDE)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def _run(self, number: int) -> NDArray[np.uint8]:
        if self._last is None or self._last[0] != number:
            self._last = None  # before the next is read: never two
            self._last = number, self.runs[number].read()
        return self._last[1]
