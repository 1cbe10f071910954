"""sharing.py: whole cores a training, and no more at once than find a place."""

from __future__ import annotations

import pytest

from deepmnist.cluster import sharing
from deepmnist.cluster.sharing import Shares
from deepmnist.errors import RunError


@pytest.mark.parametrize(
    ("nodes", "parallel", "wanted"),
    [
        ([2], None, Shares(1, 2)),
        ([1], None, Shares(1, 1)),
        ([8], None, Shares(4, 2)),
        ([8, 3, 1], None, Shares(5, 2)),
        ([2], 1, Shares(1, 2)),
        ([2], 2, Shares(2, 1)),
        ([16], 1, Shares(1, 16)),
        ([16], 3, Shares(3, 5)),
        ([4, 4], 1, Shares(1, 4)),
        ([3, 3], 3, Shares(3, 1)),  # two cores each would leave a core of each node
        ([2, 2, 2], 3, Shares(3, 2)),
    ],
)
def test_each_has_whole_cores_of_one_node(
    nodes: list[int], parallel: int | None, wanted: Shares
) -> None:
    assert sharing.shares(nodes, parallel) == wanted
    assert sum(node // wanted.cores for node in nodes) >= wanted.parallel


def test_more_at_once_than_cores_are_refused() -> None:
    with pytest.raises(RunError, match="3 at once do not fit on 2 cores; give --parallel 2"):
        sharing.shares([2], 3)
    for parallel in (None, 1):
        with pytest.raises(RunError, match="no node of the cluster has a core"):
            sharing.shares([], parallel)


def test_cores_are_the_most_that_every_one_can_have() -> None:
    assert sharing.most_cores([8, 2], 2) == 4
    assert sharing.most_cores([0, 3], 3) == 1
    assert sharing.most_cores([2, 1], 4) == 0
    assert sharing.most_cores([], 1) == 0
