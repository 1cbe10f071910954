"""A folder of pictures, one sub-folder a class, with or without `train` and `test` above them.

    digits/7/a.png              one part
    digits/train/7/a.png        two parts, or one of them
    digits/test/7/b.png

Class names are the sub-folders', sorted; sub-folders named 0 to 9 are the ten digits even where
some are missing. Pictures of 28x28 are taken as they are, white ink on black, as MNIST exported
to PNG is. No file is passed over but hidden ones, Windows' thumbnails and, beside train and test,
what is named as no picture: what cannot be read is an error that names it. Decoding pictures is
pictures.py's job.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import SIDE
from deepmnist.data.dataset import DIGITS, Corpus, Dataset, to_labels
from deepmnist.data.resizing import picture_to_side
from deepmnist.errors import DataError, PictureError, reason

PARTS = ("train", "test")
SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


def read_folder(folder: Path, name: str | None = None, *, resize: bool = False) -> Corpus:
    """The pictures of `folder`, in the order of class and file name.

    DataError, naming the picture, for one that cannot be decoded or, without `resize`, is not
    28x28; for an empty class list, a folder within a class, files where classes are expected, and
    a folder or picture beside `train` and `test`.
    """
    name = name or folder.name
    try:
        parts = {part: folder / part for part in PARTS if (folder / part).is_dir()}
        if not parts:
            return Corpus(_read(folder, _classes([folder]), f"{name}/train", resize), None, name)
        _check_parts_alone(folder)
        class_names = _classes(list(parts.values()))
        read = {
            part: _read(place, class_names, f"{name}/{part}", resize)
            for part, place in parts.items()
        }
    except OSError as error:
        raise DataError(f"cannot read {folder}: {reason(error)}") from error
    return Corpus(read.get("train"), read.get("test"), name)


def _check_parts_alone(folder: Path) -> None:
    from deepmnist.pictures import SUFFIXES

    others = [
        entry
        for entry in visible(folder)
        if entry.name not in PARTS and (entry.is_dir() or entry.suffix.lower() in SUFFIXES)
    ]
    if others:
        raise DataError(
            f"{others[0]} lies beside train and test and would be passed over; move it into one of "
            "them, or away"
        )


def _classes(places: list[Path]) -> tuple[str, ...]:
    names: set[str] = set()
    for place in places:
        for entry in visible(place):
            if not entry.is_dir():
                raise DataError(
                    f"{entry} lies beside the classes; {place} must hold one folder a class"
                )
            names.add(entry.name)
    if not names:
        raise DataError(f"{places[0]} is empty: it must hold one folder of pictures a class")
    return DIGITS if names <= set(DIGITS) else tuple(sorted(names))


def _read(place: Path, class_names: tuple[str, ...], name: str, resize: bool) -> Dataset:
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    for label, class_name in enumerate(class_names):
        if not (place / class_name).is_dir():
            continue  # a class the other part has, or a digit nobody wrote
        for path in visible(place / class_name):
            images.append(_image(path, resize))
            labels.append(label)
    if not images:
        raise DataError(f"{place} is empty: it holds no picture")
    stacked = np.stack(images).reshape(-1, SIDE, SIDE)
    narrow = to_labels(np.array(labels, np.int64), class_names, str(place))
    return Dataset(stacked, narrow, class_names, name)


def _image(path: Path, resize: bool) -> NDArray[np.uint8]:
    from deepmnist.pictures import read

    if not path.is_file():
        raise DataError(f"{path} is no file; a class folder must hold pictures only")
    try:
        return picture_to_side(read(path), str(path), resize=resize)
    except PictureError as error:
        raise DataError(str(error)) from error


def visible(place: Path) -> list[Path]:
    """What lies in a folder but hidden and system files, by name. OSError as the system has it."""
    return sorted(
        entry
        for entry in place.iterdir()
        if not entry.name.startswith(".") and entry.name.lower() not in SYSTEM_FILES
    )
