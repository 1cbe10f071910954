"""display.py: a bar, lines or silence; everything on stderr, warnings always."""

from __future__ import annotations

import ast
import io
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import deepmnist
from deepmnist import display
from deepmnist.batches import Plan
from deepmnist.display import LINE_EVERY_S, Lines, Silent, Terminal
from tests.clock import Clock

PLAN = Plan(n=1_000, batch_size=10, steps=400, seed=0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(0.0)
    monkeypatch.setattr(display, "time", clock)
    return clock


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def steps(console: Console) -> list[int]:
    """The step of each line."""
    return [int(re.findall(r"step (\d+)/", line)[0]) for line in printed(console)]


def printed(console: Console) -> list[str]:
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_the_tests_figures_are_those_of_training(fake_progress: Any) -> None:
    """The fake spares these tests TensorFlow; it must not drift from what training reports."""
    source = (Path(deepmnist.__file__).parent / "training.py").read_text()
    (progress,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == "Progress"
    )
    real = [node.target.id for node in progress.body if isinstance(node, ast.AnnAssign)]  # type: ignore[union-attr]
    assert [field.name for field in fields(fake_progress)] == real


# --- lines --------------------------------------------------------------------------------------


def test_a_line_tells_step_epoch_rate_loss_and_time_left(
    clock: Clock, console: Console, fake_progress: Any
) -> None:
    lines = Lines(console)
    lines.begin(PLAN, 0)
    clock.now = LINE_EVERY_S
    lines.update(fake_progress(step=100, images_per_second=500.0))
    assert printed(console) == [
        "step 100/400  epoch 1.00  500 images/s  loss 0.2500  6 s left",
    ]


def test_lines_come_every_five_seconds_and_for_the_last_step(
    clock: Clock, console: Console, fake_progress: Any
) -> None:
    lines = Lines(console)
    lines.begin(PLAN, 0)
    for step in (*range(1, 101), PLAN.steps):  # 0.25 s a chunk, as training reports: 25 s
        clock.now += 0.25
        lines.update(fake_progress(step=step))
    assert steps(console) == [20, 40, 60, 80, 100, 400]


def test_a_validation_is_told_within_a_second_and_stays_in_sight(
    clock: Clock, console: Console, fake_progress: Any
) -> None:
    lines = Lines(console)
    lines.begin(PLAN, 0)
    for step in range(1, 11):  # an epoch every quarter of a second
        clock.now += 0.25
        lines.update(fake_progress(step=step, validation_accuracy=0.9912))
    clock.now += LINE_EVERY_S
    lines.update(fake_progress(step=11))
    assert steps(console) == [4, 8, 11]
    assert all("validation 99.12%" in line for line in printed(console))


def test_a_validation_s_line_counts_as_one(
    clock: Clock, console: Console, fake_progress: Any
) -> None:
    lines = Lines(console)
    lines.begin(PLAN, 0)
    clock.now = 1.0
    lines.update(fake_progress(step=1, validation_accuracy=0.9))
    clock.now = LINE_EVERY_S
    lines.update(fake_progress(step=2))
    clock.now = LINE_EVERY_S + 1.0
    lines.update(fake_progress(step=3))
    assert steps(console) == [1, 3]


def test_a_line_is_never_broken_or_read_as_markup(console: Console) -> None:
    text = "run in /a/[bold]folder[/] " + "x" * 300
    Lines(console).message(text)
    assert printed(console) == [text]


# --- silence and warnings -----------------------------------------------------------------------


def test_silent_says_nothing_but_warnings(
    capsys: pytest.CaptureFixture[str], fake_progress: Any
) -> None:
    silent = Silent()
    silent.message("nothing")
    silent.begin(PLAN, 0)
    silent.update(fake_progress(step=1, validation_accuracy=0.5))
    silent.end()
    assert capsys.readouterr() == ("", "")
    silent.warning("this run does NOT train on MNIST")
    out, err = capsys.readouterr()
    assert out == ""
    assert "WARNING" in err
    assert "does NOT train on MNIST" in err


@pytest.mark.parametrize("kind", [Lines, Terminal])
def test_a_warning_is_a_box_that_holds_its_text_as_it_is(
    console: Console, kind: type[Lines]
) -> None:
    kind(console).warning("looked in [/data] and [red]here[/red]\nand on the second line")
    text = "\n".join(printed(console))
    assert "WARNING" in text
    assert "looked in [/data] and [red]here[/red]" in text
    assert "and on the second line" in text


# --- the bar ------------------------------------------------------------------------------------


def recording() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)


def test_the_bar_and_all_its_figures_fit_a_terminal_of_80_columns(fake_progress: Any) -> None:
    console = recording()
    terminal = Terminal(console)
    terminal.begin(PLAN, 0)
    terminal.update(fake_progress(step=100, validation_accuracy=0.9912))
    terminal.update(fake_progress(step=400, loss=0.125))
    terminal.end()
    shown = [line for line in printed(console) if "epoch" in line][-1]
    assert "━" * display.BAR_WIDTH in shown
    assert "epoch 1.00  12,346 images/s  loss 0.1250  validation 99.12%" in shown


def test_a_resumed_bar_starts_where_the_run_did(fake_progress: Any) -> None:
    console = recording()
    terminal = Terminal(console)
    terminal.begin(PLAN, 250)
    (task,) = terminal._bar.tasks
    terminal.end()
    assert (task.completed, task.total) == (250, 400)


def test_every_net_gets_a_bar_of_its_own(fake_progress: Any) -> None:
    console = recording()
    terminal = Terminal(console)
    for member, accuracy in ((1, 0.75), (2, None)):
        terminal.message(f"member {member} of 2")
        terminal.begin(PLAN, 0)
        terminal.update(fake_progress(step=100, validation_accuracy=accuracy))
        terminal.update(fake_progress(step=400, loss=float(member)))
        terminal.end()
    text = console.file.getvalue()  # type: ignore[attr-defined]
    first, second = text.split("member 2 of 2")
    assert "loss 1.0000  validation 75.00%" in first
    assert "loss 2.0000" in second
    assert "loss 1.0000" not in second
    assert "validation" not in second  # the first net's is not the second's


def test_messages_beside_a_bar_are_shown_and_the_bar_ends_twice(fake_progress: Any) -> None:
    console = recording()
    terminal = Terminal(console)
    terminal.message("before")
    terminal.end()  # what stops before it began
    terminal.begin(PLAN, 0)
    terminal.message("Stopped. [not markup]")
    terminal.end()
    terminal.end()
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "before" in text
    assert "Stopped. [not markup]" in text


# --- which one ----------------------------------------------------------------------------------


def test_quiet_is_silent() -> None:
    assert type(display.choose(quiet=True)) is Silent


@pytest.mark.parametrize(("is_terminal", "kind"), [("1", Terminal), ("0", Lines)])
def test_a_terminal_gets_the_bar_and_a_file_lines(
    monkeypatch: pytest.MonkeyPatch, is_terminal: str, kind: type
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(display.Console, "is_terminal", is_terminal == "1")
    assert type(display.choose()) is kind


def test_lines_go_to_stderr_and_leave_stdout_for_results(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    display.choose().message("hello")
    assert capsys.readouterr() == ("", "hello\n")
