"""Shares of a batch: together they are the batch, and none is much larger than another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from deepmnist.errors import ConfigError
from deepmnist.workers import ALONE, Share, check_shares, share_of


@dataclass(frozen=True)
class Numbered:
    """As much of a worker as a share needs."""

    index: int
    count: int


@pytest.mark.parametrize(("total", "count"), [(256, 2), (50, 3), (7, 4), (4, 4), (256, 7)])
def test_shares_make_up_the_batch_and_differ_by_one_at_most(total: int, count: int) -> None:
    shares = [share_of(total, Numbered(index, count)) for index in range(count)]
    batch = np.arange(total)
    assert np.concatenate([each.of(batch) for each in shares]).tolist() == batch.tolist()
    sizes = {len(each.of(batch)) for each in shares}
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1


def test_alone_one_has_the_batch_itself() -> None:
    batch = np.arange(5)
    own = share_of(5, ALONE)
    assert own == Share(0, 5, 5)
    assert np.array_equal(own.of(batch), batch)
    assert np.shares_memory(own.of(batch), batch)


def test_more_workers_than_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="9 workers share batches of 8 images; at most 8 can"):
        check_shares(8, Numbered(0, 9))
