"""How many numbers the tags of a TIFF hold: who opens one makes an object of each.

The first directory is walked as Pillow walks it (TIFF 6.0, section 2; BigTIFF has the same with
longer numbers), and those of Exif, GPS and interoperability below it, which Pillow reads whole
(Exif 2.32, section 4.6.3). It decodes nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

ORDERS = {b"II": "<", b"MM": ">"}
BIG = 43  # byte 2 of a BigTIFF
TEXT = (1, 2, 7)  # types of a tag: bytes, characters, anything; these stay as they are
PLACES = (273, 324)  # where strips and tiles lie, gone through one by one whatever their type
BELOW = (34665, 34853, 40965)  # where the directories of Exif, GPS and interoperability lie
WHOLE = {3: "H", 4: "L", 8: "h", 9: "l", 13: "L", 16: "Q"}  # types that may tell a place


class _Form(NamedTuple):
    """How a TIFF writes its directories, as struct names it."""

    order: str
    many: str  # how many tags there are
    entry: str  # tag, type, count, and the value or where it lies
    place: str


class _Entry(NamedTuple):
    """A tag of a directory."""

    tag: int
    kind: int
    many: int  # of them
    value: bytes  # or where it lies, if it is longer


def numbers(data: bytes, most: int) -> int:
    """The tags of the first picture and the numbers in them; 0 of what is no TIFF.

    Counted until they are more than `most`.
    """
    order, big = ORDERS.get(data[:2]), data[2:3] == bytes([BIG])
    if order is None:
        return 0
    form = _Form(order, "Q", "HHQ8s", "Q") if big else _Form(order, "H", "HHL4s", "L")
    start = _number(data, form.order + form.place, 8 if big else 4)
    seen, waiting = {None, start}, [start]  # directories, each walked once
    counted = 0
    while waiting:
        for entry in _entries(data, form, waiting.pop()):
            counted += 1 + _numbers(entry, len(data))
            if counted > most:
                return counted
            below = _place(data, form, entry)
            if below not in seen:
                seen.add(below)
                waiting.append(below)
    return counted


def _entries(data: bytes, form: _Form, start: int | None) -> Iterator[_Entry]:
    """Those that the file holds of the directory at `start`; none where it ends before."""
    tags = None if start is None else _number(data, form.order + form.many, start)
    if start is None or tags is None:
        return
    size = struct.calcsize(form.order + form.entry)
    first = start + struct.calcsize(form.order + form.many)
    whole = min(tags, (len(data) - first) // size)
    rows = memoryview(data)[first : first + whole * size]
    yield from map(_Entry._make, struct.iter_unpack(form.order + form.entry, rows))


def _numbers(entry: _Entry, most: int) -> int:
    """How many it has; none where they are more than the file could hold, since it is left out."""
    objects = entry.kind not in TEXT or entry.tag in PLACES
    return entry.many if objects and entry.many <= most else 0


def _place(data: bytes, form: _Form, entry: _Entry) -> int | None:
    """Where the directory lies that a tag points to, if it points to one."""
    if entry.tag not in BELOW or entry.kind not in WHOLE or entry.many != 1:
        return None
    kind = form.order + WHOLE[entry.kind]
    if struct.calcsize(kind) <= len(entry.value):
        return _number(entry.value, kind, 0)
    at = _number(entry.value, form.order + form.place, 0)
    return None if at is None else _number(data, kind, at)


def _number(data: bytes, form: str, place: int) -> int | None:
    """The number that lies there; None where none does, or a negative one."""
    try:
        (number,) = struct.unpack_from(form, data, place)
    except (struct.error, OverflowError):  # it ends before, or says that it goes on far behind
        return None
    return None if number < 0 else int(number)
