"""A small data set, as it is and as a folder of shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepmnist.data.dataset import Dataset
from deepmnist.data.shards import writing


@pytest.fixture
def many() -> Dataset:
    """A thousand random images, the classes one after another."""
    images = np.random.default_rng(1).integers(0, 256, (1_000, 28, 28)).astype(np.uint8)
    return Dataset(images, np.arange(1_000, dtype=np.int64).astype(np.uint8) % 10, name="many")


@pytest.fixture
def source(many: Dataset, tiny: Dataset, tmp_path: Path) -> Path:
    """`many` to train on and `tiny` to test on, in .npy files."""
    folder = tmp_path / "source"
    folder.mkdir()
    for part, dataset in (("train", many), ("test", tiny)):
        np.save(folder / f"{part}_images.npy", dataset.images)
        np.save(folder / f"{part}_labels.npy", dataset.labels)
    return folder


@pytest.fixture
def folder(source: Path, tmp_path: Path) -> Path:
    """The same in shards of 300, 300, 300 and 100 images, and one of 40 to test on."""
    writing.shard(source, tmp_path / "shards", rows=300)
    return tmp_path / "shards"
