"""readings.py: what is read away from the event loop is told, and holds up no end."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from typing import NoReturn

import pytest

from deepmnist.service.readings import Readings

ENDLESS = """
import asyncio, cv2, numpy
from deepmnist.service.readings import Readings
from deepmnist.service.server import leave

large = numpy.zeros((2000, 2000), numpy.uint8)

def blur():
    while True:
        cv2.GaussianBlur(large, (0, 0), 9)

async def ask():
    readings = Readings(8)
    asked = [asyncio.create_task(readings.run(blur)) for _ in range(8)]
    await asyncio.sleep(0.1)
    for each in asked:
        each.cancel()

asyncio.run(ask())
leave()
"""


def test_what_work_gives_or_raises_comes_back() -> None:
    def fail() -> NoReturn:
        raise ValueError("it broke")

    async def ask() -> list[int]:
        readings = Readings(8)
        with pytest.raises(ValueError, match="it broke"):
            await readings.run(fail)
        return await asyncio.gather(*(readings.run(lambda n=n: n) for n in range(8)))  # type: ignore[misc]

    assert asyncio.run(ask()) == list(range(8))


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
