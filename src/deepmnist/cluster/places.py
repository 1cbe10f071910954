"""Where files lie: a local folder, or an address (s3://, gs://, hdfs://, ...).

A place lists one folder at a time, opens files, and writes a file whole or not at all. Paths are
relative to the place and joined by "/". It knows no formats. Addresses go to pyarrow's filesystems,
and those that pyarrow does not know to fsspec's.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from deepmnist import atomic
from deepmnist.errors import DataError, MissingExtraError, StorageError, reason

if TYPE_CHECKING:
    from pyarrow import fs

NO_TIME = -1  # where a store tells no time of change
STALE_S = 6 * 3_600  # far longer than a part takes
READ_BYTES = 2**20  # asked of a remote file at once


@dataclass(frozen=True)
class Entry:
    """What a folder holds under a name. Bytes and time of change are those of a file."""

    path: str  # relative to the place; "" is the place itself
    is_folder: bool
    size: int  # bytes
    modified_ns: int


class Place(Protocol):
    """A folder or a file, and what lies below it."""

    address: str  # `at` makes the same place of it on any machine

    def entry(self, path: str = "") -> Entry | None:
        """What is there, None for nothing. DataError where nobody may look."""

    def children(self, path: str = "") -> list[Entry]:
        """What a folder holds, by name, links to folders left out. DataError as above."""

    def open(self, path: str) -> BinaryIO:
        """A file to read and seek in. DataError where it cannot be."""

    def replacing(self, path: str) -> Any:
        """A context that gives a file to write; on leaving it takes its name.

        On any exception nothing is left of it. StorageError where the store refuses.
        """

    def remove(self, path: str) -> None:
        """Remove a file, if it is there. StorageError where the store refuses."""

    def sweep(self) -> None:
        """Remove what killed writers left; in a store, which others may write to, what is old."""


def at(address: str) -> Place:
    """The place of a path, or of an address. DataError for an address of no known kind."""
    if "://" not in address or address.startswith("file://"):
        return Local(Path(address.removeprefix("file://")))
    return Remote(address)


def inside(inner: Place, outer: Place) -> bool:
    """Whether one place is the other, or lies below it."""
    return f"{_named(inner)}/".startswith(f"{_named(outer)}/")


def folder_and_name(place: Place) -> tuple[str, str]:
    """The address of the folder that a file lies in, with its query, and the file's name."""
    named, query = _parted(place.address)
    folder, _, name = named.rpartition("/")
    return (folder or "/") + query, name


def _named(place: Place) -> str:
    return _parted(place.address)[0].rstrip("/")


def _parted(address: str) -> tuple[str, str]:
    """What an address names, and its query, which says how to get there."""
    if "://" not in address:  # a path, in which a question mark is one
        return address, ""
    named, mark, query = address.partition("?")
    return named, mark + query


def joined(folder: str, name: str) -> str:
    """A path below a place."""
    return f"{folder}/{name}" if folder else name


def content(place: Place, path: str, most: int) -> bytes:
    """A file's bytes, one more than `most` at most. DataError where it cannot be read."""
    with place.open(path) as file, reading(path):
        return file.read(most + 1)


@contextmanager
def reading(path: str) -> Iterator[None]:
    """What a store raises while a file is read becomes a DataError of one line that names it."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL in a path, pyarrow's own errors
        raise DataError(f"cannot read {shown(path)}: {reason(error)}") from error


def shown(path: str) -> str:
    """A path fit for one line and for UTF-8: what is neither is escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]


class Local:
    """A folder or file of this machine, or of a file system that it has mounted."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        self.address = str(self.path)

    def entry(self, path: str = "") -> Entry | None:
        with reading(str(self.path / path)):
            try:
                return _entry(path, _looked_at(self.path / path))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def children(self, path: str = "") -> list[Entry]:
        with reading(str(self.path / path)), os.scandir(self.path / path) as found:
            kept = [each for each in found if not (each.is_symlink() and each.is_dir())]
            looks = [(each.name, _looked_at(each.path)) for each in kept]
        entries = [_entry(joined(path, name), look) for name, look in looks if _may_hold(look)]
        return sorted(entries, key=lambda each: each.path)

    def open(self, path: str) -> BinaryIO:
        with reading(str(self.path / path)):
            return (self.path / path).open("rb")

    @contextmanager
    def replacing(self, path: str) -> Iterator[BinaryIO]:
        with atomic.replacing(self.path / path) as temporary, temporary.open("wb") as file:
            yield file

    def remove(self, path: str) -> None:
        try:
            (self.path / path).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot remove {self.path / path}: {reason(error)}") from error

    def sweep(self) -> None:
        for folder in (self.path, *(each for each in self.path.glob("*") if each.is_dir())):
            atomic.sweep(folder)


def _looked_at(path: str | Path) -> os.stat_result:
    """What is there; of a link that leads nowhere, the link, so that its row is not lost."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return os.lstat(path)


def _may_hold(found: os.stat_result) -> bool:
    """Whether it may hold rows: to open a pipe would wait for its writer."""
    kinds = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    return any(is_kind(found.st_mode) for is_kind in kinds)


def _entry(path: str, found: os.stat_result) -> Entry:
    return Entry(path, stat.S_ISDIR(found.st_mode), found.st_size, found.st_mtime_ns)


class Remote:
    """What lies at an address."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._files, self._root = _filesystem(self.address)

    def entry(self, path: str = "") -> Entry | None:
        with reading(self._shown(path)):
            info = self._files.get_file_info(self._path(path))
        return self._entry(info) if info.is_file or _is_folder(info) else None

    def children(self, path: str = "") -> list[Entry]:
        from pyarrow.fs import FileSelector

        with reading(self._shown(path)):
            infos = self._files.get_file_info(FileSelector(self._path(path)))
        return sorted(map(self._entry, infos), key=lambda each: each.path)

    def open(self, path: str) -> BinaryIO:
        with reading(self._shown(path)):
            return BufferedReader(self._files.open_input_file(self._path(path)), READ_BYTES)

    @contextmanager
    def replacing(self, path: str) -> Iterator[BinaryIO]:
        """Stores take an object whole when it is closed; the move keeps that true of others."""
        name = self._path(path)
        folder, _, last = name.rpartition("/")
        temporary = f"{folder}/.{last}.{secrets.token_hex(8)}{atomic.PART}"
        try:
            self._files.create_dir(folder, recursive=True)
            with self._files.open_output_stream(temporary) as file:
                yield file
            self._files.move(temporary, name)
        except BaseException as error:
            with suppress(OSError, ValueError):
                self._files.delete_file(temporary)
            if isinstance(error, OSError | ValueError):
                raise StorageError(f"cannot write {self._shown(path)}: {reason(error)}") from error
            raise

    def remove(self, path: str) -> None:
        try:
            self._files.delete_file(self._path(path))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot remove {self._shown(path)}: {reason(error)}") from error

    def sweep(self) -> None:
        if self.entry() is None:
            return
        entries = self.children()
        for folder in [each for each in entries if each.is_folder]:
            entries += self.children(folder.path)
        for each in entries:
            name = each.path.rpartition("/")[2]
            if name.startswith(".") and name.endswith(atomic.PART) and _is_stale(each):
                self.remove(each.path)

    def _entry(self, info: fs.FileInfo) -> Entry:
        path = info.path.removeprefix(self._root).strip("/")
        modified_ns = NO_TIME if info.mtime_ns is None else info.mtime_ns
        return Entry(path, _is_folder(info), info.size or 0, modified_ns)

    def _path(self, path: str) -> str:
        """A path in the filesystem; "" is the place itself."""
        return joined(self._root, path).rstrip("/")

    def _shown(self, path: str) -> str:
        return joined(self.address, path)


def _is_stale(entry: Entry) -> bool:
    """Whether nobody writes it any more; nobody knows where no time is told."""
    return entry.modified_ns != NO_TIME and entry.modified_ns < (time.time() - STALE_S) * 1e9


def _is_folder(info: fs.FileInfo) -> bool:
    from pyarrow.fs import FileType

    return bool(info.type == FileType.Directory)


def _filesystem(address: str) -> tuple[fs.FileSystem, str]:
    """The filesystem of an address, and the path in it."""
    try:
        from pyarrow import fs
    except ImportError as error:
        raise MissingExtraError(f"{address}", "parquet") from error
    try:
        return fs.FileSystem.from_uri(address)
    except ValueError as error:  # no kind that pyarrow knows
        return _fsspec(address, error)
    except OSError as error:
        raise DataError(f"cannot reach {address}: {reason(error)}") from error


def _fsspec(address: str, unknown: ValueError) -> tuple[fs.FileSystem, str]:
    from pyarrow import fs

    kind = address.partition("://")[0]
    try:
        import fsspec

        filesystem, path = fsspec.core.url_to_fs(address)
    except ImportError as error:  # fsspec itself, or the package it needs for this kind
        raise DataError(f"{address}: pyarrow knows no {kind}://, and {reason(error)}") from unknown
    except (OSError, ValueError) as error:
        raise DataError(f"cannot reach {address}: {reason(error)}") from error
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path.rstrip("/")
