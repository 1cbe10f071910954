"""Files of every kind that is scored, and what a scoring wrote, read back."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

Row = dict[str, Any]


def answers(out: Path) -> list[Row]:
    """Every answer in a folder, as whoever reads it as one data set finds them."""
    return list(pq.read_table(out).to_pylist())


def errors(out: Path) -> list[Row]:
    """Every unreadable row."""
    if not (out / "_errors").exists():
        return []
    return list(arrow_dataset.dataset(out / "_errors", ignore_prefixes=[]).to_table().to_pylist())


def png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def idx_file(images: NDArray[np.uint8], claimed: int | None = None) -> bytes:
    count = len(images) if claimed is None else claimed
    return np.array([0x803, count, *images.shape[1:]], ">u4").tobytes() + images.tobytes()


def csv_file(images: NDArray[np.uint8], labelled: bool = True) -> str:
    header = ["label"] * labelled + [f"pixel{index}" for index in range(784)]
    rows = [["7"] * labelled + [str(level) for level in image.ravel()] for image in images]
    return "".join(f"{','.join(cells)}\n" for cells in [header, *rows])


def tar_file(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def parquet_file(path: Path, images: NDArray[np.uint8], group: int = 20) -> None:
    cells = pa.array([image.tobytes() for image in images], pa.binary(784))
    pq.write_table(pa.table({"image": cells}), path, row_group_size=group)
