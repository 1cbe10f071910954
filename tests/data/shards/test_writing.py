"""Shards are a function of source, options and number; a stopped writing is gone on with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepmnist import data
from deepmnist.data import split_validation
from deepmnist.data.dataset import Corpus, Dataset
from deepmnist.data.shards import index, writing
from deepmnist.errors import ConfigError, DataError, StorageError


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of 400 images is large; 50 are held out. Nothing is changed but ink made paler."""
    for module in (writing, data.dataset):
        monkeypatch.setattr(module, "SMALL_SET", 400)
        monkeypatch.setattr(module, "VALIDATION_IMAGES", 50)
    monkeypatch.setattr(writing, "PIECE_ROWS", 64)

    def changed(images: np.ndarray, seed: int, first: int) -> np.ndarray:
        levels = np.random.default_rng([seed, first]).integers(1, 100, (len(images), 1, 1))
        return (images // 2 + levels).astype(np.uint8)

    monkeypatch.setattr(writing, "_changed", changed)


def test_files_are_idx_that_others_read_and_the_index_tells_of_each(
    folder: Path, many: Dataset
) -> None:
    from deepmnist.data import idx

    told = json.loads((folder / "shards.json").read_text())
    assert [record["rows"] for record in told["train"]] == [300, 300, 300, 100]
    found = idx.read_images(folder / "train-00003-of-00004-images-idx3-ubyte")
    np.testing.assert_array_equal(found, many.images[900:])
    labels = idx.read_labels(folder / "train-00003-of-00004-labels-idx1-ubyte")
    np.testing.assert_array_equal(labels, np.asarray(many.labels)[900:])
    assert len(list(folder.iterdir())) == 11


@pytest.mark.usefixtures("small_sets")
def test_copies_are_changed_pass_after_pass_and_what_is_held_out_comes_last_as_it_is(
    source: Path, many: Dataset, tmp_path: Path
) -> None:
    writing.shard(source, tmp_path / "out", rows=300, copies=3, seed=5)
    made = data.load(tmp_path / "out").training_part
    kept, held_out = split_validation(many)
    assert len(made) == 3 * 950 + 50
    images, labels = made.gather(slice(None)), made.required_labels()
    np.testing.assert_array_equal(labels[:2_850], np.tile(kept.required_labels(), 3))
    np.testing.assert_array_equal(images[2_850:], held_out.images)
    shifts = np.split(images[:2_850].astype(int), 3) - np.asarray(kept.images)[None] // 2
    assert (shifts == shifts[..., :1, :1]).all()  # each pass is of the same images
    assert (shifts[0] != shifts[1]).any(axis=(1, 2)).mean() > 0.9
    validation = split_validation(made)[1]
    np.testing.assert_array_equal(validation.images, held_out.images)


@pytest.mark.usefixtures("small_sets")
def test_a_stopped_writing_goes_on_and_ends_with_the_same_bytes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    writing.shard(source, whole, rows=300, copies=2)
    told: list[tuple[int, int]] = []
    options: dict[str, Any] = {"rows": 300, "copies": 2, "observe": lambda *now: told.append(now)}

    def stop(done: int, count: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writing.shard(source, out, **{**options, "observe": stop})
    assert not index.is_folder(out)
    labels = out / "train-00001-of-00007-labels-idx1-ubyte"
    labels.unlink()  # as if it was killed between the two files
    os.truncate(out / "train-00002-of-00007-images-idx3-ubyte", 5_000)  # by someone else
    (out / ".train-00003-of-00007-images-idx3-ubyte.1.part").write_bytes(b"half")
    kept = (out / "train-00000-of-00007-images-idx3-ubyte").stat().st_mtime_ns
    writing.shard(source, out, **options)
    assert (out / "train-00000-of-00007-images-idx3-ubyte").stat().st_mtime_ns == kept
    assert contents(out) == contents(whole)
    assert told == [(done, 8) for done in range(1, 9)]


def test_of_complete_shards_nothing_is_written_again(source: Path, folder: Path) -> None:
    before = contents(folder)
    assert writing.shard(source, folder, rows=300) == index.read_index(folder)
    assert contents(folder) == before


@pytest.mark.parametrize("complete", [True, False])
def test_a_folder_of_other_shards_is_not_gone_on_with(
    source: Path, folder: Path, complete: bool
) -> None:
    if not complete:
        (folder / index.INDEX).rename(folder / writing.BEGUN)
        made = json.loads((folder / writing.BEGUN).read_text())["made"]
        (folder / writing.BEGUN).write_text(json.dumps(made))
    with pytest.raises(StorageError, match="made with another value of rows; give another --out"):
        writing.shard(source, folder, rows=200)
    np.save(source / "train_labels.npy", np.zeros(1_000, np.uint8))
    with pytest.raises(StorageError, match="made with another value of labels"):
        writing.shard(source, folder, rows=300)


@pytest.mark.parametrize("part", ["train", "test"])
def test_shards_of_other_pixels_under_the_same_labels_are_not_gone_on_with(
    source: Path, folder: Path, part: str
) -> None:
    images = np.load(source / f"{part}_images.npy")
    np.save(source / f"{part}_images.npy", 255 - images)
    with pytest.raises(StorageError, match="made with another value of pixels; give another --out"):
        writing.shard(source, folder, rows=300)


def test_shards_of_an_older_version_that_noted_no_pixels_are_gone_on_with(
    source: Path, folder: Path
) -> None:
    index = json.loads((folder / writing.INDEX).read_text())
    del index["made"]["pixels"]
    (folder / writing.INDEX).write_text(json.dumps(index))
    assert writing.shard(source, folder, rows=300).made.pixels is None


def test_a_folder_that_holds_something_else_is_left_alone(source: Path) -> None:
    with pytest.raises(StorageError, match="source is not empty; name a new folder with --out"):
        writing.shard(source, source)


def test_a_note_that_cannot_be_read_is_told(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / writing.BEGUN).write_bytes(b"{\xff")
    with pytest.raises(StorageError, match="made of something unknown; give another --out"):
        writing.shard(source, tmp_path / "out")


def test_a_file_in_the_way_is_a_storage_error(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(StorageError, match=r"cannot write .*out"):
        writing.shard(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "rows is 0; it must be from 1 to"),
        ({"copies": -1}, "copies is -1; it must be from 0 to"),
        ({"seed": 2**40}, "seed is .*; it must be from 0 to"),
    ],
)
def test_options_out_of_range_are_refused(
    source: Path, tmp_path: Path, options: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        writing.shard(source, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_too_few_copies_to_hold_validation_apart_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 copies of 900 images are too few .* --copies 50 or"):
        writing.shard(source, tmp_path / "out", copies=2)


@pytest.mark.usefixtures("small_sets")
def test_copies_are_refused_where_a_class_cannot_be_held_out(source: Path, tmp_path: Path) -> None:
    """Training would hold out copies of what it learns from."""
    labels = np.arange(1_000) % 8
    labels[:4] = 9
    np.save(source / "train_labels.npy", labels)
    with pytest.raises(DataError, match=r"has too few images of 9 for one of them .* no --copies$"):
        writing.shard(source, tmp_path / "out", copies=3)
    assert not (tmp_path / "out").exists()
    writing.shard(source, tmp_path / "out")


@pytest.mark.usefixtures("small_sets")
def test_copies_are_refused_beside_a_test_part_without_labels(
    many: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else copies would be the test images."""
    corpus = Corpus(many, Dataset(many.images, None), "given")
    monkeypatch.setattr(writing, "load", lambda *_, **__: corpus)
    with pytest.raises(DataError, match=r"^given has a test part without labels, .*; label it, or"):
        writing.shard("given", tmp_path / "out", copies=3)
    assert not writing.shard("given", tmp_path / "out").test


def test_parquet_is_decoded_once_a_row_group_at_a_time(
    many: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    from deepmnist.data import parquet

    cells = [cv2.imencode(".png", image)[1].tobytes() for image in np.asarray(many.images)]
    table = pa.table({"image": cells, "label": np.asarray(many.labels).astype(np.int64)})
    (tmp_path / "hub").mkdir()
    for part in ("train", "test"):
        path = tmp_path / "hub" / f"{part}-00000-of-00001.parquet"
        pq.write_table(table, path, row_group_size=90)
    read: list[int] = []
    real = parquet._read_group

    def read_group(path: Path, group: int, *rest: Any) -> np.ndarray:
        read.append(group)
        return real(path, group, *rest)

    monkeypatch.setattr(parquet, "_read_group", read_group)
    writing.shard(tmp_path / "hub", tmp_path / "out", rows=300)
    assert sorted(read) == sorted([*range(12), *range(12)])
    made = data.load(tmp_path / "out").training_part
    np.testing.assert_array_equal(made.gather(slice(None)), many.images)
    np.testing.assert_array_equal(made.labels, many.labels)


def test_the_augmenter_changes_every_image_by_a_draw_of_its_own(tiny: Dataset) -> None:
    pytest.importorskip("tensorflow")
    images = np.repeat(np.asarray(tiny.images[:1]), 20, axis=0)
    changed = writing._changed(images, 0, 7)
    assert changed.dtype == np.uint8
    assert len({image.tobytes() for image in changed}) == 20
    np.testing.assert_array_equal(writing._changed(images, 0, 7), changed)
    for seed, first in ((1, 7), (0, 8)):
        assert not np.array_equal(writing._changed(images, seed, first), changed)
