"""Any source as a folder of shards: written one after another, each whole or not at all.

A shard is a function of (source, options, number), so that one that has its name is done and the
same call goes on after whatever stopped the last. `shards.json` comes last: until then the folder
is none of shards. In memory is a piece of a shard, and what `load` holds of the source: of IDX,
.npy, Parquet and shards the labels, of CSV, .npz and folders of pictures all of it.

With copies, each training image is written so many times, each time changed by the augmenter of the
recipes, pass after pass. What `split_validation` would hold out of the source is not copied: it
comes, as it is, as the last 5,000 rows, where `split_validation` finds it again. No image's copy is
then judged by another; a source of which it would be, validation or test, is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from deepmnist import atomic
from deepmnist.data.dataset import (
    SMALL_SET,
    VALIDATION_IMAGES,
    Corpus,
    Dataset,
    classes_missing,
    split_validation,
)
from deepmnist.data.headers import (
    IMAGE_BYTES,
    IMAGES_HEADER_BYTES,
    LABELS_HEADER_BYTES,
    images_header,
    labels_header,
)
from deepmnist.data.loading import load
from deepmnist.data.shards.index import (
    INDEX,
    MAX_ROWS,
    Index,
    Made,
    ShardRecord,
    paths_of,
    read_index,
    sha256,
)
from deepmnist.errors import (
    ConfigError,
    DataError,
    MissingExtraError,
    StorageError,
    one_line,
    reason,
)

ROWS = 65_536  # of a shard: 51 MB
MAX_COPIES = 1_000_000
FIRST_ROWS = 64  # of each part, whose pixels tell a source from another of the same name and labels
BEGUN = "shards.begun.json"  # what is being made, until all of it is
PIECE_ROWS = 8_192  # made and written at once
# of a copy; a recipe may change it again
CHANGES: dict[str, Any] = {"rotation_deg": 10.0, "shift_px": 2.0, "scale": 0.1, "shear": 0.1}

Observe = Callable[[int, int], None]


def shard(
    spec: str | Path,
    out: str | Path,
    *,
    rows: int = ROWS,
    copies: int = 0,
    seed: int = 0,
    data_dir: Path | None = None,
    resize: bool = False,
    observe: Observe = lambda done, count: None,
) -> Index:
    """Write what `load(spec)` gives as shards of `rows` images into the folder `out`.

    copies: changed ones of each training image, drawn by `seed`; 0: the images as they are.
    observe: told after each shard how many of how many are done. Called again after it was stopped,
    it goes on; of shards that are complete it reads the index, and that the source is theirs.

    ConfigError for options out of range, DataError for a source that cannot be read or, with
    copies, has too few images, of all or of a class, or a test part without labels. StorageError
    where `out` holds something else or cannot be written.
    """
    _check_options(rows, copies, seed)
    out, corpus = Path(out), load(spec, data_dir, resize=resize, stream=True)
    training = corpus.training_part
    made = _made(corpus, rows, copies, seed)
    if complete := _complete(out, made):
        return complete
    parts = _parts(corpus, copies, seed)
    _claim(out, made)
    records = _write_parts(out, parts, rows, observe)
    index = Index(
        class_names=list(training.class_names),
        train=records["train"],
        test=records.get("test", []),
        made=made,
    )
    atomic.write(out / INDEX, msgspec.json.format(msgspec.json.encode(index), indent=2) + b"\n")
    (out / BEGUN).unlink(missing_ok=True)
    return index


# ---- which images ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plain:
    """The rows of a data set as they are."""

    dataset: Dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def piece(self, start: int, stop: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Images uint8 (n, 28, 28) and labels uint8 (n,) of some rows."""
        rows = slice(start, stop)
        return self.dataset.gather(rows), self.dataset.required_labels()[rows]


@dataclass(frozen=True)
class _Copied:
    """A data set again and again, each time changed anew; then others as they are."""

    kept: Dataset
    copies: int
    held_out: Dataset
    seed: int

    def __len__(self) -> int:
        return self.copies * len(self.kept) + len(self.held_out)

    def piece(self, start: int, stop: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """As of `_Plain`; which changes are drawn depends on where the piece starts."""
        end = self.copies * len(self.kept)
        if start >= end:
            return _Plain(self.held_out).piece(start - end, stop - end)
        rows = np.arange(start, min(stop, end)) % len(self.kept)
        images = _changed(self.kept.gather(rows), self.seed, start)
        labels = self.kept.required_labels()[rows]
        if stop <= end:
            return images, labels
        rest = _Plain(self.held_out).piece(0, stop - end)
        return np.concatenate([images, rest[0]]), np.concatenate([labels, rest[1]])


_Part = _Plain | _Copied


def _parts(corpus: Corpus, copies: int, seed: int) -> dict[str, _Part]:
    training, test = corpus.training_part, corpus.test
    plain: dict[str, _Part] = {}
    if test is not None and test.labels is not None:
        plain["test"] = _Plain(test)
    elif copies:
        raise DataError(
            f"{corpus.name} has a test part without labels, so that copies would be tested on "
            "copies; label it, or remove it to have a tenth of the images held out"
        )
    return {"train": _copied(training, copies, seed) if copies else _Plain(training), **plain}


def _copied(training: Dataset, copies: int, seed: int) -> _Copied:
    kept, validation = split_validation(training)
    spread = np.arange(VALIDATION_IMAGES) * len(validation) // VALIDATION_IMAGES
    part = _Copied(kept, copies, validation.take(spread), seed)
    if len(part) < SMALL_SET:
        least = -(-(SMALL_SET - VALIDATION_IMAGES) // len(kept))
        raise DataError(
            f"{copies} copies of {len(kept):,} images are too few for shards, of which 5,000 are "
            f"held out; give --copies {least} or more"
        )
    _check_every_class(training, part.held_out)
    return part


def _check_every_class(training: Dataset, held_out: Dataset) -> None:
    """Of a class that is not held out, `split_validation` would hold out copies."""
    if missing := classes_missing(held_out.required_labels(), training):
        raise DataError(
            f"{training.name} has too few images of {one_line(', '.join(missing))} for one of them "
            "to be among the tenth that is not copied but held out; give ten or more of each "
            "class, or no --copies"
        )


def _changed(images: NDArray[np.uint8], seed: int, first: int) -> NDArray[np.uint8]:
    """Each image changed by a draw of its own."""
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingExtraError("Changing copies of images", "train") from error
    from deepmnist.augmentation import augment
    from deepmnist.recipes import DEFAULT_RECIPE, RECIPES

    config = replace(RECIPES[DEFAULT_RECIPE], **CHANGES)
    draw = tf.constant([seed, first], tf.int64)
    changed = augment(tf.constant(images, tf.float32), draw, config).numpy()
    return np.asarray(changed.round(), np.uint8)


# ---- onto the disk -----------------------------------------------------------------------------


def _write_parts(
    out: Path, parts: dict[str, _Part], rows: int, observe: Observe
) -> dict[str, list[ShardRecord]]:
    counts = {name: -(-len(part) // rows) for name, part in parts.items()}
    records: dict[str, list[ShardRecord]] = {}
    done = 0
    for name, part in parts.items():
        records[name] = []
        for number in range(counts[name]):
            paths = paths_of(out, name, number, counts[name])
            bounds = number * rows, min((number + 1) * rows, len(part))
            records[name].append(_record(paths, bounds) or _write(paths, part, bounds))
            done += 1
            observe(done, sum(counts.values()))
    return records


def _record(paths: tuple[Path, Path], bounds: tuple[int, int]) -> ShardRecord | None:
    """Of a shard that is there already; None where one of its files is not."""
    rows = bounds[1] - bounds[0]
    sizes = IMAGES_HEADER_BYTES + rows * IMAGE_BYTES, LABELS_HEADER_BYTES + rows
    for path, size in zip(paths, sizes, strict=True):
        if not path.is_file() or path.stat().st_size != size:
            return None
    return ShardRecord(rows, *map(sha256, paths))


def _write(paths: tuple[Path, Path], part: _Part, bounds: tuple[int, int]) -> ShardRecord:
    """Write a shard; its labels take their name last."""
    rows = bounds[1] - bounds[0]
    starts = range(*bounds, PIECE_ROWS)
    labels: list[bytes] = []

    def images() -> Iterator[bytes]:
        for start in starts:
            found, own = part.piece(start, min(start + PIECE_ROWS, bounds[1]))
            labels.append(own.tobytes())
            yield found.tobytes()

    hashes = [_write_file(paths[0], images_header(rows), images())]
    hashes.append(_write_file(paths[1], labels_header(rows), iter(labels)))
    return ShardRecord(rows, *hashes)


def _write_file(path: Path, first: bytes, pieces: Iterator[bytes]) -> str:
    """The SHA-256 of what was written."""
    digest = hashlib.sha256(first)
    with atomic.replacing(path) as temporary, temporary.open("wb") as file:
        file.write(first)
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


# ---- whose folder it is ------------------------------------------------------------------------


def _check_options(rows: int, copies: int, seed: int) -> None:
    limits = {"rows": (rows, 1, MAX_ROWS), "copies": (copies, 0, MAX_COPIES)}
    limits["seed"] = (seed, 0, 2**31 - 1)
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise ConfigError(f"{name} is {value:,}; it must be from {least} to {most:,}")


def _made(corpus: Corpus, rows: int, copies: int, seed: int) -> Made:
    training = corpus.training_part
    labels = hashlib.sha256(np.ascontiguousarray(training.required_labels()).data).hexdigest()
    return Made(
        source=corpus.name,
        images=len(training),
        labels=labels,
        pixels=_first_pixels(training, corpus.test),
        rows=rows,
        copies=copies,
        seed=seed if copies else 0,
    )


def _first_pixels(*parts: Dataset | None) -> str:
    """SHA-256 of the first images of each; all of them would be as much work as the shards."""
    digest = hashlib.sha256()
    for part in parts:
        first = b"" if part is None else part.gather(slice(0, FIRST_ROWS)).tobytes()
        digest.update(len(first).to_bytes(8) + first)
    return digest.hexdigest()


def _complete(out: Path, made: Made) -> Index | None:
    """The index of shards that are complete; None where there are none. StorageError: of others."""
    try:
        if not (out / INDEX).exists():
            return None
    except OSError as error:
        raise StorageError(f"cannot read {out}: {reason(error)}") from error
    index = read_index(out)
    _check_same(out, index.made, made)
    return index


def _claim(out: Path, made: Made) -> None:
    """Make `out` ours to write into. StorageError where it holds something else."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        atomic.sweep(out)
        if (out / BEGUN).exists():
            _check_same(out, _begun(out / BEGUN), made)
        elif any(out.iterdir()):
            raise StorageError(f"{out} is not empty; name a new folder with --out")
        else:
            atomic.write(out / BEGUN, msgspec.json.encode(made))
    except OSError as error:
        raise StorageError(f"cannot write {out}: {reason(error)}") from error


def _begun(path: Path) -> Made | None:
    """What a stopped call was making; None where its note cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes()[:65_536], type=Made)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _check_same(out: Path, there: Made | None, now: Made) -> None:
    if there is not None and there.pixels is None:  # an older version's
        now = msgspec.structs.replace(now, pixels=None)
    if there == now:
        return
    fields = () if there is None else now.__struct_fields__
    names = [name for name in fields if getattr(there, name) != getattr(now, name)]
    what = f"with another value of {names[0]}" if names else "of something unknown"
    raise StorageError(f"{out} holds shards made {what}; give another --out")
