"""What a command costs before and around its work: --help, a cold predict, a whole train.

    python -m benchmarks.startup [--runs 10]

Each is a whole process, timed from outside. The median is the figure to quote.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from benchmarks import results

COMMAND = Path(sys.executable).with_name("deepmnist")


def main(runs: Annotated[int, typer.Option(help="Counted runs of each command.")] = 10) -> None:
    """Time the commands, print, write benchmarks/results/startup.json."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        _run("train", "--dataset", "mnist", "--out", folder / "run", "--quiet")
        whole = time.perf_counter() - started
        training = json.loads((folder / "run" / "result.json").read_text())["train_seconds"]
        picture = _picture(folder / "one.png")
        figures = {
            "help": _timed(runs, "--help"),
            "predict_one_png": _timed(runs, "predict", picture, "--model", folder / "run"),
            "train": {
                "wall_seconds": whole,
                "train_seconds": training,
                "outside_training_seconds": whole - training,
            },
        }
    print(json.dumps(figures, indent=2))
    print(results.write("startup", figures))


def _picture(path: Path) -> Path:
    """A thick 1, black on white, 280 x 280."""
    pixels = np.full((280, 280), 255, np.uint8)
    pixels[40:240, 125:155] = 0
    Image.fromarray(pixels).save(path)
    return path


def _timed(runs: int, *arguments: object) -> dict[str, Any]:
    _run(*arguments)  # once uncounted: the files are then in the system's cache
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        _run(*arguments)
        seconds.append(time.perf_counter() - started)
    return {"median_seconds": statistics.median(seconds), **results.spread(seconds)}


def _run(*arguments: object) -> None:
    subprocess.run([COMMAND, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    typer.run(main)
