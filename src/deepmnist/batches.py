"""Which images make which batch: a function of (seed, step) and the size of the set.

Each epoch takes all images in an order of its own (order.py); what does not fill the last batch is
left for another epoch's order. Rows are gathered on the host as bytes, so a set of any size on disk
trains in the same memory as a small one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepmnist.order import Epoch
from deepmnist.recipes import TrainingConfig


@dataclass(frozen=True)
class Plan:
    """The order of a whole run: `steps` batches of `batch_size` rows out of `n`."""

    n: int
    batch_size: int
    steps: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass over the set; at least 1."""
        return self.n // self.batch_size

    def until_epoch_end(self, step: int) -> int:
        """Steps from `step` to the end of its epoch, or of the run if that comes first."""
        return min(self.steps_per_epoch - step % self.steps_per_epoch, self.steps - step)

    def rows(self, step: int, count: int) -> NDArray[np.int64]:
        """Rows (count, batch_size) of the `count` batches from `step`, all of one epoch."""
        epoch, within = divmod(step, self.steps_per_epoch)
        return Epoch(self.n, self.batch_size, self.seed, epoch).rows(within, count)


def plan(config: TrainingConfig, n: int) -> Plan:
    """The order of a run of `config` over `n` images; a batch is never larger than the set."""
    batch_size = min(config.batch_size, n)
    by_epochs = max(round(config.epochs * (n // batch_size)), config.minimum_steps, 1)
    return Plan(n, batch_size, config.steps or by_epochs, config.seed)
