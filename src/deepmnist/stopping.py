"""Ctrl-C and SIGTERM as a wish that is noted, and looked at where stopping does no harm.

Python raises KeyboardInterrupt at any call, in TensorFlow's and Keras' code as well. While a graph
is traced it may come where C code expects no error, which is then a SystemError, or where a context
should be left, which is then "Nesting violated"; and a bare `except` of theirs may swallow it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_raised: list[int] = []  # the signals that became KeyboardInterrupt, in this process


def interrupt(number: int, frame: object) -> None:
    """A handler that raises KeyboardInterrupt, as Python's own does, and remembers it."""
    _raised.append(number)
    raise KeyboardInterrupt


def interrupted() -> bool:
    """Whether `interrupt` has raised: what goes wrong afterwards may have come of that."""
    return bool(_raised)


@contextmanager
def noted(note: Callable[[], None], signals: Sequence[int] = SIGNALS) -> Iterator[None]:
    """While it lasts, the first of each of `signals` calls `note`, the second ends the process.

    Not in a thread other than the first, which cannot be asked by signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: object) -> None:
        note()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, handle) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """While it lasts, KeyboardInterrupt waits: for a call of what this gives, or for its end.

    One of before, that `interrupt` raised and somebody swallowed, counts as well. Signals that
    would raise none, ignored or handled by others, stay as they are.
    """
    asked = interrupted()

    def note() -> None:
        nonlocal asked
        asked = True

    def heed() -> None:
        if asked:
            raise KeyboardInterrupt

    with noted(note, _interrupting()):
        yield heed
    heed()


def _interrupting() -> list[int]:
    """The signals that raise KeyboardInterrupt now."""
    raising = (signal.default_int_handler, interrupt)
    return [each for each in SIGNALS if signal.getsignal(each) in raising]
