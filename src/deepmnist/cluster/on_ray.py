"""The same parts as tasks on a Ray cluster, one core each.

A task scores a part and writes it under its own name, so doing it twice does no harm: Ray may run
the task of a lost worker or node again, anywhere, and whatever the driver left undone the next one
finds missing. No more tasks are handed to Ray than work at once, so that neither its store nor the
driver holds more than a few parts. Ray is an extra, imported late.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from itertools import islice
from typing import Any

from deepmnist.cluster import connection, places, plan
from deepmnist.cluster.job import Begun, Job
from deepmnist.cluster.plan import versions
from deepmnist.cluster.progress import Progress
from deepmnist.cluster.records import Part
from deepmnist.cluster.scoring import Model, Scorer, check_unchanged
from deepmnist.cluster.tables import Tally
from deepmnist.errors import LostError, RunError

NEEDED_FOR = "scoring on a cluster"
CHECK_S = 120  # for every node to say what it has: a first worker's start loads Ray and us
RETRIES = 5  # of a part whose worker or node is lost


def run(begun: Begun, progress: Progress, address: str | None, workers: int | None) -> Tally:
    """Score what is missing on a cluster; what became of its rows.

    address: as --cluster has it; None for the one that $RAY_ADDRESS names, or this machine's cores.
    workers: parts at once; None for as many as there are cores. RunError where the cluster cannot
    be reached, its nodes differ from this one, or a part loses its worker again and again;
    otherwise as local.run.
    """
    ray = connection.ray(NEEDED_FOR)
    with connection.made(ray, address, "give --local"):
        _check_nodes(ray, begun)
        at_once = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        return _run(ray, begun, progress, at_once)


def _run(ray: Any, begun: Begun, progress: Progress, at_once: int) -> Tally:
    job, total = ray.put(begun.job), Tally()
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_score)
    here, missing = versions(), begun.missing()
    under_way = {task.remote(job, part, here): part for part in islice(missing, at_once)}
    while under_way:
        (finished, *_), _ = ray.wait(list(under_way), num_returns=1)
        part = under_way.pop(finished)
        tally = connection.result(ray, finished, f"part {part.number}")
        total += tally
        progress.finished(part, tally.rows + tally.unreadable)
        under_way |= {task.remote(job, part, here): part for part in islice(missing, 1)}
    return total


def _score(job: Job, part: Part, versions_wanted: dict[str, str]) -> Tally:
    """What a worker does."""
    connection.check_versions(socket.gethostname(), versions_wanted, versions())
    scorer = _scorer(job.model.sha256, job.coverage, job.read, job.onnx, _Kept(job.model))
    return scorer.score(places.at(job.source), part, places.at(job.out), lambda rows: None)


class _Kept:
    """A model that lru_cache does not look at: its hash is the key already."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept)


@lru_cache(maxsize=1)
def _scorer(sha256: str, coverage: float | None, read: bool, onnx: bool, kept: _Kept) -> Scorer:
    """A worker's model on its one core, made once for all the parts it takes."""
    return Scorer(kept.model, coverage, read, cores=1, onnx=onnx)


# ---- before the first part ----------------------------------------------------------------------


def _check_nodes(ray: Any, begun: Begun) -> None:
    """RunError unless every node has the same versions, sees the source and sees DEST."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    first = next(begun.missing(), None)
    task = ray.remote(num_cpus=0, max_retries=0)(_look)
    looks = {}
    for node, name in _nodes(ray).items():
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        on_node = task.options(scheduling_strategy=there)
        looks[on_node.remote(begun.job, first, begun.manifest.plan)] = node, name
    ready, late = ray.wait(list(looks), num_returns=len(looks), timeout=CHECK_S)
    for look in ready:
        node, name = looks[look]
        try:
            found = connection.result(ray, look, f"node {name}")
        except LostError:
            if node in _nodes(ray):
                raise
            continue  # it went meanwhile, and will take no part
        connection.check_versions(name, versions(), found)
    if late:
        name = looks[late[0]][1]
        raise RunError(f"node {name} did not answer within {CHECK_S} s; is it overloaded?")


def _nodes(ray: Any) -> dict[str, str]:
    """Names of the nodes that can take parts, by their Ray ids."""
    return {
        node["NodeID"]: node["NodeManagerHostname"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) > 0
    }


def _look(job: Job, first: Part | None, plan_sha256: str) -> dict[str, str]:
    """What a node has. RunError where it does not see what this job reads and writes."""
    manifest = plan.read_manifest(places.at(job.out))
    if manifest is None or manifest.plan != plan_sha256:
        raise RunError(
            f"{socket.gethostname()} does not see {job.out}; give --out a folder that all "
            "machines share, or an address such as s3://..."
        )
    if first is not None:
        try:
            check_unchanged(places.at(job.source), first.pieces[:1])
        except RunError as error:
            raise RunError(f"{socket.gethostname()} sees another source: {error}") from error
    return versions()
