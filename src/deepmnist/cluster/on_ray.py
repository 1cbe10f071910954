"""The same parts as tasks on a Ray cluster, one core each.

A task scores a part and writes it under its own name, so doing it twice does no harm: Ray may run
the task of a lost worker or node again, anywhere, and whatever the driver left undone the next one
finds missing. No more tasks are handed to Ray than work at once, so that neither its store nor the
driver holds more than a few parts. Ray is an extra, imported late.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from deepmnist.cluster import places, plan
from deepmnist.cluster.job import Begun, Job
from deepmnist.cluster.progress import Progress
from deepmnist.cluster.records import Part
from deepmnist.cluster.scoring import Model, Scorer, check_unchanged
from deepmnist.cluster.tables import Tally
from deepmnist.errors import ConfigError, DeepMNISTError, LostError, MissingExtraError, RunError

CONNECT_S = 10  # for an address to answer at all
START_S = 45  # for Ray to connect, or to start on this machine; it gives up itself at 60
CHECK_S = 120  # for every node to say what it has: a first worker's start loads Ray and us
RETRIES = 5  # of a part whose worker or node is lost
DECIDING = ("deepmnist", "ai-edge-litert", "opencv-python-headless", "pillow", "numpy")


def installed() -> bool:
    """Whether Ray can be imported."""
    return find_spec("ray") is not None


def check(address: str) -> None:
    """Before any work: MissingExtraError without Ray, RunError where no cluster answers in time."""
    _ray()
    if address != "auto":
        _check_answers(address)


def run(begun: Begun, progress: Progress, address: str | None, workers: int | None) -> Tally:
    """Score what is missing on a cluster; what became of its rows.

    address: as --cluster has it; None for the one that $RAY_ADDRESS names, or this machine's cores.
    workers: parts at once; None for as many as there are cores. RunError where the cluster cannot
    be reached, its nodes differ from this one, or a part loses its worker again and again;
    otherwise as local.run.
    """
    ray = _ray()
    with connected(ray, address):
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
        tally = _result(ray, finished, f"part {part.number}")
        total += tally
        progress.finished(part, tally.rows + tally.unreadable)
        under_way |= {task.remote(job, part, here): part for part in islice(missing, 1)}
    return total


def _score(job: Job, part: Part, versions_wanted: dict[str, str]) -> Tally:
    """What a worker does."""
    check_versions(socket.gethostname(), versions_wanted, versions())
    scorer = _scorer(job.model.sha256, job.coverage, job.read, _Kept(job.model))
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
def _scorer(sha256: str, coverage: float | None, read: bool, kept: _Kept) -> Scorer:
    """A worker's model on its one core, made once for all the parts it takes."""
    return Scorer(kept.model, coverage, read, cores=1)


# ---- before the first part ----------------------------------------------------------------------


def versions() -> dict[str, str]:
    """What decides an answer, and in which version it is here."""
    found = {}
    for package in DECIDING:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "none"
    return found


def check_versions(where: str, wanted: dict[str, str], found: dict[str, str]) -> None:
    """RunError, naming the first difference, unless a machine has the same versions."""
    for package, version in wanted.items():
        if found[package] != version:
            raise RunError(
                f"{where} has {package} {found[package]}, this machine {version}; "
                "install the same everywhere"
            )


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
            found = _result(ray, look, f"node {name}")
        except LostError:
            if node in _nodes(ray):
                raise
            continue  # it went meanwhile, and will take no part
        check_versions(name, versions(), found)
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


def _result(ray: Any, task: Any, what: str) -> Any:
    """A task's result; what went wrong there is raised here, in one line."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, DeepMNISTError):  # Ray's own copy has a traceback for a text
            raise error.cause from error
        kind = type(error.cause).__name__
        raise RunError(f"{what} failed: {kind}: {places.reason(error.cause)}") from error
    except ray.exceptions.RayError as error:
        raise LostError(
            f"{what} was lost: {places.reason(error)}; "
            "the same command goes on with what is missing"
        ) from error


# ---- the cluster --------------------------------------------------------------------------------


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("scoring on a cluster", "cluster") from error
    return ray


@contextmanager
def connected(ray: Any, address: str | None, instead: str = "give --local") -> Iterator[None]:
    """RunError, which tells what to do instead, where Ray is not there within START_S."""
    ready, over = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def connect() -> None:
        """Ray's own processes end with the thread that started them."""
        try:
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
        except BaseException as error:  # noqa: BLE001  told below, in the thread that waits
            failed.append(error)
        ready.set()
        over.wait()

    threading.Thread(target=connect, daemon=True).start()
    try:
        if not ready.wait(START_S) or failed:
            why = places.reason(failed[0]) if failed else f"no answer within {START_S} s"
            raise RunError(
                f"cannot connect to Ray at {address or 'this machine'}: {why}; "
                f"start it with `ray start --head`, or {instead}"
            )
        yield
    finally:
        if ready.is_set():
            ray.shutdown()
        over.set()


def _check_answers(address: str) -> None:
    """Ray itself would wait for minutes, or end the process."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise ConfigError(f"--cluster {address!r} is none: give auto, host:port or ray://host:port")
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        raise RunError(
            f"no cluster answers at {address} within {CONNECT_S} s: {places.reason(error)}; "
            "look whether it runs and its port is open"
        ) from error
