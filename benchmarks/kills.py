"""kill -9 at random moments of a training, again and again: the weights must not notice.

    python -m benchmarks.kills [--times 20]

A run with dropout and augmentation is killed at a moment drawn anew each time, anywhere from
start-up to the writing of the report, resumed, killed again with even odds, and resumed to its
end. Its last checkpoint must equal the undisturbed run's bit for bit, and its test result too.

Checkpoints are written many times a second here, where a user's run writes two a minute, so that
kills fall between them and within their writing. Where each resume went on from is told: a run that
only ever began anew would be equal, too.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks import results, terminal
from deepmnist import checkpoints, history, runfolder

OFTEN = """
from deepmnist import training
from deepmnist.cli import main
training.SAVE_EVERY_S, training.CHUNK_S = 0.05, 0.02
main()
"""
COMMAND = [sys.executable, "-c", OFTEN, "train", "--quiet"]
STEPS = 2_000
RUN = ["--dataset", "digits", "--steps", str(STEPS), "--batch-size", "32", "--dropout", "0.3"]
RUN += ["--rotation-deg", "10", "--shift-px", "2"]


def main(
    times: Annotated[int, typer.Option(help="Runs to kill.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the moments.")] = 0,
) -> None:
    """Kill, resume, compare; write benchmarks/results/kills.json.

    Exit 1 at any difference, and where no resume went on from the middle of the steps.
    """
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        whole, started = Path(name) / "whole", time.monotonic()
        subprocess.run([*COMMAND, *RUN, "--out", whole], check=True, stdout=subprocess.DEVNULL)
        length = time.monotonic() - started
        outcomes = [_one(Path(name) / "cut", whole, length, moments) for _ in range(times)]
    figures = {
        "times": times,
        "seed": seed,
        "kills": sum(len(outcome["killed_after_step"]) for outcome in outcomes),
        "resumed_midway": sum(map(midway, outcomes)),
        "ended_first": sum(outcome["ended_first"] for outcome in outcomes),
        "equal": sum(outcome["equal"] for outcome in outcomes),
        "outcomes": outcomes,
    }
    print(
        f"{figures['equal']} of {times} runs equal after {figures['kills']} kills, "
        f"{figures['resumed_midway']} times resumed midway"
    )
    print(results.write("kills", figures))
    raise typer.Exit(0 if figures["equal"] == times and figures["resumed_midway"] else 1)


def midway(outcome: dict[str, Any]) -> int:
    """How many of a run's resumes went on from neither the first step nor the last."""
    return sum(0 < step < STEPS for step in outcome["resumed_after_step"])


def _one(cut: Path, whole: Path, length: float, moments: random.Random) -> dict[str, Any]:
    shutil.rmtree(cut, ignore_errors=True)
    starts = [_killed([*RUN, "--out", str(cut)], cut, moments.uniform(0, length))]
    while not (cut / runfolder.RECORD).exists():  # killed before there was anything to resume
        starts.append(_killed([*RUN, "--out", str(cut)], cut, moments.uniform(0, length)))
    resumed = []
    while moments.random() < 0.5:
        resumed.append(_saved(cut))
        starts.append(_killed(["--resume", str(cut)], cut, moments.uniform(0, length)))
    resumed.append(_saved(cut))
    subprocess.run([*COMMAND, "--resume", cut], check=True, stdout=subprocess.DEVNULL)
    steps = [step for killed, step in starts if killed]
    equal = _equal(cut, whole)
    verdict = "equal" if equal else "DIFFERENT"
    print(f"killed after steps {steps}, resumed after {resumed}: {verdict}", flush=True)
    return {
        "killed_after_step": steps,
        "resumed_after_step": resumed,
        "ended_first": len(starts) - len(steps),
        "equal": equal,
    }


def _killed(options: list[str], cut: Path, after_s: float) -> tuple[bool, int | None]:
    """Start, kill after some seconds: (killed before it ended, last step logged if any)."""
    child = subprocess.Popen([*COMMAND, *options], stdout=subprocess.DEVNULL)
    try:
        child.wait(after_s)
        killed = False
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        killed = True
    lines = history.read(cut)
    return killed, int(lines[-1]["step"]) if lines else None


def _saved(cut: Path) -> int:
    """The step that a resume goes on from."""
    newest = checkpoints.latest(cut / runfolder.CHECKPOINTS)
    return newest.step if newest else 0


def _equal(cut: Path, whole: Path) -> bool:
    first, second = (checkpoints.latest(run / runfolder.CHECKPOINTS) for run in (cut, whole))
    if first is None or second is None or first.step != second.step:
        return False
    same = all(map(np.array_equal, first.arrays, second.arrays))
    tested = [runfolder.read_result(run) for run in (cut, whole)]
    return same and tested[0].test_correct == tested[1].test_correct


if __name__ == "__main__":
    terminal.run(main)
