"""Parquet: the hub's layout is read as it is, and what is not that layout is refused by name."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepmnist.data import parquet
from deepmnist.data.dataset import DIGITS, Dataset
from deepmnist.errors import DataError, MissingExtraError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, dataset: Dataset, names: tuple[str, ...] | None = None) -> Path:
    cells = [{"bytes": png(image), "path": None} for image in dataset.images]
    table = pa.table({"image": pa.array(cells, PICTURE), "label": dataset.labels.astype(np.int64)})
    if names:
        note = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(note)})
    pq.write_table(table, path, row_group_size=7)
    return path


def write_columns(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_pictures_are_read_as_they_are(tmp_path: Path, tiny: Dataset) -> None:
    read = parquet.read_file(write(tmp_path / "a.parquet", tiny))
    assert np.array_equal(read.images, tiny.images)
    assert np.array_equal(read.labels, tiny.labels)
    assert read.class_names == DIGITS


def test_rows_of_many_batches_stay_in_order(tmp_path, tiny, monkeypatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 3)
    assert parquet.read_file(write(tmp_path / "a.parquet", tiny)).identity == tiny.identity


def test_streamed_pictures_are_those_read_at_once_a_row_group_in_memory(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        write(tmp_path / f"train-{number}.parquet", tiny)  # row groups of 7
    opened: list[tuple[str, int]] = []
    real = parquet._read_group

    def read(path: Path, group: int, *rest: object) -> np.ndarray:
        opened.append((path.name, group))
        return real(path, group, *rest)

    monkeypatch.setattr(parquet, "_read_group", read)
    streamed = parquet.read_folder(tmp_path, stream=True).training_part
    assert opened == []
    assert np.array_equal(streamed.labels, np.tile(tiny.labels, 2))
    pieces = [streamed.gather(slice(start, start + 5)) for start in range(0, 80, 5)]
    assert np.array_equal(np.concatenate(pieces), np.tile(tiny.images, (2, 1, 1)))
    assert opened == [(f"train-{n}.parquet", group) for n in range(2) for group in range(6)]


def test_a_streamed_picture_that_cannot_be_decoded_is_told_by_its_row(tmp_path, tiny) -> None:
    cells = [png(image) for image in tiny.images]
    cells[31] = b"none"
    pq.write_table(pa.table({"image": cells}), tmp_path / "a.parquet", row_group_size=10)
    streamed = parquet.read_file(tmp_path / "a.parquet", stream=True)
    streamed.gather(slice(0, 30))
    with pytest.raises(DataError, match=r"a\.parquet, row 31"):
        streamed.gather(slice(30, 32))


def test_plain_binary_pictures_without_labels_are_read(tmp_path, tiny) -> None:
    path = write_columns(tmp_path / "a.parquet", image=[png(image) for image in tiny.images])
    read = parquet.read_file(path)
    assert read.labels is None
    assert np.array_equal(read.images, tiny.images)


def test_class_names_come_from_the_note_in_the_file(tmp_path, tiny) -> None:
    names = tuple("abcdefghij")
    assert parquet.read_file(write(tmp_path / "a.parquet", tiny, names)).class_names == names


@pytest.mark.parametrize("note", ["", "[]", "{", '{"info": {"features": {"label": {"names": 3}}}}'])
def test_a_note_that_is_none_means_the_digits(tmp_path, tiny, note) -> None:
    path = write(tmp_path / "a.parquet", tiny)
    table = pq.read_table(path).replace_schema_metadata({"huggingface": note})
    pq.write_table(table, path)
    assert parquet.read_file(path).class_names == DIGITS


def test_a_folder_is_read_by_part_and_shards_in_order(tmp_path, tiny) -> None:
    write(tmp_path / "train-00001-of-00002.parquet", tiny.take(slice(10, 30)))
    write(tmp_path / "train-00000-of-00002.parquet", tiny.take(slice(0, 10)))
    write(tmp_path / "test-00000-of-00001.parquet", tiny.take(slice(30, 40)))
    corpus = parquet.read_folder(tmp_path)
    assert np.array_equal(corpus.train.images, tiny.images[:30])
    assert np.array_equal(corpus.test.labels, tiny.labels[30:])


def test_shards_that_disagree_about_the_classes_are_refused(tmp_path, tiny) -> None:
    write(tmp_path / "train-0.parquet", tiny)
    write(tmp_path / "train-1.parquet", tiny, tuple("abcdefghij"))
    with pytest.raises(DataError, match="the train files disagree about the classes"):
        parquet.read_folder(tmp_path)


def test_a_folder_of_other_parquet_files_is_refused(tmp_path, tiny) -> None:
    write(tmp_path / "all.parquet", tiny)
    with pytest.raises(DataError, match=r"neither train\*.parquet nor test\*.parquet"):
        parquet.read_folder(tmp_path)


def test_another_size_is_refused_by_row_and_prepared_on_request(tmp_path) -> None:
    photo = np.full((60, 50), 240, np.uint8)
    photo[10:50, 22:27] = 10
    path = write_columns(tmp_path / "a.parquet", image=[png(photo)], label=[1])
    with pytest.raises(DataError, match="row 0 is 60x50 pixels, not 28x28"):
        parquet.read_file(path)
    assert parquet.read_file(path, resize=True).images[0, 14, 14] > 200


@pytest.mark.parametrize("label", [-1, 10, 300, 2**63])
def test_a_label_outside_the_classes_names_its_row(tmp_path, tiny, label) -> None:
    labels = pa.array([3, label], pa.uint64() if label > 0 else pa.int64())
    cells = [png(image) for image in tiny.images[:2]]
    with pytest.raises(DataError, match=f"label {label} of image 1 is outside"):
        parquet.read_file(write_columns(tmp_path / "a.parquet", image=cells, label=labels))


def test_a_missing_label_names_its_row(tmp_path, tiny) -> None:
    cells = [png(image) for image in tiny.images[:3]]
    path = write_columns(tmp_path / "a.parquet", image=cells, label=[1, 2, None])
    with pytest.raises(DataError, match="row 2 has no label"):
        parquet.read_file(path)


@pytest.mark.parametrize(
    ("cell", "fault"),
    [(None, "row 1 holds no picture"), (b"hello", "row 1"), (b"", "row 1")],
)
def test_a_cell_that_is_no_picture_names_its_row(tmp_path, tiny, cell, fault) -> None:
    path = write_columns(tmp_path / "a.parquet", image=[png(tiny.images[0]), cell])
    with pytest.raises(DataError, match=fault):
        parquet.read_file(path)


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"picture": [b"x"]}, "no column 'image'; it has picture"),
        ({"image": [1]}, "'image' is int64; it must be binary"),
        ({"image": [{"path": "a.png"}]}, "it must be binary, or a struct with 'bytes'"),
        ({"image": [b"x"], "label": ["1"]}, "'label' is string; it must be integer"),
        ({"image": pa.array([], pa.binary())}, "is empty: it holds no row"),
    ],
)
def test_other_columns_are_refused(tmp_path, columns, fault) -> None:
    with pytest.raises(DataError, match=fault):
        parquet.read_file(write_columns(tmp_path / "a.parquet", **columns))


@pytest.mark.parametrize("twice", ["image", "label"])
def test_a_column_that_stands_twice_in_a_file_is_refused_by_name(tmp_path, twice) -> None:
    names = ["image", "label", twice]
    values = {"image": pa.array([b"x"]), "label": pa.array([1])}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([values[name] for name in names], names=names), path)
    with pytest.raises(DataError, match=f"has 2 columns '{twice}'; there must be one"):
        parquet.read_file(path)


def test_a_row_group_past_the_limit_is_refused_unread(tmp_path, tiny, monkeypatch) -> None:
    path = write(tmp_path / "a.parquet", tiny)
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 100)
    with pytest.raises(DataError, match=r"row group 0 unpacks to .*; the limit is 100"):
        parquet.read_file(path)


@pytest.mark.parametrize("struct", [True, False])
def test_a_cell_that_stands_in_every_row_does_not_fill_memory(
    tmp_path, tiny, monkeypatch, struct
) -> None:
    """Nor does what stands beside the pictures."""
    cells = [bytes(2**20)] * 200
    if struct:
        cells = pa.array([{"bytes": b"x", "path": "x" * 2**20}] * 200, PICTURE)
    path = write_columns(tmp_path / "a.parquet", image=cells)
    assert path.stat().st_size < 2**16
    held: list[int] = []

    def image(*_: object) -> np.ndarray:
        held.append(pa.total_allocated_bytes())
        return tiny.images[0]

    monkeypatch.setattr(parquet, "_image", image)
    del cells
    before = pa.total_allocated_bytes()
    assert len(parquet.read_file(path)) == 200
    assert max(held) - before < 2**26


@pytest.mark.parametrize(("size", "rows"), [(0, 16), (2**20, 16), (2**26, 4), (2**30, 1)])
def test_batches_are_as_small_as_large_cells_ask_for(size: int, rows: int) -> None:
    assert parquet.batch_rows(size) == rows


def test_rows_read_one_by_one_are_the_same(tmp_path, tiny, monkeypatch) -> None:
    path = write(tmp_path / "a.parquet", tiny)
    monkeypatch.setattr(parquet, "BATCH_BYTES", 1)
    assert parquet.read_file(path).identity == tiny.identity


@pytest.mark.parametrize("kept", [0, 10, 2_000, -20])
def test_a_truncated_file_is_refused(tmp_path, tiny, kept) -> None:
    path = write(tmp_path / "a.parquet", tiny)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"cannot read .* as Parquet") as caught:
        parquet.read_file(path)
    assert "\n" not in str(caught.value)


def test_a_missing_pyarrow_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"Parquet .* pip install 'deepmnist\[parquet\]'"):
        parquet.read_file(tmp_path / "a.parquet")
