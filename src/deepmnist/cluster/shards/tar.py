"""Tar shards of pictures, gzipped or not, read from start to end in little memory.

Python's own reader takes a damaged header, or a file that ends between two members, for the end of
the archive; here every archive must end with its mark, and nothing but zeros may follow, so that no
picture is lost without a word.
Members that are no pictures by their name (labels beside them, folders) are passed over. Links and
sparse files with a picture's name are told: their bytes lie elsewhere, or with holes.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from functools import partial

from deepmnist.cluster import places
from deepmnist.cluster.places import Entry, Place
from deepmnist.cluster.records import PART_WEIGHT, Kind, Picture, Piece, Read, Unreadable
from deepmnist.cluster.shards import streams
from deepmnist.errors import reason
from deepmnist.pictures import MAX_FILE_BYTES, SUFFIXES

BLOCK = tarfile.BLOCKSIZE
MAX_NOTE_BYTES = 2**20  # of what tells a member's long name
PAX, PAX_FOR_ALL, LONG_NAME, LONG_LINK = b"x", b"g", b"L", b"K"
NOTES = (PAX, PAX_FOR_ALL, LONG_NAME, LONG_LINK)
MAP_GOES_ON, MAP_STILL_GOES_ON = 482, 504  # in a sparse file's header, and in a block of its map
A_SIZE = re.compile(r"[0-9]{1,30}")
TYPICAL_BYTES = 2**15  # of a picture, to guess the work in an archive


def cut(place: Place, entry: Entry) -> Iterator[Piece]:
    """One piece: where a member begins is known only from the one before."""
    weight = max(PART_WEIGHT, entry.size // TYPICAL_BYTES)
    yield Piece(entry.path, Kind.tar, entry.size, entry.modified_ns, weight=weight)


def rows(place: Place, piece: Piece) -> Iterator[Read]:
    """The pictures of an archive, and the place where it is torn."""
    with streams.opened(place, piece.path) as stream:
        number = 0
        try:
            for name, size, whole in _members(stream):
                if not is_picture(name):
                    stream.skip(_padded(size))
                    continue
                number += 1
                yield _member(stream, f"{piece.path}/{name}", number, size, whole)
        except _TornError as error:
            yield Unreadable(piece.path, number + 1, None, str(error))


def is_picture(name: str) -> bool:
    """Whether a path is a picture's by its name, and not hidden."""
    return name.lower().endswith(SUFFIXES) and not name.rpartition("/")[2].startswith(".")


class _TornError(Exception):
    """The archive ends before its end mark or goes on after it, or a header in it is damaged."""


def _member(
    stream: streams.Stream, path: str, number: int, size: int, whole: bool
) -> Picture | Unreadable:
    if not whole or size > MAX_FILE_BYTES:
        stream.skip(_padded(size))
        large = f"larger than {MAX_FILE_BYTES // 2**20} MiB"
        return Unreadable(path, number, 1, large if whole else "a link or a sparse file")
    data = stream.read(size)
    if len(data) < size:
        return Unreadable(path, number, 1, f"truncated: {len(data):,} of {size:,} bytes")
    stream.skip(_padded(size) - size)
    return Picture(path, number, partial(bytes, data), image_as_is=False)


def _members(stream: streams.Stream) -> Iterator[tuple[str, int, bool]]:
    """Name and bytes of all but folders, and whether those bytes are the file.

    Whoever asks for the next has read or passed over the last.
    """
    notes: dict[str, str] = {}
    while (header := _header(stream)) is not None:
        if header.type in NOTES:
            notes |= _notes(header.type, _note(stream, header.size))
            continue
        if not header.isdir():
            name = notes.get("GNU.sparse.name", notes.get("path", header.name))
            sparse = header.type == tarfile.GNUTYPE_SPARSE or any("sparse" in key for key in notes)
            yield name, _size(header, notes), header.isreg() and not sparse
        notes = {}


def _size(header: tarfile.TarInfo, notes: dict[str, str]) -> int:
    """Bytes that follow; links have none."""
    if header.type in tarfile.SUPPORTED_TYPES and not header.isreg():
        return 0
    noted = notes.get("size", str(header.size))
    if not A_SIZE.fullmatch(noted):
        raise _TornError(f"damaged: a size of {places.shown(noted[:20])}")
    return int(noted)


def _header(stream: streams.Stream) -> tarfile.TarInfo | None:
    """The next header; None at the mark of the end."""
    data = stream.read(BLOCK)
    if len(data) == BLOCK and not any(data):
        _check_ended(stream)
        return None
    if len(data) < BLOCK:
        raise _TornError(f"truncated: {stream.fault or 'the archive has no end mark'}")
    try:
        header = tarfile.TarInfo.frombuf(data, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise _TornError(f"damaged: {reason(error)}") from error
    more = header.type == tarfile.GNUTYPE_SPARSE and data[MAP_GOES_ON] != 0
    while more:
        more = any(stream.read(BLOCK)[MAP_STILL_GOES_ON:][:1])
    return header


def _check_ended(stream: streams.Stream) -> None:
    """A block of zeros is the mark of the end, or a lost header: then more than zeros follows."""
    while data := stream.read(streams.READ_BYTES):
        if any(data):
            raise _TornError("damaged: it goes on after its end mark")
    if stream.fault is not None:
        raise _TornError(f"damaged after its end mark: {stream.fault}")


def _note(stream: streams.Stream, size: int) -> bytes:
    if not 0 <= size <= MAX_NOTE_BYTES:
        raise _TornError(f"damaged: a name of {size:,} bytes")
    data = stream.read(_padded(size))
    if len(data) < size:
        raise _TornError(f"truncated: {stream.fault or 'the archive ends in a header'}")
    return data[:size]


def _notes(kind: bytes, note: bytes) -> dict[str, str]:
    """What a note says of the member that follows: its path, its size."""
    if kind == LONG_NAME:
        return {"path": note.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    if kind != PAX:
        return {}
    found = re.findall(rb"\d+ (path|size|GNU\.sparse\.\w+)=([^\n]*)\n", note)
    return {key.decode(): value.decode("utf-8", "surrogateescape") for key, value in found}


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
