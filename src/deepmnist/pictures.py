"""Picture files decoded to grey arrays, and the arguments of `deepmnist predict` expanded to files.

Six formats, through Pillow and no other of its decoders. Files are taken to be hostile: size,
pixels, scans and strips are checked before anything is decoded; every failure is a PictureError
of one line that names the file. It knows nothing of digits; images.py takes over from grey.
"""

from __future__ import annotations

import difflib
import glob
import io
import os
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from deepmnist import greys, scans, tags
from deepmnist.errors import PictureError, reason

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")
STDIN = "-"

MAX_FILE_BYTES = 128 * 1024**2
MAX_PICTURE_PIXELS = 64_000_000  # a phone's 48 or 50 megapixels fit
MAX_SCANS = 100  # of a JPEG, each of which costs work for every pixel; a usual one has 1 or 10
MAX_NUMBERS = 100_000  # in a TIFF's tags, such as its strips; narrow strips make some thousands
MAX_LAYERS = 6  # as often a TIFF's strips cover it: Pillow takes no more samples a pixel
MAX_EXIF = 10  # segments of a JPEG; cameras write one


def _too_large(most: int) -> str:
    return f"is too large: at most {most:,} pixels are decoded; save it in a smaller size"


Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright, maybe reduced, and the shape it has in its file."""

    grey: Grey  # (height, width), 0 black .. 255 white
    shape: tuple[int, int]  # height and width as given, in pixels


# ---- decoding -----------------------------------------------------------------------------------


def read(path: Path) -> Grey:
    """The picture in a file, as `decode` gives it; PictureError where it cannot be read."""
    return decode(content(path), str(path))


def content(path: Path) -> bytes:
    """The bytes of a file, one more than are decoded at most; PictureError where there are none."""
    try:
        if path.is_dir():
            raise PictureError(_folder_message(path))
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise PictureError(f"{_shown(path)} does not exist{_nearest_sibling(path)}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise PictureError(f"{_shown(path)} cannot be read: {reason(error)}") from None


def decode(data: bytes, name: str) -> Grey:
    """The picture in `data` as grey uint8 (height, width), 0 black .. 255 white, upright.

    The first frame of a moving picture, turned as its EXIF orientation says. Colours become their
    luma; 16-bit grey is scaled to 8; transparent pixels become paper (see greys.py).
    `name` stands for the picture in messages. PictureError where it is empty, no picture of the
    six formats, damaged, or beyond a limit above: bytes, pixels, scans, strips.
    """
    return _decoded(data, name, None).grey


def decode_reduced(data: bytes, name: str, enough: int, most_pixels: int | None = None) -> Picture:
    """The same, but a JPEG may come reduced by 2, 4 or 8, which is faster.

    Its longest side keeps at least `enough` pixels, where it has them. `most_pixels`: a lower
    limit than MAX_PICTURE_PIXELS.
    """
    return _decoded(data, name, enough, most_pixels)


def _decoded(data: bytes, name: str, enough: int | None, most_pixels: int | None = None) -> Picture:
    shown = _shown(name)
    most = MAX_PICTURE_PIXELS if most_pixels is None else most_pixels
    _check_bytes(data, shown)
    _check_tags(data, shown)
    _check_exif(data, shown)
    try:
        with _opened(data) as picture:
            width, height = picture.size
            _check_pixels(width, height, shown, most)
            _check_tile(picture, shown, most)
            _check_strips(picture, shown)
            _check_scans(data, shown)
            if enough is not None:
                _draft(picture, enough)
            reduced = picture.size != (width, height)
            picture.load()
            orientation = _orientation(picture)
            grey = _upright(greys.grey(picture), orientation)
            given = (width, height) if orientation in ON_SIDE else (height, width)
            return Picture(grey, given if reduced else grey.shape)
    except PictureError:
        raise
    except Image.DecompressionBombError:  # twice Pillow's own limit, which is above ours
        raise PictureError(f"{shown} {_too_large(most)}") from None
    except UnidentifiedImageError:
        raise PictureError(
            f"{shown} is no picture deepmnist can read, or has no pixels, or is cut off early; "
            f"the formats are {', '.join(FORMATS)}"
        ) from None
    except Exception as error:  # Pillow's decoders raise any class there is on damaged data
        raise PictureError(
            f"{shown} is damaged or incomplete ({reason(error)}); save or copy it again"
        ) from error


def _draft(picture: Image.Image, enough: int) -> None:
    """Have a JPEG of colours or greys decoded as greys, and reduced as far as is allowed."""
    if picture.mode not in ("L", "RGB"):  # four inks: their greys are not the first channel
        return
    by = next((by for by in (8, 4, 2) if max(picture.size) // by >= enough), 1)
    width, height = (max(1, side // by) for side in picture.size)
    picture.draft("L", (width, height))  # nothing happens in the other formats


def _check_bytes(data: bytes, shown: str) -> None:
    if not data:
        raise PictureError(f"{shown} is empty: it holds no byte, so no picture")
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(
            f"{shown} is larger than {MAX_FILE_BYTES // 1024**2} MiB, the most that is read; "
            "save it smaller"
        )


def _check_pixels(width: int, height: int, shown: str, most: int) -> None:
    if width * height > most:
        raise PictureError(f"{shown} of {width} x {height} pixels {_too_large(most)}")


def _check_tile(picture: Image.Image, shown: str, most: int) -> None:
    """A tile (TIFF 6.0, section 15) is decoded whole, however little of it the picture needs."""
    if picture.format == "TIFF":
        width, height = (picture.tag_v2.get(tag, 0) for tag in (322, 323))  # type: ignore[attr-defined]
        _check_pixels(width, height, f"{shown} with a tile", most)


def _check_tags(data: bytes, shown: str) -> None:
    if tags.numbers(data, MAX_NUMBERS) > MAX_NUMBERS:
        raise PictureError(
            f"{shown} is a TIFF of more than {MAX_NUMBERS:,} strips, tiles or other numbers in its "
            "tags, the most that are read; save it again in larger strips"
        )


def _check_exif(data: bytes, shown: str) -> None:
    if data.startswith(scans.START) and scans.of_exif(data, MAX_EXIF) > MAX_EXIF:
        raise PictureError(
            f"{shown} is a JPEG of more than {MAX_EXIF} segments of EXIF, the most that are read; "
            "save it again"
        )


def _check_strips(picture: Image.Image, shown: str) -> None:
    """Each strip or tile that is listed is decoded, also where others lay there before."""
    if picture.format != "TIFF":
        return
    places = (place for _, place, *_ in picture.tile)  # type: ignore[attr-defined]
    covered = sum((right - left) * (low - top) for left, top, right, low in places)
    if covered > MAX_LAYERS * picture.width * picture.height:
        raise PictureError(f"{shown} is a TIFF with far more strips than it needs; save it again")


def _check_scans(data: bytes, shown: str) -> None:
    if data.startswith(scans.START) and scans.decoded(data) > MAX_SCANS:
        raise PictureError(
            f"{shown} is a JPEG of more than {MAX_SCANS} scans, the most that are decoded; "
            "save it again"
        )


_QUIET = threading.Lock()  # the warning filters belong to the whole process


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Pillow's warnings: of damaged metadata, which is not used, and of sizes, checked."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(data: bytes) -> Image.Image:
    """The picture with its header read and nothing decoded."""
    with _quietly():
        return Image.open(io.BytesIO(data), formats=FORMATS)


# ---- orientation --------------------------------------------------------------------------------

ORIENTATION_TAG = 0x0112  # EXIF 2.32, section 4.6.4
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ON_SIDE = (5, 6, 7, 8)  # height and width change places


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) where none can be read; Pillow has turned TIFF already."""
    try:
        told = picture.info.get("exif", b"").removeprefix(scans.EXIF)
        if tags.numbers(told, MAX_NUMBERS) > MAX_NUMBERS:
            return 1
        with _quietly():
            return int(picture.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001  damaged metadata beside sound pixels: read it all the same
        return 1


def _upright(grey: Image.Image, orientation: int) -> Grey:
    turn = TURNS.get(orientation)
    return np.array(grey if turn is None else grey.transpose(turn), np.uint8)


# ---- which files --------------------------------------------------------------------------------


def find(arguments: Sequence[str]) -> list[Path]:
    """The files that `arguments` name, in their order.

    A folder stands for the pictures directly in it (by suffix; hidden files left out), a pattern
    the shell left alone (`*`, `?`, `[...]`, `**`) for the files it matches; both in natural order,
    2.png before 10.png. Anything else is kept as given, '-' too; a file of that name, such as
    './-', comes with its whole path. Nothing is raised: a name that leads to no file, such as an
    empty folder, is kept, so that `read` says what is wrong with it and the others are still
    answered.
    """
    return [path for argument in arguments for path in _found(argument)]


def _found(argument: str) -> list[Path]:
    found = _expanded(argument)
    if argument == STDIN:
        return found
    return [path.absolute() if str(path) == STDIN else path for path in found]


def _expanded(argument: str) -> list[Path]:
    if argument == STDIN or os.path.isfile(argument):
        return [Path(argument)]
    if os.path.isdir(argument):
        return _pictures_in(Path(argument)) or [Path(argument)]
    pattern = argument if "\0" not in argument else ""
    matches = glob.glob(pattern, recursive=True)
    files = [Path(match) for match in matches if os.path.isfile(match)]
    return sorted(files, key=_natural) or [Path(argument)]


def _pictures_in(folder: Path) -> list[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError:  # `read` reports it, for the folder's own name
        return []
    pictures = [
        entry
        for entry in entries
        if entry.suffix.lower() in SUFFIXES
        and not entry.name.startswith(".")
        and os.path.isfile(entry)
    ]
    return sorted(pictures, key=_natural)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sorts by the numbers in a name as numbers: longer runs of digits are greater."""
    pieces = re.split(r"([0-9]+)", str(path).casefold())
    digits = [piece.lstrip("0") if i % 2 else piece for i, piece in enumerate(pieces)]
    return [(len(p) if i % 2 else 0, p) for i, p in enumerate(digits)], str(path)


# ---- messages -----------------------------------------------------------------------------------

SIBLINGS_COMPARED = 1_000  # names in the folder, when looking for the one that was meant


def _folder_message(path: Path) -> str:
    return (
        f"{_shown(path)} is a folder with {len(_pictures_in(path))} pictures directly in it, not a "
        f"picture; name a file, or a pattern such as '{_shown(path)}/**/*.png' to look deeper"
    )


def _nearest_sibling(path: Path) -> str:
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in islice(entries, SIBLINGS_COMPARED)]
    except OSError:
        return f": there is no folder {_shown(path.parent)}"
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {_shown(path.parent / close[0])}?" if close else ""


def _shown(name: str | Path) -> str:
    """A name fit for one line of a message: control characters are escaped."""
    text = "the picture on standard input" if str(name) == STDIN else str(name)
    return text if text.isprintable() else ascii(text)
