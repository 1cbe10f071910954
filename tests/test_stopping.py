"""Signals that wait: none is lost, none is raised too soon, and the second one ends the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from deepmnist import stopping

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
BOTH = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True, params=[signal.default_int_handler, stopping.interrupt])
def raising(request, monkeypatch) -> Iterator[object]:
    """What both raise KeyboardInterrupt by; afterwards they are put back, and all is forgotten."""
    monkeypatch.setattr(stopping, "_raised", [])
    before = {sent: signal.signal(sent, request.param) for sent in BOTH}
    yield request.param
    for sent, handler in before.items():
        signal.signal(sent, handler)


@pytest.mark.parametrize("sent", BOTH)
def test_a_signal_waits_until_it_is_looked_for(sent: signal.Signals) -> None:
    lived = []

    def act() -> None:
        with stopping.deferred() as heed:
            heed()
            signal.raise_signal(sent)
            lived.append("through the signal")
            heed()
            lived.append("past the look")

    with pytest.raises(KeyboardInterrupt):
        act()
    assert lived == ["through the signal"]


def test_a_signal_that_nobody_looked_for_is_raised_at_the_end() -> None:
    lived = []

    def act() -> None:
        with stopping.deferred():
            signal.raise_signal(signal.SIGINT)
            lived.append("to the end")

    with pytest.raises(KeyboardInterrupt):
        act()
    assert lived == ["to the end"]


def test_an_error_is_not_hidden_by_a_signal_before_it() -> None:
    def act() -> None:
        with stopping.deferred():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("disk")

    with pytest.raises(ValueError, match="disk"):
        act()


def test_afterwards_signals_raise_again(raising) -> None:
    with pytest.raises(KeyboardInterrupt), stopping.deferred():
        signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(sent) for sent in BOTH] == [raising] * 2


def test_one_that_was_swallowed_before_is_raised_at_the_first_look() -> None:
    signal.signal(signal.SIGINT, stopping.interrupt)
    assert not stopping.interrupted()
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert stopping.interrupted()
    lived = []

    def act() -> None:
        with stopping.deferred() as heed:
            heed()
            lived.append("past the look")

    with pytest.raises(KeyboardInterrupt):
        act()
    assert lived == []


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, lambda *given: None])
def test_signals_that_would_raise_nothing_stay_as_they_are(handler: object) -> None:
    signal.signal(signal.SIGTERM, handler)
    with stopping.deferred():
        assert signal.getsignal(signal.SIGTERM) is handler


def test_who_notes_signals_already_goes_on_noting_them() -> None:
    noted = []
    with stopping.noted(lambda: noted.append("outside")), stopping.deferred() as heed:
        signal.raise_signal(signal.SIGINT)
        heed()
    assert noted == ["outside"]


def test_in_another_thread_nothing_is_noted(raising) -> None:
    went = []

    def act() -> None:
        with stopping.deferred() as heed:
            heed()
            went.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    assert went == [raising]


@pytest.mark.parametrize("sent", BOTH)
def test_the_second_signal_ends_the_process(sent: signal.Signals) -> None:
    code = (
        "import signal; from deepmnist import stopping\n"
        f"with stopping.noted(lambda: print('noted', flush=True)):\n"
        f"    signal.raise_signal({sent:d})\n"
        f"    signal.raise_signal({sent:d})\n"
        "    print('not reached')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (-sent, "noted\n")
