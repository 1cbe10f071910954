"""The cores that this process may use."""

from __future__ import annotations

import os
import sys


def usable_cores() -> int:
    """Cores this process may run on: fewer than the machine's where its owner says so (taskset)."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
