"""What has been measured already, in a folder: the finished is taken as it is, the rest goes on.

FOLDER/RECIPE-SEED-FINGERPRINT/              a run of `deepmnist train`, finished or not
FOLDER/published-SEED-DAY-FINGERPRINT.json   a run of the tutorial as published
FOLDER/NAME-FINGERPRINT.json                 what another benchmark wrote

The fingerprint (fingerprint.py) keeps figures of other code, configurations, versions or machines
from being taken for today's; a new one simply lies beside the old. The tutorial, to which all times
are held, is run anew each day: a shared machine has its moods. A run that goes on after a kill
traces once more and counts it, so that no kill flatters a time. Delete the folder to begin anew.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import fingerprint, results
from deepmnist import atomic, recipes, runfolder

FOLDER = Path("runs") / "bench"
TRAIN = [sys.executable, "-c", "from deepmnist.cli import main; main()", "train", "--quiet"]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else measures in `folder`, and keep others waiting meanwhile.

    Children inherit the lock: one left over from a killed benchmark still holds it, so that what it
    does is finished, not done a second time beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for what still runs in {folder}", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def published(seed: int, folder: Path) -> dict[str, Any]:
    """What benchmarks/tutorial_v1.py prints for `seed`: seconds and test result."""
    day = time.strftime("%Y-%m-%d")

    def place() -> Path:
        mark = fingerprint.of(seed, ["benchmarks.tutorial_v1"], fingerprint.BESIDE_TRAINING)
        return folder / f"published-{seed}-{day}-{mark}.json"

    path = place()
    if not path.exists():
        command = [sys.executable, "-m", "benchmarks.tutorial_v1", "--seed", str(seed)]
        told = _run(command).splitlines()[-1]
        _check_still(path, place())
        atomic.write(path, told)
    return json.loads(path.read_bytes())


def trained(recipe: str, seed: int, folder: Path) -> runfolder.Result:
    """The finished run of a recipe and seed on MNIST."""
    out = run_folder(recipe, seed, folder)
    if not finished(out):
        begun = (out / runfolder.RECORD).exists()
        _run(TRAIN + (["--resume", str(out)] if begun else _begin(recipe, seed, out, folder)))
    _check_still(out, run_folder(recipe, seed, folder))
    result = runfolder.read_result(out)
    if result is None:
        raise SystemExit(f"error: {out} ended without a result; remove it and start again")
    return result


def run_folder(recipe: str, seed: int, folder: Path) -> Path:
    """Where the run of a recipe and seed lies, or will."""
    mark = fingerprint.of_recipe(recipes.configure(recipe, seed=seed))
    return folder / f"{recipe}-{seed}-{mark}"


def finished(run: Path) -> bool:
    """Whether a run is complete."""
    return (run / runfolder.RESULT).exists()


def measured(name: str, options: Sequence[str], folder: Path) -> Path:
    """benchmarks/results/NAME.json, as `python -m benchmarks.NAME` wrote it."""
    every = [asdict(config) for config in recipes.RECIPES.values()]
    modules = [f"benchmarks.{name}", "deepmnist.cli", "deepmnist.runs"]

    def place() -> Path:
        return folder / f"{name}-{fingerprint.of([options, every], modules)}.json"

    kept, path = place(), results.FOLDER / f"{name}.json"
    if kept.exists():
        atomic.write(path, kept.read_bytes())
    else:
        _run([sys.executable, "-m", f"benchmarks.{name}", *options], shown=True)
        _check_still(kept, place())
        atomic.write(kept, path.read_bytes())
    return path


def _check_still(place: Path, now: Path) -> None:
    """The end of all where what was measured is no longer what lies here: its place has changed."""
    if now != place:
        raise SystemExit(f"error: the code changed while {place} was measured; start again")


def _begin(recipe: str, seed: int, out: Path, folder: Path) -> list[str]:
    options = ["--dataset", "mnist", "--recipe", recipe, "--seed", str(seed), "--out", str(out)]
    teacher = recipes.RECIPES[recipe].teacher
    if teacher is None:
        return options
    run = run_folder(teacher, seed, folder)  # measured in its own right, it need not be made again
    return [*options, "--teacher", str(run / runfolder.BUNDLE)] if finished(run) else options


def _run(command: list[str], shown: bool = False) -> bytes:
    """What a child prints; it holds the lock of `alone` too. The end of all where it fails."""
    output = None if shown else subprocess.PIPE
    done = subprocess.run(command, stdout=output, close_fds=False)
    if done.returncode:
        raise SystemExit(f"error: status {done.returncode} of {' '.join(command)}")
    return done.stdout or b""
