"""What is on disk while training: a run's whole state, atomic, hashed, the newest two kept.

A checkpoint is `step-00000860.npz` (arrays, no pickle) and `step-00000860.json` (its hash and what
else must survive), the second written last: without it the first does not exist. What the arrays
mean is training's business.
"""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from deepmnist import atomic
from deepmnist.errors import RunError

KEPT = 2  # the newest, and the one before it in case the newest is torn

# What NumPy raises for an .npz that is none, or one of pickles, which it is told not to load.
UNREADABLE = (ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Checkpoint:
    """State after `step` updates: arrays in a fixed order, and the seconds trained so far."""

    step: int
    train_seconds: float
    arrays: Sequence[NDArray[Any]]


class _Manifest(msgspec.Struct, forbid_unknown_fields=True):
    step: int
    train_seconds: float
    sha256: str  # of the arrays' file and of the two above


def pack(checkpoint: Checkpoint | None) -> bytes:
    """`checkpoint` as bytes for another process, or that there is none."""
    if checkpoint is None:
        return b""
    head = checkpoint.step, checkpoint.train_seconds
    return msgspec.msgpack.encode((*head, _packed_arrays(checkpoint)))


def unpack(content: bytes) -> Checkpoint | None:
    """What `pack` was given."""
    if not content:
        return None
    step, seconds, data = msgspec.msgpack.decode(content, type=tuple[int, float, bytes])
    return Checkpoint(step, seconds, _arrays(data, f"step-{step:08d}"))


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` whole or not at all, then drop all but the newest two.

    StorageError where the disk is full or the folder not writable; older checkpoints stay.
    """
    data = _packed_arrays(checkpoint)
    step, seconds = checkpoint.step, checkpoint.train_seconds
    manifest = _Manifest(step, seconds, _sha256(data, step, seconds))
    arrays_path = folder / f"step-{step:08d}.npz"
    atomic.write(arrays_path, data)
    atomic.write(arrays_path.with_suffix(".json"), msgspec.json.encode(manifest))
    kept = {manifest_path.stem for manifest_path in _newest_first(folder)[:KEPT]}
    for file in sorted(folder.glob("step-*")):  # a manifest goes before its arrays
        if file.stem not in kept:
            file.unlink()


def latest(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint, or None; a torn one is passed over with a warning."""
    atomic.sweep(folder)
    for manifest_path in _newest_first(folder):
        try:
            return _load(manifest_path)
        except RunError as torn:
            warnings.warn(f"{torn}; the checkpoint before it is used, if any", stacklevel=2)
    return None


def _packed_arrays(checkpoint: Checkpoint) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, *checkpoint.arrays)
    return packed.getvalue()


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step-*.json") if path.stem[5:].isdecimal()]
    return sorted(found, key=lambda path: int(path.stem[5:]), reverse=True)


def _load(manifest_path: Path) -> Checkpoint:
    """One checkpoint; RunError where it is torn or altered."""
    try:
        manifest = msgspec.json.decode(manifest_path.read_bytes(), type=_Manifest)
        data = manifest_path.with_suffix(".npz").read_bytes()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RunError(f"checkpoint {manifest_path.name} cannot be read ({error})") from error
    if _sha256(data, manifest.step, manifest.train_seconds) != manifest.sha256:
        raise RunError(f"checkpoint {manifest_path.stem} is torn: its hash differs")
    return Checkpoint(manifest.step, manifest.train_seconds, _arrays(data, manifest_path.stem))


def _sha256(data: bytes, step: int, train_seconds: float) -> str:
    digest = hashlib.sha256(data)
    digest.update(msgspec.json.encode((step, train_seconds)))
    return digest.hexdigest()


def _arrays(data: bytes, name: str) -> list[NDArray[Any]]:
    """The arrays of an .npz; RunError where its content is not what `save` writes."""
    try:
        with np.lib.npyio.NpzFile(io.BytesIO(data), allow_pickle=False) as arrays:
            return [arrays[f"arr_{i}"] for i in range(len(arrays.files))]
    except UNREADABLE as error:
        raise RunError(f"checkpoint {name}.npz holds no arrays of deepmnist ({error})") from error
