"""What a JPEG may hold very often: scans, each work for every pixel, and segments of EXIF.

Markers are followed as a decoder follows them (ITU-T T.81, annex B), so that neither a thumbnail
in the metadata nor a film behind the end counts. It decodes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

START = b"\xff\xd8"  # of a JPEG, and of several in one file
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # of those that say a length
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
END, SCAN = 0xD9, 0xDA
APP1, EXIF = 0xE1, b"Exif\0\0"


def of_exif(data: bytes, most: int) -> int:
    """How many segments of EXIF come before the first scan; counted no further than past `most`.

    Cameras write one. Who opens the file joins them one by one, which takes as long as their number
    squared.
    """
    found = 0
    for kind, place in _segments(data):
        if kind == SCAN or found > most:
            break
        found += kind == APP1 and data.startswith(EXIF, place + 2)
    return found


def decoded(data: bytes) -> int:
    """The number of scans: 1, whatever follows, where the first holds all colours at full depth."""
    frame, colours, scans = 0, b"", 0
    for kind, place in _segments(data):
        if kind in FRAMES:
            frame, colours = kind, data[place + 7 : place + 8]
        if kind == SCAN:
            scans += 1
            if frame not in PROGRESSIVE and data[place + 2 : place + 3] == colours:
                break
    return scans


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """The kind of each segment up to the end, and where its length stands."""
    place = 0
    while marker := MARKER.search(data, place):
        kind, place = data[marker.end() - 1], marker.end()
        if kind == END:
            return
        yield kind, place
        place += int.from_bytes(data[place : place + 2])
