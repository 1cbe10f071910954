"""Bytes of a file in order, unpacked on the way where it is gzipped; what goes wrong is told last.

A torn file gives every byte before the tear. That is why reads do not raise.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from deepmnist.cluster import places
from deepmnist.cluster.places import Place
from deepmnist.data.idx import GZIP_MAGIC
from deepmnist.errors import reason

READ_BYTES = 2**18


class Stream:
    """A file read from its start to its end. `fault` says what ended it early; nothing follows."""

    def __init__(self, file: BinaryIO, packed: bool) -> None:
        self.packed = packed
        self.fault: str | None = None
        self._file = file

    def read(self, count: int, /) -> bytes:
        """So many bytes; fewer at the end, be it the file's or the tear."""
        found = bytearray()
        try:
            while self.fault is None and len(found) < count:
                data = self._file.read1(min(READ_BYTES, count - len(found)))  # type: ignore[attr-defined]
                if not data:
                    break
                found += data
        except (OSError, EOFError, ValueError, zlib.error) as error:
            self.fault = reason(error)
        return bytes(found)

    def skip(self, count: int) -> None:
        """Pass over so many bytes; past the end, the next read gives nothing."""
        if not self.packed:
            try:
                self._file.seek(count, 1)
            except (OSError, ValueError, OverflowError):  # some files do not go past their end
                self.fault = f"it ends before the {count:,} bytes that it claims"
            return
        while count > 0 and (data := self.read(min(READ_BYTES, count))):
            count -= len(data)


@contextmanager
def opened(place: Place, path: str) -> Iterator[Stream]:
    """The bytes of a file, unpacked. DataError where it cannot be opened."""
    with place.open(path) as file:
        with places.reading(path):
            packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
        if not packed:
            yield Stream(file, packed)
            return
        with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
            yield Stream(unpacked, packed)  # type: ignore[arg-type]
