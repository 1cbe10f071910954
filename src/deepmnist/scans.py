"""How many scans of a JPEG a decoder goes through: each costs work for every pixel, and few bytes.

Markers are followed as a decoder follows them (ITU-T T.81, annex B), so that neither a thumbnail
in the metadata nor a film behind the end counts. It decodes nothing.
"""

from __future__ import annotations

import re

START = b"\xff\xd8"  # of a JPEG, and of several in one file
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # of those that say a length
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
END, SCAN = 0xD9, 0xDA


def decoded(data: bytes) -> int:
    """The number of scans: 1, whatever follows, where the first holds all colours at full depth."""
    frame, colours = 0, b""
    scans = place = 0
    while marker := MARKER.search(data, place):
        kind, place = data[marker.end() - 1], marker.end()
        length = int.from_bytes(data[place : place + 2])
        if kind == END:
            break
        if kind in FRAMES:
            frame, colours = kind, data[place + 7 : place + 8]
        if kind == SCAN:
            scans += 1
            if frame not in PROGRESSIVE and data[place + 2 : place + 3] == colours:
                break
        place += length
    return scans
