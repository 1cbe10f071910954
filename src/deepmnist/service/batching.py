"""Requests that arrive together, run as one batch: a worker thread for each model.

An event loop gathers what its coroutines ask in one turn, or while the worker runs the batch
before, and hands it over at once: nothing waits for company, and threads change once a batch, not
once a request. A predictor is used by its worker alone: threads cannot share LiteRT's interpreters.
The thread ends when nobody holds its Batcher any more, so a version that was replaced
still answers what it was asked.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from deepmnist import rejection
from deepmnist.prediction import Predictor, write_unit_range
from deepmnist.rejection import Scores

Images = NDArray[np.uint8 | np.floating]  # (n, 28, 28)
Observe = Callable[[Scores], None]  # is told of every batch, in the worker's thread

ENOUGH = 256  # images: a batch that has so many takes no more requests in


@dataclass(frozen=True, eq=False)
class _Batch:
    """Images of some requests, and who is told their scores, or what went wrong."""

    parts: Sequence[Images]
    tell: Callable[[Scores | Exception], None]


_Queue = SimpleQueue[_Batch | None]
_Waiting = tuple[Images, "asyncio.Future[Scores]"]


class Batcher:
    """A predictor that any thread and any coroutine may ask; is a Predictor itself."""

    def __init__(self, predictor: Predictor, observe: Observe = lambda scores: None) -> None:
        self.class_names = predictor.class_names
        self.threshold = rejection.threshold(predictor)
        self.coverages = getattr(predictor, "coverages", ())
        self._queue: _Queue = SimpleQueue()
        self._gatherings: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Gathering]
        self._gatherings = weakref.WeakKeyDictionary()
        weakref.finalize(self, self._queue.put, None)
        arguments = (self._queue, predictor, observe)
        threading.Thread(target=_work, args=arguments, name="batches", daemon=True).start()

    async def answer(self, images: Images) -> Scores:
        """Scores of checked images; an image of zeros is never a digit. For coroutines."""
        loop = asyncio.get_running_loop()
        gathering = self._gatherings.get(loop)
        if gathering is None:
            gathering = self._gatherings[loop] = _Gathering(loop, self._queue)
        return await gathering.ask(images)

    def scores(self, images: Images) -> Scores:
        """The same for threads; a coroutine must not call it, since it waits."""
        future: Future[Scores] = Future()

        def tell(found: Scores | Exception) -> None:
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)

        self._queue.put(_Batch([images], tell))
        return future.result()

    def predict_proba(self, images: Images) -> NDArray[np.float32]:
        """Probabilities float32 (n, classes) of checked images; for threads."""
        return self.scores(images).probabilities


class _Gathering:
    """What the coroutines of one event loop ask; used in that loop's thread alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, queue: _Queue) -> None:
        self._loop = weakref.ref(loop)
        self._queue = queue
        self._waiting: deque[_Waiting] = deque()
        self._busy = False  # a batch is with the worker, or about to be handed over

    async def ask(self, images: Images) -> Scores:
        """Scores of images, with whatever else is asked meanwhile."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append((images, future))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._hand_over)  # after all that is ready has asked
        return await future

    def _hand_over(self) -> None:
        asked, count = [], 0
        while self._waiting and count < ENOUGH:
            images, future = self._waiting.popleft()
            if not future.done():  # else its client left
                asked.append((images, future))
                count += len(images)
        self._busy = bool(asked)
        if not asked:
            return

        def tell(found: Scores | Exception) -> None:
            loop = self._loop()
            if loop is not None and not loop.is_closed():  # else nobody waits any more
                loop.call_soon_threadsafe(self._told, asked, found)

        self._queue.put(_Batch([images for images, _ in asked], tell))

    def _told(self, asked: list[_Waiting], found: Scores | Exception) -> None:
        start = 0
        for images, future in asked:
            rows = slice(start, start + len(images))
            start = rows.stop
            if future.done():
                continue
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(Scores(found.probabilities[rows], found.single[rows]))
        self._hand_over()


def _work(queue: _Queue, predictor: Predictor, observe: Observe) -> None:
    """Answer batch after batch until None comes; it comes last, when no asker can be left."""
    while (batch := queue.get()) is not None:
        try:
            found: Scores | Exception = rejection.scores(predictor, _joined(batch.parts))
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait must hear of it
            found = error
        batch.tell(found)
        if isinstance(found, Scores):
            observe(found)
        del batch  # or its images would be kept while the next is awaited


def _joined(parts: Sequence[Images]) -> Images:
    """One array: bytes where all are, else float32 in 0..1."""
    if len(parts) == 1:
        return parts[0]
    if all(part.dtype == np.uint8 for part in parts):
        return np.concatenate(parts)
    joined = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), np.float32)
    start = 0
    for part in parts:
        write_unit_range(part, joined[start : start + len(part)])
        start += len(part)
    return joined
