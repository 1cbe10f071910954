"""Parquet in the Hugging Face layout: a column `image` of encoded pictures, a column `label`.

`image` is a struct of `bytes` and `path`, as `datasets` writes it, or plain binary. Class names
come from the note that `datasets` leaves in the file, where it is there. Pictures of 28x28 are
taken as they are. pyarrow is an extra, imported late; decoding pictures is pictures.py's job.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE
from deepmnist.data import mapped
from deepmnist.data.dataset import DIGITS, Corpus, Dataset, to_labels
from deepmnist.data.resizing import picture_to_side
from deepmnist.data.streamed import Run, StreamedImages
from deepmnist.errors import DataError, MissingExtraError, PictureError, reason

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

PARTS = ("train", "test")
BATCH_ROWS = 16
BATCH_BYTES = 2**28  # of a batch: a cell that a small file holds once may stand in all its rows
LABEL_ROWS = 65_536
MAX_GROUP_BYTES = 2**30  # of one row group unpacked, as its file claims


def read_file(
    path: Path, name: str | None = None, *, resize: bool = False, stream: bool = False
) -> Dataset:
    """One Parquet file as a data set; labels None where it has no column `label`.

    stream: pictures are decoded when they are asked for, a row group at a time (streamed.py).
    DataError, naming file and row, for a damaged file, other columns, an empty cell, a picture
    that cannot be decoded or, without `resize`, is not 28x28. MissingExtraError without pyarrow.
    """
    with _opened(path) as file:
        _check_schema(file.schema_arrow, path)
        _check_size(file.metadata, path)
        class_names = _class_names(file.schema_arrow)
        labels = _all_labels(file, path)
        runs = _runs(file, path, resize)
        images = StreamedImages(runs) if stream else _read(file, path, resize)
    narrow = None if labels is None else to_labels(labels, class_names, str(path))
    return Dataset(images, narrow, class_names, name or path.name)


def read_folder(
    folder: Path, name: str | None = None, *, resize: bool = False, stream: bool = False
) -> Corpus:
    """A folder of `train*.parquet` and `test*.parquet`, as the hub stores them; shards in order.

    Otherwise as `read_file`.
    """
    name = name or folder.name
    parts = {part: _read_part(folder, part, f"{name}/{part}", resize, stream) for part in PARTS}
    if not any(parts.values()):
        raise DataError(f"{folder} holds neither train*.parquet nor test*.parquet")
    return Corpus(parts["train"], parts["test"], name)


def is_folder(folder: Path) -> bool:
    """Whether `folder` holds Parquet files."""
    return any(folder.glob("*.parquet"))


def _read_part(folder: Path, part: str, name: str, resize: bool, stream: bool) -> Dataset | None:
    paths = sorted(folder.glob(f"{part}*.parquet"))
    shards = [read_file(path, name, resize=resize, stream=stream) for path in paths]
    if len(shards) < 2:
        return shards[0] if shards else None
    if len({(shard.class_names, shard.labels is None) for shard in shards}) > 1:
        raise DataError(f"{folder}: the {part} files disagree about the classes")
    images = _joined([shard.images for shard in shards])
    labels = [shard.labels for shard in shards if shard.labels is not None]
    return Dataset(images, np.concatenate(labels) if labels else None, shards[0].class_names, name)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("Parquet", "parquet") from error
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"cannot read {path} as Parquet: {reason(error)}") from error


def _check_schema(schema: pa.Schema, path: Path) -> None:
    import pyarrow.types as kinds

    if "image" not in schema.names:
        columns = ", ".join(schema.names[:10])
        raise DataError(f"{path} has no column 'image'; it has {columns or 'none'}")
    for name in ("image", "label"):
        if (times := schema.names.count(name)) > 1:
            raise DataError(
                f"{path} has {times} columns '{name}'; there must be one: rename or drop the others"
            )
    image = schema.field("image").type
    if kinds.is_struct(image) and image.get_field_index("bytes") >= 0:
        image = image.field("bytes").type
    if not (kinds.is_binary(image) or kinds.is_large_binary(image)):
        raise DataError(f"{path}: 'image' is {image}; it must be binary, or a struct with 'bytes'")
    if "label" in schema.names and not kinds.is_integer(schema.field("label").type):
        raise DataError(f"{path}: 'label' is {schema.field('label').type}; it must be integer")


def _check_size(metadata: pq.FileMetaData, path: Path) -> None:
    if metadata.num_rows == 0:
        raise DataError(f"{path} is empty: it holds no row")
    for group in range(metadata.num_row_groups):
        unpacked = metadata.row_group(group).total_byte_size
        if unpacked > MAX_GROUP_BYTES:
            raise DataError(
                f"{path}: row group {group} unpacks to {unpacked:,} bytes; the limit is "
                f"{MAX_GROUP_BYTES:,}: write it with smaller row groups"
            )


def _class_names(schema: pa.Schema) -> tuple[str, ...]:
    """The names that `datasets` noted for `label`; the digits where it left none."""
    note = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        names: Any = json.loads(note)["info"]["features"]["label"]["names"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return DIGITS
    if not isinstance(names, list) or not names:
        return DIGITS
    return tuple(str(name) for name in names)


def _joined(parts: Sequence[mapped.Images]) -> mapped.Images:
    streamed = [part for part in parts if isinstance(part, StreamedImages)]
    if streamed:
        return StreamedImages([run for part in streamed for run in part.runs])
    return np.concatenate([np.asarray(part) for part in parts])


def _runs(file: pq.ParquetFile, path: Path, resize: bool) -> list[Run]:
    """A run a row group, which opens the file again."""
    runs, first = [], 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        runs.append(Run(rows, partial(_read_group, path, group, first, resize)))
        first += rows
    return runs


def _read_group(path: Path, group: int, first: int, resize: bool) -> NDArray[np.uint8]:
    with _opened(path) as file:
        return _read(file, path, resize, [group], first)


def _read(
    file: pq.ParquetFile,
    path: Path,
    resize: bool,
    groups: list[int] | None = None,
    first: int = 0,
) -> NDArray[np.uint8]:
    """The pictures of some row groups, or of all; `first` is the number of the first row."""
    images: list[NDArray[np.uint8]] = []
    wanted = range(file.num_row_groups) if groups is None else groups
    largest = max((file.metadata.row_group(each).total_byte_size for each in wanted), default=0)
    for batch in file.iter_batches(
        batch_rows(largest), groups, [pictures_column(file.schema_arrow)]
    ):
        for cell in batch["image"]:
            where = f"{path}, row {first + len(images)}"
            images.append(_image(cell.as_py(), where, resize))
    return np.stack(images) if images else np.empty((0, SIDE, SIDE), np.uint8)


def pictures_column(schema: pa.Schema) -> str:
    """The column of encoded pictures alone: what lies beside it in a struct is not unpacked."""
    import pyarrow.types as kinds

    return "image.bytes" if kinds.is_struct(schema.field("image").type) else "image"


def batch_rows(group_bytes: int) -> int:
    """How many rows of pictures to unpack at once from groups of so many bytes, unpacked."""
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, group_bytes)))


def _all_labels(file: pq.ParquetFile, path: Path) -> NDArray[np.generic] | None:
    """What the column `label` holds; None where there is none."""
    if "label" not in file.schema_arrow.names:
        return None
    labels: list[NDArray[np.generic]] = []
    start = 0
    for batch in file.iter_batches(LABEL_ROWS, columns=["label"]):
        labels.append(_labels(batch["label"], path, start))
        start += len(batch)
    return np.concatenate(labels)


def _image(cell: Any, where: str, resize: bool) -> NDArray[np.uint8]:
    from deepmnist.pictures import decode

    data = cell.get("bytes") if isinstance(cell, dict) else cell
    if data is None:
        raise DataError(f"{where} holds no picture: its bytes are not in the file")
    try:
        return picture_to_side(decode(data, where), where, resize=resize)
    except PictureError as error:
        raise DataError(str(error)) from error


def _labels(labels: pa.Array, path: Path, start: int) -> NDArray[np.generic]:
    if labels.null_count:
        row = start + labels.is_null().to_pylist().index(True)
        raise DataError(f"{path}, row {row} has no label")
    values: NDArray[np.generic] = labels.to_numpy(zero_copy_only=False)
    return values
