"""Writing files so that a reader finds the old one or the new one, never half of one.

Everything deepmnist writes goes to a temporary name in the same folder, to the disk, and only then
to its own name. Whatever is killed in between leaves a hidden `.part` behind, and nothing else.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deepmnist.errors import StorageError, reason

PART = ".part"  # the ending of every unfinished file or folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write a file or folder at; it takes the name `path` on leaving.

    On any exception the temporary is removed and what was at `path` stays. Its name is drawn: in
    containers that share a folder all process ids may be the same. StorageError where the system
    refuses: no space, no permission, a name that is taken.
    """
    if not path.name:  # "." or "/"
        raise StorageError(f"cannot write {path}: it is a folder that is there; give a name in it")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _to_disk(temporary)
        _take_name(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise StorageError(
            f"cannot write {path}: {reason(error)}; free some space or name a folder you may write "
            "to"
        ) from error
    except BaseException:
        _remove(temporary)
        raise


def write(path: Path, data: bytes) -> None:
    """Put `data` at `path`, whole or not at all. StorageError where the system refuses."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def check_free(path: Path) -> None:
    """StorageError where something lies at `path`, for what must not be written over."""
    try:
        taken = path.is_symlink() or path.exists()
    except (OSError, ValueError) as error:  # a name too long, a NUL in it
        raise StorageError(f"cannot write {path}: {error}; give another name") from error
    if taken:
        raise StorageError(f"{path} is there already and is not written over; give a new name")


def sweep(folder: Path) -> None:
    """Remove what killed writers left behind in `folder`."""
    for leftover in filter(is_leftover, folder.glob(".*")):
        _remove(leftover)


def is_leftover(path: Path) -> bool:
    """Whether `sweep` would remove it."""
    return path.name.startswith(".") and path.name.endswith(PART)


def _to_disk(path: Path) -> None:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    for file in files:
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())


def _take_name(temporary: Path, path: Path) -> None:
    """Rename. A folder cannot replace a folder, so the old one first steps aside, whole."""
    if not (temporary.is_dir() and path.is_dir()):
        temporary.replace(path)
        return
    old = temporary.with_suffix(f".old{PART}")
    _remove(old)
    try:
        path.replace(old)
        temporary.replace(path)
    except BaseException:  # Ctrl-C, too
        if not path.exists():
            old.replace(path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    """As far as the system lets us; what stays is hidden."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
