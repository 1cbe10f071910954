"""chatter.py: what native code writes to stderr is dropped, for as long as it is asked to be."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from deepmnist import chatter


def native(text: str) -> None:
    """As C++ does: past sys.stderr, to the descriptor."""
    os.write(chatter.STDERR, text.encode())


def run(program: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own, whose descriptors no test has replaced."""
    return subprocess.run(
        [sys.executable, "-c", f"import os, sys\nfrom deepmnist import chatter\n{program}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )


def test_stderr_is_dropped_within_and_kept_before_and_after(
    capfd: pytest.CaptureFixture[str],
) -> None:
    native("before ")
    with chatter.dropped():
        native("within ")
        print("out")
    native("after")
    assert capfd.readouterr() == ("out\n", "before after")


def test_what_python_had_yet_to_write_is_not_lost() -> None:
    done = run(
        "sys.stderr.write('unfinished line')\nwith chatter.dropped():\n    sys.stderr.flush()\n"
    )
    assert (done.returncode, done.stderr) == (0, "unfinished line")


def test_an_exception_passes_and_stderr_is_back(capfd: pytest.CaptureFixture[str]) -> None:

    def convert() -> None:
        with chatter.dropped():
            native("within")
            raise ValueError("of the converter")

    with pytest.raises(ValueError, match="of the converter"):
        convert()
    native("after")
    assert capfd.readouterr().err == "after"


def test_one_within_another_gives_stderr_back_once_both_are_left(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with chatter.dropped():
        with chatter.dropped():
            native("inner")
        native("outer")
    native("after")
    assert capfd.readouterr().err == "after"


def test_threads_that_overlap_give_stderr_back_once_the_last_has_left(
    capfd: pytest.CaptureFixture[str],
) -> None:
    one_is_in, other_is_in, one_is_out = (threading.Event() for _ in range(3))

    def one() -> None:
        with chatter.dropped():
            one_is_in.set()
            other_is_in.wait()
        one_is_out.set()

    def other() -> None:
        one_is_in.wait()
        with chatter.dropped():
            other_is_in.set()
            one_is_out.wait()
            native("within")

    threads = [threading.Thread(target=each) for each in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    native("after")
    assert capfd.readouterr().err == "after"


def test_no_descriptor_is_left_open() -> None:
    before = os.listdir("/dev/fd")
    for _ in range(5):
        with chatter.dropped():
            pass
    assert os.listdir("/dev/fd") == before


def test_a_process_without_a_stderr_goes_on() -> None:
    done = run(
        "sys.stderr = None\nos.close(2)\nwith chatter.dropped():\n    print('ran')\n",
    )
    assert (done.returncode, done.stdout) == (0, "ran\n")
