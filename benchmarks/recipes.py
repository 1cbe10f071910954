"""Each recipe over several seeds on MNIST: test accuracy, and training time beside the tutorial's.

    python -m benchmarks.recipes [--recipe fast=10 --recipe balanced=10 --baseline 3]

Every run is its own process, as `deepmnist train` is, so tracing and compiling count each time. The
tutorial as published (benchmarks/tutorial_v1.py) and the recipes take turns seed by seed, so that a
busy minute of a shared machine falls on all of them. All seeds are reported; none decides anything.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import results
from deepmnist import runfolder

QUICK = ["fast=10", "balanced=3"]


def main(
    recipe: Annotated[list[str], typer.Option(help="RECIPE=SEEDS")] = QUICK,
    baseline: Annotated[int, typer.Option(help="Seeds of the published tutorial.")] = 1,
) -> None:
    """Train, print a table, write benchmarks/results/recipes.json."""
    seeds = {name: int(count) for name, _, count in (text.partition("=") for text in recipe)}
    runs: dict[str, list[runfolder.Result]] = {name: [] for name in seeds}
    published = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(max(baseline, *seeds.values())):
            if seed < baseline:
                published.append(_tutorial(seed))
            for name in seeds:
                if seed < seeds[name]:
                    runs[name].append(_train(name, seed, Path(folder)))
    figures = {name: _figures(found) for name, found in runs.items()}
    yardstick = {
        "test_accuracy": results.spread([run["test_correct"] / run["test_n"] for run in published]),
        "train_seconds": results.spread([run["train_seconds"] for run in published]),
    }
    for values in figures.values():
        mean = values["train_seconds"]["mean"]
        values["share_of_tutorial_time"] = mean / yardstick["train_seconds"]["mean"]
    _print({**figures, "the tutorial as published": yardstick})
    written = {"dataset": "mnist", "baseline": yardstick, "recipes": figures}
    print(results.write("recipes", written))


def _tutorial(seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.tutorial_v1", "--seed", str(seed)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    run = json.loads(done.stdout.splitlines()[-1])
    seconds = run["train_seconds"]
    print(f"published tutorial seed {seed}: {run['test_correct']} in {seconds:.1f} s", flush=True)
    return run


def _train(recipe: str, seed: int, folder: Path) -> runfolder.Result:
    out = folder / f"{recipe}-{seed}"
    command = [sys.executable, "-c", "from deepmnist.cli import main; main()", "train"]
    options = ["--dataset", "mnist", "--recipe", recipe, "--seed", str(seed), "--out", str(out)]
    subprocess.run([*command, *options, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    result = runfolder.read_result(out)
    if result is None:
        raise RuntimeError(f"{out} has no result")
    print(f"{recipe} seed {seed}: {result.summary()} in {result.train_seconds:.1f} s", flush=True)
    return result


def _figures(found: list[runfolder.Result]) -> dict[str, Any]:
    return {
        "seeds": [result.seed for result in found],
        "test_n": found[0].test_n,
        "test_accuracy": results.spread([result.test_accuracy for result in found]),
        "test_accuracies": [result.test_accuracy for result in found],
        "train_seconds": results.spread([result.train_seconds for result in found]),
        "images_per_second": results.spread([result.images_per_second for result in found]),
        "peak_memory_bytes": max(result.peak_memory_bytes or 0 for result in found),
        "parameters": found[0].parameters,
        "steps": found[0].steps,
        "batch_size": found[0].batch_size,
        "precision": found[0].precision,
    }


def _print(figures: dict[str, Any]) -> None:
    for name, values in figures.items():
        accuracy, seconds = values["test_accuracy"], values["train_seconds"]
        print(
            f"{name}: {accuracy['mean']:.3%} (sd {accuracy['sd'] or 0:.3%}, n={accuracy['n']}), "
            f"{seconds['mean']:.1f} s"
        )


if __name__ == "__main__":
    typer.run(main)
