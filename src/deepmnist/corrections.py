"""What people corrected, as a Dataset to learn from: labels, and the images that the net saw.

Four forms: a folder of pictures by class (0 to 9, and `none` for what is no digit), each prepared
as `predict` prepares it; a ZIP of one, as the page gives it; the JSON that `read --format json`
prints, its labels put right, each box seen as `read` saw it; a folder of such JSON files. Pictures
are decoded as those two commands decode them, a large JPEG in a smaller size. Every
label in it is taken for true, corrected or not. Files are taken to be hostile: sizes are bounded,
and what is wrong is a DataError of one line that says where. How a net learns from them is
improvement.py's business.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from deepmnist import images, pictures, reader, sheet
from deepmnist.data.arrays import check_method
from deepmnist.data.dataset import Dataset
from deepmnist.data.folder import visible
from deepmnist.errors import DataError, PictureError, nearest, one_line, reason
from deepmnist.synthesis.corpus import CLASS_NAMES, NONE

MAX_CORRECTIONS = 100_000
MAX_JSON_BYTES = 64_000_000  # about what so many are printed in, twice over
MAX_ZIP_BYTES = 32_000_000  # its directory is read whole: this bounds it
MAX_UNPACKED_BYTES = 512_000_000  # of all pictures in it

JSON, ZIP = ".json", ".zip"
LABELS = {name: label for label, name in enumerate(CLASS_NAMES)} | {"": NONE}
ALLOWED = "one of 0 to 9, or 'none' (or '') for what is no digit"

Example = tuple[NDArray[np.uint8], int]  # an image (28, 28) and its label


def read(path: Path) -> Dataset:
    """The corrections at `path`, of eleven classes: images uint8 (n, 28, 28), label 10 is none.

    Where `none` is rightly said of nothing at all, such as an empty cell, there is nothing to learn
    and no image. DataError for what cannot be read, a label or box that cannot be, a digit where
    nothing is seen, more than MAX_CORRECTIONS, and where no image is left.
    """
    found: list[Example] = []
    try:
        for example in _examples(path):
            if len(found) == MAX_CORRECTIONS:
                raise DataError(_too_many(path))
            found.append(example)
    except OSError as error:
        raise DataError(f"cannot read {path}: {reason(error)}") from error
    if not found:
        raise DataError(f"{path} holds no correction: there is no digit in any of its pictures")
    seen, labels = zip(*found, strict=True)
    return Dataset(np.stack(seen), np.array(labels, np.uint8), CLASS_NAMES, path.name)


def _too_many(path: Path) -> str:
    return f"{path} holds more than {MAX_CORRECTIONS:,} corrections; give fewer at a time"


def _examples(path: Path) -> Iterator[Example]:
    if not path.is_dir():
        yield from _of_zip(path) if path.suffix.lower() == ZIP else _of_json(path)
        return
    entries = visible(path)
    files = [entry for entry in entries if entry.suffix.lower() == JSON]
    classes = [entry for entry in entries if entry.name in CLASS_NAMES and entry.is_dir()]
    if not files:
        _check_classes_alone(path, entries, classes)
    for folder in classes:
        yield from _of_class(folder)
    for file in files:
        yield from _of_json(file)


# ---- pictures by class --------------------------------------------------------------------------


def _check_classes_alone(folder: Path, entries: list[Path], classes: list[Path]) -> None:
    """Without JSON, what is beside the classes is a slip: a folder misspelt, a loose picture."""
    others = [entry.name for entry in entries if entry not in classes]
    if others:
        raise DataError(
            f"{folder} holds {others[0]!r}, which is no class; it must hold folders of pictures "
            f"by class, or JSON files of corrected reads; {nearest(others[0], CLASS_NAMES)}"
        )
    if not classes:
        raise DataError(
            f"{folder} is empty: it must hold folders of pictures by class "
            f"({', '.join(CLASS_NAMES)}), or JSON files of corrected reads"
        )


def _of_class(folder: Path) -> Iterator[Example]:
    label = LABELS[folder.name]
    for path in visible(folder):
        try:
            yield from _example(_prepared(_content(path), str(path)), label, str(path))
        except PictureError as error:
            raise DataError(str(error)) from error


def _prepared(content: bytes, name: str) -> NDArray[np.uint8]:
    return images.prepare(pictures.decode_reduced(content, name, images.WORK_SIDE).grey)


def _content(path: Path) -> bytes:
    """A file's bytes; PictureError also for what is no file, such as a pipe that waits."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return pictures.content(path)  # says what is wrong
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise PictureError(f"{path} is no file; give pictures only")
    return pictures.content(path)


def _example(image: NDArray[np.uint8], label: int, place: str) -> Iterator[Example]:
    """The example, or none where nothing is seen and that is what the label says."""
    if image.any():
        yield image, label
    elif label != NONE:
        raise DataError(
            f"{place} is said to be {CLASS_NAMES[label]}, but nothing is found there; "
            "show the digit, or say 'none'"
        )


# ---- a ZIP of pictures by class ------------------------------------------------------------------


def _of_zip(path: Path) -> Iterator[Example]:
    """Read in memory, a picture at a time: no name in it becomes a path."""
    if not stat.S_ISREG(path.stat().st_mode) or path.stat().st_size > MAX_ZIP_BYTES:
        raise DataError(
            f"{path} is no file of at most {MAX_ZIP_BYTES:,} bytes; give smaller ones, or a folder"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in _pictures_in(path, archive):
                label = LABELS[PurePosixPath(entry.filename).parts[0]]
                place = f"{path}: {entry.filename}"
                yield from _example(_prepared(archive.read(entry), place), label, place)
    except PictureError as error:
        raise DataError(str(error)) from error
    except BROKEN_ZIP as error:
        raise DataError(f"{path} is no ZIP of pictures by class: {error}") from error


# What Python's zipfile raises on a file that is none, is cut off, encrypted, or packed otherwise.
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError)


def _pictures_in(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Its files, each CLASS/NAME; DataError for any other name, or for more than is unpacked."""
    entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    for entry in entries:
        parts = PurePosixPath(entry.filename).parts
        if len(parts) != 2 or parts[0] not in CLASS_NAMES or not entry.filename.isprintable():
            raise DataError(
                f"{path} holds {entry.filename[:60]!r}; a ZIP must hold pictures in folders by "
                f"class ({', '.join(CLASS_NAMES)}) and nothing else"
            )
        check_method(entry, f"{path}: {entry.filename}")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise DataError(
            f"{path} unpacks to more than {MAX_UNPACKED_BYTES:,} bytes; give fewer at a time"
        )
    return entries


# ---- corrected reads ----------------------------------------------------------------------------


Number = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class _Digit(msgspec.Struct):
    box: tuple[Number, Number, Number, Number]
    label: str | Number | None


class _Line(msgspec.Struct):
    digits: list[_Digit]


class _Page(msgspec.Struct):
    path: str
    lines: list[_Line] = []  # a picture that could not be read has an error instead


def _of_json(file: Path) -> Iterator[Example]:
    pages = _pages(file)
    if sum(len(line.digits) for page in pages for line in page.lines) > MAX_CORRECTIONS:
        raise DataError(_too_many(file))
    for number, page in enumerate(pages, start=1):
        digits = [
            (f"{file}: picture {number}, line {row}, digit {column}", digit)
            for row, line in enumerate(page.lines, start=1)
            for column, digit in enumerate(line.digits, start=1)
        ]
        if digits:
            yield from _of_page(file, f"{file}: picture {number}", page.path, digits)


def _pages(file: Path) -> list[_Page]:
    if not stat.S_ISREG(file.stat().st_mode):
        raise DataError(f"{file} is no file; give a folder or JSON of corrected reads")
    with file.open("rb") as opened:
        text = opened.read(MAX_JSON_BYTES + 1)
    if len(text) > MAX_JSON_BYTES:
        raise DataError(f"{file} is larger than {MAX_JSON_BYTES:,} bytes; give smaller files")
    try:
        return msgspec.json.decode(text, type=list[_Page])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            f"{file} is no JSON as `deepmnist read --format json` prints it: {one_line(error)}"
        ) from error


def _of_page(
    file: Path, place: str, path: str, digits: list[tuple[str, _Digit]]
) -> Iterator[Example]:
    labels = [_label(digit.label, where) for where, digit in digits]
    if path == pictures.STDIN:
        raise DataError(f"{place} came from standard input; put the path of its file in 'path'")
    try:
        source = file.parent / path
        picture = pictures.decode_reduced(_content(source), str(source), sheet.WORK_SIDE)
        for where, digit in digits:
            _check_box(digit.box, picture.shape, where)
        boxes = dict.fromkeys(digit.box for _, digit in digits)  # equal ones are seen once
        seen = dict(zip(boxes, reader.seen(picture.grey, boxes, picture.shape), strict=True))
    except PictureError as error:
        raise DataError(f"{place}: {error}") from error
    for (where, digit), label in zip(digits, labels, strict=True):
        yield from _example(seen[digit.box], label, where)


def _label(given: str | int | None, where: str) -> int:
    text = "" if given is None else str(given)
    if text not in LABELS:
        raise DataError(f"{where} has the label {text[:20]!r}; it must be {ALLOWED}")
    return LABELS[text]


def _check_box(box: sheet.Box, shape: tuple[int, ...], where: str) -> None:
    left, top, right, bottom = box
    if not (left < right <= shape[1] and top < bottom <= shape[0]):
        raise DataError(
            f"{where} has the box {list(box)}, which does not lie in its picture of "
            f"{shape[1]} x {shape[0]} pixels; boxes are left, top, right, bottom"
        )
