"""How many trainings run at once, and with how many cores each."""

from __future__ import annotations

from dataclasses import dataclass

from deepmnist.errors import RunError

USUAL_CORES = 2  # of one training, where nothing is said: nets of this size gain little from more


@dataclass(frozen=True)
class Shares:
    """How the machines' cores are given out."""

    parallel: int  # trainings at once
    cores: int  # of each


def shares(nodes: list[int], parallel: int | None) -> Shares:
    """Whole cores a training, from the cores of each node. RunError where one would have none.

    Unless told how many run at once, each has two cores, and as many run as find a place.
    """
    largest, total = max(nodes, default=0), sum(nodes)
    if parallel is None:
        cores = min(USUAL_CORES, largest)
        parallel = sum(node // cores for node in nodes) if cores else 0
    else:
        cores = min(largest, total // parallel)
    while cores > 1 and sum(node // cores for node in nodes) < parallel:
        cores -= 1  # a node's rest is no place
    if not total:
        raise RunError("no node of the cluster has a core to train on; start one that has")
    if not cores:
        raise RunError(f"{parallel} at once do not fit on {total} cores; give --parallel {total}")
    return Shares(parallel, cores)
