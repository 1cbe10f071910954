"""Each recipe over several seeds on MNIST, in turn: test accuracy and training seconds.

    python -m benchmarks.recipes [--recipe fast=5 --recipe tutorial=3]

Every run is its own process, as `deepmnist train` is, so tracing and compiling count each time.
Recipes take turns seed by seed, so that a busy minute of a shared machine falls on all of them.
The test set plays no part in any choice; all seeds are reported.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import results
from deepmnist import runfolder

QUICK = ["fast=5", "tutorial=3"]
BASELINE = "tutorial"


def main(recipe: Annotated[list[str], typer.Option(help="RECIPE=SEEDS")] = QUICK) -> None:
    """Train, print a table, write benchmarks/results/recipes.json."""
    seeds = {name: int(count) for name, _, count in (text.partition("=") for text in recipe)}
    runs: dict[str, list[runfolder.Result]] = {name: [] for name in seeds}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(max(seeds.values())):
            for name in seeds:
                if seed < seeds[name]:
                    runs[name].append(_train(name, seed, Path(folder)))
    figures = {name: _figures(found) for name, found in runs.items()}
    _compare(figures)
    _print(figures)
    print(results.write("recipes", {"dataset": "mnist", "recipes": figures}))


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


def _compare(figures: dict[str, Any]) -> None:
    """Add each recipe's training time as a share of the tutorial's in this same run."""
    if BASELINE not in figures:
        return
    baseline = figures[BASELINE]["train_seconds"]["mean"]
    for values in figures.values():
        values["share_of_tutorial_time"] = values["train_seconds"]["mean"] / baseline


def _print(figures: dict[str, Any]) -> None:
    for name, values in figures.items():
        accuracy, seconds = values["test_accuracy"], values["train_seconds"]
        print(
            f"{name}: {accuracy['mean']:.3%} (sd {accuracy['sd'] or 0:.3%}, n={accuracy['n']}), "
            f"{seconds['mean']:.1f} s"
        )


if __name__ == "__main__":
    typer.run(main)
