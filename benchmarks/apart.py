"""A function in a process of its own, and what that process holds of memory.

Linux only, for what /proc says of memory.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
KIB = 1_024


def run(function: Any, *arguments: Any) -> Any:
    """The function's result from a process of its own, that nothing before it has filled."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(function, *arguments).result()


def held(what: str) -> int:
    """A line of the process's status, bytes: VmHWM, VmRSS, RssAnon, RssFile."""
    lines = STATUS.read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{what}:"))
    return int(line.split()[1]) * KIB
