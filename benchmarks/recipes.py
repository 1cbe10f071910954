"""Each recipe over several seeds on MNIST: test accuracy, and training time beside the tutorial's.

    python -m benchmarks.recipes [--recipe fast=10 --recipe balanced=5] [--baseline 1]

Every run is its own process, as `deepmnist train` is, so tracing and compiling count each time. The
tutorial as published (benchmarks/tutorial_v1.py) and the recipes take turns seed by seed, so that a
busy minute of a shared machine falls on all of them; a share is of the tutorial's median, which one
disturbed run does not lengthen. All seeds are reported; none decides anything.
Killed at any moment, it goes on where it was: ledger.py says what is kept, and where.

recipes.json holds a record a recipe, each with its day, its machine, its versions and the baseline
it was measured beside. Those measured now replace theirs; the others stay as they are. Where all
runs of a recipe were there, the tutorial of another day is not put in place of the one that ran
beside them. What is not measured, such as what else ran then, may be written into a record by hand:
its `remark`, which the table tells.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import ledger, results, terminal
from deepmnist import recipes, runfolder

QUICK = ["fast=10", "balanced=5"]  # what `make bench` has time for
SEEDS = {  # of each recipe, where its number is not given; `make bench-full` takes them all
    "fast": 10,
    "balanced": 10,
    "accurate": 5,
    "ensemble": 3,
    "distilled": 3,
    "tiny": 5,
    "tutorial": 3,
}
FEW = 3  # seeds of a recipe without an entry
RECIPES_JSON = "recipes.json"
GROUND = ("date", "machine", "versions", "baseline")  # a record without has those of its file


def main(
    recipe: Annotated[list[str], typer.Option(help="RECIPE or RECIPE=SEEDS.")] = QUICK,
    baseline: Annotated[int, typer.Option(min=1, help="Seeds of the published tutorial.")] = 1,
    folder: Annotated[Path, typer.Option(help="Where runs lie, finished or not.")] = ledger.FOLDER,
) -> None:
    """Train what is not trained yet, print a table, write benchmarks/results/recipes.json."""
    with ledger.alone(folder):
        print(measure(counts(recipe), baseline, folder))


def counts(texts: Sequence[str]) -> dict[str, int]:
    """Seeds by recipe, in the recipes' own order: a teacher comes before whom it teaches."""
    seeds = {}
    for text in texts:
        name, given, count = text.partition("=")
        if name not in recipes.RECIPES or (given and not (count.isdecimal() and int(count))):
            known = ", ".join(recipes.RECIPES)
            raise typer.BadParameter(f"{text!r}: give RECIPE=SEEDS, the recipe one of {known}")
        seeds[name] = int(count) if given else SEEDS.get(name, FEW)
    first = [name for name in recipes.RECIPES if recipes.RECIPES[name].teacher is None]
    return {name: seeds[name] for name in [*first, *recipes.RECIPES] if name in seeds}


def measure(seeds: Mapping[str, int], baseline: int, folder: Path) -> Path:
    """Train `seeds` of each recipe and `baseline` of the published tutorial; write the JSON."""
    before = _measured_before()
    _tell_what_is_there(seeds, folder)
    runs: dict[str, list[runfolder.Result]] = {name: [] for name in seeds}
    published = []
    for seed in range(max(baseline, *seeds.values())):
        if seed < baseline:
            published.append(ledger.published(seed, folder))
            _tell("the tutorial as published", seed, published[-1])
        for name in seeds:
            if seed < seeds[name]:
                runs[name].append(ledger.trained(name, seed, folder))
                _tell(name, seed, asdict(runs[name][-1]))
    seconds = [run["train_seconds"] for run in published]
    yardstick = {
        "date": time.strftime("%Y-%m-%d"),
        "test_accuracy": results.spread([run["test_correct"] / run["test_n"] for run in published]),
        "train_seconds": {**results.spread(seconds), "median": statistics.median(seconds)},
        "train_seconds_each": seconds,
    }
    now = {name: _record(found, before.get(name, {}), yardstick) for name, found in runs.items()}
    _print({**now, "the tutorial as published": yardstick})
    known = {**before, **now}
    records = {name: known[name] for name in recipes.RECIPES if name in known}
    return results.write("recipes", {"dataset": "mnist", "baseline": yardstick, "recipes": records})


def _measured_before() -> dict[str, Any]:
    """The records that are there, each with the ground it was measured on."""
    path = results.FOLDER / RECIPES_JSON
    found = json.loads(path.read_text()) if path.exists() else {"recipes": {}}
    ground = {key: found[key] for key in GROUND if key in found}
    return {
        name: {**ground, **record}
        for name, record in found["recipes"].items()
        if name in recipes.RECIPES
    }


def _record(
    found: list[runfolder.Result], before: dict[str, Any], yardstick: dict[str, Any]
) -> dict[str, Any]:
    """A recipe's figures and standing; `before`: its record until now, which may be of these runs.

    Then they keep their remark, and stand beside the runs of the tutorial that they stood beside,
    or beside these and more.
    """
    figures = _figures(found)
    if before.get("train_seconds_each") != figures["train_seconds_each"]:
        return {**figures, **_standing(found, yardstick)}
    beside = before.get("baseline", yardstick)
    known = beside.get("train_seconds_each")
    if known and {*known} <= {*yardstick["train_seconds_each"]}:
        beside = yardstick
    remark = {"remark": before["remark"]} if "remark" in before else {}
    return {**figures, **_standing(found, beside), **remark}


def _figures(found: list[runfolder.Result]) -> dict[str, Any]:
    """What a recipe's runs came to, seed by seed and in all."""
    first = found[0]
    return {
        "date": time.strftime("%Y-%m-%d", time.localtime(max(map(_ended, found)))),
        "seeds": [result.seed for result in found],
        "test_n": first.test_n,
        "test_accuracy": results.spread([result.test_accuracy for result in found]),
        "test_accuracies": [result.test_accuracy for result in found],
        "validation_accuracy": results.spread([result.validation_accuracy for result in found]),
        "train_seconds": results.spread([result.train_seconds for result in found]),
        "train_seconds_each": [result.train_seconds for result in found],
        "images_per_second": results.spread([result.images_per_second for result in found]),
        "peak_memory_bytes": max(result.peak_memory_bytes or 0 for result in found),
        "parameters": first.parameters,
        "members": first.members,
        "steps": first.steps,
        "batch_size": first.batch_size,
        "precision": first.precision,
        "configuration": asdict(recipes.RECIPES[first.recipe]),
    }


def _standing(found: list[runfolder.Result], yardstick: dict[str, Any]) -> dict[str, Any]:
    """A recipe's time beside the tutorial's; with its teacher's where it has one."""
    tutorial = yardstick["train_seconds"]["median"]
    own = results.spread([result.train_seconds for result in found])["mean"]
    standing = {"baseline": yardstick, "share_of_tutorial_time": own / tutorial}
    teachers = [result.teacher_train_seconds for result in found]
    if None in teachers:
        return standing
    teacher = results.spread(teachers)
    whole = (own + teacher["mean"]) / tutorial
    return {**standing, "teacher_train_seconds": teacher, "share_with_teacher": whole}


def _ended(result: runfolder.Result) -> float:
    """When a run was complete, seconds since 1970."""
    return (result.folder / runfolder.RESULT).stat().st_mtime


def _tell_what_is_there(seeds: Mapping[str, int], folder: Path) -> None:
    runs = [(name, seed) for name, count in seeds.items() for seed in range(count)]
    there = sum(ledger.finished(ledger.run_folder(*run, folder)) for run in runs)
    if there:
        print(f"{there} of {len(runs)} runs are there; remove {folder} to make them anew")


def _tell(name: str, seed: int, run: Mapping[str, Any]) -> None:
    print(f"{name}, seed {seed}: {run['test_correct']} in {run['train_seconds']:.1f} s", flush=True)


def _print(figures: Mapping[str, Any]) -> None:
    for name, values in figures.items():
        accuracy, seconds = values["test_accuracy"], values["train_seconds"]
        print(
            f"{name}: {accuracy['mean']:.3%} (sd {accuracy['sd'] or 0:.3%}, n={accuracy['n']}), "
            f"{seconds['mean']:.1f} s"
        )


if __name__ == "__main__":
    terminal.run(main)
