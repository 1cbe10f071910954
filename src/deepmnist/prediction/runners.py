"""How a batch is run, and which of several ways to run it is the soonest.

The first answers themselves tell: what another core's help costs depends on the machine, on who
else uses it, and on whether images come in a row or each by itself.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Generator, Iterator
from itertools import count, islice
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepmnist.rejection import Scores

TURN = 8  # answers of a way in a row; who asks fewer times pays for one way only
ROUNDS = 4  # turns of each way before one is chosen, so that a bad moment falls on all of them
AGAIN = 1_000  # answers of the chosen one, before all have their turns again: machines have moods
AT_FIRST = 2  # ways that are tried; one more each time after, since one may take long to make


class Runner(Protocol):
    """A model that takes batches of one size. Not safe to share between threads."""

    def answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        """Fill `rows` of `into` with the scores of checked images (size, 28, 28)."""
        ...


# Gives whose turn it is, and for how many answers; takes the seconds of each of those.
Turns: TypeAlias = Generator[tuple[Runner, int], list[float], None]


class Soonest:
    """Several runners as one: each answers a few times, then the soonest of them for long.

    Then all have their turns again, and one more that has had none.
    """

    def __init__(self, ways: Iterator[Runner]) -> None:
        """ways: runners of one model and size, at least one, each made when its turn comes."""
        self._turns = _turns(ways)
        self._seconds: list[float] = []  # of each answer of the one whose turn it is
        self.runner, self._answers = next(self._turns)

    def answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        """See Runner."""
        started = time.perf_counter()
        self.runner.answer(images, into, rows)
        self._seconds.append(time.perf_counter() - started)
        if len(self._seconds) == self._answers:
            self.runner, self._answers = self._turns.send(self._seconds)
            self._seconds = []


def _turns(ways: Iterator[Runner]) -> Turns:
    made: list[Runner] = []
    for tried in count(AT_FIRST):
        seconds: dict[Runner, list[float]] = {}
        for _ in range(ROUNDS):
            for way in _first(tried, made, ways):
                seconds.setdefault(way, []).extend((yield way, TURN))
        yield min(seconds, key=lambda way: statistics.median(seconds[way])), AGAIN


def _first(most: int, made: list[Runner], ways: Iterator[Runner]) -> Iterator[Runner]:
    """So many ways at most: those that are made, then others as they are made."""
    yield from [*made]
    for way in islice(ways, most - len(made)):
        made.append(way)
        yield way
