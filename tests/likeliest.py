"""The best string that fits, found state by state: what reading a line in one go is held to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepmnist.expectation import ANYTHING, Expectation, State

LEAST_PROBABILITY = 1e-12  # of a digit, so that an impossible one can still be compared


def best(
    probabilities: NDArray[np.floating], expected: Expectation = ANYTHING
) -> tuple[str, float] | None:
    """The most probable string that fits probabilities (n, 10), and its probability; or None."""
    ways: dict[State, tuple[float, str]] = {expected.start: (0.0, "")}
    costs = -np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    for row in costs:
        ways = _further(ways, row, expected)
    ends = [way for state, way in ways.items() if expected.accepts(state)]
    if not ends:
        return None
    text = min(ends)[1]
    return text, float(np.prod([row[int(d)] for row, d in zip(probabilities, text, strict=True)]))


def _further(
    ways: dict[State, tuple[float, str]], costs: NDArray[np.floating], expected: Expectation
) -> dict[State, tuple[float, str]]:
    after: dict[State, tuple[float, str]] = {}
    for state, (cost, text) in ways.items():
        for digit in range(10):
            reached = expected.step(state, digit)
            if reached is not None:
                way = cost + float(costs[digit]), f"{text}{digit}"
                after[reached] = min(after.get(reached, way), way)
    return after
