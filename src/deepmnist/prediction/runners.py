"""How a batch is run, and which of several ways to run it is the soonest.

The first answers themselves tell: what another core's help costs depends on the machine, on who
else uses it, and on whether images come in a row or each by itself.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepmnist.rejection import Scores

TURNS = 8  # answers of each way, before one is chosen; who asks fewer times pays for one way only
AGAIN = 1_000  # answers of the chosen one, before all have their turns again: machines have moods
AT_FIRST = 2  # ways that are tried; one more each time after, since one may take long to make


class Runner(Protocol):
    """A model that takes batches of one size. Not safe to share between threads."""

    def answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        """Fill `rows` of `into` with the scores of checked images (size, 28, 28)."""
        ...


class Soonest:
    """Several runners as one: each answers a few times, then the soonest of them for long.

    Then all have their turns again, and one more that has had none.
    """

    def __init__(self, ways: Iterator[Runner]) -> None:
        """ways: runners of one model and size, at least one, each made when its turn comes."""
        self._ways = ways
        self._made = [next(ways)]
        self._tried = AT_FIRST  # ways, at most
        self._took: list[float] = []  # seconds, of those that had their turns already
        self._seconds: list[float] = []  # of each answer of the one whose turn it is
        self._turns = TURNS
        self.runner = self._made[0]

    def answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        """See Runner."""
        started = time.perf_counter()
        self.runner.answer(images, into, rows)
        self._seconds.append(time.perf_counter() - started)
        if len(self._seconds) == self._turns:
            self._pass_on()

    def _pass_on(self) -> None:
        """To the next; after the last, to the soonest; after that one's many answers, anew."""
        if self._turns == AGAIN:
            self.runner, self._turns = self._made[0], TURNS
            self._tried += 1
        else:
            self._took.append(statistics.median(self._seconds))
            following = self._following()
            if following is None:
                soonest = self._took.index(min(self._took))
                self.runner, self._turns, self._took = self._made[soonest], AGAIN, []
            else:
                self.runner = following
        self._seconds = []

    def _following(self) -> Runner | None:
        place = len(self._took)
        if place == len(self._made) < self._tried:
            self._made.extend(islice(self._ways, 1))
        return self._made[place] if place < len(self._made) else None
