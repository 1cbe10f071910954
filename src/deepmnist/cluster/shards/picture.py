"""Picture files, each a row. They are read when they are decoded, several at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from deepmnist.cluster import places
from deepmnist.cluster.places import Entry, Place
from deepmnist.cluster.records import PICTURE, Kind, Picture, Piece, Read
from deepmnist.pictures import MAX_FILE_BYTES


def cut(place: Place, entry: Entry) -> Iterator[Piece]:
    """One piece."""
    yield Piece(entry.path, Kind.picture, entry.size, entry.modified_ns, 0, 1, weight=PICTURE)


def rows(place: Place, piece: Piece) -> Iterator[Read]:
    """One picture, not read yet."""
    load = partial(places.content, place, piece.path, MAX_FILE_BYTES)
    yield Picture(piece.path, None, load, image_as_is=False)
