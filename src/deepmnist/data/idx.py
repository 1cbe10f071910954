"""IDX, the format MNIST was published in: a big-endian header, then bytes, gzipped or not.

Uncompressed images are memory-mapped, so a set may be bigger than memory. Nothing is allocated,
mapped or unpacked before the header has been held against the size of the file: a gzipped file
cannot hold more than deflate's greatest ratio, nor more than a stated limit.
It knows files and folders of IDX; it does not know which data set they are.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from deepmnist.data import mapped
from deepmnist.data.dataset import DIGITS, Corpus, Dataset, to_labels
from deepmnist.data.headers import IMAGES_MAGIC, LABELS_MAGIC, header
from deepmnist.data.resizing import to_side
from deepmnist.errors import DataError, reason

GZIP_MAGIC = b"\x1f\x8b"
PARTS = {"train": "train", "test": "t10k"}  # how the published files call the two parts

MAX_UNPACKED_BYTES = 2**30  # of a gzipped file, 1.3 million images; uncompressed ones are mapped
MAX_DEFLATE_RATIO = 1032  # bytes out for one byte in, at most


def read_folder(
    folder: Path,
    class_names: tuple[str, ...] = DIGITS,
    name: str | None = None,
    *,
    resize: bool = False,
) -> Corpus:
    """The parts of a folder of IDX files under their published names, gzipped or not.

    Train is `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, test is `t10k-...`; a part
    whose files are both missing is None. DataError for a part with one file only, and for
    everything `read_images` and `read_labels` refuse.
    """
    name = name or folder.name
    parts = {
        part: _read_part(folder, prefix, class_names, f"{name}/{part}", resize)
        for part, prefix in PARTS.items()
    }
    if not any(parts.values()):
        raise DataError(f"{folder} holds no IDX files: wanted {PARTS['train']}-images-idx3-ubyte")
    return Corpus(parts["train"], parts["test"], name)


def find(folder: Path, stem: str) -> Path | None:
    """The file of `stem` ("train-images-idx3-ubyte") in `folder`, uncompressed before gzipped.

    Also under the spelling "train-images.idx3-ubyte". None where there is none.
    """
    for spelling in (stem, stem.replace("-idx", ".idx")):
        for path in (folder / spelling, folder / f"{spelling}.gz"):
            if os.path.isfile(path):  # False, not an exception, where nobody may look
                return path
    return None


def is_folder(folder: Path) -> bool:
    """Whether any file of `folder` has the name of a published IDX file."""
    stems = [stem for prefix in PARTS.values() for stem in _stems(prefix)]
    return any(find(folder, stem) for stem in stems)


def read_images(path: Path) -> NDArray[np.uint8]:
    """Images uint8 (n, height, width), memory-mapped read-only where the file is uncompressed.

    DataError, naming the file, where it is no IDX file of images, truncated, too long, too large.
    """
    with _opened(path) as file:
        (count, height, width) = header(file, path, IMAGES_MAGIC, 3)
        if height == 0 or width == 0:
            raise DataError(f"{path}: the header says images of {height}x{width} pixels")
        return _body(file, path, (count, height, width))


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Labels uint8 (n,). DataError as `read_images`."""
    with _opened(path) as file:
        return _body(file, path, header(file, path, LABELS_MAGIC, 1))


def _read_part(
    folder: Path, prefix: str, class_names: tuple[str, ...], name: str, resize: bool
) -> Dataset | None:
    wanted = _stems(prefix)
    images_path, labels_path = (find(folder, stem) for stem in wanted)
    if images_path is None and labels_path is None:
        return None
    if images_path is None or labels_path is None:
        missing = wanted[0] if images_path is None else wanted[1]
        raise DataError(f"{folder} has no {missing} or {missing}.gz: images and labels go together")
    images, labels = read_images(images_path), read_labels(labels_path)
    _check_counts(len(images), len(labels), images_path, labels_path)
    labels = to_labels(labels, class_names, str(labels_path))
    images = to_side(images, str(images_path), resize=resize)
    return Dataset(images, labels, class_names, name)


def _stems(prefix: str) -> tuple[str, str]:
    return f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"


def _check_counts(images: int, labels: int, images_path: Path, labels_path: Path) -> None:
    if images != labels:
        raise DataError(
            f"{images_path} holds {images} images but {labels_path.name} {labels} labels: "
            "they are not of the same set"
        )
    if images == 0:
        raise DataError(f"{images_path} is empty: it holds no image")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, unpacked on the way where it is gzipped; what goes wrong becomes a DataError."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            if not packed:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                yield cast("BinaryIO", unpacked)
    except EOFError as error:
        raise DataError(f"{path} is truncated: its gzip stream ends early; get it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}; get it again") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {reason(error)}") from error


def _body(file: BinaryIO, path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    wanted = int(np.prod(shape, dtype=object))  # exact: three 32-bit numbers overflow int64
    if isinstance(file, gzip.GzipFile):
        return _unpacked(file, path, wanted).reshape(shape)
    offset = 4 * (1 + len(shape))
    held = path.stat().st_size - offset
    if held != wanted:
        raise DataError(_size_message(path, wanted, held))
    if wanted == 0:
        return np.empty(shape, np.uint8)
    return mapped.open_array(path, np.dtype(np.uint8), shape, offset)


def _unpacked(file: BinaryIO, path: Path, wanted: int) -> NDArray[np.uint8]:
    packed = path.stat().st_size
    if wanted > packed * MAX_DEFLATE_RATIO:
        raise DataError(
            f"{path}: the header claims {wanted:,} bytes, more than the file's {packed:,} can "
            "unpack to: it is truncated, or its header lies"
        )
    if wanted > MAX_UNPACKED_BYTES:
        raise DataError(
            f"{path} unpacks to {wanted:,} bytes; the limit for gzipped files is "
            f"{MAX_UNPACKED_BYTES:,}: gunzip it, an uncompressed file is mapped, not loaded"
        )
    body = np.empty(wanted, np.uint8)
    held = _fill(file, body.data)
    if held != wanted:
        raise DataError(_size_message(path, wanted, held))
    if file.read(1):  # also has gzip compare its checksum
        raise DataError(f"{path} goes on after the {wanted:,} bytes its header claims")
    return body


def _fill(file: BinaryIO, body: memoryview) -> int:
    filled = 0
    while filled < len(body):
        data = file.read(min(2**20, len(body) - filled))
        if not data:
            break
        body[filled : filled + len(data)] = data
        filled += len(data)
    return filled


def _size_message(path: Path, wanted: int, held: int) -> str:
    fault = "is truncated" if held < wanted else "is too long"
    return f"{path} {fault}: its header claims {wanted:,} bytes, {held:,} follow it"
