"""Threads in which pictures are decoded, prepared and read: one for each core, and a short queue.

Decoding may take a picture's worth of memory and a second of time, so no more run at once than
there are cores, and what would wait too long is turned away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from deepmnist.prediction import usable_cores
from deepmnist.service.failures import busy

T = TypeVar("T")


class Readings:
    """Work on pictures, away from the event loop."""

    def __init__(self, most: int) -> None:
        """`most`: pieces of work that may run or wait; one more is refused with 503."""
        self._most = most
        self._waiting = 0
        self._pool = ThreadPoolExecutor(usable_cores(), "readings")

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives. Refusal (503) where as many wait as may."""
        if self._waiting >= self._most:
            raise busy(f"{self._waiting} pictures wait to be read; ask again")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
