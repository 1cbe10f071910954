"""progress.py: how far, rows a second, time left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from deepmnist import display
from deepmnist.cluster import progress
from deepmnist.cluster.progress import Lines, Progress, Terminal
from deepmnist.cluster.records import Kind, Part, Piece
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


PART = Part(0, (Piece("a.csv", Kind.table, 1, 1, 0, 25, weight=25),))


def test_time_left_goes_by_the_weight_that_is_done_and_runs_down(clock: Clock) -> None:
    shown = Progress(weight=100, parts=4)
    clock.now += 10
    shown.scored(25)
    assert shown.seconds_left is None
    shown.finished(PART)
    assert shown.seconds_left == pytest.approx(30)
    clock.now += 4
    assert shown.seconds_left == pytest.approx(26)
    assert shown.rows_per_second == pytest.approx(25 / 14)
    assert shown.text == "part 1/4  25 rows  2 rows/s  26 s left"


def test_parts_that_were_done_before_do_not_count_in_the_pace(clock: Clock) -> None:
    shown = Progress(weight=50, parts=4, done=2)
    clock.now += 10
    shown.finished(PART, 25)
    assert (shown.done, shown.rows, shown.seconds_left) == (3, 25, pytest.approx(10))


def test_lines_come_every_few_seconds(clock: Clock) -> None:
    console = Console(file=io.StringIO(), width=200)
    shown = Lines(console, 100, 4)
    for _ in range(12):
        clock.now += 1
        shown.scored(100)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "part 0/4  500 rows  100 rows/s",
        "part 0/4  1,000 rows  100 rows/s",
    ]
    assert display.LINE_EVERY_S == 5


def test_a_terminal_has_a_bar() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    shown = Terminal(console, 25, 1)
    shown.scored(25)
    shown.finished(PART)
    shown.end()
    assert "part 1/1" in console.file.getvalue()  # type: ignore[attr-defined]


def test_quiet_is_silent() -> None:
    assert type(progress.choose(1, 1, quiet=True)) is Progress
