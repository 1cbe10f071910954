"""One command at a time in a folder. The system lets go of a killed one's lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deepmnist.errors import RunError, StorageError, reason

LOCK = ".lock"  # the file in it


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make `folder` where it is missing, and keep every other command off it.

    RunError where another has it, StorageError where it cannot be written. Where the system has
    no such locks, it does without.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        folder.mkdir(parents=True, exist_ok=True)
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {reason(error)}; name a folder you may write to"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"another command is writing {folder}; wait for it, or give another --out"
            ) from error
        except OSError:
            pass  # a mounted store without locks
        yield
