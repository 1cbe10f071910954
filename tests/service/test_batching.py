"""batching.py: who asks together is answered together, each with what is his, whatever happens."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deepmnist.rejection import Scores
from deepmnist.service import batching
from deepmnist.service.batching import ENOUGH, PATIENCE_S, Batcher
from deepmnist.service.metrics import Metrics
from tests.conftest import FakePredictor
from tests.service.conftest import Images


class Held(FakePredictor):
    """Answers its first batch only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = threading.Event(), threading.Event()

    def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float32]:
        self.asked.set()
        assert self.go.wait(10)
        return super().predict_proba(images)


def labels(scores: Scores) -> list[int]:
    return scores.probabilities.argmax(axis=1).tolist()


def test_requests_of_one_turn_are_one_batch_and_each_gets_its_own(some_images: Images) -> None:
    predictor = FakePredictor()
    batcher = Batcher(predictor)
    parts = [some_images[:1], some_images[1:3], some_images[3:]]

    async def ask() -> list[Scores]:
        return await asyncio.gather(*(batcher.answer(part) for part in parts))

    found = asyncio.run(ask())
    assert [labels(scores) for scores in found] == [
        FakePredictor.answers(part).tolist() for part in parts
    ]
    assert predictor.chunks == [5]


def test_what_is_asked_while_a_batch_runs_is_the_next_batch(some_images: Images) -> None:
    predictor = Held()
    batcher = Batcher(predictor)

    async def ask() -> None:
        first = asyncio.create_task(batcher.answer(some_images[:1]))
        while not predictor.asked.is_set():
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(batcher.answer(some_images)) for _ in range(3)]
        await asyncio.sleep(0.01)
        predictor.go.set()
        await asyncio.gather(first, *others)

    asyncio.run(ask())
    assert predictor.chunks == [1, 15]


def test_bytes_and_fractions_may_share_a_batch(some_images: Images) -> None:
    predictor = FakePredictor()
    batcher = Batcher(predictor)
    fractions = some_images / np.float32(255)

    async def ask() -> list[Scores]:
        return await asyncio.gather(batcher.answer(some_images), batcher.answer(fractions))

    one, other = asyncio.run(ask())
    assert labels(one) == labels(other) == FakePredictor.answers(some_images).tolist()
    assert predictor.chunks == [10]


def test_a_batch_that_has_enough_takes_no_more_in() -> None:
    predictor = FakePredictor()
    batcher = Batcher(predictor)
    many = np.zeros((ENOUGH - 1, 28, 28), np.uint8)

    async def ask() -> None:
        await asyncio.gather(*(batcher.answer(many) for _ in range(4)))

    asyncio.run(ask())
    assert predictor.chunks == [2 * len(many)] * 2


def test_threads_are_answered_too(some_images: Images) -> None:
    batcher = Batcher(FakePredictor())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(batcher.scores, [some_images] * 20))
    assert all(labels(each) == FakePredictor.answers(some_images).tolist() for each in found)
    assert batcher.predict_proba(some_images).shape == (5, 10)


def test_a_predictor_runs_one_batch_at_a_time_whoever_asks(some_images: Images) -> None:
    alone = threading.Lock()
    met = []

    class Watched(FakePredictor):
        def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float32]:
            met.append(alone.acquire(blocking=False))
            time.sleep(0.001)
            alone.release()
            return super().predict_proba(images)

    batcher = Batcher(Watched())

    async def ask() -> None:
        for _ in range(8):
            await asyncio.gather(*(batcher.answer(some_images) for _ in range(2)))

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(batcher.scores, some_images) for _ in range(16)]
        asyncio.run(ask())
        for each in asked:
            each.result()
    assert len(met) >= 24
    assert all(met)


@pytest.mark.parametrize(("image_s", "in_the_loop"), [(0.0, True), (PATIENCE_S, False)])
def test_the_loop_runs_a_batch_itself_where_the_one_before_was_short(
    some_images: Images, image_s: float, in_the_loop: bool
) -> None:
    threads = []

    class Timed(FakePredictor):
        def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float32]:
            threads.append(threading.get_ident())
            time.sleep(image_s * len(images))
            return super().predict_proba(images)

    batcher = Batcher(Timed())

    async def ask() -> list[int]:
        await batcher.answer(some_images)
        return labels(await batcher.answer(some_images))

    assert asyncio.run(ask()) == FakePredictor.answers(some_images).tolist()
    worker, then = threads
    assert worker != threading.get_ident()
    assert (then == threading.get_ident()) is in_the_loop


def test_the_loop_turns_between_any_two_batches_that_it_runs_itself(
    some_images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "ENOUGH", 1)  # a request is a batch
    monkeypatch.setattr(batching, "PATIENCE_S", math.inf)  # and every batch is short
    turns = [0]
    seen = []

    class Noting(FakePredictor):
        def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float32]:
            seen.append(turns[0])
            return super().predict_proba(images)

    batcher = Batcher(Noting())

    async def turn() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    async def ask() -> None:
        turning = asyncio.create_task(turn())
        asked = (batcher.answer(some_images[:1]) for _ in range(100))
        await asyncio.wait_for(asyncio.gather(*asked), 20)
        turning.cancel()

    asyncio.run(ask())
    assert len(seen) == len(set(seen)) == 100


def test_who_left_is_not_computed_and_the_rest_are_answered(some_images: Images) -> None:
    predictor = Held()
    batcher = Batcher(predictor)

    async def ask() -> list[int]:
        first = asyncio.create_task(batcher.answer(some_images[:1]))
        while not predictor.asked.is_set():
            await asyncio.sleep(0.001)
        left = asyncio.create_task(batcher.answer(some_images))
        stayed = asyncio.create_task(batcher.answer(some_images[:2]))
        await asyncio.sleep(0.01)
        left.cancel()
        await asyncio.sleep(0)
        predictor.go.set()
        await first
        return labels(await stayed)

    assert asyncio.run(ask()) == FakePredictor.answers(some_images[:2]).tolist()
    assert predictor.chunks == [1, 2]


def test_answers_that_are_no_numbers_are_told_and_the_next_are_answered(
    some_images: Images,
) -> None:
    class Overflowing(FakePredictor):
        def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float32]:
            found = super().predict_proba(images)
            return found * np.float32(np.nan) if len(self.chunks) == 1 else found

    batcher = Batcher(Overflowing(), Metrics().observer("m", "1", 0.9))

    async def ask() -> tuple[Exception | None, list[int]]:
        asked = asyncio.wait_for(batcher.answer(some_images), 10)
        (error,) = await asyncio.gather(asked, return_exceptions=True)
        return error, labels(await batcher.answer(some_images))

    error, then = asyncio.run(ask())
    assert isinstance(error, ValueError)
    assert then == FakePredictor.answers(some_images).tolist()


def test_what_goes_wrong_is_told_to_all_who_wait_and_the_next_are_answered(
    some_images: Images,
) -> None:
    class Failing(FakePredictor):
        failed = False

        def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float32]:
            if not self.failed:
                self.failed = True
                raise RuntimeError("it broke")
            return super().predict_proba(images)

    batcher = Batcher(Failing())

    async def ask() -> list[Any]:
        asked = (batcher.answer(some_images) for _ in range(2))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [str(error) for error in asyncio.run(ask())] == ["it broke", "it broke"]
    assert labels(batcher.scores(some_images)) == FakePredictor.answers(some_images).tolist()


def test_an_event_loop_that_ended_while_it_waited_holds_up_no_other(some_images: Images) -> None:
    predictor = Held()
    batcher = Batcher(predictor)

    async def leave() -> None:
        task = asyncio.create_task(batcher.answer(some_images))
        while not predictor.asked.is_set():
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(leave())
    predictor.go.set()

    async def ask() -> Scores:
        return await batcher.answer(some_images)

    assert labels(asyncio.run(ask())) == FakePredictor.answers(some_images).tolist()


def test_the_worker_ends_when_nobody_holds_its_batcher(some_images: Images) -> None:
    def workers() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "batches"}

    earlier = workers()
    batcher = Batcher(FakePredictor())
    (worker,) = workers() - earlier
    batcher.scores(some_images)
    assert worker.is_alive()
    del batcher
    gc.collect()
    worker.join(10)
    assert not worker.is_alive()


def test_every_batch_is_observed(some_images: Images) -> None:
    seen = []
    batcher = Batcher(FakePredictor(), lambda scores: seen.append(len(scores.single)))
    batcher.scores(some_images)
    batcher.scores(some_images[:2])
    batcher.scores(some_images[:1])  # the one before has been observed by now
    assert seen[:2] == [5, 2]
