"""on_ray.py: a cluster of several nodes gives the rows of one process, whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepmnist import bundle
from deepmnist.cluster import job, local, on_ray, plan
from deepmnist.cluster.progress import Progress
from deepmnist.cluster.records import Part
from deepmnist.cluster.scoring import Model, model_of
from deepmnist.cluster.tables import Tally
from deepmnist.data.dataset import Dataset
from deepmnist.errors import RunError, StorageError
from tests.cluster.files import Row, answers, errors, png, tar_file
from tests.cluster.processes import working

SHARDS = 12  # each a part of its own
PICTURES = 40  # in each, one of which is none
CPUS = (2, 1, 1)  # of the nodes

Rows = tuple[list[Row], list[Row]]

# What follows needs no cluster.


def test_a_machine_that_does_not_see_the_folders_is_refused_before_the_first_part(
    shards: Path, tmp_path: Path, shipped: Model
) -> None:
    with job.begun(str(shards), str(tmp_path / "out"), shipped, None, False) as begun:
        first = next(begun.missing())
        assert on_ray._look(begun.job, first, begun.manifest.plan) == plan.versions()
        elsewhere = replace(begun.job, out=str(tmp_path / "another"))
        with pytest.raises(RunError, match=r"does not see .*another; give --out a folder that all"):
            on_ray._look(elsewhere, first, begun.manifest.plan)
        elsewhere = replace(begun.job, source=str(tmp_path / "another"))
        with pytest.raises(RunError, match=r"sees another source: .*another/00\.tar is gone"):
            on_ray._look(elsewhere, first, begun.manifest.plan)


# ---- on a cluster -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> Model:
    return model_of(bundle.load(bundle.SHIPPED))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory, tiny: Dataset) -> Path:
    folder, images = tmp_path_factory.mktemp("shards"), np.asarray(tiny.images)
    for shard in range(SHARDS):
        chosen = [images[(7 * shard + each) % len(images)] for each in range(PICTURES)]
        members = [(f"{each}.png", png(255 - image)) for each, image in enumerate(chosen)]
        members[shard] = ("torn.png", b"nothing")
        (folder / f"{shard:02}.tar").write_bytes(tar_file(members))
    return folder


@pytest.fixture(scope="module")
def alone(shards: Path, tmp_path_factory: pytest.TempPathFactory, shipped: Model) -> Rows:
    """What one process makes of the shards."""
    out = tmp_path_factory.mktemp("alone") / "out"
    with job.begun(str(shards), str(out), shipped, None, False) as begun:
        local.run(begun, Progress(1, SHARDS))
    assert len(answers(out)) == SHARDS * (PICTURES - 1)
    return answers(out), errors(out)


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    """Three nodes on this machine."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'deepmnist[cluster]'")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": CPUS[0]})
    for cpus in CPUS[1:]:
        started.add_node(num_cpus=cpus)
    yield started
    started.shutdown()


@pytest.fixture
def score_on(
    ray_cluster: Any, shards: Path, tmp_path: Path, shipped: Model
) -> Callable[..., Tally]:
    def run(workers: int, progress: Progress | None = None) -> Tally:
        with job.begun(str(shards), str(tmp_path / "out"), shipped, None, False) as begun:
            shown = progress or Progress(begun.manifest.weight, SHARDS)
            return on_ray.run(begun, shown, ray_cluster.address, workers)

    return run


class After(Progress):
    """Does something once so many parts are written."""

    def __init__(self, parts: int, action: Callable[[], None]) -> None:
        super().__init__(1, SHARDS)
        self.wanted, self.action = parts, action

    def finished(self, part: Part, rows: int = 0) -> None:
        super().finished(part, rows)
        if self.done == self.wanted:
            self.action()


ray_test = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::ResourceWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
]


def on_a_cluster(test: Any) -> Any:
    for mark in ray_test:
        test = mark(test)
    return test


@on_a_cluster
@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_gives_the_rows_of_one_process(
    score_on: Callable[..., Tally], tmp_path: Path, alone: Rows, workers: int
) -> None:
    tally = score_on(workers)
    assert (answers(tmp_path / "out"), errors(tmp_path / "out")) == alone
    assert (tally.rows, tally.unreadable) == (SHARDS * (PICTURES - 1), SHARDS)


@on_a_cluster
def test_a_node_that_is_killed_loses_nothing(
    score_on: Callable[..., Tally], ray_cluster: Any, tmp_path: Path, alone: Rows
) -> None:
    lost = ray_cluster.add_node(num_cpus=2)
    ray_cluster.wait_for_nodes()
    kill = After(2, lambda: ray_cluster.remove_node(lost, allow_graceful=False))
    score_on(6, kill)
    assert len(ray_cluster.list_all_nodes()) == len(CPUS)
    assert (answers(tmp_path / "out"), errors(tmp_path / "out")) == alone


@on_a_cluster
def test_workers_that_are_killed_lose_nothing(
    score_on: Callable[..., Tally], ray_cluster: Any, tmp_path: Path, alone: Rows
) -> None:
    killed: list[int] = []

    def kill() -> None:
        for worker in working(ray_cluster, b"ray::_score"):
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)

    score_on(4, After(2, kill))
    assert killed
    assert (answers(tmp_path / "out"), errors(tmp_path / "out")) == alone


@on_a_cluster
def test_a_driver_that_is_killed_loses_nothing(
    score_on: Callable[..., Tally], ray_cluster: Any, shards: Path, tmp_path: Path, alone: Rows
) -> None:
    out = tmp_path / "out"
    command = "from deepmnist.cli import main; main()"
    options = ["score", shards, "--out", out, "--cluster", ray_cluster.address, "--workers", "1"]
    child = subprocess.Popen([sys.executable, "-c", command, *map(str, options), "--quiet"])
    while child.poll() is None and not list(out.glob("part-*.parquet")):
        time.sleep(0.01)
    assert child.poll() is None
    child.kill()
    child.wait()
    done = len(list(out.glob("part-*.parquet")))
    assert 0 < done < SHARDS
    score_on(2)
    assert (answers(out), errors(out)) == alone


@on_a_cluster
def test_nodes_with_other_versions_are_refused_before_the_first_part(
    score_on: Callable[..., Tally], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "versions", lambda: {"deepmnist": "9.9"})
    with pytest.raises(RunError, match=r"has deepmnist .*, this machine 9\.9; install the same"):
        score_on(2)
    assert not list((tmp_path / "out").glob("part-*"))


@on_a_cluster
def test_what_a_worker_cannot_write_stops_the_scoring_in_one_line(
    score_on: Callable[..., Tally], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(StorageError, match=r"cannot write .*_errors/errors-") as caught:
        score_on(1, After(1, lambda: block(out / "_errors")))
    assert "\n" not in str(caught.value)


def block(folder: Path) -> None:
    """A file where a folder was: nothing can be written there."""
    folder.rename(folder.with_name("_moved"))
    folder.touch()
