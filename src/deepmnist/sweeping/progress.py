"""What a person sees while a sweep goes on: a line a trial, and on a terminal a bar beside them.

All on stderr, as display.py does for training.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console

from deepmnist import display
from deepmnist.sweeping import space

if TYPE_CHECKING:
    from deepmnist.sweeping.records import Trial


class Progress:
    """Counts trials; says nothing."""

    def __init__(self, wanted: int, over: int = 0) -> None:
        """wanted: trials in all, of which so many are over."""
        self.wanted, self.over, self.ended_here = wanted, over, 0
        self.running: dict[int, float] = {}  # number to when it began
        self.best: Trial | None = None
        self._started = time.monotonic()
        self._spent = 0.0  # on trials that ended, seconds

    def began(self, trial: Trial) -> None:
        """A trial is handed to a worker."""
        self.running[trial.number] = time.monotonic()

    def reached(self, trial: Trial) -> None:
        """A trial was validated."""

    def ended(self, trial: Trial) -> None:
        """A trial is over."""
        self._spent += time.monotonic() - self.running.pop(trial.number, self._started)
        self.over += 1
        self.ended_here += 1
        self.note(trial)

    def note(self, trial: Trial) -> None:
        """A trial that is over, here or before, may be the best."""
        if trial.loss is not None and (self.best is None or trial.loss < (self.best.loss or 0)):
            self.best = trial

    def end(self) -> None:
        """All is done, or nothing goes on."""

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    @property
    def seconds_left(self) -> float | None:
        """At the same pace; None before a trial is over."""
        if not self.ended_here:
            return None
        each, now = self._spent / self.ended_here, time.monotonic()
        begun = sum(min(now - since, each) for since in self.running.values())
        return max(0.0, (self.wanted - self.over) * each - begun) / max(1, len(self.running))

    @property
    def text(self) -> str:
        """All of it in one line."""
        best = f"  best {figures(self.best)}" if self.best else ""
        left = self.seconds_left
        wait = "" if left is None else f"  {left:.0f} s left"
        return f"trial {self.over}/{self.wanted}  {len(self.running)} running{best}{wait}"


class Lines(Progress):
    """A line for each trial that is over."""

    def __init__(self, console: Console, wanted: int, over: int = 0) -> None:
        super().__init__(wanted, over)
        self.console = console

    def ended(self, trial: Trial) -> None:
        super().ended(trial)
        left = self.seconds_left
        wait = f"; {left:.0f} s left" if left and self.over < self.wanted else ""
        display.say(self.console, f"trial {trial.number} of {self.wanted}: {outcome(trial)}{wait}")


class Terminal(Lines):
    """A live bar under those lines."""

    def __init__(self, console: Console, wanted: int, over: int = 0) -> None:
        super().__init__(console, wanted, over)
        self._bar = display.bar(console)
        self._task = self._bar.add_task("sweep", total=wanted, completed=over, figures=self.text)
        self._bar.start()

    def began(self, trial: Trial) -> None:
        super().began(trial)
        self._bar.update(self._task, figures=self.text)

    def reached(self, trial: Trial) -> None:
        super().reached(trial)
        self._bar.update(self._task, figures=self.text)

    def ended(self, trial: Trial) -> None:
        super().ended(trial)
        self._bar.update(self._task, completed=self.over, figures=self.text)

    def end(self) -> None:
        self._bar.stop()


def choose(wanted: int, over: int = 0, quiet: bool = False) -> Progress:
    """Silent if quiet, lines and a bar on a terminal, lines alone elsewhere."""
    if quiet:
        return Progress(wanted, over)
    console = Console(stderr=True)
    return (Terminal if console.is_terminal else Lines)(console, wanted, over)


def outcome(trial: Trial) -> str:
    """What a trial tried and what it came to."""
    values = ", ".join(f"{name} {space.shown(value)}" for name, value in trial.values.items())
    if trial.state == "failed":
        return f"{values}: failed: {trial.reason}"
    if trial.state == "stopped":
        return f"{values}: stopped at epoch {trial.curve[-1].epoch:.2g}, worse than most were"
    return f"{values}: {figures(trial)} in {trial.seconds or 0:.1f} s"


def figures(trial: Trial) -> str:
    """`0.0312 nats (99.10 %)`."""
    return f"{trial.loss or 0:.4f} nats ({trial.accuracy or 0:.2%})"
