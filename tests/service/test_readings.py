"""readings.py: what is read away from the event loop is told, and holds up no end."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from typing import NoReturn

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from deepmnist.prediction import usable_cores
from deepmnist.service.readings import Readings

ENDLESS = """
import asyncio, cv2, numpy
from deepmnist.service.readings import Readings
from deepmnist.service.server import leave

large = numpy.zeros((2000, 2000), numpy.uint8)

def blur():
    while True:
        cv2.GaussianBlur(large, (0, 0), 9)

async def stays():
    await asyncio.sleep(60)

async def ask():
    readings = Readings(8)
    asked = [asyncio.create_task(readings.run(blur, stays)) for _ in range(8)]
    await asyncio.sleep(0.1)
    for each in asked:
        each.cancel()

asyncio.run(ask())
leave()
"""


async def stays() -> Message:
    """What comes from a client that waits for its answer: nothing."""
    await asyncio.Event().wait()
    raise AssertionError


async def leaves() -> Message:
    """A client that leaves as soon as it has asked."""
    await asyncio.sleep(0)
    return {"type": "http.disconnect"}


def test_what_work_gives_or_raises_comes_back() -> None:
    def fail() -> NoReturn:
        raise ValueError("it broke")

    async def ask() -> list[int]:
        readings = Readings(8)
        with pytest.raises(ValueError, match="it broke"):
            await readings.run(fail, stays)
        return await asyncio.gather(*(readings.run(lambda n=n: n, stays) for n in range(8)))  # type: ignore[misc]

    assert asyncio.run(ask()) == list(range(8))


def test_work_of_who_left_is_not_done_and_keeps_neither_its_place_nor_its_picture() -> None:
    class Picture:
        def __call__(self) -> None:
            pytest.fail("nobody waits for it")

    async def ask() -> None:
        readings, held = Readings(usable_cores() + 1), threading.Event()
        busy = [asyncio.create_task(readings.run(held.wait, stays)) for _ in range(usable_cores())]
        await asyncio.sleep(0.1)  # every thread is at one of them
        for _ in range(3):
            picture = Picture()
            seen = weakref.ref(picture)
            with pytest.raises(ClientDisconnect):
                await readings.run(picture, leaves)
            del picture
            gc.collect()  # what raised holds its frames, which hold it
            assert seen() is None
        held.set()
        assert await asyncio.gather(*busy) == [True] * usable_cores()
        assert await readings.run(lambda: "done", stays) == "done"

    asyncio.run(ask())


def test_who_is_answered_may_leave() -> None:
    """A connection that ends after its answer is how most end."""

    async def ask() -> str:
        return await Readings(1).run(lambda: "done", leaves_later)

    async def leaves_later() -> Message:
        await asyncio.sleep(0.5)
        return {"type": "http.disconnect"}

    assert asyncio.run(ask()) == "done"


def test_a_process_ends_though_something_is_read() -> None:
    subprocess.run([sys.executable, "-c", ENDLESS], check=True, timeout=60)


def test_the_threads_end_with_the_readings() -> None:
    def threads() -> set[threading.Thread]:
        return {each for each in threading.enumerate() if each.name == "readings"}

    earlier = threads()
    readings = Readings(1)
    own = threads() - earlier
    assert own
    del readings
    gc.collect()
    for each in own:
        each.join(10)
        assert not each.is_alive()
