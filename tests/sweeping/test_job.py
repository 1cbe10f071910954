"""job.py: a sweep on Ray, never looking at the test set, whatever is killed, each trial once."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deepmnist import bundle, recipes
from deepmnist.cluster import connection
from deepmnist.data import Corpus, load
from deepmnist.errors import BundleError, ConfigError, RunError
from deepmnist.sweeping import job, progress, records, results, search
from deepmnist.sweeping.records import Trial
from tests.cluster.processes import working
from tests.sweeping.trials import trial

FIXED = ["optimizer=adam", "precision=float32"]
SETTINGS = ["learning_rate=0.005,0.02,1e9", "epochs=1,2", *FIXED]
TRIALS = 6  # all that there are; two of them diverge
Sweep = Callable[..., job.Swept]


class Untouchable:
    """A test set that must not be looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"the test set was asked for its {name}")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """The embedded digits, their test set guarded."""
    return replace(load("digits"), test=Untouchable())  # type: ignore[arg-type]


# What follows needs no cluster.


@pytest.fixture
def begin(tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A sweep that trains nothing: every trial left is given a loss at once."""

    def train(book: Any, *others: object) -> None:
        while (begun := book.begin()) is not None:
            figures = trial(begun.number, values=begun.values)
            book.hear(begun.number, job.ledger.Ended(loss=figures.loss, accuracy=0.5, seconds=1.0))

    monkeypatch.setattr(job, "_train", train)
    monkeypatch.setattr(connection, "check", lambda address, needed_for: None)

    def run(**changed: Any) -> job.Swept:
        asked: dict[str, Any] = {"trials": TRIALS, "out": tmp_path / "out", "quiet": True}
        asked |= {"recipe": "fast", "settings": SETTINGS, "dataset": corpus, **changed}
        return job.sweep(asked.pop("recipe"), asked.pop("settings"), **asked)

    return run


def test_another_sweep_in_the_folder_is_refused_with_what_differs(begin: Sweep) -> None:
    begin()
    other = [SETTINGS[0], "epochs=1,3", *FIXED]
    with pytest.raises(RunError, match=r"holds another sweep: epochs 1,2 -> 1,3; give what it"):
        begin(settings=other)
    with pytest.raises(RunError, match=r"recipe fast -> tiny, seed 0 -> 1"):
        begin(recipe="tiny", seed=1)


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """A model that may teach: the one that comes along, as if it told nothing but digits apart."""
    folder = Path(shutil.copytree(bundle.SHIPPED, tmp_path / "teacher"))
    manifest = json.loads((folder / bundle.MANIFEST).read_text())
    (folder / bundle.MANIFEST).write_text(json.dumps({**manifest, "rejection": None}))
    return folder


def test_another_model_where_the_teacher_was_is_another_sweep(
    begin: Sweep, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["teaching=0.2,0.5", f"teacher={teacher}"]
    begin(settings=settings)
    begin(settings=settings)
    monkeypatch.setattr(job.teaching, "identity", lambda opened: "another")
    with pytest.raises(RunError, match=r"holds another sweep: teacher_identity \w{12}\.\.\. -> an"):
        begin(settings=settings)


def test_a_teacher_that_may_know_the_validation_images_is_refused(
    begin: Sweep, tmp_path: Path, teacher: Path, corpus: Corpus
) -> None:
    manifest = json.loads((teacher / bundle.MANIFEST).read_text())
    manifest["dataset"]["identity"] = corpus.training_part.identity
    manifest["config"]["validation_share"] = 0.25
    (teacher / bundle.MANIFEST).write_text(json.dumps(manifest))
    settings = ["teaching=0.2,0.5", f"teacher={teacher}"]
    with pytest.raises(BundleError, match=r"may know the validation images, which choose the best"):
        begin(settings=settings)
    assert not (tmp_path / "out").exists()
    begin(settings=[*settings, "validation_share=0.25"])


def test_a_teacher_that_is_no_model_is_told_before_the_folder_is_made(
    begin: Sweep, tmp_path: Path
) -> None:
    (tmp_path / "teacher").mkdir()
    with pytest.raises(BundleError):
        begin(settings=["teaching=0.2,0.5", f"teacher={tmp_path / 'teacher'}"])
    assert not (tmp_path / "out").exists()


def test_more_trials_go_on_with_those_there_are(begin: Sweep) -> None:
    first = begin(trials=2)
    more = begin(trials=4)
    assert list(more.trials) == [1, 2, 3, 4]
    assert {number: more.trials[number] for number in (1, 2)} == first.trials
    assert list(begin(trials=3).trials) == [1, 2, 3, 4]


def test_no_more_trials_than_there_are_configurations(begin: Sweep) -> None:
    assert list(begin(trials=1_000).trials) == [1, 2, 3, 4, 5, 6]


def test_a_folder_of_something_else_is_refused(begin: Sweep, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(RunError, match=r"holds 'thesis\.tex' and no sweep\.json"):
        begin()


def test_a_sweep_in_which_nothing_finished_is_told_with_the_reason(
    begin: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(book: Any, *others: object) -> None:
        while (begun := book.begin()) is not None:
            book.hear(begun.number, job.ledger.Ended(reason="the loss is no finite number"))

    monkeypatch.setattr(job, "_train", fail)
    with pytest.raises(
        RunError, match=r"no trial of .* finished; the first failed so: the loss is"
    ):
        begin()


def test_a_second_command_in_the_folder_is_refused(begin: Sweep, tmp_path: Path) -> None:
    with (
        job.lock.held(tmp_path / "out"),
        pytest.raises(RunError, match="another command is writing"),
    ):
        begin()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trials": 0}, "trials = 0: give 1 to 9,999"),
        ({"cluster": "ray://host:10001"}, r"a sweep is led by a machine of the cluster; give --cl"),
        ({"settings": ["seed=1"]}, "all trials share it"),
    ],
)
def test_what_cannot_be_is_told_before_the_folder_is_made(
    begin: Sweep, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        begin(**changed)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cluster", [None, "auto"])
def test_the_environment_s_cluster_is_looked_at_as_one_that_is_given(
    begin: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: str | None
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://host:10001")
    with pytest.raises(ConfigError, match=r"^\$RAY_ADDRESS ray://host:10001: a sweep is led by"):
        begin(cluster=cluster)
    assert not (tmp_path / "out").exists()


# ---- on Ray -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    """One node of two cores."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'deepmnist[cluster]'")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    yield started
    started.shutdown()


def sweep(cluster: Any, corpus: Corpus, out: Path, parallel: int = 1, **changed: Any) -> job.Swept:
    asked: dict[str, Any] = {"settings": SETTINGS, "trials": TRIALS, **changed}
    return job.sweep(
        "fast",
        asked["settings"],
        trials=asked["trials"],
        out=out,
        dataset=corpus,
        parallel=parallel,
        cluster=cluster.address,
        quiet=True,
    )


@pytest.fixture(scope="module")
def whole(ray_cluster: Any, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> job.Swept:
    """An undisturbed sweep, whose test set nobody looked at."""
    return sweep(ray_cluster, corpus, tmp_path_factory.mktemp("whole") / "out")


def on_ray(test: Any) -> Any:
    marks = [pytest.mark.cluster]
    for kind in ("ResourceWarning", "FutureWarning", "DeprecationWarning", "UserWarning"):
        marks.append(pytest.mark.filterwarnings(f"ignore::{kind}:ray"))
    for mark in marks:
        test = mark(test)
    return test


def known(trials: dict[int, Trial]) -> list[tuple[Any, ...]]:
    """All of the trials but how long they took."""
    return [(n, each.values, each.state, each.loss, each.curve) for n, each in trials.items()]


@on_ray
def test_a_sweep_trains_each_configuration_once_and_what_diverges_is_a_result(
    whole: job.Swept,
) -> None:
    tried = [tuple(each.values.values()) for each in whole.trials.values()]
    assert len(set(tried)) == TRIALS
    failed = [each for each in whole.trials.values() if each.state == "failed"]
    assert [each.values["learning_rate"] for each in failed] == [1e9, 1e9]
    assert all("no finite number" in str(each.reason) for each in failed)
    finished = [each.loss for each in whole.trials.values() if each.state == "finished"]
    assert len(finished) == TRIALS - 2
    assert whole.best.loss == min(loss for loss in finished if loss is not None)
    assert 0 < (whole.best.loss or 0) <= whole.best.curve[-1].loss  # its temperature fits


@on_ray
def test_what_is_left_in_the_folder_is_ours_and_no_pickle(whole: job.Swept) -> None:
    names = {path.name for path in whole.folder.iterdir()}
    ours = {"sweep.json", "trials", "trials.csv", "trials.png", "best.toml", ".lock"}
    assert names == ours
    trials = {path.name for path in (whole.folder / records.TRIALS).iterdir()}
    assert trials == {f"{number:04d}.json" for number in whole.trials}
    config = recipes.configure(**recipes.read_toml(whole.folder / results.BEST))
    assert config == whole.space.config(whole.best.values)


@on_ray
def test_a_driver_that_is_killed_loses_nothing(
    ray_cluster: Any, corpus: Corpus, tmp_path: Path, whole: job.Swept
) -> None:
    out = tmp_path / "out"
    command = "from deepmnist.cli import main; main()"
    options = ["sweep", "--dataset", "digits", "--out", out, "--cluster", ray_cluster.address]
    options += ["--trials", TRIALS, "--parallel", "1", "--quiet"]
    for setting in SETTINGS:
        options += ["--set", setting]
    child = subprocess.Popen([sys.executable, "-c", command, *map(str, options)])
    third = records.trial_folder(out, 3)
    while child.poll() is None and not third.exists():
        time.sleep(0.005)
    assert child.poll() is None
    child.kill()
    child.wait()
    over = [each for each in records.read_trials(out, whole.space).values() if each.over]
    assert 0 < len(over) < TRIALS
    swept = sweep(ray_cluster, corpus, out)
    assert known(swept.trials) == known(whole.trials)
    with (out / results.TABLE).open() as file:
        assert [int(line["trial"]) for line in csv.DictReader(file)] == list(range(1, TRIALS + 1))


class Killing(progress.Progress):
    """Kills whoever trains, once, as soon as a trial has told something."""

    def __init__(self, cluster: Any, wanted: int) -> None:
        super().__init__(wanted)
        self.cluster = cluster
        self.killed: list[int] = []

    def reached(self, trial: Trial) -> None:
        if not self.killed:
            self.killed = working(self.cluster, b"ray::ImplicitFunc")
            for worker in self.killed:
                os.kill(worker, signal.SIGKILL)


@on_ray
def test_a_worker_that_is_killed_is_replaced_and_its_trial_trained_again(
    ray_cluster: Any,
    corpus: Corpus,
    tmp_path: Path,
    whole: job.Swept,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = Killing(ray_cluster, 3)
    monkeypatch.setattr(progress, "choose", lambda wanted, over, quiet: shown)
    swept = sweep(ray_cluster, corpus, tmp_path / "out", trials=3)
    assert shown.killed
    assert known(swept.trials) == known(whole.trials)[:3]


@on_ray
def test_a_hopeless_trial_is_stopped_and_the_next_one_trained(
    ray_cluster: Any, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "hopeless", lambda there, trials, one: one.number < 3)
    settings = ["learning_rate=0.005,0.02", "epochs=20,30", *FIXED]
    swept = sweep(ray_cluster, corpus, tmp_path / "out", 2, settings=settings, trials=3)
    states = [(each.state, len(each.curve)) for each in swept.trials.values()]
    assert states[:2] == [("stopped", 1), ("stopped", 1)]
    assert states[2][0] == "finished"
    assert not [path for path in (swept.folder / "trials").iterdir() if path.is_dir()]
