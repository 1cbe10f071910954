"""tags.py counts what opening a TIFF would make objects of, and nothing else."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepmnist import tags

BYTE, SHORT, UNDEFINED = 1, 3, 7
SOFTWARE, STRIPS, TILES = 305, 273, 324
HEADS = {
    "little": ("<", b"II*\0", "L", "H", "HHLL"),
    "big": (">", b"MM\0*", "L", "H", "HHLL"),
    "little, long": ("<", b"II+\0\x08\0\0\0", "Q", "Q", "HHQQ"),
}


def tiff(head: str, entries: list[tuple[int, int, int]], behind: int = 1_000) -> bytes:
    """A directory of tags, types and counts, and so many bytes behind it."""
    order, start, offset, many, entry = HEADS[head]
    place = len(start) + struct.calcsize(order + offset)
    rows = b"".join(struct.pack(order + entry, *each, 0) for each in entries)
    directory = struct.pack(order + many, len(entries)) + rows
    return start + struct.pack(order + offset, place) + directory + bytes(behind)


@pytest.mark.parametrize("head", HEADS)
def test_the_longest_tag_counts_in_either_order_and_size(head: str) -> None:
    assert tags.longest(tiff(head, [(256, SHORT, 1), (258, SHORT, 700), (259, SHORT, 9)])) == 700


def test_bytes_count_only_where_they_are_places_of_strips_or_tiles() -> None:
    assert tags.longest(tiff("little", [(SOFTWARE, BYTE, 700), (37724, UNDEFINED, 700)])) == 2
    assert tags.longest(tiff("little", [(STRIPS, BYTE, 700)])) == 700
    assert tags.longest(tiff("little", [(TILES, UNDEFINED, 700)])) == 700


def test_a_tag_that_the_file_cannot_hold_is_left_out_as_pillow_leaves_it_out() -> None:
    assert tags.longest(tiff("little", [(258, SHORT, 2**32 - 1)])) == 1


def test_the_tags_themselves_count() -> None:
    assert tags.longest(tiff("little, long", [(256, SHORT, 1)] * 300)) == 300


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_usual_picture_has_few(kind: str) -> None:
    file = io.BytesIO()
    Image.radial_gradient("L").save(file, kind)
    assert tags.longest(file.getvalue()) <= 20


@given(st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b""]))
def test_any_bytes_have_a_longest_tag(data: bytes, head: bytes) -> None:
    assert 0 <= tags.longest(head + data) <= len(head + data)
