"""Tiny data sets and writers of the formats they are read from."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deepmnist.data.dataset import Dataset

WriteIdx = Callable[..., None]


@pytest.fixture
def tiny() -> Dataset:
    """Forty random images, four of each digit, in the order 0 to 9, again and again."""
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28)).astype(np.uint8)
    return Dataset(images, np.arange(40, dtype=np.uint8) % 10, name="tiny")


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.fixture
def write_idx() -> WriteIdx:
    """Writes one part of a folder of IDX files: (folder, "train" or "t10k", images, labels)."""

    def write(
        folder: Path,
        prefix: str,
        images: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        packed: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{prefix}-{kind}-ubyte{'.gz' if packed else ''}"
            data = idx_bytes(array)
            path.write_bytes(gzip.compress(data) if packed else data)

    return write
