"""A function in a process of its own, on one core where asked, and what that process holds.

Linux only, for what /proc says of memory and for the holding to a core.
"""

from __future__ import annotations

import multiprocessing
import os
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


def on_one_core(function: Any, *arguments: Any) -> Any:
    """The same, from a process that may use one core, and so may each thread it ever starts.

    It inherits that from this one, whose own cores are back when the answer is there.
    """
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        return run(function, *arguments)
    finally:
        os.sched_setaffinity(0, cores)


def held(what: str) -> int:
    """A line of the process's status, bytes: VmHWM, VmRSS, RssAnon, RssFile."""
    lines = STATUS.read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{what}:"))
    return int(line.split()[1]) * KIB
