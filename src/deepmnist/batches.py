"""Which images make which batch: a function of (seed, step) and the size of the set.

The first steps may take smaller batches than the others: while the rate is low and the net knows
next to nothing, a noisy gradient does. Each epoch takes all images in an order of its own
(order.py); what does not fill the last batch is left for another epoch's order. Rows are gathered
on the host as bytes, so a set of any size on disk trains in the same memory as a small one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepmnist.order import Epoch
from deepmnist.recipes import TrainingConfig


@dataclass(frozen=True)
class Plan:
    """The order of a whole run: `steps` batches of `batch_size` rows out of `n`.

    Of the first `warmup` batches only `warmup_size` rows are used; the others wait for an epoch.
    """

    n: int
    batch_size: int
    steps: int
    seed: int
    warmup: int = 0
    warmup_size: int = 0

    @property
    def smallest(self) -> int:
        """Images in the smallest batch."""
        return self.warmup_size if self.warmup else self.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass over the set; at least 1."""
        return self.n // self.batch_size

    def alike(self, step: int) -> int:
        """Steps from `step` on that are of one epoch and whose batches are of one size."""
        epoch_ends = step - step % self.steps_per_epoch + self.steps_per_epoch
        size_ends = self.warmup if step < self.warmup else self.steps
        return min(epoch_ends, size_ends) - step

    def images_from(self, step: int) -> int:
        """Images that the updates from `step` to the last are made of."""
        small = max(0, self.warmup - step)
        return small * self.warmup_size + (self.steps - step - small) * self.batch_size

    def rows(self, step: int, count: int) -> NDArray[np.int64]:
        """Rows (count, size) of the `count` batches from `step`, which must be alike."""
        epoch, within = divmod(step, self.steps_per_epoch)
        rows = Epoch(self.n, self.batch_size, self.seed, epoch).rows(within, count)
        return rows[:, : self.warmup_size] if step < self.warmup else rows


def plan(config: TrainingConfig, n: int) -> Plan:
    """The order of a run of `config` over `n` images; a batch is never larger than the set."""
    batch_size = min(config.batch_size, n)
    by_epochs = max(round(config.epochs * (n // batch_size)), config.minimum_steps, 1)
    steps = config.steps or by_epochs
    rises = config.schedule == "one_cycle" and config.warmup_batch < 1.0
    warmup = round(config.warmup * steps) if rises else 0
    warmup_size = max(1, round(config.warmup_batch * batch_size)) if rises else 0
    return Plan(n, batch_size, steps, config.seed, warmup, warmup_size)
