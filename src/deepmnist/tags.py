"""How many numbers the tags of a TIFF hold: who opens one makes an object of each.

The first directory is walked as Pillow walks it (TIFF 6.0, section 2; BigTIFF has the same with
longer numbers). It decodes nothing.
"""

from __future__ import annotations

import struct

ORDERS = {b"II": "<", b"MM": ">"}
BIG = 43  # byte 2 of a BigTIFF
TEXT = (1, 2, 7)  # types of a tag: bytes, characters, anything; these stay as they are
PLACES = (273, 324)  # where strips and tiles lie, gone through one by one whatever their type


def longest(data: bytes) -> int:
    """The most numbers that one tag of the first picture has, or its tags; 0 of what is no TIFF."""
    order, big = ORDERS.get(data[:2]), data[2:3] == bytes([BIG])
    if order is None:
        return 0
    many, offset, entry = ("Q", "8xQ", "HHQ8x") if big else ("H", "4xL", "HHL4x")
    try:
        (start,) = struct.unpack_from(order + offset, data)
        (tags,) = struct.unpack_from(order + many, data, start)
    except (struct.error, OverflowError):  # it ends before, or says that it goes on far behind
        return 0
    size = struct.calcsize(order + entry)
    first = start + struct.calcsize(order + many)
    whole = min(tags, (len(data) - first) // size)
    found = [whole]
    for tag, kind, count in struct.iter_unpack(order + entry, data[first : first + whole * size]):
        if (kind not in TEXT or tag in PLACES) and count <= len(data):  # more would be left out
            found.append(count)
    return max(found)
