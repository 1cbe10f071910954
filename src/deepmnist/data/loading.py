"""The front door to data: a name or a path in, a Corpus out.

A name is looked for in the folder given, in $DEEPMNIST_DATA_DIR, in the cache, and then
downloaded. A path is read by what lies there. How each kind is read is its own module's business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deepmnist.data import arrays, digits, folder, idx, parquet, sources, table
from deepmnist.data.dataset import Corpus, Dataset, drawn
from deepmnist.data.download import WHAT_TO_DO, fetch, mismatch
from deepmnist.data.shards import index
from deepmnist.data.sources import NamedSource, RemoteFile
from deepmnist.errors import DataError, DataNotFoundError, nearest, reason

DEFAULT = "mnist"
DATA_DIR_VARIABLE = "DEEPMNIST_DATA_DIR"
TEST_SHARE = 0.1  # of a path's images, where no test part comes with them
TEST_SEED = 0

READABLE = (
    "a folder of IDX, .npy or .parquet files, shards or pictures, or a .npz, .csv or .parquet file"
)


@dataclass(frozen=True)
class SourceStatus:
    """A line of `data list`: `where` says where the data set lies, None where it is nowhere."""

    name: str
    title: str
    where: str | None
    size: int  # bytes to download
    licence: str


def load(
    spec: str | Path,
    data_dir: Path | None = None,
    *,
    resize: bool = False,
    download: bool = True,
    hold_out: bool = True,
    stream: bool = False,
) -> Corpus:
    """The data set that `spec` names or points to.

    A known name ("mnist") comes first; a folder of the same name is "./mnist" or a Path. Files of
    a name are looked for in data_dir/NAME, $DEEPMNIST_DATA_DIR/NAME and the cache, and then, if
    `download`, fetched into data_dir/NAME or the cache; the file's hash is checked when it is
    fetched (`check` does so later).

    Of a path without a test part, a fixed tenth of each class, drawn by a seed, and 50,000 images
    at most, is held out as test; that copies the images into memory, but for a set on disk too
    large for that.
    Without labels, or with hold_out=False (there is a model already), all of it is the test part.

    A corpus is named as it would be given again: a path's by its last part, "./mnist" where that is
    a known name.

    resize: bring images that are not 28x28 there; without it they are a DataError. stream: leave
    pictures in Parquet until they are asked for, for who takes them in order and once.
    DataError for an unknown name, a missing path or unreadable files, DataNotFoundError where a
    name cannot be had.
    """
    if isinstance(spec, str) and spec in sources.SOURCES:
        return _load_name(spec, data_dir, resize, download)
    with _readable(spec):
        path = Path(spec)
        if not path.exists():
            raise DataError(_not_there(spec))
        return _with_test(_read_path(path, resize, stream), hold_out)


def unlearnt(corpus: Corpus, learnt: str) -> Corpus:
    """Of a set without a test part, what training held out of it, where a model learnt the rest.

    corpus: loaded with hold_out=False. learnt: identity of the images that the model was trained
    on. Of any other set, all of it.
    """
    if corpus.train is not None or corpus.test is None or corpus.test.labels is None:
        return corpus
    try:
        split = _with_test(Corpus(corpus.test, None, corpus.name), hold_out=True)
    except DataError:  # too few for training to have held any out
        return corpus
    return split if split.training_part.identity == learnt else corpus


def locate(name: str, data_dir: Path | None = None) -> Path | None:
    """The first folder of those looked in that holds every file of `name`; None where none does."""
    record = sources.source(name)
    if not record.files:
        return None
    places = _places(name, data_dir)
    return next((place for place in places if not _missing(record, place)), None)


def get(name: str, data_dir: Path | None = None) -> Path | None:
    """The folder that holds `name`, downloading what is missing; None where it needs no file.

    Into data_dir/NAME where `data_dir` is given, else into the cache. DataNotFoundError where no
    mirror gives a file.
    """
    record = sources.source(name)
    found = locate(name, data_dir)
    if found or not record.files:
        return found
    _check_data_dir(name, data_dir)
    place = (data_dir or _cache()) / name
    with _readable(place):
        for file in _missing(record, place):
            fetch(file, place)
    return place


def check(name: str, data_dir: Path | None = None) -> tuple[Path, ...]:
    """The files of `name`, or of a folder of shards, each held against its SHA-256.

    Empty where a name needs no file.
    DataError naming the first file that differs, DataNotFoundError where it lies nowhere.
    """
    with _readable(name):
        if name not in sources.SOURCES and index.is_folder(Path(name)):
            return index.check(Path(name))
    record = sources.source(name)
    if not record.files:
        return ()
    place = locate(name, data_dir)
    if place is None:
        raise DataNotFoundError(_nowhere(name, data_dir))
    with _readable(place):
        return tuple(_checked(file, place) for file in record.files)


def list_sources(data_dir: Path | None = None) -> tuple[SourceStatus, ...]:
    """Every named data set and where it lies."""
    return tuple(
        SourceStatus(
            record.name, record.title, _where(record, data_dir), record.size, record.licence
        )
        for record in sources.SOURCES.values()
    )


@contextmanager
def _readable(place: str | Path) -> Iterator[None]:
    """What the system refuses, such as a name too long for it, becomes a DataError of one line."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {str(place)[:200]}: {reason(error)}") from error


def _load_name(name: str, data_dir: Path | None, resize: bool, may_download: bool) -> Corpus:
    record = sources.source(name)
    if not record.files:
        return digits.read_digits()
    place = get(name, data_dir) if may_download else locate(name, data_dir)
    if place is None:
        raise DataNotFoundError(_nowhere(name, data_dir))
    return idx.read_folder(place, record.class_names, name, resize=resize)


def _read_path(path: Path, resize: bool, stream: bool) -> Corpus:
    if path.is_dir():
        return _read_folder(path, resize, stream)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return arrays.read_npz(path, resize=resize)
    if suffix == ".csv":
        return _one_part(table.read_csv(path))
    if suffix == ".parquet":
        return _one_part(parquet.read_file(path, resize=resize, stream=stream))
    raise DataError(f"{path} is of no kind that is read: give {READABLE}")


def _read_folder(path: Path, resize: bool, stream: bool) -> Corpus:
    name = _called(path)
    if index.is_folder(path):
        return index.read_folder(path, name)
    if idx.is_folder(path):
        return idx.read_folder(path, name=name, resize=resize)
    if arrays.is_folder(path):
        return arrays.read_folder(path, name=name, resize=resize)
    if parquet.is_folder(path):
        return parquet.read_folder(path, name, resize=resize, stream=stream)
    return folder.read_folder(path, name, resize=resize)


def _called(path: Path) -> str:
    """The folder's own name; that of a known data set is "./digits", or it would be taken for it.

    A file's name is none of a known data set's: it has an ending.
    """
    name = path.name or str(path)  # of "." the name is empty
    return f"./{name}" if name in sources.SOURCES else name


def _one_part(dataset: Dataset) -> Corpus:
    if dataset.labels is None:
        return Corpus(None, dataset, dataset.name)
    return Corpus(dataset, None, dataset.name)


def _with_test(corpus: Corpus, hold_out: bool) -> Corpus:
    if corpus.train is None or corpus.test is not None:
        return corpus
    if corpus.train.labels is None or not hold_out:
        return Corpus(None, corpus.train, corpus.name)
    train, test = drawn(corpus.train, TEST_SHARE, TEST_SEED, fixed=True)
    return Corpus(
        corpus.train.take(train, f"{corpus.name}/train"),
        corpus.train.take(test, f"{corpus.name}/test"),
        corpus.name,
    )


def _places(name: str, data_dir: Path | None) -> list[Path]:
    stated = os.environ.get(DATA_DIR_VARIABLE)
    roots = [data_dir, Path(stated) if stated else None, _cache()]
    return [root / name for root in roots if root is not None]


def _cache() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("deepmnist")


def _check_data_dir(name: str, data_dir: Path | None) -> None:
    if data_dir is not None and idx.is_folder(data_dir):
        raise DataError(
            f"{data_dir} holds IDX files itself; a data folder has one folder a data set: put them "
            f"into {data_dir / name}, or give {data_dir} as the data set"
        )


def _missing(record: NamedSource, place: Path) -> list[RemoteFile]:
    return [file for file in record.files if idx.find(place, file.stem) is None]


def _where(record: NamedSource, data_dir: Path | None) -> str | None:
    if not record.files:
        return "inside scikit-learn"
    place = locate(record.name, data_dir)
    return None if place is None else str(place)


def _checked(file: RemoteFile, place: Path) -> Path:
    path = idx.find(place, file.stem)
    if path is None:  # it went away between the look and the check
        raise DataNotFoundError(f"{place} has no {file.name}")
    packed = path.suffix == ".gz"
    stated = file.sha256 if packed else file.unpacked_sha256
    if stated is None:
        raise DataError(
            f"{path} cannot be checked: only the hash of {file.name} is known; keep that"
        )
    fault = mismatch(path, stated, file.size if packed else None)
    if fault:
        raise DataError(f"{path} is not the published file: {fault}; remove it and get it again")
    return path


def _nowhere(name: str, data_dir: Path | None) -> str:
    places = ", ".join(str(place) for place in _places(name, data_dir))
    return (
        f"{name} is in none of {places}; get it with `deepmnist data get {name}`, or {WHAT_TO_DO}"
    )


def _not_there(spec: str | Path) -> str:
    if isinstance(spec, str) and not Path(spec).suffix and Path(spec).name == spec:
        known = nearest(spec, sources.SOURCES)
        return f"unknown data set '{spec}', and no file or folder of that name: {known}"
    return f"{spec} does not exist: give {READABLE}, or one of {', '.join(sorted(sources.SOURCES))}"
