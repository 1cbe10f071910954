"""shards/idx.py: every whole image of a torn file is read, and what is missing is counted."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepmnist.cluster.places import Local
from deepmnist.cluster.records import Images, Piece, Unreadable
from deepmnist.cluster.shards import idx
from deepmnist.data.dataset import Dataset
from deepmnist.errors import DataError
from tests.cluster.files import idx_file

NAME = "a-images-idx3-ubyte"


def read(folder: Path, data: bytes) -> tuple[list[Piece], list[Any]]:
    """The pieces of a file, and all their rows."""
    (folder / NAME).write_bytes(data)
    place = Local(folder)
    entry = place.entry(NAME)
    assert entry is not None
    pieces = list(idx.cut(place, entry))
    return pieces, [found for piece in pieces for found in idx.rows(place, piece)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "PART_WEIGHT", 25)
    monkeypatch.setattr(idx, "BLOCK_ROWS", 10)


@pytest.mark.usefixtures("small")
def test_a_file_is_cut_and_its_pieces_hold_every_image_once(tmp_path: Path, tiny: Dataset) -> None:
    images = np.asarray(tiny.images)
    pieces, found = read(tmp_path, idx_file(images))
    assert [(piece.start, piece.stop) for piece in pieces] == [(0, 25), (25, 50), (50, 60)]
    assert np.array_equal(np.concatenate([each.images for each in found]), images)
    assert np.concatenate([each.rows for each in found]).tolist() == list(range(1, 61))
    assert max(len(each.images) for each in found) == 10


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_of_a_torn_file_every_whole_image_is_read(tmp_path: Path, tiny: Dataset, pack: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28)).astype(np.uint8)
    data = pack(idx_file(images))
    _, found = read(tmp_path, data[: len(data) // 2])
    *whole, torn = found
    count = sum(len(each.images) for each in whole)
    assert 20 < count < 31
    assert np.array_equal(np.concatenate([each.images for each in whole]), images[:count])
    assert isinstance(torn, Unreadable)
    assert (torn.row, torn.rows) == (count + 1, 60 - count)
    assert "truncated" in torn.reason


def test_a_claim_beyond_all_bounds_costs_nothing(tmp_path: Path, tiny: Dataset) -> None:
    _, (images, missing) = read(tmp_path, idx_file(np.asarray(tiny.images), claimed=2**32 - 1))
    assert (len(images.images), missing.rows) == (60, 2**32 - 61)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bytes_after_the_last_image_are_told(tmp_path: Path, tiny: Dataset, pack: Any) -> None:
    _, found = read(tmp_path, pack(idx_file(np.asarray(tiny.images), claimed=59)))
    assert isinstance(found[0], Images)
    assert (len(found[0].images), found[-1].row, found[-1].rows) == (59, 60, None)
    assert "goes on after the 59 images" in found[-1].reason


def test_images_of_another_size_are_refused_as_one(tmp_path: Path) -> None:
    _, (refused,) = read(tmp_path, idx_file(np.zeros((7, 20, 20), np.uint8)))
    assert (refused.row, refused.rows) == (1, 7)
    assert "images are 20x20; they must be 28x28" in refused.reason


def test_an_empty_file_of_images_has_no_rows(tmp_path: Path) -> None:
    _, found = read(tmp_path, idx_file(np.zeros((0, 28, 28), np.uint8)))
    assert found == []


@pytest.mark.parametrize("data", [b"", b"\0\0\x08\x01" + bytes(20), b"\x1f\x8bno"])
def test_a_file_that_is_none_is_a_data_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"truncated|no IDX file"):
        read(tmp_path, data)
