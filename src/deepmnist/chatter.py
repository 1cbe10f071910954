"""Native libraries print to stderr what no setting of theirs can turn off.

TensorFlow while it loads and converts, LiteRT when it makes an interpreter (google-ai-edge/LiteRT
issue 7420). What goes wrong in those moments arrives as a Python exception, so the text can go.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2  # file descriptor, the one C++ writes to


@contextmanager
def dropped() -> Iterator[None]:
    """Discard what anything writes to the process's stderr, for as short as possible."""
    try:
        kept = os.dup(STDERR)
    except OSError:  # a process without a stderr has nothing to keep clean
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), STDERR)
    try:
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
