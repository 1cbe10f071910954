"""headers.py: what is written is what is read."""

from __future__ import annotations

import io

import pytest

from deepmnist.data import headers
from deepmnist.errors import DataError


def test_what_is_written_is_read_and_as_long_as_said() -> None:
    images, labels = headers.images_header(70_000), headers.labels_header(70_000)
    assert (len(images), len(labels)) == (headers.IMAGES_HEADER_BYTES, headers.LABELS_HEADER_BYTES)
    read = headers.header(io.BytesIO(images), "a", headers.IMAGES_MAGIC, 3)
    assert read == (70_000, 28, 28)
    assert headers.header(io.BytesIO(labels), "b", headers.LABELS_MAGIC, 1) == (70_000,)


def test_one_kind_is_not_taken_for_the_other() -> None:
    labels = io.BytesIO(headers.labels_header(3) + bytes(8))
    with pytest.raises(DataError, match="no IDX file of images: its magic number is 0x00000801"):
        headers.header(labels, "a", headers.IMAGES_MAGIC, 3)
