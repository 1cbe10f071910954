"""Threads in which pictures are decoded, prepared and read: one for each core, and a short queue.

Decoding may take a picture's worth of memory and a second of time, so no more run at once than
there are cores, and what would wait too long is turned away. The threads are daemons, which the end
of the process does not wait for (server.leave): what is still read by then has nobody to be told.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from deepmnist.prediction import usable_cores
from deepmnist.service.failures import busy

T = TypeVar("T")
_Queue = SimpleQueue[tuple["Future[Any]", Callable[[], Any]] | None]


class Readings:
    """Work on pictures, away from the event loop."""

    def __init__(self, most: int) -> None:
        """`most`: pieces of work that may run or wait; one more is refused with 503."""
        self._most = most
        self._waiting = 0
        self._queue: _Queue = SimpleQueue()
        for _ in range(usable_cores()):
            weakref.finalize(self, self._queue.put, None)
            arguments = (self._queue,)
            threading.Thread(target=_work, args=arguments, name="readings", daemon=True).start()

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives. Refusal (503) where as many wait as may."""
        if self._waiting >= self._most:
            raise busy(f"{self._waiting} pictures wait to be read; ask again")
        self._waiting += 1
        future: Future[T] = Future()
        self._queue.put((future, work))
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._waiting -= 1


def _work(queue: _Queue) -> None:
    """Do piece after piece until None comes; what nobody waits for any more is left out."""
    while (asked := queue.get()) is not None:
        future, work = asked
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  whoever waits must hear of it
                future.set_exception(error)
        del asked, future, work  # or a picture would be kept while the next is awaited
