"""What a person sees while a run goes on: a progress bar on a terminal, plain lines elsewhere.

Everything goes to stderr, so that stdout holds results alone. `Silent` is --quiet.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

if TYPE_CHECKING:
    from deepmnist.batches import Plan
    from deepmnist.training import Progress

LINE_EVERY_S = 5.0  # between plain lines
BAR_WIDTH = 12  # columns, so that a bar and all its figures fit a terminal of 80
VALIDATION_EVERY_S = 1.0  # between those that tell a validation; a small set has many epochs


class Display(Protocol):
    """Where a run reports to."""

    def message(self, text: str) -> None:
        """A line of information."""

    def warning(self, text: str) -> None:
        """Something that must not be missed."""

    def begin(self, plan: Plan, step: int) -> None:
        """A net's training starts at `step` of `plan`; an ensemble's members begin one by one."""

    def update(self, progress: Progress) -> None:
        """A chunk of steps is done."""

    def end(self) -> None:
        """That net's training is over, finished or not."""


def choose(quiet: bool = False) -> Display:
    """Silent if quiet, a bar on a terminal, plain lines elsewhere."""
    if quiet:
        return Silent()
    console = Console(stderr=True)
    return Terminal(console) if console.is_terminal else Lines(console)


class Silent:
    """Says nothing but warnings."""

    def message(self, text: str) -> None: ...

    def warning(self, text: str) -> None:
        _warn(Console(stderr=True), text)

    def begin(self, plan: Plan, step: int) -> None: ...

    def update(self, progress: Progress) -> None: ...

    def end(self) -> None: ...


class Lines(Silent):
    """A line every five seconds, sooner for a validation, and one for the last step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = 0.0
        self._validation = ""

    def message(self, text: str) -> None:
        say(self._console, text)

    def warning(self, text: str) -> None:
        _warn(self._console, text)

    def begin(self, plan: Plan, step: int) -> None:
        self._plan = plan
        self._validation = ""
        self._last = time.monotonic()  # the first chunk is all tracing: its rate would mislead

    def update(self, progress: Progress) -> None:
        text = self._figures(progress)
        wait = LINE_EVERY_S if progress.validation_accuracy is None else VALIDATION_EVERY_S
        left = self._plan.images_from(progress.step)
        if left and time.monotonic() - self._last < wait:
            return
        self._last = time.monotonic()
        seconds = left / progress.images_per_second
        self.message(f"step {progress.step}/{self._plan.steps}  {text}  {seconds:.0f} s left")

    def _figures(self, progress: Progress) -> str:
        """Epoch, rate, loss and the newest validation accuracy in one line."""
        if progress.validation_accuracy is not None:
            self._validation = f"  validation {progress.validation_accuracy:.2%}"
        return (
            f"epoch {progress.epoch:.2f}  {progress.images_per_second:,.0f} images/s  "
            f"loss {progress.loss:.4f}{self._validation}"
        )


class Terminal(Lines):
    """A live bar for each net."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bar = bar(console)

    def begin(self, plan: Plan, step: int) -> None:
        super().begin(plan, step)
        self._bar = bar(self._console)  # one that has stopped would draw over what came since
        self._task = self._bar.add_task("train", total=plan.steps, completed=step, figures="")
        self._bar.start()

    def update(self, progress: Progress) -> None:
        text = self._figures(progress)
        self._bar.update(self._task, completed=progress.step, figures=text)

    def end(self) -> None:
        self._bar.stop()


def say(console: Console, text: str) -> None:
    """A line as it is: no tag of Rich's, and not broken."""
    console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)


def bar(console: Console) -> Bar:
    """A bar that tells `figures` and the time left. It is not started."""
    return Bar(
        BarColumn(bar_width=BAR_WIDTH),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
        console=console,
    )


def _warn(console: Console, text: str) -> None:
    """Text, not markup: a path in brackets is no tag of Rich's."""
    console.print(Panel(Text(text), title="WARNING", style="bold yellow"))
