"""How many trainings run at once, and with how many cores each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deepmnist.errors import RunError

USUAL_CORES = 2  # of one training, where nothing is said: nets of this size gain little from more


@dataclass(frozen=True)
class Shares:
    """How the machines' cores are given out."""

    parallel: int  # trainings at once
    cores: int  # of each


def shares(nodes: Sequence[int], parallel: int | None) -> Shares:
    """Whole cores a training, from the cores of each node. RunError where one would have none.

    Unless told how many run at once, each has two cores, and as many run as find a place.
    """
    total = sum(nodes)
    if not total:
        raise RunError("no node of the cluster has a core to train on; start one that has")
    if parallel is None:
        cores = min(USUAL_CORES, max(nodes))
        return Shares(_places(nodes, cores), cores)
    cores = most_cores(nodes, parallel)
    if not cores:
        raise RunError(f"{parallel} at once do not fit on {total} cores; give --parallel {total}")
    return Shares(parallel, cores)


def most_cores(nodes: Sequence[int], count: int) -> int:
    """The most whole cores of one node that each of `count` can have; 0 where some have none."""
    largest = min(max(nodes, default=0), sum(nodes) // count)
    fitting = (cores for cores in range(largest, 0, -1) if _places(nodes, cores) >= count)
    return next(fitting, 0)


def _places(nodes: Sequence[int], cores: int) -> int:
    """How many places of so many cores there are: a node's rest is none."""
    return sum(node // cores for node in nodes)
