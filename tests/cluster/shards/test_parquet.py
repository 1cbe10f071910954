"""shards/parquet.py: images in each of their forms, pictures, and what is damaged among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepmnist.cluster.places import Local
from deepmnist.cluster.records import Images, Picture, Unreadable
from deepmnist.cluster.shards import parquet
from deepmnist.data.dataset import Dataset
from deepmnist.errors import DataError
from tests.cluster.files import parquet_file, png


def read(folder: Path) -> list[Any]:
    place = Local(folder)
    entry = place.entry("a.parquet")
    assert entry is not None
    pieces = list(parquet.cut(place, entry))
    return [found for piece in pieces for found in parquet.rows(place, piece)]


def write(folder: Path, cells: Any, group: int = 7) -> None:
    pq.write_table(pa.table({"image": cells}), folder / "a.parquet", row_group_size=group)


def cells_of(images: Any, kind: str) -> pa.Array:
    flat = images.reshape(-1, 784)
    return {
        "fixed binary": lambda: pa.array([row.tobytes() for row in flat], pa.binary(784)),
        "list": lambda: pa.array([row.tolist() for row in flat]),
        "large list": lambda: pa.array(flat.tolist(), pa.large_list(pa.uint8())),
        "fixed list": lambda: pa.array(flat.tolist(), pa.list_(pa.uint8(), 784)),
        "nested": lambda: pa.array(images.tolist()),
        "nested uint8": lambda: pa.array(images.tolist(), pa.list_(pa.list_(pa.uint8()))),
        "nested fixed": lambda: pa.array(images.tolist(), pa.list_(pa.list_(pa.uint8(), 28), 28)),
    }[kind]()


KINDS = ("fixed binary", "list", "large list", "fixed list", "nested", "nested uint8")


@pytest.mark.parametrize("kind", [*KINDS, "nested fixed"])
@pytest.mark.parametrize("weight", [10, 65_536])
def test_images_in_every_form_are_read_each_once(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch, kind: str, weight: int
) -> None:
    monkeypatch.setattr(parquet, "PART_WEIGHT", weight)
    images = np.asarray(tiny.images)
    write(tmp_path, cells_of(images, kind))
    found = read(tmp_path)
    assert np.array_equal(np.concatenate([each.images for each in found]), images)
    assert np.concatenate([each.rows for each in found]).tolist() == list(range(1, 61))


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        ("list", [None, [1, 2], [300] * 784, [-1] * 784, [None] * 784]),
        ("nested", [None, [[1] * 28] * 27, [[1] * 27] * 28, [[256] * 28] * 28, [None] * 28]),
    ],
)
def test_a_bad_cell_is_told_and_its_neighbours_are_read(
    tmp_path: Path, tiny: Dataset, kind: str, bad: list[Any]
) -> None:
    images = np.asarray(tiny.images)[:12]
    good = cells_of(images, kind).to_pylist()
    cells: list[Any] = []
    for each, cell in enumerate(good):
        cells += [cell, bad[each]] if each < len(bad) else [cell]
    write(tmp_path, pa.array(cells, cells_of(images, kind).type))
    found = read(tmp_path)
    rows = np.concatenate([each.rows for each in found if isinstance(each, Images)])
    assert rows.tolist() == [1, 3, 5, 7, 9, *range(11, 18)]
    read_images = [each.images for each in found if isinstance(each, Images)]
    assert np.array_equal(np.concatenate(read_images), images)
    told = [each for each in found if isinstance(each, Unreadable)]
    assert sorted((each.row, each.rows) for each in told) == [(k, 1) for k in (2, 4, 6, 8, 10)]


def test_pictures_are_handed_on_undecoded(tmp_path: Path, tiny: Dataset) -> None:
    data = png(np.asarray(tiny.images)[0])
    write(tmp_path, [{"bytes": data, "path": "a"}, None, {"bytes": None, "path": "b"}])
    picture, *empty = read(tmp_path)
    assert isinstance(picture, Picture)
    assert (picture.row, picture.load(), picture.image_as_is) == (1, data, True)
    assert [(each.row, each.rows) for each in empty] == [(2, 1), (3, 1)]
    assert "its bytes are not in the file" in empty[0].reason


def test_of_a_damaged_file_the_sound_row_groups_are_read(tmp_path: Path, tiny: Dataset) -> None:
    images = np.asarray(tiny.images)
    path = tmp_path / "a.parquet"
    parquet_file(path, images, group=20)
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(1).column(0)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
    data = bytearray(path.read_bytes())
    data[start + 10 : start + 200] = b"\xff" * 190
    path.write_bytes(bytes(data))
    first, damaged, last = read(tmp_path)
    assert np.array_equal(first.images, images[:20])
    assert np.array_equal(last.images, images[40:])
    assert (damaged.row, damaged.rows) == (21, 20)
    assert damaged.reason.startswith("row group 1: ")


def test_a_row_group_that_claims_too_much_is_not_unpacked(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 1_000)
    parquet_file(tmp_path / "a.parquet", np.asarray(tiny.images), group=60)
    (refused,) = read(tmp_path)
    assert (refused.row, refused.rows) == (1, 60)
    assert "at most 1,000" in refused.reason


def test_a_file_without_images_is_a_data_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column 'image'; there is text"):
        read(tmp_path)
    write(tmp_path, ["a"])
    with pytest.raises(DataError, match="column 'image' is string; it must be binary"):
        read(tmp_path)
    twice = pa.table([pa.array([b"x"]), pa.array([b"y"])], names=["image", "image"])
    pq.write_table(twice, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="2 columns 'image'; there must be one"):
        read(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match="cannot read it as Parquet"):
        read(tmp_path)


def test_a_file_without_row_groups_has_no_rows(tmp_path: Path) -> None:
    schema = pa.schema([("image", pa.binary(784))])
    with pq.ParquetWriter(tmp_path / "a.parquet", schema):
        pass
    assert read(tmp_path) == []


@pytest.mark.parametrize("kind", [pa.uint8(), pa.uint64(), pa.int8(), pa.int64()])
@pytest.mark.parametrize("nested", [False, True])
def test_an_image_with_a_pixel_that_is_null_is_told(
    tmp_path: Path, kind: pa.DataType, nested: bool
) -> None:
    torn = [None, *[5] * 783]
    rows = [[1] * 784, torn, [2] * 784]
    if nested:
        cells = [[row[start : start + 28] for start in range(0, 784, 28)] for row in rows]
        write(tmp_path, pa.array(cells, pa.list_(pa.list_(kind))))
    else:
        write(tmp_path, pa.array(rows, pa.list_(kind)))
    images, told = read(tmp_path)
    assert images.rows.tolist() == [1, 3]
    assert (told.row, told.rows) == (2, 1)
    assert "whole numbers of 0..255" in told.reason
