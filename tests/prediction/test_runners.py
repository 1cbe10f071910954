"""runners.py: of several runners the soonest is found by its answers, and none is made in vain."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from deepmnist.prediction import runners
from deepmnist.prediction.runners import Soonest
from deepmnist.rejection import Scores

IMAGES = np.zeros((1, 28, 28), np.uint8)
TURNS = runners.ROUNDS * runners.TURN  # answers of each way before one is chosen


class Slow:
    """Takes so many seconds by a clock of the test's own."""

    def __init__(self, clock: list[float], *seconds: float) -> None:
        self.clock, self.seconds, self.answers = clock, [*seconds], 0

    def answer(self, images: NDArray[np.uint8 | np.floating], into: Scores, rows: slice) -> None:
        self.clock[0] += self.seconds[min(self.answers, len(self.seconds) - 1)]
        self.answers += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that runners.py sees."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def answered(soonest: Soonest, times: int) -> None:
    for _ in range(times):
        soonest.answer(
            IMAGES, Scores(np.zeros((1, 2), np.float32), np.ones(1, np.float32)), slice(1)
        )


@pytest.mark.parametrize("seconds", [(1, 2), (2, 1), (1,)])
def test_the_soonest_answers_all_that_come_after_the_turns(
    seconds: tuple[float, ...], clock: list[float]
) -> None:
    ways = [Slow(clock, each) for each in seconds]
    soonest = Soonest(iter(ways))
    answered(soonest, len(ways) * TURNS)
    assert [way.answers for way in ways] == [TURNS] * len(ways)
    answered(soonest, 100)
    assert soonest.runner is ways[seconds.index(1)]
    assert ways[seconds.index(1)].answers == TURNS + 100


def test_a_third_way_is_made_when_all_have_their_turns_again(clock: list[float]) -> None:
    ways = [Slow(clock, each) for each in (3, 2, 1)]
    soonest = Soonest(iter(ways))
    answered(soonest, 2 * TURNS + runners.AGAIN)
    assert [way.answers for way in ways] == [TURNS, TURNS + runners.AGAIN, 0]
    answered(soonest, 3 * TURNS)
    assert soonest.runner is ways[2]
    assert ways[2].answers == TURNS


def test_when_the_machine_changes_its_mood_another_becomes_the_soonest(clock: list[float]) -> None:
    first, second = ways = [Slow(clock, 1), Slow(clock, 2)]
    soonest = Soonest(iter(ways))
    answered(soonest, 2 * TURNS)
    first.seconds[-1] = 3
    answered(soonest, runners.AGAIN)
    assert first.answers == TURNS + runners.AGAIN
    answered(soonest, 2 * TURNS)
    assert soonest.runner is second
    answered(soonest, runners.AGAIN)
    assert second.answers == 2 * TURNS + runners.AGAIN


def test_a_slow_first_answer_and_a_slow_moment_decide_nothing(clock: list[float]) -> None:
    ways = [Slow(clock, 90, 1, 1, 90, 1), Slow(clock, 2)]
    soonest = Soonest(iter(ways))
    answered(soonest, 2 * TURNS)
    assert soonest.runner is ways[0]


def test_no_way_is_judged_by_one_bad_moment_of_the_machine(clock: list[float]) -> None:
    ways = [Slow(clock, *[9] * runners.TURN, 1), Slow(clock, 2)]
    soonest = Soonest(iter(ways))
    answered(soonest, 2 * TURNS)
    assert soonest.runner is ways[0]


def test_a_way_is_made_only_when_its_turn_comes(clock: list[float]) -> None:
    made = []

    def ways() -> Iterator[Slow]:
        for seconds in (1, 2):
            made.append(seconds)
            yield Slow(clock, seconds)

    soonest = Soonest(ways())
    answered(soonest, runners.TURN - 1)
    assert made == [1]
    answered(soonest, 1)
    assert made == [1, 2]


def test_a_runner_that_fails_is_not_passed_over_in_silence() -> None:
    class Failing:
        def answer(self, *_: object) -> None:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        answered(Soonest(iter([Failing(), Failing()])), 1)
