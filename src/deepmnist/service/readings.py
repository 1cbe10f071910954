"""Threads in which pictures are decoded, prepared and read: one for each core, and a short queue.

Decoding may take a picture's worth of memory and a second of time, so no more run at once than
there are cores, and what would wait too long is turned away. Whose client leaves is not begun. The
threads are daemons, which the end of the process does not wait for (server.leave): what is still
read by then has nobody to be told.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, NoReturn, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from deepmnist.prediction import usable_cores
from deepmnist.service.failures import busy

T = TypeVar("T")


@dataclass
class _Piece:
    """Work, and who is told what came of it."""

    work: Callable[[], Any]
    told: Future[Any] = field(default_factory=Future)

    def drop(self) -> None:
        """Forget it, with the picture that it holds, unless it has begun."""
        if self.told.cancel():
            self.work = _nothing


_Queue = SimpleQueue[_Piece | None]


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

    async def run(self, work: Callable[[], T], receive: Receive) -> T:
        """What `work` gives. Refusal (503) where as many wait as may.

        receive: the request's, whose body has come. ClientDisconnect where its client leaves.
        """
        if self._waiting >= self._most:
            raise busy(f"{self._waiting} pictures wait to be read; ask again")
        self._waiting += 1
        piece = _Piece(work)
        self._queue.put(piece)
        reading = asyncio.wrap_future(piece.told)
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait([reading, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await leaving
            return await reading
        finally:
            leaving.cancel()
            piece.drop()
            reading.cancel()  # of what has begun nobody will hear, be it an error
            self._waiting -= 1


async def _left(receive: Receive) -> NoReturn:
    """ClientDisconnect, as soon as there is nobody to answer."""
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientDisconnect


def _nothing() -> None:
    """What is left to do of what nobody waits for."""


def _work(queue: _Queue) -> None:
    """Do piece after piece until None comes; what nobody waits for any more is left out."""
    while (piece := queue.get()) is not None:
        if piece.told.set_running_or_notify_cancel():
            try:
                piece.told.set_result(piece.work())
            except BaseException as error:  # noqa: BLE001  whoever waits must hear of it
                piece.told.set_exception(error)
        del piece  # or a picture would be kept while the next is awaited
