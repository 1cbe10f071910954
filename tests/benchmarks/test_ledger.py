"""What is measured is kept: finished runs are taken, killed ones go on, stale ones are left."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks import fingerprint, ledger, results
from deepmnist import recipes, runfolder

RESULT: dict[str, Any] = {
    "recipe": "fast",
    "seed": 0,
    "dataset": "mnist",
    "fallback": False,
    "parameters": 38_538,
    "steps": 140,
    "batch_size": 256,
    "precision": "float32",
    "train_seconds": 1.5,
    "images_per_second": 20_000.0,
    "peak_memory_bytes": None,
    "validation_accuracy": 0.99,
    "temperature": 1.0,
    "test_correct": 9_900,
    "test_n": 10_000,
    "test_accuracy": 0.99,
    "versions": {},
    "machine": {},
}


class Children:
    """Stands in for the child processes: notes what was asked, and leaves behind what they would.

    killed: how many runs are killed from now on, after they have begun.
    """

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.killed = 0

    def __call__(self, command: list[str], shown: bool = False) -> bytes:
        self.commands.append(command)
        if command[2] == "benchmarks.tutorial_v1":
            return b'some line\n{"train_seconds": 150.0, "test_correct": 9870, "test_n": 10000}\n'
        if "train" not in command:
            results.write(command[2].removeprefix("benchmarks."), {"options": command[3:]})
            return b""
        self._train(command)
        return b""

    def _train(self, command: list[str]) -> None:
        options = dict(zip(command[5::2], command[6::2], strict=True))
        out = Path(options.get("--resume") or options["--out"])
        if "--out" in options:
            (out / runfolder.RECORD).parent.mkdir(parents=True)
            (out / runfolder.RECORD).write_text("{}")
        if self.killed:
            self.killed -= 1
            raise KeyboardInterrupt
        recipe, seed, _ = out.name.split("-")
        values = {**RESULT, "recipe": recipe, "seed": int(seed)}
        (out / runfolder.RESULT).write_text(json.dumps(values))


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Children:
    children = Children()
    monkeypatch.setattr(ledger, "_run", children)
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    return children


def test_a_finished_run_is_taken_as_it_is(tmp_path: Path, children: Children) -> None:
    first = ledger.trained("fast", 3, tmp_path)
    assert ledger.trained("fast", 3, tmp_path) == first
    assert (first.recipe, first.seed) == ("fast", 3)
    assert len(children.commands) == 1
    options = ["--dataset", "mnist", "--recipe", "fast", "--seed", "3", "--out", str(first.folder)]
    assert children.commands[0] == [*ledger.TRAIN, *options]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, children: Children) -> None:
    children.killed = 2
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            ledger.trained("fast", 0, tmp_path)
    result = ledger.trained("fast", 0, tmp_path)
    resumed = [*ledger.TRAIN, "--resume", str(result.folder)]
    assert children.commands[1:] == [resumed, resumed]


def test_a_run_killed_before_it_wrote_its_record_is_begun_again(
    tmp_path: Path, children: Children
) -> None:
    out = ledger.run_folder("fast", 0, tmp_path)
    assert not ledger.finished(out)
    ledger.trained("fast", 0, tmp_path)
    assert "--out" in children.commands[0]


def test_a_run_of_another_configuration_is_not_reused(
    tmp_path: Path, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ledger.trained("fast", 0, tmp_path)
    changed = replace(recipes.RECIPES["fast"], steps=150)
    monkeypatch.setitem(recipes.RECIPES, "fast", changed)
    new = ledger.trained("fast", 0, tmp_path)
    assert new.folder != old.folder
    assert len(children.commands) == 2
    monkeypatch.undo()


def test_code_that_changes_during_a_run_spoils_it(
    tmp_path: Path, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = iter(["before", "after"])
    monkeypatch.setattr(fingerprint, "of_recipe", lambda config: next(marks))
    with pytest.raises(SystemExit, match=r"error: the code changed while .*fast-0-before was"):
        ledger.trained("fast", 0, tmp_path)


@pytest.mark.parametrize(
    "measure", [partial(ledger.published, 0), partial(ledger.measured, "plan", [])]
)
def test_what_is_measured_while_the_code_changes_is_not_kept(
    measure: Callable[[Path], Any],
    tmp_path: Path,
    children: Children,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    marks = iter(["before", "after"])
    monkeypatch.setattr(fingerprint, "of", lambda *asked: next(marks))
    with pytest.raises(SystemExit, match=r"error: the code changed while .*-before.json was"):
        measure(tmp_path)
    assert not [*tmp_path.glob("*.json")]


@pytest.mark.parametrize("measured", [True, False])
def test_a_teacher_measured_before_is_not_made_again(
    tmp_path: Path, children: Children, monkeypatch: pytest.MonkeyPatch, measured: bool
) -> None:
    taught = replace(recipes.RECIPES["balanced"], recipe="taught", teacher="fast", teaching=0.5)
    monkeypatch.setitem(recipes.RECIPES, "taught", taught)
    if measured:
        ledger.trained("fast", 1, tmp_path)
    ledger.trained("taught", 1, tmp_path)
    bundle = ledger.run_folder("fast", 1, tmp_path) / runfolder.BUNDLE
    assert (children.commands[-1][-2:] == ["--teacher", str(bundle)]) is measured
    assert ("--teacher" in children.commands[-1]) is measured


def test_the_published_tutorial_s_result_is_kept(tmp_path: Path, children: Children) -> None:
    first = ledger.published(2, tmp_path)
    assert ledger.published(2, tmp_path) == first
    assert first["train_seconds"] == 150.0
    assert len(children.commands) == 1


def test_a_benchmark_s_json_is_kept_and_put_back(tmp_path: Path, children: Children) -> None:
    path = ledger.measured("kills", ["--times", "1"], tmp_path)
    first = path.read_bytes()
    path.unlink()
    assert ledger.measured("kills", ["--times", "1"], tmp_path).read_bytes() == first
    ledger.measured("kills", ["--times", "2"], tmp_path)
    assert [command[-1] for command in children.commands] == ["1", "2"]


def test_a_child_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"error: status 3 of .*exit\(3\)"):
        ledger._run([sys.executable, "-c", "exit(3)"])
    assert ledger._run([sys.executable, "-c", "print('x')"]) == b"x\n"


def is_locked(folder: Path) -> bool:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_child_that_outlives_the_benchmark_keeps_the_next_one_waiting(tmp_path: Path) -> None:
    folder, wait = tmp_path / "bench", [sys.executable, "-c", "print(flush=True); input()"]
    with ledger.alone(folder):  # left as a killed process leaves it: its children live on
        child = subprocess.Popen(
            wait, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
        )
    assert child.stdout is not None
    child.stdout.readline()  # it has begun: what it did not inherit is closed by now
    assert is_locked(folder)
    child.communicate(b"\n")
    assert not is_locked(folder)


def test_nobody_else_measures_in_the_folder_meanwhile(tmp_path: Path) -> None:
    with ledger.alone(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
