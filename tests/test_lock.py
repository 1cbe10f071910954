"""lock.py: one command at a time in a folder, on any system and any store."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deepmnist import lock
from deepmnist.errors import RunError, StorageError

HOLDER = """
import signal, sys
from pathlib import Path
from deepmnist import lock

with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    signal.pause()
"""


def test_a_folder_is_made_and_kept_from_others_until_it_is_let_go(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "first"
    refused = rf"^another command is writing {re.escape(str(folder))}; wait for it, or give another"
    with lock.held(folder), pytest.raises(RunError, match=refused), lock.held(folder):
        pytest.fail("two have it")
    with lock.held(folder):
        assert [path.name for path in folder.iterdir()] == [lock.LOCK]


@pytest.mark.skipif(sys.platform == "win32", reason="it does without locks")
def test_a_killed_command_lets_go(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another command"), lock.held(tmp_path):
            pytest.fail("two have it")
        other.send_signal(signal.SIGKILL)
    with lock.held(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    told = rf"^cannot write {re.escape(str(tmp_path))}: Permission denied; name a folder you may"
    with pytest.raises(StorageError, match=told), lock.held(tmp_path):
        pytest.fail("it has what it cannot write")


def test_a_store_without_locks_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def unable(*given: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unable)
    with lock.held(tmp_path / "run"), lock.held(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()


def test_a_system_without_locks_gets_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with lock.held(tmp_path / "run"):
        assert list((tmp_path / "run").iterdir()) == []
