"""A source, a file or a folder at any place, cut into parts that depend on nothing but its listing.

Files are taken in the order of their paths, folder by folder, and go into parts until one is full:
the same listing gives the same parts on any machine. What a file is, its name says. Hidden files
and those of no known kind are passed over, and counted.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType

from deepmnist.cluster import places
from deepmnist.cluster.places import Entry, Place, shown
from deepmnist.cluster.records import PART_WEIGHT, PICTURE, READ, Kind, Part, Piece
from deepmnist.errors import DataError
from deepmnist.pictures import SUFFIXES

ENDINGS: dict[Kind, tuple[str, ...]] = {
    Kind.parquet: (".parquet",),
    Kind.table: (".csv",),
    Kind.idx: ("images-idx3-ubyte", "images.idx3-ubyte"),
    Kind.tar: (".tar", ".tar.gz", ".tgz"),
    Kind.picture: SUFFIXES,
}
KNOWN = "known are files that end in " + ", ".join(sum(ENDINGS.values(), ()))
PACKED = ".gz"  # after an IDX file's name
READABLE = (Kind.picture, Kind.tar, Kind.parquet)  # that may hold pictures of many digits


@dataclass
class Listing:
    """The files of a source, in order. `passed_over` counts the others as they are met."""

    place: Place  # the source, or the folder that it is a file of
    only: str | None  # the file, if it is one
    passed_over: int = 0
    example: str = ""  # one of those

    def __iter__(self) -> Iterator[Entry]:
        """Every file that has rows. DataError where a folder cannot be looked into."""
        if self.only is None:
            yield from self._below("")
        elif (entry := self.place.entry(self.only)) is not None:
            yield entry

    def _below(self, folder: str) -> Iterator[Entry]:
        for entry in self.place.children(folder):
            name = entry.path.rpartition("/")[2]
            if name.startswith("."):
                continue
            if entry.is_folder:
                yield from self._below(entry.path)
            elif kind_of(entry.path) is not None:
                yield entry
            else:
                self.passed_over += 1
                self.example = self.example or shown(entry.path)


def listing(address: str) -> Listing:
    """The files of a source. DataError where there is nothing, or nothing that can be scored."""
    place = places.at(address)
    root = place.entry()
    if root is None:
        raise DataError(f"{address} does not exist; give a file or a folder of data")
    if root.is_folder:
        return Listing(place, None)
    folder, name = places.folder_and_name(place)
    if kind_of(name) is None:
        raise DataError(f"{address} is of no kind that is scored; {KNOWN}")
    return Listing(places.at(folder), name)


def kind_of(path: str) -> Kind | None:
    """What a file is by its name; None for what has no rows."""
    name = path.lower()
    bare = name.removesuffix(PACKED)
    for kind, endings in ENDINGS.items():
        if name.endswith(endings) or (kind is Kind.idx and bare.endswith(endings)):
            return kind
    return None


def shard_module(kind: Kind) -> ModuleType:
    """The module of shards/ that cuts and reads this kind."""
    return importlib.import_module(f"deepmnist.cluster.shards.{kind}")


def parts(place: Place, listing: Iterable[Entry], read: bool = False) -> Iterator[Part]:
    """The parts of a listing. With `read`, pictures are pages of digits, which take longer."""
    pieces: list[Piece] = []
    number = weight = 0
    for piece in _pieces(place, listing, read):
        pieces.append(piece)
        weight += piece.weight
        if weight >= PART_WEIGHT:
            yield Part(number, tuple(pieces))
            pieces, weight, number = [], 0, number + 1
    if pieces:
        yield Part(number, tuple(pieces))


def _pieces(place: Place, listing: Iterable[Entry], read: bool) -> Iterator[Piece]:
    for entry in listing:
        kind = kind_of(entry.path)
        if kind is None:
            raise ValueError(f"{entry.path} does not belong in a listing")
        heavier = READ // PICTURE if read and kind in READABLE else 1
        for piece in _cut(place, entry, kind):
            yield replace(piece, weight=piece.weight * heavier)


def _cut(place: Place, entry: Entry, kind: Kind) -> list[Piece]:
    """A file's pieces, never none, so that the parts name every file."""
    whole = Piece(entry.path, kind, entry.size, entry.modified_ns)
    try:
        return list(shard_module(kind).cut(place, entry)) or [replace(whole, stop=0, weight=0)]
    except DataError:
        return [replace(whole, weight=PICTURE)]  # reading it will say why
