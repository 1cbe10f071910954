"""NumPy's files: `.npz` in Keras' layout, and folders of `.npy`, whose images are memory-mapped.

Nothing is unpickled. An array's header is read first and held against the bytes that are there,
so that a header which lies about its size allocates nothing.
It knows arrays and their names; it does not know which data set they are.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Literal, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from deepmnist.data import mapped
from deepmnist.data.dataset import DIGITS, Corpus, Dataset, to_labels
from deepmnist.data.resizing import to_side
from deepmnist.errors import DataError, reason

PARTS = ("train", "test")
KINDS = ("images", "labels")
MAX_ARRAY_BYTES = 2**30  # of one array of an .npz: 1.3 million images; .npy files are mapped
MAX_DEFLATE_RATIO = 1032  # bytes out for one byte in, at most


def read_npz(
    path: Path,
    class_names: tuple[str, ...] = DIGITS,
    name: str | None = None,
    *,
    resize: bool = False,
) -> Corpus:
    """An `.npz` in Keras' layout: x_train and y_train, x_test and y_test, or one of the pairs.

    Images are uint8 (n, height, width), labels whole numbers (n,). DataError, naming file and
    array, for anything else.
    """
    name = name or path.name
    with _readable(path), zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        found = {
            part: [_member(archive, f"{axis}_{part}", path) for axis in "xy"] for part in PARTS
        }
    parts = {
        part: _part(images, labels, class_names, f"{name}/{part}", resize)
        for part, (images, labels) in found.items()
    }
    if not any(parts.values()):
        raise DataError(
            f"{path} holds none of Keras' arrays x_train, y_train, x_test, y_test; "
            f"it holds {', '.join(members[:10]) or 'nothing'}"
        )
    return Corpus(parts["train"], parts["test"], name)


def read_folder(
    folder: Path,
    class_names: tuple[str, ...] = DIGITS,
    name: str | None = None,
    *,
    resize: bool = False,
) -> Corpus:
    """A folder of train_images.npy and train_labels.npy, test_images.npy and test_labels.npy.

    Either pair may be missing. Arrays as in `read_npz`; images are memory-mapped, read-only.
    """
    name = name or folder.name
    parts = {}
    for part in PARTS:
        images, labels = (_mapped(folder / f"{part}_{kind}.npy") for kind in KINDS)
        parts[part] = _part(images, labels, class_names, f"{name}/{part}", resize)
    if not any(parts.values()):
        raise DataError(f"{folder} holds neither train_images.npy nor test_images.npy")
    return Corpus(parts["train"], parts["test"], name)


def is_folder(folder: Path) -> bool:
    """Whether `folder` holds one of the arrays that `read_folder` reads."""
    names = [f"{part}_{kind}.npy" for part in PARTS for kind in KINDS]
    return any((folder / name).is_file() for name in names)


@dataclass(frozen=True)
class _Array:
    """An array and where it is looked for; `values` is None where it is not there."""

    where: str
    values: NDArray[np.generic] | None


def _part(
    images: _Array, labels: _Array, class_names: tuple[str, ...], name: str, resize: bool
) -> Dataset | None:
    if images.values is None and labels.values is None:
        return None
    if images.values is None or labels.values is None:
        missing = images.where if images.values is None else labels.where
        raise DataError(f"{missing} is missing: images and labels go together")
    if images.values.dtype != np.uint8 or images.values.ndim != 3:
        raise DataError(
            f"{images.where} is {images.values.dtype} of shape {images.values.shape}; "
            "images must be uint8 (n, 28, 28), 0 for paper and 255 for ink"
        )
    pixels = to_side(cast("NDArray[np.uint8]", images.values), images.where, resize=resize)
    return Dataset(pixels, to_labels(labels.values, class_names, labels.where), class_names, name)


@dataclass(frozen=True)
class _Header:
    """What a `.npy` header says: shape, layout, type, and how many bytes the header takes."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[np.generic]
    n_bytes: int


def _header(file: IO[bytes], held: int, name: str) -> _Header:
    """The header at the start of `file`, held against the `held` bytes that there are."""
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise DataError(f"{name} has version {version} of the .npy format; 1.0 and 2.0 are read")
    header = _Header(*read(file), file.tell())
    if header.dtype.kind not in "buif":
        raise DataError(f"{name} is of type {header.dtype}; it must be numbers")
    wanted = prod(header.shape) * header.dtype.itemsize
    if min(header.shape, default=0) < 0 or wanted != held - header.n_bytes:
        raise DataError(
            f"{name} is truncated or altered: its header claims {wanted:,} bytes, "
            f"{held - header.n_bytes:,} follow it"
        )
    return header


def _member(archive: zipfile.ZipFile, key: str, path: Path) -> _Array:
    where = f"{path}: {key}"
    if f"{key}.npy" not in archive.namelist():
        return _Array(where, None)
    member = archive.getinfo(f"{key}.npy")
    _check_member(member, where, path.stat().st_size)
    with archive.open(member) as file:
        _header(file, member.file_size, where)
    with archive.open(member) as file:
        return _Array(where, npy.read_array(file, allow_pickle=False))


def _check_member(member: zipfile.ZipInfo, where: str, file_size: int) -> None:
    check_method(member, where)
    if member.file_size > MAX_ARRAY_BYTES:
        raise DataError(
            f"{where} unpacks to {member.file_size:,} bytes; the limit is {MAX_ARRAY_BYTES:,}: "
            "save it as .npy files in a folder, which are mapped, not loaded"
        )
    if member.file_size > file_size * MAX_DEFLATE_RATIO:
        raise DataError(f"{where} claims {member.file_size:,} bytes, more than the file can hold")


def check_method(member: zipfile.ZipInfo, where: str) -> None:
    """DataError unless a file in a ZIP is stored or deflated: others are unpacked unbounded."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"{where} is compressed by method {member.compress_type}; store or deflate it"
        )


def _mapped(path: Path) -> _Array:
    if not path.is_file():
        return _Array(str(path), None)
    with _readable(path):
        with path.open("rb") as file:
            header = _header(file, path.stat().st_size, str(path))
        if prod(header.shape) == 0:  # the system maps no empty file
            return _Array(str(path), np.empty(header.shape, header.dtype))
        order: Literal["F", "C"] = "F" if header.fortran else "C"
        return _Array(
            str(path), mapped.open_array(path, header.dtype, header.shape, header.n_bytes, order)
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What the readers of others raise on damaged bytes becomes a DataError naming `path`."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # on damaged bytes the zip and .npy readers raise any class there is
        raise DataError(f"cannot read {path}: {reason(error)}") from error
