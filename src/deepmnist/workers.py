"""Those that train one net in step, each on its share of every batch; one alone is the usual case.

`Alone` leaves every value as it is, so that the step of one worker and of many is the same code.
Several are distribution.py's `Together`, on TensorFlow's collectives; what they tell each other
besides sums is made in joint.py from `total`. Needs no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deepmnist.errors import ConfigError


class Workers(Protocol):
    """This worker, number `index` of `count`. Number 0, the chief, is the one that writes."""

    @property
    def index(self) -> int:
        """Its number, from 0."""

    @property
    def count(self) -> int:
        """How many there are."""

    def name(self, index: int) -> str:
        """What to call one of them in a message."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function` of tensors, traced so that `summed` can be used inside."""

    def summed(self, tensors: Sequence[Any]) -> list[Any]:
        """Within `run`: float32 tensors, each the sum of all workers'. Gradients flow through."""

    def total(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """The sum of all workers' vectors, which must be of one length; every worker must call."""

    def stopped(self) -> bool:
        """Whether this worker was asked to stop."""

    def watched(self, advice: str) -> AbstractContextManager[None]:
        """While it lasts, a lost worker is a LostError that names it, with `advice` behind."""


class Alone:
    """One worker: nothing is summed. KeyboardInterrupt stops it, or `stop`, from another thread."""

    index = 0
    count = 1

    def __init__(self) -> None:
        self._asked_to_stop = False

    def name(self, index: int) -> str:
        return "this worker"

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    def summed(self, tensors: Sequence[Any]) -> list[Any]:
        return list(tensors)

    def total(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        return values

    def stopped(self) -> bool:
        return self._asked_to_stop

    def stop(self) -> None:
        """Have `stopped` say so."""
        self._asked_to_stop = True

    def watched(self, advice: str) -> AbstractContextManager[None]:
        return nullcontext()


ALONE: Workers = Alone()  # for all who train in their own process, so that nobody stops it


@dataclass(frozen=True)
class Share:
    """One worker's part of a batch of `total` images: from `start` up to `stop`.

    Numbers, or scalars of a graph, in which a batch's size may depend on the step.
    """

    start: Any
    stop: Any
    total: Any

    def of(self, batch: Any) -> Any:
        """This share of what there is for each image of a batch, an array or a tensor."""
        return batch[self.start : self.stop]


def share_of(total: Any, workers: Workers) -> Share:
    """The part of a batch of `total` images that is this worker's; they differ by one at most."""
    start, stop = (total * k // workers.count for k in (workers.index, workers.index + 1))
    return Share(start, stop, total)


def check_shares(smallest: int, workers: Workers) -> None:
    """ConfigError where there are more workers than images in the smallest batch."""
    if workers.count > smallest:
        raise ConfigError(
            f"{workers.count} workers share batches of {smallest} images; at most {smallest} can, "
            "or give a larger --batch-size or --warmup-batch"
        )
