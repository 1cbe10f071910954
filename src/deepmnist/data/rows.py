"""Which rows of a set are meant, where a list of them would fill memory.

A split holds few rows out of a large set; `AllBut` is what is left, in memory that grows with what
was held out. It is indexed as the array of its row numbers would be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True, eq=False)
class AllBut:
    """All rows from 0 on but those `excluded`; of what is left, `count` from place `first` on.

    excluded: int64, rising.
    """

    excluded: NDArray[np.int64]
    first: int
    count: int

    @classmethod
    def of(cls, n: int, excluded: NDArray[np.int64] | None = None) -> AllBut:
        """All of `n` rows, but for those excluded."""
        excluded = np.empty(0, np.int64) if excluded is None else excluded
        return cls(excluded, 0, n - len(excluded))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: Any) -> NDArray[np.int64]:
        """Row numbers at places counted from 0: one, a slice of them, or an array."""
        if isinstance(key, slice):
            key = np.arange(*key.indices(self.count))
        places = np.asarray(key)
        places = np.where(places < 0, places + self.count, places) + self.first
        passed = np.searchsorted(self._passed(), places, side="right")
        return np.asarray(places + passed, np.int64)

    def narrowed(self, by: slice | AllBut) -> AllBut:
        """The rows at a run of places, or at all places but some."""
        if isinstance(by, slice):
            start, stop, _ = by.indices(self.count)
            return replace(self, first=self.first + start, count=max(0, stop - start))
        excluded = np.union1d(self.excluded, self[by.excluded])
        return AllBut(excluded, self.first + by.first, by.count)

    def taken_from(self, values: NDArray[Value]) -> NDArray[Value]:
        """`values[rows]`, of an array in memory: a view where nothing in between is left out."""
        begin, end = (int(self[place]) for place in (0, self.count - 1)) if self.count else (0, -1)
        inside = self.excluded[(self.excluded > begin) & (self.excluded < end)] - begin
        run = values[begin : end + 1]
        return np.delete(run, inside, axis=0) if len(inside) else run

    def _passed(self) -> NDArray[np.int64]:
        """For each excluded row, how many others come before it."""
        return self.excluded - np.arange(len(self.excluded))
