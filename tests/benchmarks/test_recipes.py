"""The benchmark of recipes: turns, figures, and records that others leave alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmarks import ledger, recipes, results, tables
from deepmnist import machine, runfolder
from deepmnist import recipes as named

RUN: dict[str, Any] = {
    "dataset": "mnist",
    "fallback": False,
    "parameters": 38_538,
    "steps": 140,
    "batch_size": 256,
    "precision": "float32",
    "images_per_second": 20_000.0,
    "peak_memory_bytes": 2**29,
    "validation_accuracy": 0.98,
    "temperature": 1.0,
    "test_n": 10_000,
    "versions": {},
    "machine": {},
}


@pytest.fixture
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was measured, in its order; a run of seed s takes s + 1 seconds, the tutorial 100."""
    turns: list[str] = []

    def trained(recipe: str, seed: int, folder: Path) -> runfolder.Result:
        turns.append(f"{recipe} {seed}")
        run = folder / f"{recipe}-{seed}"
        run.mkdir(parents=True, exist_ok=True)
        (run / runfolder.RESULT).write_text("{}")
        taught = named.RECIPES[recipe].teacher is not None
        right = 9_900 + seed
        return runfolder.Result(
            **RUN,
            recipe=recipe,
            seed=seed,
            train_seconds=seed + 1.0,
            test_correct=right,
            test_accuracy=right / 10_000,
            teacher_train_seconds=50.0 if taught else None,
            folder=run,
        )

    def published(seed: int, folder: Path) -> dict[str, Any]:
        turns.append(f"published {seed}")
        return {"train_seconds": 100.0, "test_correct": 9_870, "test_n": 10_000}

    monkeypatch.setattr(ledger, "trained", trained)
    monkeypatch.setattr(ledger, "published", published)
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    return turns


def measure(folder: Path, baseline: int = 1, **seeds: int) -> dict[str, Any]:
    return json.loads(recipes.measure(seeds, baseline, folder).read_text())


def test_the_tutorial_and_the_recipes_take_turns_seed_by_seed(
    tmp_path: Path, turns: list[str]
) -> None:
    measure(tmp_path, baseline=2, fast=3, balanced=1)
    assert turns == ["published 0", "fast 0", "balanced 0", "published 1", "fast 1", "fast 2"]


def test_a_recipe_s_record_holds_every_seed(tmp_path: Path, turns: list[str]) -> None:
    found = measure(tmp_path, fast=3)
    fast = found["recipes"]["fast"]
    assert fast["seeds"] == [0, 1, 2]
    assert fast["train_seconds_each"] == [1, 2, 3]
    assert fast["test_accuracies"] == [0.99, 0.9901, 0.9902]
    assert fast["train_seconds"]["mean"] == 2
    assert fast["share_of_tutorial_time"] == pytest.approx(0.02)
    assert fast["baseline"] == found["baseline"]
    assert fast["configuration"]["label_smoothing"] == named.RECIPES["fast"].label_smoothing
    assert "teacher_train_seconds" not in fast


def test_a_share_is_of_the_tutorial_s_median_and_one_disturbed_run_flatters_none(
    tmp_path: Path, turns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published = ledger.published

    def disturbed_first(seed: int, folder: Path) -> dict[str, Any]:
        told = published(seed, folder)
        return told if seed else {**told, "train_seconds": 300.0}

    monkeypatch.setattr(ledger, "published", disturbed_first)
    found = measure(tmp_path, baseline=3, fast=3)
    assert found["baseline"]["train_seconds"]["mean"] == pytest.approx(500 / 3)
    assert found["recipes"]["fast"]["share_of_tutorial_time"] == pytest.approx(0.02)


def test_a_teacher_s_time_is_told_beside_its_pupil_s(
    tmp_path: Path, turns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = replace(named.RECIPES["fast"], recipe="taught", teacher="balanced", teaching=0.5)
    monkeypatch.setitem(named.RECIPES, "taught", taught)
    record = measure(tmp_path, taught=1)["recipes"]["taught"]
    assert record["teacher_train_seconds"]["mean"] == 50
    assert record["share_of_tutorial_time"] == pytest.approx(0.01)
    assert record["share_with_teacher"] == pytest.approx(0.51)


def test_recipes_not_measured_now_stay_with_their_own_day_and_baseline(
    tmp_path: Path, turns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = measure(tmp_path, baseline=2, balanced=2, fast=1)
    path = results.FOLDER / "recipes.json"
    old["date"] = old["recipes"]["balanced"]["date"] = "2001-02-03"
    path.write_text(json.dumps(old))
    new = measure(tmp_path, fast=2)
    assert [*new["recipes"]] == ["fast", "balanced"]
    ground = {"machine": old["machine"], "versions": old["versions"]}
    assert new["recipes"]["balanced"] == {**ground, **old["recipes"]["balanced"]}
    assert new["recipes"]["balanced"]["baseline"]["train_seconds"]["n"] == 2
    assert new["recipes"]["fast"]["test_accuracy"]["n"] == 2
    assert new["baseline"]["train_seconds"]["n"] == 1
    assert new["date"] != "2001-02-03"


def test_runs_of_another_day_stay_beside_that_day_s_tutorial(
    tmp_path: Path, turns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tutorial is run anew each day, recipes are not: what ran apart is not divided."""
    day = ["2001-02-03"]
    monkeypatch.setattr(recipes.time, "strftime", lambda *_: day[0])
    monday = measure(tmp_path, fast=2, balanced=1)
    path = results.FOLDER / "recipes.json"
    monday["recipes"]["fast"]["remark"] = "the fan was loud"
    path.write_text(json.dumps(monday))
    day[0] = "2001-02-04"
    slow = {"train_seconds": 300.0, "test_correct": 9_870, "test_n": 10_000}
    monkeypatch.setattr(ledger, "published", lambda seed, folder: slow)
    tuesday = measure(tmp_path, fast=2, balanced=2)
    fast, balanced = tuesday["recipes"]["fast"], tuesday["recipes"]["balanced"]
    assert fast["share_of_tutorial_time"] == monday["recipes"]["fast"]["share_of_tutorial_time"]
    assert fast["baseline"] == monday["baseline"]
    assert fast["remark"] == "the fan was loud"
    assert balanced["baseline"] == tuesday["baseline"]  # one of its runs is of today
    assert balanced["share_of_tutorial_time"] == pytest.approx(1.5 / 300)


def test_more_runs_of_the_tutorial_are_taken_as_they_come(tmp_path: Path, turns: list[str]) -> None:
    measure(tmp_path, baseline=1, fast=2)
    found = measure(tmp_path, baseline=3, fast=2)
    assert found["recipes"]["fast"]["baseline"] == found["baseline"]
    assert found["baseline"]["train_seconds"]["n"] == 3


def test_other_runs_of_the_tutorial_do_not_take_the_place_of_those_that_were_there(
    tmp_path: Path, turns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same day they may be, and of a slower hour."""
    first = measure(tmp_path, fast=2)["baseline"]
    slow = {"train_seconds": 300.0, "test_correct": 9_870, "test_n": 10_000}
    monkeypatch.setattr(ledger, "published", lambda seed, folder: slow)
    found = measure(tmp_path, baseline=3, fast=2)
    assert found["baseline"]["train_seconds"]["median"] == 300
    assert found["recipes"]["fast"]["baseline"] == first


def test_a_record_from_before_records_had_days_gets_those_of_its_file(
    tmp_path: Path, turns: list[str]
) -> None:
    old = measure(tmp_path, balanced=1)
    for key in ("date", "baseline"):
        del old["recipes"]["balanced"][key]
    old["date"] = "2001-02-03"
    (results.FOLDER / "recipes.json").write_text(json.dumps(old))
    kept = measure(tmp_path, fast=1)["recipes"]["balanced"]
    assert (kept["date"], kept["baseline"]) == ("2001-02-03", old["baseline"])


@pytest.mark.parametrize(("ground", "key"), [("describe", "machine"), ("versions", "versions")])
def test_a_record_of_another_machine_keeps_its_own(
    tmp_path: Path, turns: list[str], monkeypatch: pytest.MonkeyPatch, ground: str, key: str
) -> None:
    first = measure(tmp_path, fast=1, balanced=1)
    monkeypatch.setattr(machine, ground, lambda: {"other": "one"})
    second = measure(tmp_path, fast=1)
    assert second[key] == {"other": "one"}
    assert second["recipes"]["balanced"][key] == first[key]
    assert key not in second["recipes"]["fast"]  # that of the file
    monkeypatch.setattr(machine, ground, lambda: {"a third": "one"})
    third = measure(tmp_path, fast=1)
    assert third["recipes"]["balanced"] == second["recipes"]["balanced"]


def test_a_teacher_is_measured_before_whom_it_teaches(monkeypatch: pytest.MonkeyPatch) -> None:
    taught = replace(named.RECIPES["fast"], recipe="taught", teacher="fast", teaching=0.5)
    monkeypatch.setattr(named, "RECIPES", {"taught": taught, **named.RECIPES})
    assert [*recipes.counts(["taught=1", "tutorial", "fast=2"])] == ["fast", "tutorial", "taught"]


def test_seeds_not_given_are_the_table_s(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recipes.counts(["tutorial", "fast=2"]) == {
        "fast": 2,
        "tutorial": recipes.SEEDS["tutorial"],
    }
    monkeypatch.setitem(named.RECIPES, "new", named.RECIPES["fast"])
    assert recipes.counts(["new"]) == {"new": recipes.FEW}


@pytest.mark.parametrize("text", ["fats=2", "fast=", "fast=0", "fast=-1", "fast=two", ""])
def test_a_recipe_or_a_number_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="give RECIPE=SEEDS, the recipe one of fast"):
        recipes.counts([text])


RECORDS = json.loads((results.FOLDER / "recipes.json").read_text())["recipes"]


@pytest.mark.parametrize("name", RECORDS)
def test_the_comment_above_a_recipe_tells_its_record(name: str) -> None:
    record = RECORDS[name]
    accuracy = record["test_accuracy"]
    source = Path(named.__file__).read_text(encoding="utf-8")
    before, _ = source.split(f"\n{name.upper()} = ")
    comment = " ".join(before.rpartition("\n\n")[2].replace("#", " ").split())
    assert comment.startswith(
        f"{accuracy['mean'] * 100:.2f} % ({accuracy['sd'] * 100:.2f}), n = {accuracy['n']}, "
        f"{tables._seconds(record)}, {tables._share(record)}"
    )
