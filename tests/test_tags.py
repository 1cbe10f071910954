"""tags.py counts what opening a TIFF would make objects of, and nothing else."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepmnist import tags

BYTE, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 3, 4, 5, 7, 16
SOFTWARE, STRIPS, TILES = 305, 273, 324
EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
ENDLESS = 10**9
HEADS = {
    "little": ("<", b"II*\0", "L", "H", "HHLL"),
    "big": (">", b"MM\0*", "L", "H", "HHLL"),
    "little, long": ("<", b"II+\0\x08\0\0\0", "Q", "Q", "HHQQ"),
}

Entry = tuple[int, ...]  # tag, type, count, and perhaps a value


def tiff(head: str, *directories: list[Entry], behind: int = 1_000) -> bytes:
    """Directories one after another, and so many bytes behind them.

    A value below zero stands for the place of the directory of that number, counted from the end.
    """
    order, start, offset, many, entry = HEADS[head]
    sizes = [
        struct.calcsize(order + many) + len(each) * struct.calcsize(order + entry)
        for each in directories
    ]
    first = len(start) + struct.calcsize(order + offset)
    places = [first + sum(sizes[:number]) for number in range(len(sizes))]
    written = start + struct.pack(order + offset, first)
    for each in directories:
        written += struct.pack(order + many, len(each))
        for tag, kind, count, *more in each:
            value = more[0] if more else 0
            value = places[value] if value < 0 else value
            if kind == SHORT and count == 1 and order == ">":
                value <<= 16  # the first bytes count
            written += struct.pack(order + entry, tag, kind, count, value)
    return written + bytes(behind)


@pytest.mark.parametrize("head", HEADS)
def test_tags_and_their_numbers_count_in_either_order_and_size(head: str) -> None:
    data = tiff(head, [(256, SHORT, 1), (258, SHORT, 700), (259, SHORT, 9)])
    assert tags.numbers(data, ENDLESS) == 3 + 710


def test_bytes_count_only_where_they_are_places_of_strips_or_tiles() -> None:
    plain = tiff("little", [(SOFTWARE, BYTE, 700), (37724, UNDEFINED, 700)])
    assert tags.numbers(plain, ENDLESS) == 2
    assert tags.numbers(tiff("little", [(STRIPS, BYTE, 700)]), ENDLESS) == 701
    assert tags.numbers(tiff("little", [(TILES, UNDEFINED, 700)]), ENDLESS) == 701


def test_a_tag_that_the_file_cannot_hold_is_left_out_as_pillow_leaves_it_out() -> None:
    assert tags.numbers(tiff("little", [(258, SHORT, 2**32 - 1)]), ENDLESS) == 1


def test_what_is_more_than_asked_for_is_not_counted_to_its_end() -> None:
    assert tags.numbers(tiff("little, long", [(256, SHORT, 1)] * 300), 100) == 102


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", [SHORT, LONG])
@pytest.mark.parametrize("tag", [EXIF, GPS, INTEROPERABILITY])
def test_the_directories_below_the_first_count(head: str, kind: int, tag: int) -> None:
    data = tiff(head, [(tag, kind, 1, -1)], [(1, RATIONAL, 50)])
    assert tags.numbers(data, ENDLESS) == 2 + 51


def test_a_directory_below_another_counts_and_each_once() -> None:
    """Each tells where the other lies, and the file ends all the same."""
    pointing = [(EXIF, LONG, 1, -2), (GPS, LONG, 1, -2), (INTEROPERABILITY, LONG, 1, -1)]
    data = tiff("little", pointing, pointing, [(1, RATIONAL, 50)])
    assert tags.numbers(data, ENDLESS) == 2 * 6 + 51


def test_a_place_that_does_not_fit_its_tag_is_looked_up_where_it_lies() -> None:
    data = tiff("little", [(EXIF, LONG8, 1, 22)], behind=0)
    data += struct.pack("<Q", 30) + struct.pack("<HHHLL", 1, 1, RATIONAL, 50, 0) + bytes(1_000)
    assert tags.numbers(data, ENDLESS) == 2 + 51


@pytest.mark.parametrize(
    "entry", [(EXIF, RATIONAL, 1, 8), (EXIF, LONG, 2, 8), (EXIF, LONG, 1, 9_999)]
)
def test_what_points_to_no_directory_is_a_tag_like_any_other(entry: Entry) -> None:
    assert tags.numbers(tiff("little", [entry]), ENDLESS) == 1 + entry[2]


def test_pillow_reads_the_very_directories_that_are_counted() -> None:
    usual = {256: 28, 257: 28, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 28, 279: 784}
    first = [(tag, LONG, 1, value) for tag, value in usual.items()]
    first += [(EXIF, LONG, 1, -3), (GPS, LONG, 1, -2), (INTEROPERABILITY, LONG, 1, -1)]
    many = (700, SHORT, 500)
    data = tiff("little", first, [many, (INTEROPERABILITY, LONG, 1, -1)], [many], [many])
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        below = [opened.getexif().get_ifd(each) for each in (EXIF, GPS, INTEROPERABILITY)]
    assert [len(each[700]) for each in below] == [500, 500, 500]
    assert tags.numbers(data, ENDLESS) == 2 * 12 + 2 + 3 * 501


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_usual_picture_has_few(kind: str) -> None:
    file = io.BytesIO()
    Image.radial_gradient("L").save(file, kind)
    assert tags.numbers(file.getvalue(), ENDLESS) <= 40


@given(st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b""]))
def test_any_bytes_have_a_number_of_tags(data: bytes, head: bytes) -> None:
    assert tags.numbers(head + data, 1_000) >= 0
