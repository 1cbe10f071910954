"""A folder of shards is believed after it was checked; what is wrong with it is told by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepmnist import data
from deepmnist.data.dataset import Dataset
from deepmnist.data.shards import index
from deepmnist.data.shards.images import ShardedImages
from deepmnist.errors import DataError

LABELS = "train-00001-of-00004-labels-idx1-ubyte"
IMAGES = "train-00001-of-00004-images-idx3-ubyte"


@pytest.fixture
def altered(folder: Path) -> Callable[..., Path]:
    """The folder with fields of its index changed; a list's first entry by a dictionary."""

    def change(**fields: Any) -> Path:
        path = folder / index.INDEX
        values = json.loads(path.read_text())
        for name, value in fields.items():
            if isinstance(value, dict):
                values[name][0].update(value)
            else:
                values[name] = value
        path.write_text(json.dumps(values))
        return folder

    return change


def test_shards_are_loaded_like_any_folder(folder: Path, many: Dataset, tiny: Dataset) -> None:
    corpus = data.load(folder)
    assert (corpus.name, corpus.training_part.name) == ("shards", "shards/train")
    assert isinstance(corpus.training_part.images, ShardedImages)
    for found, wanted in ((corpus.training_part, many), (corpus.test_part, tiny)):
        np.testing.assert_array_equal(found.gather(slice(None)), wanted.images)
        np.testing.assert_array_equal(found.labels, wanted.labels)


def test_shards_without_a_test_part_hold_a_tenth_out(altered: Callable[..., Path]) -> None:
    corpus = data.load(altered(test=[]))
    assert (len(corpus.training_part), len(corpus.test_part)) == (900, 100)


@pytest.mark.parametrize("name", [LABELS, IMAGES])
def test_a_missing_shard_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing: shards.json lists it; get it again"):
        data.load(folder)


@pytest.mark.parametrize(("by", "fault"), [(-1, "is truncated"), (1, "is too long")])
@pytest.mark.parametrize("name", [LABELS, IMAGES])
def test_a_shard_of_another_size_is_named(folder: Path, name: str, by: int, fault: str) -> None:
    size = (folder / name).stat().st_size
    os.truncate(folder / name, size + by)
    with pytest.raises(DataError, match=f"{name} {fault}: shards.json says {size:,} bytes, it has"):
        data.load(folder)


def test_a_label_outside_the_classes_is_told_with_shard_and_row(folder: Path) -> None:
    content = bytearray((folder / LABELS).read_bytes())
    content[8 + 17] = 10
    (folder / LABELS).write_bytes(content)
    with pytest.raises(DataError, match=rf"{LABELS}: label 10 of image 17 is outside .* 0\.\.9"):
        data.load(folder)


def test_labels_that_are_none_are_named(folder: Path) -> None:
    content = (folder / LABELS).read_bytes()
    (folder / LABELS).write_bytes(b"\x01" + content[1:])
    with pytest.raises(DataError, match=f"{LABELS} does not begin as an IDX file of 300 labels"):
        data.load(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema_version": 2}, "has schema version 2; this deepmnist reads 1; upgrade"),
        ({"shape": [14, 56]}, "images are 14x56 pixels, not 28x28; make it anew"),
        ({"train": [], "test": []}, "lists no shard; make it anew"),
        ({"train": {"rows": 0}}, "no index of shards: Expected `int` >= 1"),
        ({"train": {"rows": 2**40}}, "no index of shards: Expected `int` <= "),
        ({"train": {"rows": 2**80}}, "no index of shards"),
        ({"train": {"images": "../../x"}}, "no index of shards: Expected `str` matching"),
        ({"train": {"name": "../../etc/passwd"}}, "no index of shards: .* unknown field `name`"),
        ({"train": {"rows": 299}}, "is too long: shards.json says"),
        ({"class_names": ["a", "a"]}, "a class name appears twice|outside the classes"),
        ({"class_names": []}, "classes"),
        ({"class_names": ["x"] * 300}, "300 classes; there must be"),
    ],
)
def test_an_index_that_cannot_be_is_refused(
    altered: Callable[..., Path], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as told:
        data.load(altered(**fields))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": 1}'])
def test_bytes_that_are_no_index_are_refused(folder: Path, text: bytes) -> None:
    (folder / index.INDEX).write_bytes(text)
    with pytest.raises(DataError, match="no index of shards"):
        data.load(folder)


def test_an_index_without_end_is_not_read(folder: Path) -> None:
    os.truncate(folder / index.INDEX, index.MAX_INDEX_BYTES + 1)
    with pytest.raises(DataError, match="an index has at most"):
        data.load(folder)


def test_a_million_shards_of_claims_allocate_nothing(altered: Callable[..., Path]) -> None:
    record = {"rows": 2**31 - 1, "images": "0" * 64, "labels": "0" * 64}
    with pytest.raises(DataError, match=r"train-00000-of-10000.* is missing"):
        data.load(altered(train=[record] * 10_000))


def test_check_reads_every_file_and_names_the_one_that_is_altered(folder: Path) -> None:
    assert len(data.check(str(folder))) == 10
    with (folder / IMAGES).open("r+b") as file:
        file.seek(5_000)
        file.write(b"\x07\x07\x07")
    data.load(folder)  # the size is right
    with pytest.raises(DataError, match=f"{IMAGES} is altered: its SHA-256 is .* get it again"):
        data.check(str(folder))
