"""IDX files of images, gzipped or not. Of a torn one, every whole image is read.

An uncompressed file is cut wherever a part is full; a gzipped one, which can only be read from its
start, is one piece.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepmnist.cluster.places import Entry, Place
from deepmnist.cluster.records import IMAGE, PART_WEIGHT, Images, Kind, Piece, Read, Unreadable
from deepmnist.cluster.shards import streams
from deepmnist.contract import SIDE
from deepmnist.data import headers, idx
from deepmnist.data.headers import IMAGE_BYTES, IMAGES_HEADER_BYTES, IMAGES_MAGIC

BLOCK_ROWS = 4_096


def cut(place: Place, entry: Entry) -> Iterator[Piece]:
    """The pieces of a file. DataError where its header is none."""
    with streams.opened(place, entry.path) as stream:
        count, *shape = headers.header(stream, entry.path, IMAGES_MAGIC, 3)
        packed = stream.packed
    if packed or shape != [SIDE, SIDE] or entry.size < IMAGES_HEADER_BYTES + IMAGE_BYTES:
        weight = IMAGE * min(count, entry.size * idx.MAX_DEFLATE_RATIO // IMAGE_BYTES)
        yield Piece(entry.path, Kind.idx, entry.size, entry.modified_ns, weight=weight)
        return
    held = (entry.size - IMAGES_HEADER_BYTES) // IMAGE_BYTES
    for start in range(0, min(count, held), PART_WEIGHT):
        stop = min(start + PART_WEIGHT, count, held)
        yield Piece(
            entry.path,
            Kind.idx,
            entry.size,
            entry.modified_ns,
            start,
            stop if stop < min(count, held) else count,  # the last tells what is missing
            weight=IMAGE * (stop - start),
        )


def rows(place: Place, piece: Piece) -> Iterator[Read]:
    """The images of a piece, and what is missing or too many. DataError where the header is bad."""
    with streams.opened(place, piece.path) as stream:
        count, *shape = headers.header(stream, piece.path, IMAGES_MAGIC, 3)
        if shape != [SIDE, SIDE]:
            size = "x".join(map(str, shape))
            yield Unreadable(piece.path, 1, count, f"images are {size}; they must be {SIDE}x{SIDE}")
            return
        stop = count if piece.stop < 0 else piece.stop
        stream.skip(piece.start * IMAGE_BYTES)
        done = piece.start
        for images in _images(stream, stop - done):
            yield Images(piece.path, np.arange(done, done + len(images)) + 1, images)
            done += len(images)
        if done < stop:
            why = stream.fault or f"the file ends after {done:,} of {count:,} images"
            yield Unreadable(piece.path, done + 1, stop - done, f"truncated: {why}")
        elif stop == count and stream.read(1):
            why = f"the file goes on after the {count:,} images that its header claims"
            yield Unreadable(piece.path, count + 1, None, why)


def _images(stream: streams.Stream, wanted: int) -> Iterator[np.ndarray]:
    """Arrays uint8 (n, 28, 28) of so many images in all, fewer where the bytes end."""
    while wanted > 0:
        asked = min(BLOCK_ROWS, wanted)
        data = stream.read(asked * IMAGE_BYTES)
        whole = len(data) // IMAGE_BYTES
        if whole:
            yield np.frombuffer(data, np.uint8, whole * IMAGE_BYTES).reshape(-1, SIDE, SIDE)
        if whole < asked:
            return
        wanted -= whole
