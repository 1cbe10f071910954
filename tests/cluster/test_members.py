"""cluster/members.py: members trained at once are those trained in turn, whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepmnist import (
    checkpoints,
    display,
    history,
    members,
    prediction,
    recipes,
    runfolder,
    runs,
    training,
)
from deepmnist.cluster import members as apart
from deepmnist.cluster.members import AtOnce
from deepmnist.errors import ConfigError, MissingExtraError, TrainingError
from deepmnist.runfolder import RunRecord
from tests import records
from tests.cluster.processes import working
from tests.squares import squares

TRAINING, VALIDATION = squares(80), squares(40, seed=1)
MEMBERS = 2
CORES = os.cpu_count() or 1  # those that TensorFlow takes where it is not told


def record(**overrides: Any) -> RunRecord:
    return records.small(**{"members": MEMBERS, **overrides})


def in_turn(folder: Path) -> training.Trained:
    """What a run without Ray makes of `folder`."""
    apart.gather(folder)
    return members.train(folder, record(), TRAINING, VALIDATION, display.Silent())


def same(first: training.Trained, second: training.Trained) -> bool:
    pairs = zip(first.model.get_weights(), second.model.get_weights(), strict=True)
    return all(np.array_equal(one, other) for one, other in pairs)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> training.Trained:
    return in_turn(tmp_path_factory.mktemp("whole"))


# What follows needs no cluster.


def test_what_members_at_once_have_left_is_found_in_turn(
    tmp_path: Path, whole: training.Trained
) -> None:
    alone(tmp_path, 1, display.Silent())
    with pytest.raises(KeyboardInterrupt):
        alone(tmp_path, 2, Stopping())
    assert same(in_turn(tmp_path), whole)
    assert not (tmp_path / apart.MEMBERS).exists()
    steps = [(line["member"], line["step"]) for line in history.read(tmp_path)]
    assert steps == sorted(set(steps))
    assert [step for step in steps if step[1] == 8] == [(1, 8), (2, 8)]


def alone(folder: Path, number: int, screen: display.Display) -> None:
    """Train a member where a worker does."""
    place = folder / apart.MEMBERS / f"{number:02d}"
    place.mkdir(parents=True)
    one = record(members=1, seed=recipes.member(record().config, number - 1).seed)
    members.train(place, one, TRAINING, VALIDATION, screen)


class Stopping(display.Silent):
    """Somebody presses Ctrl-C after three steps."""

    def update(self, progress: Any) -> None:
        if progress.step >= 3:
            raise KeyboardInterrupt


def test_a_move_that_was_cut_off_is_made_again(tmp_path: Path, whole: training.Trained) -> None:
    in_turn(tmp_path)
    source, target = tmp_path / "source", tmp_path / runfolder.CHECKPOINTS / "member-01"
    target.rename(source)
    target.mkdir()
    (arrays,) = source.glob("*.npz")
    arrays.rename(target / arrays.name)
    apart._move(source, target)
    assert list(source.iterdir()) == []
    assert checkpoints.latest(target) is not None
    assert same(in_turn(tmp_path), whole)


def test_a_recipe_of_one_net_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fast has one net; leave it out, or give --members"):
        runs.train("digits", out=tmp_path / "run", at_once=AtOnce(2))
    assert not (tmp_path / "run").exists()


def test_without_ray_the_extra_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'deepmnist\[cluster\]'"):
        runs.train("digits", out=tmp_path / "run", members=2, at_once=AtOnce(2))
    assert not (tmp_path / "run").exists()


# ---- on Ray -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    """One node that says it has twice the cores, so that a member has as many as a run in turn."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'deepmnist[cluster]'")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": MEMBERS * CORES})
    yield started
    started.shutdown()


def on_ray(test: Any) -> Any:
    marks = [pytest.mark.cluster]
    for kind in ("ResourceWarning", "FutureWarning", "DeprecationWarning"):
        marks.append(pytest.mark.filterwarnings(f"ignore::{kind}:ray"))
    for mark in marks:
        test = mark(test)
    return test


def at_once(cluster: Any, folder: Path, asked: RunRecord) -> None:
    runfolder.write_record(folder, asked)
    where = AtOnce(MEMBERS, cluster.address)
    apart.train(folder, asked, TRAINING, VALIDATION, where, display.Silent())


@on_ray
def test_members_at_once_are_those_in_turn_though_a_worker_is_killed(
    ray_cluster: Any, tmp_path: Path, whole: training.Trained
) -> None:
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            killed.extend(working(ray_cluster, b"ray::_train")[:1])
            time.sleep(0.02)
        os.kill(killed[0], signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    at_once(ray_cluster, tmp_path, record())
    assert killed
    for number in (1, 2):
        place = tmp_path / runfolder.CHECKPOINTS / f"member-{number:02d}"
        last = checkpoints.latest(place)
        assert last is not None
        assert last.step == records.SMALL["steps"]
    assert same(in_turn(tmp_path), whole)
    assert {line["member"] for line in history.read(tmp_path)} == {1, 2}


@on_ray
def test_a_member_that_diverges_ends_the_run_in_the_line_that_one_in_turn_would(
    ray_cluster: Any, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"is no finite number at step \d+; try a lower"):
        at_once(ray_cluster, tmp_path, record(learning_rate=1e9, optimizer="adam"))


@on_ray
def test_a_whole_run_of_members_at_once_leaves_the_bundle_of_one_in_turn(
    ray_cluster: Any, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", "from deepmnist.cli import main; main()", "train", "--quiet"]
    command += ["--dataset", "digits", "--members", "2", "--steps", "4"]
    together = ["--parallel", "2", "--cluster", ray_cluster.address]
    images = np.random.default_rng(0).random((5, 28, 28), np.float32)
    answers = []
    for name, more in (("in-turn", []), ("at-once", together)):
        subprocess.run([*command, "--out", tmp_path / name, *more], check=True)
        answers.append(prediction.load(tmp_path / name).predict_proba(images))
    np.testing.assert_array_equal(*answers)
    names = {file.name for file in (tmp_path / "at-once" / runfolder.BUNDLE).iterdir()}
    assert names == {"README.md", "bundle.json", "layers.tflite", "model.keras", "model.tflite"}
