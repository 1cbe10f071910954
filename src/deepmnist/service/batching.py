"""Requests that arrive together, run as one batch: a worker thread for each model.

Nothing waits for company: the worker takes whatever has gathered while it ran the batch before. A
predictor is used by its worker alone, since LiteRT's interpreters cannot be shared by threads. The
thread ends when nobody holds its Batcher any more, so a version that was replaced still answers
what it was asked.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from deepmnist import rejection
from deepmnist.prediction import Predictor, write_unit_range
from deepmnist.rejection import Scores

Images = NDArray[np.uint8 | np.floating]  # (n, 28, 28)
Observe = Callable[[Scores], None]  # is told of every batch, in the worker's thread

ENOUGH = 256  # images: a batch that has so many takes no more requests in


@dataclass(frozen=True, eq=False)
class _Job:
    """The images of one request, and where the answer is awaited."""

    images: Images
    future: Future[Scores] | asyncio.Future[Scores]
    loop: asyncio.AbstractEventLoop | None  # of an asyncio.Future


_Queue = SimpleQueue[_Job | None]


class Batcher:
    """A predictor that any thread and any coroutine may ask; is a Predictor itself."""

    def __init__(self, predictor: Predictor, observe: Observe = lambda scores: None) -> None:
        self.class_names = predictor.class_names
        self.threshold = rejection.threshold(predictor)
        self.coverages = getattr(predictor, "coverages", ())
        self._queue: _Queue = SimpleQueue()
        weakref.finalize(self, self._queue.put, None)
        worker = threading.Thread(
            target=_work, args=(self._queue, predictor, observe), name="batches", daemon=True
        )
        worker.start()

    async def answer(self, images: Images) -> Scores:
        """Scores of checked images; an image of zeros is never a digit. For coroutines."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._queue.put(_Job(images, future, loop))
        return await future

    def scores(self, images: Images) -> Scores:
        """The same for threads; a coroutine must not call it, since it waits."""
        future: Future[Scores] = Future()
        self._queue.put(_Job(images, future, None))
        return future.result()

    def predict_proba(self, images: Images) -> NDArray[np.float32]:
        """Probabilities float32 (n, classes) of checked images; for threads."""
        return self.scores(images).probabilities


def _work(queue: _Queue, predictor: Predictor, observe: Observe) -> None:
    """Answer batch after batch until None comes; it comes last, when no asker can be left."""
    while (first := queue.get()) is not None:
        jobs, ended = _gathered(first, queue)
        _answer(jobs, predictor, observe)
        del first, jobs  # or the last answered would be kept while the next is awaited
        if ended:
            return


def _gathered(first: _Job, queue: _Queue) -> tuple[list[_Job], bool]:
    """The first job and those that wait behind it, and whether the end was among them."""
    jobs, count = [first], len(first.images)
    while count < ENOUGH:
        try:
            job = queue.get_nowait()
        except Empty:
            break
        if job is None:
            return jobs, True
        jobs.append(job)
        count += len(job.images)
    return jobs, False


def _answer(jobs: list[_Job], predictor: Predictor, observe: Observe) -> None:
    found: list[Scores] | Exception
    try:
        scores = rejection.scores(predictor, _joined([job.images for job in jobs]))
        observe(scores)
        found = _parted(scores, [len(job.images) for job in jobs])
    except Exception as error:  # noqa: BLE001  whatever it is, those who wait must hear of it
        found = error
    _deliver(jobs, found)


def _joined(parts: list[Images]) -> Images:
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


def _parted(scores: Scores, counts: list[int]) -> list[Scores]:
    ends = np.cumsum(counts)
    return [
        Scores(scores.probabilities[end - count : end], scores.single[end - count : end])
        for end, count in zip(ends, counts, strict=True)
    ]


def _deliver(jobs: list[_Job], found: list[Scores] | Exception) -> None:
    """Wake each event loop once, however many of its requests were in the batch."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Scores | Exception]]] = {}
    for number, job in enumerate(jobs):
        answer = found if isinstance(found, Exception) else found[number]
        if job.loop is None:
            _settle(job, answer)
        else:
            loops.setdefault(job.loop, []).append((job, answer))
    for loop, answers in loops.items():
        if not loop.is_closed():  # else nobody waits any more
            loop.call_soon_threadsafe(_settle_all, answers)


def _settle_all(answers: list[tuple[_Job, Scores | Exception]]) -> None:
    for job, answer in answers:
        _settle(job, answer)


def _settle(job: _Job, answer: Scores | Exception) -> None:
    if job.future.done():  # cancelled: its client left
        return
    if isinstance(answer, Exception):
        job.future.set_exception(answer)
    else:
        job.future.set_result(answer)
