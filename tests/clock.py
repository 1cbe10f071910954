"""A time that stands until a test moves it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Clock:
    """Stands in for the module `time`."""

    now: float = 100.0  # seconds

    def monotonic(self) -> float:
        """As time.monotonic."""
        return self.now
