"""What a person sees while parts are scored: how far, rows a second, time left.

A bar on a terminal, a line every few seconds elsewhere, on stderr, as display.py does for training.
How far it is goes by weight, since nobody counts the pictures of an archive beforehand.
"""

from __future__ import annotations

import time

from rich.console import Console

from deepmnist import display
from deepmnist.cluster.records import Part


class Progress:
    """Counts rows and parts; says nothing."""

    def __init__(self, weight: int, parts: int, done: int = 0) -> None:
        """weight: of what is left. parts: in all, of which so many are done."""
        self.weight, self.parts, self.done = max(weight, 1), parts, done
        self.rows = self.weighed = 0
        self._started = self._finished = time.monotonic()

    def scored(self, rows: int) -> None:
        """So many rows more are done."""
        self.rows += rows

    def finished(self, part: Part, rows: int = 0) -> None:
        """A part is written; so many of its rows were not told of before."""
        self.rows += rows
        self.done += 1
        self.weighed += part.weight
        self._finished = time.monotonic()

    def end(self) -> None:
        """All is done, or nothing goes on."""

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    @property
    def rows_per_second(self) -> float:
        """Of this run."""
        return self.rows / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """At the same pace; None before a part is finished."""
        if not self.weighed:
            return None
        now, taken = time.monotonic(), self._finished - self._started
        left = taken * (self.weight - self.weighed) / self.weighed
        return max(0.0, left - (now - self._finished))

    @property
    def text(self) -> str:
        """All of it in one line."""
        left = self.seconds_left
        wait = "" if left is None else f"  {left:.0f} s left"
        return (
            f"part {self.done}/{self.parts}  {self.rows:,} rows  "
            f"{self.rows_per_second:,.0f} rows/s{wait}"
        )


class Lines(Progress):
    """A line every five seconds."""

    def __init__(self, console: Console, weight: int, parts: int, done: int = 0) -> None:
        super().__init__(weight, parts, done)
        self._console = console
        self._last = time.monotonic()

    def scored(self, rows: int) -> None:
        super().scored(rows)
        self._tell()

    def finished(self, part: Part, rows: int = 0) -> None:
        super().finished(part, rows)
        self._tell()

    def _tell(self) -> None:
        if time.monotonic() - self._last >= display.LINE_EVERY_S:
            self._last = time.monotonic()
            display.say(self._console, self.text)


class Terminal(Progress):
    """A live bar."""

    def __init__(self, console: Console, weight: int, parts: int, done: int = 0) -> None:
        super().__init__(weight, parts, done)
        self._bar = display.bar(console)
        self._task = self._bar.add_task("score", total=self.weight, figures="")
        self._bar.start()

    def scored(self, rows: int) -> None:
        super().scored(rows)
        self._bar.update(self._task, figures=self.text)

    def finished(self, part: Part, rows: int = 0) -> None:
        super().finished(part, rows)
        self._bar.update(self._task, completed=self.weighed, figures=self.text)

    def end(self) -> None:
        self._bar.stop()


def choose(weight: int, parts: int, done: int = 0, quiet: bool = False) -> Progress:
    """Silent if quiet, a bar on a terminal, plain lines elsewhere."""
    if quiet:
        return Progress(weight, parts, done)
    console = Console(stderr=True)
    kind = Terminal if console.is_terminal else Lines
    return kind(console, weight, parts, done)
