"""How a batch is run, and which of several ways to run it is the soonest.

The first answers themselves tell: what another core's help costs depends on the machine, on who
else uses it, and on whether images come in a row or each by itself.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepmnist.rejection import Scores

TURNS = 8  # answers of each way, before one is chosen; who asks fewer times pays for one way only


class Runner(Protocol):
    """A model that takes batches of one size. Not safe to share between threads."""

    def answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        """Fill `rows` of `into` with the scores of checked images (size, 28, 28)."""
        ...


class Soonest:
    """Several runners as one: each answers a few times, then the soonest of them answers all."""

    def __init__(self, ways: Iterator[Runner]) -> None:
        """ways: runners of one model and size, at least one, each made when its turn comes."""
        self.runner = next(ways)  # whose turn it is, and in the end the soonest
        self._ways: Iterator[Runner] | None = ways  # None when the choice is made
        self._tried: list[tuple[float, Runner]] = []
        self._seconds: list[float] = []

    def answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        """See Runner."""
        started = time.perf_counter()
        self.runner.answer(images, into, rows)
        if self._ways is not None:
            self._note(time.perf_counter() - started, self._ways)

    def _note(self, seconds: float, ways: Iterator[Runner]) -> None:
        self._seconds.append(seconds)
        if len(self._seconds) < TURNS:
            return
        self._tried.append((statistics.median(self._seconds), self.runner))
        self._seconds = []
        following = next(ways, None)
        if following is None:
            self.runner = min(self._tried, key=lambda tried: tried[0])[1]
            self._ways, self._tried = None, []
        else:
            self.runner = following
