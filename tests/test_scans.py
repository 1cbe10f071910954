"""scans.py counts what a decoder would go through, and nothing else."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepmnist import scans

BASELINE, PROGRESSIVE = 0xC0, 0xC2


def saved(**options: bool) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(file, "JPEG", **options)
    return file.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg(kind: int, colours: int, count: int) -> bytes:
    """Of `count` scans of one colour each, with what looks like the end between them."""
    frame = segment(kind, struct.pack(">BHHB", 8, 64, 64, colours) + bytes(3 * colours))
    scan = segment(0xDA, bytes([1, 1, 0, 0, 63, 0])) + b"\x12\xff\x00\xff\xd0\x34"
    comment = segment(0xFE, b"\xff\xd9")
    return b"\xff\xd8" + comment + frame + (scan + comment) * count + b"\xff\xd9"


def test_a_usual_jpeg_has_one_scan_and_a_progressive_one_ten() -> None:
    assert scans.decoded(saved()) == 1
    assert scans.decoded(saved(progressive=True)) == 10


@pytest.mark.parametrize(("kind", "colours"), [(BASELINE, 3), (PROGRESSIVE, 1), (PROGRESSIVE, 3)])
def test_every_scan_of_a_part_of_the_picture_counts(kind: int, colours: int) -> None:
    assert scans.decoded(jpeg(kind, colours, 401)) == 401


def test_after_one_scan_of_the_whole_picture_none_counts() -> None:
    assert scans.decoded(jpeg(BASELINE, 1, 401)) == 1


def test_what_comes_before_and_after_the_picture_does_not_count() -> None:
    whole = saved(progressive=True)
    thumbnail = segment(0xE1, saved(progressive=True))
    assert scans.decoded(whole[:2] + thumbnail + whole[2:] + b"\xff\xda\0\2" * 200) == 10


@given(st.binary(max_size=300))
def test_any_bytes_have_a_number_of_scans(data: bytes) -> None:
    assert scans.decoded(b"\xff\xd8" + data) >= 0
