"""progress.py: how many trials are over, the best one, and the time that is left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from deepmnist.sweeping import progress
from deepmnist.sweeping.progress import Lines, Progress, Terminal
from tests.clock import Clock
from tests.sweeping.trials import curve, trial


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_time_left_counts_what_runs_at_once_and_how_far_that_is(clock: Clock) -> None:
    shown = Progress(wanted=5, over=1)
    assert shown.seconds_left is None
    shown.began(trial(2))
    shown.began(trial(3))
    clock.now += 10
    shown.ended(trial(2))
    shown.began(trial(4))
    assert shown.seconds_left == pytest.approx((3 * 10 - 10) / 2)
    clock.now += 100
    assert shown.seconds_left == pytest.approx((3 * 10 - 20) / 2)


def test_the_best_is_shown_whichever_call_found_it() -> None:
    shown = Progress(3, 1)
    shown.note(trial(1, loss=0.2))
    shown.began(trial(2))
    shown.ended(trial(2, loss=0.3))
    assert "trial 2/3  0 running  best 0.2000 nats (95.00%)" in shown.text


def test_lines_tell_each_trial_once_it_is_over_and_how(clock: Clock) -> None:
    text = io.StringIO()
    shown = Lines(Console(file=text, width=300), 4)
    results = [
        trial(1),
        trial(2, state="failed", reason="the loss [red] is no number"),
        trial(3, state="stopped", curve=curve(0.9, 0.8)),
        trial(4),
    ]
    for each in results:
        shown.began(each)
        shown.reached(each)
        clock.now += 2
        shown.ended(each)
    values = "learning_rate 0.001, optimizer adam"
    assert text.getvalue().splitlines() == [
        f"trial 1 of 4: {values}: 0.1000 nats (95.00%) in 2.0 s; 6 s left",
        f"trial 2 of 4: {values}: failed: the loss [red] is no number; 4 s left",
        f"trial 3 of 4: {values}: stopped at epoch 1, worse than most were; 2 s left",
        f"trial 4 of 4: {values}: 0.4000 nats (95.00%) in 2.0 s",
    ]


def test_a_terminal_has_a_bar_and_the_lines_above_it() -> None:
    text = io.StringIO()
    shown = Terminal(Console(file=text, force_terminal=True, width=120), 2)
    for number in (1, 2):
        shown.began(trial(number))
        shown.reached(trial(number))
        shown.ended(trial(number))
    shown.end()
    assert "trial 1 of 2: " in text.getvalue()
    assert "trial 2/2" in text.getvalue()


@pytest.mark.parametrize(("quiet", "kind"), [(True, Progress), (False, Lines)])
def test_quiet_says_nothing_and_off_a_terminal_there_are_lines(
    quiet: bool, kind: type[Progress]
) -> None:
    assert type(progress.choose(3, quiet=quiet)) is kind
