"""Requests that arrive together, run as one batch: at once where it is short, else in a thread.

An event loop gathers what its coroutines ask in one turn, or while a batch runs, and hands it over
at once: nothing waits for company. What takes less than PATIENCE_S, by what the batch before took,
the loop runs itself, since changing threads twice would cost it more; longer ones go to a worker, a
thread for each model. LiteRT's interpreters take one batch at a time, whoever asks. The thread
ends when nobody holds its Batcher any more, so a version that was replaced still answers what it
was asked.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from deepmnist import rejection
from deepmnist.prediction import Predictor, write_unit_range
from deepmnist.rejection import Scores

Images = NDArray[np.uint8 | np.floating]  # (n, 28, 28)
Observe = Callable[[Scores], None]  # is told of every batch, in the thread that ran it

ENOUGH = 256  # images: a batch that has so many takes no more requests in
PATIENCE_S = 0.002  # seconds that an event loop may be held up by a batch


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
        self._model = _Model(predictor, observe)
        self._queue: _Queue = SimpleQueue()
        self._gatherings: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Gathering]
        self._gatherings = weakref.WeakKeyDictionary()
        weakref.finalize(self, self._queue.put, None)
        arguments = (self._queue, self._model)
        threading.Thread(target=_work, args=arguments, name="batches", daemon=True).start()

    async def answer(self, images: Images) -> Scores:
        """Scores of checked images; an image of zeros is never a digit. For coroutines."""
        loop = asyncio.get_running_loop()
        gathering = self._gatherings.get(loop)
        if gathering is None:
            gathering = self._gatherings[loop] = _Gathering(loop, self._model, self._queue)
        return await gathering.ask(images)

    def scores(self, images: Images) -> Scores:
        """The same for threads; a coroutine must not call it, since it waits."""
        found = self._model.run([images])
        if isinstance(found, Exception):
            raise found
        return found

    def predict_proba(self, images: Images) -> NDArray[np.float32]:
        """Probabilities float32 (n, classes) of checked images; for threads."""
        return self.scores(images).probabilities


class _Model:
    """A predictor, one batch at a time, and how long an image took it."""

    def __init__(self, predictor: Predictor, observe: Observe) -> None:
        self._predictor, self._observe = predictor, observe
        self._lock = threading.Lock()
        self._image_s = math.inf  # until something was measured

    def run(self, parts: Sequence[Images]) -> Scores | Exception:
        """Scores of all parts, after whatever runs now."""
        with self._lock:
            return self._run(parts)

    def run_shortly(self, parts: Sequence[Images], count: int) -> Scores | Exception | None:
        """Scores of `count` images if that is short and nothing runs now; else None."""
        if count * self._image_s > PATIENCE_S or not self._lock.acquire(blocking=False):
            return None
        try:
            return self._run(parts)
        finally:
            self._lock.release()

    def _run(self, parts: Sequence[Images]) -> Scores | Exception:
        started = time.perf_counter()
        try:
            found = rejection.scores(self._predictor, _joined(parts))
            self._image_s = (time.perf_counter() - started) / max(1, len(found.single))
            self._observe(found)
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait must hear of it
            return error
        return found


class _Gathering:
    """What the coroutines of one event loop ask; used in that loop's thread alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, model: _Model, queue: _Queue) -> None:
        self._loop = weakref.ref(loop)
        self._model, self._queue = model, queue
        self._waiting: deque[_Waiting] = deque()
        self._busy = False  # a batch runs, or is about to be handed over

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
            if not future.done():  # else nobody waits for it any more
                asked.append((images, future))
                count += len(images)
        self._busy = bool(asked)
        if not asked:
            return

        parts = [images for images, _ in asked]
        found = self._model.run_shortly(parts, count)
        if found is None:
            self._queue.put(_Batch(parts, partial(self._tell, asked)))
        else:
            self._told(asked, found)

    def _tell(self, asked: list[_Waiting], found: Scores | Exception) -> None:
        """From the worker's thread."""
        loop = self._loop()
        if loop is not None and not loop.is_closed():  # else nobody waits any more
            loop.call_soon_threadsafe(self._told, asked, found)

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
        self._busy = bool(self._waiting)
        if self._busy:  # in a turn of its own: between two batches the loop does all else
            asyncio.get_running_loop().call_soon(self._hand_over)


def _work(queue: _Queue, model: _Model) -> None:
    """Answer batch after batch until None comes; it comes last, when no asker can be left."""
    while (batch := queue.get()) is not None:
        batch.tell(model.run(batch.parts))
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
