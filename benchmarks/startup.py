"""What a command costs before and around its work: --help, predict, a whole train by stages.

    python -m benchmarks.startup [--runs 10] [--trainings 3]

Each is a whole process, timed from outside, its files in the system's cache; predict reads with the
model that comes along. The median is the figure to quote. The stages of a
train are told by when it wrote which file, so that nothing in it runs otherwise than for anybody:

* imports: Python, TensorFlow and the rest, in a process of their own, until they are there;
* data: what is left until run.json lies there: read, unpacked, hashed;
* training: train_seconds, of which tracing is all of the first step: building, tracing, compiling;
* validating: what else passes until the last line of metrics.jsonl;
* model: temperature, conversion, the test set, the bundle;
* report: the page;
* leaving: until the process is gone.
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

from benchmarks import results, terminal
from deepmnist import bundle, history, runfolder

COMMAND = [str(Path(sys.executable).with_name("deepmnist"))]
QUIETLY = """
from deepmnist import chatter
with chatter.dropped():
    import deepmnist.runs
import time
print(time.time())
"""
IMPORTS = [sys.executable, "-c", QUIETLY]


def main(
    runs: Annotated[int, typer.Option(min=1, help="Of each short command.")] = 10,
    trainings: Annotated[int, typer.Option(min=1, help="Of the default recipe.")] = 3,
    dataset: Annotated[str, typer.Option(help="What is trained on.")] = "mnist",
) -> None:
    """Time the commands, print, write benchmarks/results/startup.json."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        imports_s = statistics.median(_import_seconds() for _ in range(trainings))
        trained = [train(folder / str(number), dataset, imports_s) for number in range(trainings)]
        picture = _picture(folder / "one.png")
        figures = {
            "help": timed(runs, [*COMMAND, "--help"]),
            "predict_one_png": timed(runs, [*COMMAND, "predict", str(picture)]),
            "train": {
                "dataset": dataset,
                "n": trainings,
                **{key: statistics.median(each[key] for each in trained) for key in trained[0]},
            },
        }
    print(json.dumps(figures, indent=2))
    print(results.write("startup", figures))


def train(run: Path, dataset: str, imports_s: float) -> dict[str, float]:
    """Seconds of a whole train into `run`, by stage; `imports_s` of them go for imports."""
    started, clock = time.time(), time.perf_counter()
    _run([*COMMAND, "train", "--dataset", dataset, "--out", str(run), "--quiet"])
    wall = time.perf_counter() - clock
    training = json.loads((run / runfolder.RESULT).read_text())["train_seconds"]
    files = (
        run / runfolder.RECORD,
        run / history.METRICS,
        run / runfolder.BUNDLE / bundle.MANIFEST,
        run / runfolder.REPORT,
    )
    begun, trained, shipped, reported = (file.stat().st_mtime - started for file in files)
    return {
        "wall_seconds": wall,
        "train_seconds": training,
        "tracing_seconds": history.read(run)[0]["train_seconds"],
        "outside_training_seconds": wall - training,
        "imports_seconds": imports_s,
        "data_seconds": begun - imports_s,
        "validating_seconds": trained - begun - training,
        "model_seconds": shipped - trained,
        "report_seconds": reported - shipped,
        "leaving_seconds": wall - reported,
    }


def _import_seconds() -> float:
    """From the start of a process until all that a training needs is imported."""
    started = time.time()
    return float(_run(IMPORTS)) - started


def _picture(path: Path) -> Path:
    """A thick 1, black on white, 280 x 280."""
    pixels = np.full((280, 280), 255, np.uint8)
    pixels[40:240, 125:155] = 0
    Image.fromarray(pixels).save(path)
    return path


def timed(runs: int, command: list[str]) -> dict[str, Any]:
    """Seconds of a command, start to end, over several runs after one that is not counted."""
    _run(command)  # the files are then in the system's cache
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        _run(command)
        seconds.append(time.perf_counter() - started)
    return {"median_seconds": statistics.median(seconds), **results.spread(seconds)}


def _run(command: list[str]) -> str:
    """What a command prints; CalledProcessError where it fails."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    terminal.run(main)
