"""Native libraries print to stderr what no setting of theirs can turn off.

TensorFlow while it loads and converts, LiteRT when it makes an interpreter (google-ai-edge/LiteRT
issue 7420). What goes wrong in those moments arrives as a Python exception, so the text can go.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2  # file descriptor, the one C++ writes to


_lock = threading.Lock()
_within = 0  # how many, of all threads, want it dropped now
_kept: int | None = None  # where it went before the first of them; None without a stderr


@contextmanager
def dropped() -> Iterator[None]:
    """Discard what anything writes to the process's stderr, for as short as possible.

    Of threads that overlap the first takes stderr away and the last gives it back.
    """
    global _within
    with _lock:
        if not _within:
            _take_away()
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if not _within:
                _give_back()


def _take_away() -> None:
    global _kept
    try:
        _kept = os.dup(STDERR)
    except OSError:  # a process without a stderr has nothing to keep clean
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), STDERR)


def _give_back() -> None:
    global _kept
    if _kept is not None:
        os.dup2(_kept, STDERR)
        os.close(_kept)
        _kept = None
